"""Whether files were written since they were read."""

from collections.abc import Iterable
from pathlib import Path

Stamps = tuple[tuple[int, ...], ...]


def stamps(paths: Iterable[str]) -> Stamps:
    """Differ when a file was written or replaced; empty for one that is not there."""
    return tuple(map(_stamp, paths))


def _stamp(path: str) -> tuple[int, ...]:
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ino, status.st_size
