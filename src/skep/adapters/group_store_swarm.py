"""The document of a manager in a label of its Swarm, where InfraKit's managers look for it (infrakit-compat.md 3.9)."""

import asyncio
import base64
import binascii
import zlib
from collections.abc import Callable

from skep.adapters.group_store_document import read_document, written_document
from skep.model.errors import ConflictError, Fault, InvalidError, RefusedError, UnavailableError
from skep.model.group_document import GroupDocument
from skep.ports import Engine

LABEL = "infrakit"
LABEL_BYTES_MAX = 1024 * 1024
"""What Swarm's raft was measured to take in one object; it carries the whole cluster object to every manager with each
change."""
DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
"""More than a label can hold of any real document: what unpacks to more was not written by a manager."""
WRITES_MAX = 10
"""The Swarm's object changes when somebody updates the Swarm or rotates its tokens: seldom twice in a row."""
_FIRST = "the label of the Swarm that keeps the groups"


class SwarmGroupStore:
    """Implements ports.GroupStore with the label `infrakit` of the Swarm that `engine` manages.

    Written with compare-and-set against the version that was read; everything else of the Swarm's spec stays.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = asyncio.Lock()

    async def load(self) -> GroupDocument:
        return _unpacked((await self._engine.swarm_labels()).labels.get(LABEL, ""))

    async def change(self, edit: Callable[[GroupDocument], GroupDocument]) -> GroupDocument:
        async with self._writing:  # commits of many groups at once would only get into each other's way
            return await self._change(edit)

    async def _change(self, edit: Callable[[GroupDocument], GroupDocument]) -> GroupDocument:
        for _ in range(WRITES_MAX):
            found = await self._engine.swarm_labels()
            before = _unpacked(found.labels.get(LABEL, ""))
            after = edit(before)
            if after == before:
                return after
            try:
                await self._engine.update_swarm_labels(found.version, {**found.labels, LABEL: _packed(after)})
            except ConflictError:
                continue
            return after
        raise UnavailableError(
            f"could not write {_FIRST}, on {self._engine.endpoint}: the Swarm was changed by somebody else "
            f"{WRITES_MAX} times meanwhile"
        )


def _packed(document: GroupDocument) -> str:
    label = base64.b64encode(zlib.compress(written_document(document))).decode()
    if len(label) > LABEL_BYTES_MAX:
        raise RefusedError(
            f"{_FIRST} would have {len(label)} bytes, and {LABEL_BYTES_MAX} are what a Swarm takes: nothing was "
            "stored; make the groups' properties smaller, or keep them in files (infrakit-manager os)"
        )
    return label


def _unpacked(label: str) -> GroupDocument:
    """Empty where there is no label yet."""
    if not label:
        return GroupDocument()
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode(label, validate=True), DOCUMENT_BYTES_MAX)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise InvalidError([Fault(f"{_FIRST} ({LABEL}) is no base64 of zlib: {error}")]) from error
    if not unpacking.eof:
        raise InvalidError(
            [Fault(f"{_FIRST} ({LABEL}) is cut off, or unpacks to more than {DOCUMENT_BYTES_MAX} bytes")]
        )
    return read_document(text, f"{_FIRST} ({LABEL})")
