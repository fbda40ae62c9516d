"""Files of a request are parsed beside the event loop: a hostile one takes over a second."""

import asyncio
from collections.abc import Sequence

from skep.specs.source import SourceFile, prepared

PARSES_MAX = 2
"""Files that are parsed at once in this process. Python runs one at a time anyway; the others wait without memory."""


class Reading:
    """Parses files on threads, `PARSES_MAX` at once."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(PARSES_MAX)

    async def read(self, files: Sequence[tuple[str, str]]) -> tuple[SourceFile, ...]:
        """Names and texts as files that are parsed already. Their faults are told by whoever takes them.

        A file at a time: a request that is cancelled leaves at most one thread to be waited for.
        """
        return tuple([await self._read(SourceFile(name, text)) for name, text in files])

    async def _read(self, file: SourceFile) -> SourceFile:
        async with self._turn:
            return await asyncio.to_thread(prepared, file)
