"""The document of a manager in a file that InfraKit's managers read as well (infrakit-compat.md 3.9)."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from skep.adapters.folder_lock import LOCK_WAIT_S, alone_in
from skep.adapters.group_store_document import read_document, written_document
from skep.model.errors import UnavailableError
from skep.model.group_document import GroupDocument

FILE_NAME = "global.config"


class FileGroupStore:
    """Implements ports.GroupStore with `FOLDER/global.config` (0600), made with its folder (0700) by the first write.

    A new file replaces the old one as a whole: a crash or a full disk leaves the old one. Managers that share the
    folder write one after the other.
    """

    def __init__(self, folder: Path, lock_wait_s: float = LOCK_WAIT_S) -> None:
        """`lock_wait_s`: how long another manager's write is waited for."""
        self._path = folder / FILE_NAME
        self._lock_wait_s = lock_wait_s
        self._writing = asyncio.Lock()

    async def load(self) -> GroupDocument:
        return await asyncio.to_thread(self._load)

    async def change(self, edit: Callable[[GroupDocument], GroupDocument]) -> GroupDocument:
        async with self._writing:  # a lock of the file is its process's own: it does not part its threads
            return await asyncio.to_thread(self._change, edit)

    def _load(self) -> GroupDocument:
        try:
            return read_document(self._path.read_bytes(), str(self._path))
        except FileNotFoundError:  # the first commit makes it
            return GroupDocument()
        except OSError as error:
            raise UnavailableError(f"could not read the groups in {self._path}: {error.strerror}") from error

    def _change(self, edit: Callable[[GroupDocument], GroupDocument]) -> GroupDocument:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone_in(self._path.parent, self._lock_wait_s):
                before = self._load()
                after = edit(before)
                if after != before:
                    _replace(self._path.resolve(), written_document(after))
                return after
        except OSError as error:
            raise UnavailableError(f"could not write the groups to {self._path}: {error.strerror}") from error


def _replace(path: Path, data: bytes) -> None:
    """It is on the disk when this returns."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
