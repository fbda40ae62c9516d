"""What `--wait` shows on stderr: a live table on a terminal, else a line for each change."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from skep.cli.output import Table


@dataclass(frozen=True, slots=True)
class Line:
    """One key on its way."""

    key: str
    ready: str
    word: str
    detail: str
    done: bool = False
    failed: bool = False

    @property
    def text(self) -> str:
        return f"{self.ready} {self.word}" + (f": {self.detail}" if self.detail else "")


class Progress(Protocol):
    """Where the wait shows how far things are."""

    def show(self, lines: Sequence[Line]) -> None: ...
    def say(self, text: str) -> None:
        """Something that concerns no key; repeated, it is said once."""


class PlainProgress:
    """A line whenever a key's state changed, with the seconds since the start."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._shown: dict[str, str] = {}

    def show(self, lines: Sequence[Line]) -> None:
        self._shown.pop("", None)
        for line in lines:
            self._tell(line.key, f"{line.key} {line.text}")

    def say(self, text: str) -> None:
        self._tell("", text)

    def _tell(self, subject: str, text: str) -> None:
        if self._shown.get(subject) != text:
            self._shown[subject] = text
            print(f"{time.monotonic() - self._began_s:5.1f}s {text}", file=sys.stderr, flush=True)


class LiveProgress:
    """A table that is drawn anew in place; `draw` takes its text."""

    def __init__(self, draw: Callable[[str], None]) -> None:
        self._began_s = time.monotonic()
        self._draw = draw

    def show(self, lines: Sequence[Line]) -> None:
        rows = tuple((line.key, line.ready, line.word, line.detail) for line in lines)
        table = Table(("KEY", "READY", "STATE", "DETAIL"), rows)
        self._draw("\n".join([*table.lines(), f"{time.monotonic() - self._began_s:.0f} s"]))

    def say(self, text: str) -> None:
        self._draw(text)


@contextmanager
def open_progress() -> Iterator[Progress]:
    """The way of showing that standard error is good for."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield PlainProgress()
        return
    from rich.console import Console  # noqa: PLC0415 - costs 100 ms, and only a terminal needs it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield LiveProgress(lambda text: live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True))
