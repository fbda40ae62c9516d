"""What another user may not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_somebody_else() -> Iterator[int]:
    """Root may read everything: it becomes another user meanwhile. Others are who they are."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(before)
