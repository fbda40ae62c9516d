"""The views of all keys, each made anew only where something of it has changed: people and scripts ask for them often,
and of ten thousand keys few have changed since."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from skep.control.documents import SpecDocument
from skep.model.spec import Key, Kind
from skep.model.view import KeyView, Listed

MADE_AT_ONCE = 50
"""Views that are made before others have their turn: 5 ms of work."""


@dataclass(slots=True, eq=False)
class _Entry:
    """What is shown of a document. `made`: nothing of it has changed since. `at_s`: monotonic."""

    document: SpecDocument
    view: KeyView | None = None
    made: bool = False
    at_s: float | None = None


class Board:
    """`make` gives the view of a document, and when its key was looked at (monotonic; None: never)."""

    def __init__(self, make: Callable[[SpecDocument], Awaitable[tuple[KeyView, float | None]]]) -> None:
        self._make = make
        self._entries: dict[Key, _Entry] = {}
        self._by_document: dict[int, _Entry] = {}

    def changed(self, key: Key) -> None:
        """What is shown of the key may be so no more."""
        if entry := self._entries.get(key):
            entry.made = False

    def looked(self, key: Key, now_s: float) -> None:
        """It was looked at, and all was as before; but it was so for longer, which some wait for (W54)."""
        if entry := self._entries.get(key):
            if entry.view and entry.view.unproven_s and entry.at_s is not None:
                left_s = entry.view.unproven_s - (now_s - entry.at_s)
                entry.view = replace(entry.view, unproven_s=max(0.0, left_s))
            entry.at_s = now_s

    def gone(self, key: Key) -> None:
        """There is nothing to be shown of it any more."""
        if entry := self._entries.pop(key, None):
            del self._by_document[id(entry.document)]

    async def listed(self, documents: Sequence[SpecDocument], now_s: float) -> Listed:
        """A view for each, in their order."""
        known = self._by_document
        entries = [known.get(id(document)) or self._entry(document) for document in documents]
        made = 0
        for entry in entries:
            if not entry.made:
                await self._fill(entry)
                made += 1
                if made % MADE_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return Listed(
            [entry.view for entry in entries if entry.view],
            [-1.0 if entry.at_s is None else now_s - entry.at_s for entry in entries if entry.view],
        )

    def _entry(self, document: SpecDocument) -> _Entry:
        self.gone(document.key)
        entry = self._entries[document.key] = self._by_document[id(document)] = _Entry(document)
        return entry

    async def _fill(self, entry: _Entry) -> None:
        """A group's view tells how old its machines are, so that it never stays as it is."""
        entry.made = entry.document.key.kind is not Kind.GROUP
        try:
            entry.view, entry.at_s = await self._make(entry.document)
        except BaseException:
            entry.made = False
            raise
