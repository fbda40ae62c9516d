"""What happens in a folder, as the kernel tells it (inotify): nothing runs while nothing happens."""

import asyncio
import ctypes
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from skep.model.errors import UnavailableError

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE = 0x8, 0x40, 0x80, 0x200
_DELETE_SELF, _MOVE_SELF, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x4000, 0x8000
_WATCHED = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE | _DELETE_SELF | _MOVE_SELF
_OVER = _DELETE_SELF | _MOVE_SELF | _IGNORED
"""The folder itself is gone."""

_HEADER = struct.Struct("iIII")
_READ_BYTES = 64 * 1024
"""Some thousand events at once: who makes many files is told of them together."""


class FolderWatch:
    """Watches from its making on. A context; UnavailableError where the folder can't be watched."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise UnavailableError(f"changes of {folder} can't be watched: this system has no inotify")
        self._fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(folder), _WATCHED) < 0:
            error = os.strerror(ctypes.get_errno())
            self.close()
            raise UnavailableError(f"changes of {folder} can't be watched: {error}")

    def __enter__(self) -> "FolderWatch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    async def changes(self) -> AsyncIterator[frozenset[str]]:
        """Names of files that were written, came or went; none when any may have. Ends with the folder."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._fd, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                mask, names = _read(self._fd)
                if names or mask & (_OVER | _OVERFLOW):
                    yield frozenset() if mask & (_OVER | _OVERFLOW) else names
                if mask & _OVER:
                    return
        finally:
            loop.remove_reader(self._fd)


def _read(fd: int) -> tuple[int, frozenset[str]]:
    """All masks together, and all names; nothing where nothing is waiting."""
    try:
        data = os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return 0, frozenset()
    together, names, at = 0, set(), 0
    while at < len(data):
        _, mask, _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
        at += length
        together |= mask
        if name:
            names.add(name)
    return together, frozenset(names)
