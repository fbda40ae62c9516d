"""Images that need no registry: the node image that machines run, and the example's web server."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence

from skep.adapters.node_image_tree import SEARCH, Entry, example_entries, node_entries, write_tar
from skep.model.errors import NotFoundError
from skep.ports import Engine

REGISTRY_IMAGE = "docker:dind"
"""What people expect a machine to run, where it can be had."""
RECIPE = 1
"""Counts changes of the tree that is built; part of the tag, so that an older image is not taken for this one."""
CHUNK_BYTES = 1024 * 1024
NAMED_PULL_TIMEOUT_S = 300.0
"""An image that was asked for by name is worth waiting for."""

EXAMPLE_IMAGE = "skep/web:1"
EXAMPLE_SCRIPT = (
    'trap "exit 0" TERM INT; echo "hello from $(hostname)" > /www/index.html; httpd -f -p 8080 -h /www & wait'
)
"""The trap, because process 1 ignores signals that it does not handle: without it each stop takes the whole grace."""


class NodeImages:
    """Finds or builds the image for machines; one build at a time, and a pull that failed is not tried again."""

    def __init__(self, engine: Engine, pull_timeout_s: float) -> None:
        """pull_timeout_s: how long a registry may take before the image is built from this host's programs."""
        self._engine = engine
        self._pull_timeout_s = pull_timeout_s
        self._lock = asyncio.Lock()
        self._pull_failed = False

    async def ensure(self, wanted: str = "") -> str:
        """The name of an image that the engine has now: `wanted`, else the registry's, else one built here.

        NotFoundError when `wanted` can't be had; RejectedError when nothing can be built, with what is missing.
        """
        async with self._lock:
            held = (await self._engine.image_ids()).keys()
            if wanted:
                return await self._named(wanted, held)
            if REGISTRY_IMAGE in held or await self._pulled():
                return REGISTRY_IMAGE
            return await self._built(held)

    async def _named(self, wanted: str, held: Collection[str]) -> str:
        if wanted in held or await self._engine.pull_image(wanted, timeout_s=NAMED_PULL_TIMEOUT_S):
            return wanted
        raise NotFoundError(
            f"the node image {wanted} is not on {self._engine.endpoint} and no registry gave it: load it there, "
            "or name none and one is built from this host's engine"
        )

    async def _pulled(self) -> bool:
        if not self._pull_failed:
            self._pull_failed = not await self._engine.pull_image(REGISTRY_IMAGE, timeout_s=self._pull_timeout_s)
        return not self._pull_failed

    async def _built(self, held: Collection[str]) -> str:
        name = built_name((await self._engine.info()).version)
        if name not in held:
            await _import(self._engine, name, node_entries, [f"ENV PATH={SEARCH}", "LABEL skep.image=node"])
        return name


async def build_example_image(engine: Engine, name: str = EXAMPLE_IMAGE) -> str:
    """An image of busybox alone that answers `hello from HOSTNAME` on port 8080; made only if it is not there."""
    if name not in await engine.image_ids():
        command = f'CMD ["sh", "-c", {_quoted(EXAMPLE_SCRIPT)}]'
        await _import(engine, name, example_entries, [command, "EXPOSE 8080", "LABEL skep.image=example"])
    return name


def built_name(engine_version: str) -> str:
    """The tag of a node image that was built from an engine of this version (`20.10.24+dfsg1` has no plus in a tag)."""
    return f"skep/node:{re.sub(r'[^A-Za-z0-9_.-]', '.', engine_version)}-{RECIPE}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def _import(engine: Engine, name: str, entries: Callable[[], list[Entry]], changes: Sequence[str]) -> None:
    await engine.import_image(name, tar_stream(await asyncio.to_thread(entries)), changes)


async def tar_stream(entries: Sequence[Entry]) -> AsyncIterator[bytes]:
    """The tar of `entries`, written by a thread into a pipe, so that the loop never waits for a disk."""
    reading, writing = os.pipe()
    writer = asyncio.create_task(asyncio.to_thread(_write, entries, writing))
    try:
        with os.fdopen(reading, "rb") as source:
            while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
                yield chunk
    finally:
        # Whoever stopped reading has closed the pipe, which ends the writer.
        await asyncio.gather(writer, return_exceptions=True)
    writer.result()


def _write(entries: Sequence[Entry], writing: int) -> None:
    with os.fdopen(writing, "wb") as out:
        write_tar(entries, out)
