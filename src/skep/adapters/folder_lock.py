"""One writer in a folder at a time, among processes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from skep.model.errors import UnavailableError

LOCK_WAIT_S = 10.0
"""Whoever writes is done in a moment: one that takes longer hangs, or was stopped."""
LOCK_POLL_S = 0.02


@contextmanager
def alone_in(folder: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
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
