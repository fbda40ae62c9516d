"""What the server's own code raises, for the commands that call it."""

from __future__ import annotations

from contextlib import contextmanager

from skep.cli.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def spoken() -> Iterator[None]:
    """Turn what the server's code raises on purpose into a Failure; bugs stay what they are."""
    try:
        yield
    except Exception as error:
        texts = texts_of(error)
        if texts is None:
            raise
        raise Failure("\n".join(texts)) from error


def texts_of(error: BaseException) -> list[str] | None:
    """The words of SkepErrors, also of a group that holds nothing else. By name: no client imports their class."""
    if isinstance(error, BaseExceptionGroup):
        parts = [texts_of(one) for one in error.exceptions]
        return None if None in parts else [text for part in parts for text in part or ()]
    return [str(error)] if "SkepError" in {kind.__name__ for kind in type(error).__mro__} else None
