"""Waiting for a condition with a deadline, in real time; and how long each phase took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 180.0
"""Only a deadline: everything here takes seconds on two idle cores, and several times that where others use them."""

POLL_S = 0.1

PHASES: list[tuple[str, float]] = []
"""What was timed, in order; shown at the end of the session."""


def eventually(read: Callable[[], T], wanted: T, *, within_s: float = WITHIN_S, poll_s: float = POLL_S) -> None:
    """Return when `read` gives `wanted`; AssertionError tells what it gave last."""
    end_s = time.monotonic() + within_s
    while (seen := read()) != wanted:
        assert time.monotonic() < end_s, f"still\n{seen}\nand not\n{wanted}\nafter {within_s:g} s"
        time.sleep(poll_s)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Note how long the block takes."""
    began_s = time.monotonic()
    yield
    PHASES.append((name, time.monotonic() - began_s))
