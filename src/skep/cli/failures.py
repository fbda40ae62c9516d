"""Errors with a text for the user and an exit code for scripts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click


class Failure(click.ClickException):
    """Printed to stderr as `skep: …`; exits 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Control characters stay out of the terminal, whoever worded the message."""
        text = "".join(one if one.isprintable() or one == "\n" else " " for one in self.format_message())
        click.echo(f"skep: {text}", err=True)


class NoServer(Failure):
    """Nobody listens on the socket."""


class Refusal(Failure):
    """The server answered with an error. `status` is HTTP's."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        super().__init__(_text(body))


def _text(body: Mapping[str, Any]) -> str:
    faults = body.get("faults") or ()
    text = str(body.get("error", "the server gave no reason"))
    if len(faults) < 2:
        return text
    return f"{len(faults)} faults, nothing was changed:\n{text}"


@contextmanager
def spoken() -> Iterator[None]:
    """Turn what the server's code raises on purpose into a Failure; bugs stay what they are."""
    try:
        yield
    except Exception as error:
        texts = _texts(error)
        if texts is None:
            raise
        raise Failure("\n".join(texts)) from error


def _texts(error: BaseException) -> list[str] | None:
    """The words of SkepErrors, also of a group that holds nothing else. By name: no client imports their class."""
    if isinstance(error, BaseExceptionGroup):
        parts = [_texts(one) for one in error.exceptions]
        return None if None in parts else [text for part in parts for text in part or ()]
    return [str(error)] if "SkepError" in {kind.__name__ for kind in type(error).__mro__} else None
