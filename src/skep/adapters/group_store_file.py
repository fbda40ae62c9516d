"""The document of a manager in a file that InfraKit's managers read as well (infrakit-compat.md 3.9)."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from skep.adapters.group_store_document import read_document, written_document
from skep.model.errors import UnavailableError
from skep.model.group_document import GroupDocument

FILE_NAME = "global.config"

LOCK_WAIT_S = 10.0
"""Whoever writes is done in a moment: one that takes longer hangs, or was stopped."""
LOCK_POLL_S = 0.02


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
            with _alone(self._path.parent, self._lock_wait_s):
                before = self._load()
                after = edit(before)
                if after != before:
                    _replace(self._path.resolve(), written_document(after))
                return after
        except OSError as error:
            raise UnavailableError(f"could not write the groups to {self._path}: {error.strerror}") from error


@contextmanager
def _alone(folder: Path, wait_s: float) -> Iterator[None]:
    """Nobody else holds the folder's lock; the kernel lets go of it however the process ends. UnavailableError when
    somebody keeps it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        end_s = monotonic() + wait_s
        while not _locked(descriptor):
            if monotonic() >= end_s:
                raise UnavailableError(
                    f"another process has kept {folder} locked for {wait_s:g} s; see who has it open"
                )
            sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
