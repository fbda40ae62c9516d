"""aiodocker, also for a user without a home folder: it asks for that as soon as it is imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["aiodocker"]


@contextmanager
def _at_home() -> Iterator[None]:
    """Who has none is at home in `/` meanwhile, as container engines have it."""
    is_homeless = os.path.expanduser("~") == "~"  # noqa: PTH111 - Path has no answer but an error
    if is_homeless:
        os.environ["HOME"] = "/"
    try:
        yield
    finally:
        if is_homeless:
            del os.environ["HOME"]


with _at_home():
    import aiodocker
