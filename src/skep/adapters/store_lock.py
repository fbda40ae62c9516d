"""One holder for a state directory at a time."""

import fcntl
import json
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from skep.model.errors import RefusedError


class StateLock:
    """An flock on `FOLDER/lock`, which tells who holds it. The kernel lets go of it however the process ends."""

    def __init__(self, folder: Path, chosen_with: str = "--state-dir") -> None:
        """Take it; RefusedError says which process has it, and since when. `chosen_with`: the flag or variable of this
        program that names another."""
        self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _describe(os.pread(self._fd, 4096, 0))
            os.close(self._fd)
            raise RefusedError(
                f"{folder} is in use by {holder}: stop it, or choose another state directory with {chosen_with}"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0)

    def release(self) -> None:
        """Let go; the file stays, for removing it would let two processes lock two files of one name."""
        os.close(self._fd)


def holder_of(folder: Path) -> str:
    """Who holds this folder now, in words; empty where nobody does."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except PermissionError:
        return "another user, whose processes can't be looked for"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return ""


def check_alone(controller: str, homes: Iterable[str]) -> None:
    """Two of one name on one engine would undo each other's machines: RefusedError while one of the other `homes`, the
    state directories that they are kept from, has a holder."""
    for home in homes:
        if holder := holder_of(Path(home)):
            raise RefusedError(
                f"the machines of controller {controller} on this engine are kept from {home} by {holder}: "
                "stop that first, or give this one another name with --controller"
            )


def _describe(text: bytes) -> str:
    try:
        held = json.loads(text)
        since = datetime.fromtimestamp(held["since"], UTC)
        return f"process {held['pid']}, since {since:%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, KeyError, TypeError):  # the holder is between locking and writing
        return "another process"
