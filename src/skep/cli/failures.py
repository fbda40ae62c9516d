"""Errors with a text for the user and an exit code for scripts."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Failure(Exception):  # noqa: N818 - it is told to people, in a sentence
    """Printed to stderr as `skep: …`; exits 1 unless the command says otherwise."""

    def show(self) -> None:
        """Control characters stay out of the terminal, whoever worded the message."""
        text = "".join(one if one.isprintable() or one == "\n" else " " for one in str(self))
        sys.stderr.write(f"skep: {text}\n")


class NoServer(Failure):
    """Nobody listens on the socket."""


class BrokenOff(Failure):
    """The connection ended before the answer did, as when the server is killed; what was asked for may be done."""


class Refusal(Failure):
    """The server answered with an error. `status` is HTTP's, `faults` how many things are wrong with what was sent."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status, self.faults = status, len(body.get("faults") or ())
        super().__init__(_text(body))


def _text(body: Mapping[str, Any]) -> str:
    faults = body.get("faults") or ()
    text = str(body.get("error", "the server gave no reason"))
    if len(faults) < 2:
        return text
    return f"{len(faults)} faults, nothing was changed:\n{text}"
