"""Printing: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import os
import sys
import time

from skep.cli.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    Given = TypeVar("Given")

COLOURS = {
    "Ready": 32,
    "answering": 32,
    "valid": 32,
    "running": 32,
    "complete": 32,
    "completed": 32,
    "Refused": 31,
    "Failed": 31,
    "Failing": 31,
    "Conflict": 31,
    "CrashLooping": 31,
    "lost": 31,
    "dead": 31,
    "failed": 31,
    "rejected": 31,
    "missing": 31,
    "unhealthy": 31,
    "expired": 31,
    "broken": 31,
}
"""By the first word in a STATE column, as ANSI numbers (green, red); any other word is yellow."""
YELLOW = 33

FREE = frozenset({"DETAIL", "MESSAGE", "NEXT", "ERROR"})
"""Columns that may be cut: what stands there is prose. Names and IDs are for copying."""

SOON_S = 120.0
"""Up to here seconds are what people count in."""

ISO_CHARACTERS = len("2026-11-22T06:30:18Z")

FREE_CELLS_MIN = 8
"""Less of a text says nothing; the line is broken by the terminal then."""


INDENT = "  "
"""Before what stands below a row of a table."""


class Table:
    """Rows under stable column names; on a terminal, its free texts are cut to what fits."""

    __slots__ = ("columns", "rows")

    def __init__(self, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
        self.columns, self.rows = columns, rows

    def lines(self, width: int | None = None, colour: bool = False) -> list[str]:
        texts = [self.columns, *(tuple(plain(cell) or "-" for cell in row) for row in self.rows)]
        widths = self._widths(texts, width)
        state = self.columns.index("STATE") if colour and "STATE" in self.columns else -1
        return [_line(row, widths, state if number else -1) for number, row in enumerate(texts)]

    def folded(self, width: int, colour: bool = False) -> list[str]:
        """The same with nothing cut: where it is too wide, its free texts stand below their row, with the name of their
        column if it is not the only one."""
        texts = [self.columns, *(tuple(plain(cell) or "-" for cell in row) for row in self.rows)]
        free = [index for index, name in enumerate(self.columns) if name in FREE]
        if not free or sum(self._widths(texts, None)) + 2 * (len(self.columns) - 1) <= width:
            return self.lines(colour=colour)
        kept = [index for index in range(len(self.columns)) if index not in free]
        narrow = Table(_cells(self.columns, kept), tuple(_cells(row, kept) for row in self.rows))
        header, *lines = narrow.lines(colour=colour)
        return [
            header,
            *(
                line
                for told, row in zip(lines, self.rows, strict=True)
                for line in (told, *self._below(row, free, width))
            ),
        ]

    def _below(self, row: Sequence[str], free: Sequence[int], width: int) -> list[str]:
        labels = {index: f"{self.columns[index].lower()}: " if len(free) > 1 else "" for index in free}
        return [line for index in free if (text := plain(row[index])) for line in wrapped(labels[index] + text, width)]

    def _widths(self, texts: Sequence[Sequence[str]], width: int | None) -> list[int]:
        widths = [max(cells(row[index]) for row in texts) for index in range(len(self.columns))]
        free = [index for index, name in enumerate(self.columns) if name in FREE]
        while width is not None and free:
            excess = sum(widths) + 2 * (len(widths) - 1) - width
            widest = max(free, key=lambda index: widths[index])
            if excess <= 0 or widths[widest] <= FREE_CELLS_MIN:
                break
            others = max((widths[index] for index in free if index != widest), default=0)
            widths[widest] = max(widths[widest] - excess, min(others, widths[widest] - 1), FREE_CELLS_MIN)
        return widths


def _cells(row: Sequence[str], kept: Sequence[int]) -> tuple[str, ...]:
    return tuple(row[index] for index in kept)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of it, broken between words, and what follows the first further in."""
    lines, line = [], INDENT
    for word in text.split():
        if line.strip() and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line = INDENT * 2
        line += f" {word}" if line.strip() else word
    return [*lines, line]


def _line(row: Sequence[str], widths: Sequence[int], state: int) -> str:
    shown = []
    for index, (text, width) in enumerate(zip(row, widths, strict=True)):
        fitted = cut(text, width)
        padded = fitted if index == len(row) - 1 else fitted + " " * (width - cells(fitted))
        shown.append(_coloured(text, padded) if index == state else padded)
    return "  ".join(shown).rstrip()


def _coloured(word: str, text: str) -> str:
    return f"\x1b[{COLOURS.get(word.split(' ', maxsplit=1)[0], YELLOW)}m{text}\x1b[0m"


def cells(text: str) -> int:
    """How many columns of a terminal it takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - few texts need them

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, width: int) -> str:
    """At most so many columns of it, with … where something is missing."""
    if cells(text) <= width:
        return text
    text = text[:width]
    while cells(text) >= width:
        text = text[:-1]
    return f"{text}…"


def say(*lines: str) -> None:
    """Print them, one by one: unbuffered, Python takes half of a long text for all of it when its reader goes away."""
    printing(lambda: sys.stdout.writelines(f"{line}\n" for line in lines))


def flush() -> None:
    """Have it written now what was printed. Failure: as `printing`."""
    printing(sys.stdout.flush)


def printing(act: Callable[[], Given]) -> Given:
    """What `act` gives, which prints. Failure: standard output is full, or closed."""
    try:
        return act()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise Failure(f"can't write to standard output: {error.strerror}") from error


def drop_output() -> None:
    """What is still to be written goes nowhere: the interpreter's last flush shall not complain either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_utf8() -> bool:
    """Whether standard output takes UTF-8, which JSON is read as (RFC 8259): in another encoding it has to be ASCII."""
    return (sys.stdout.encoding or "utf-8").lower() in {"utf-8", "utf8"}


def emit(data: Any, form: str, text: Callable[[], Sequence[str]]) -> None:
    """Print `data` as JSON or YAML, or the lines of `text` for a table."""
    if form in {"json", "yaml"}:
        from skep.cli.documents import json_lines, yaml_lines  # noqa: PLC0415

        say(*(json_lines(data, ascii_only=not is_utf8()) if form == "json" else yaml_lines(data)))
    else:
        say(*text())


def show(table: Table, nothing: str = "") -> list[str]:
    """The lines of a table, as wide and as colourful as where they go; `nothing` in place of a bare header."""
    if nothing and not table.rows:
        return [nothing]
    return table.lines(_columns(), is_colourful()) if sys.stdout.isatty() else table.lines()


def show_whole(table: Table) -> list[str]:
    """As `show`, but nothing is cut: for what is read to the end, like a reason."""
    return table.folded(_columns(), is_colourful()) if sys.stdout.isatty() else table.lines()


def _columns() -> int:
    """As shutil.get_terminal_size, which would load five archive formats first."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def is_colourful() -> bool:
    """Whether a terminal may get colours: not with NO_COLOR or --no-color, nor when it is a dumb one."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def age(seconds: float) -> str:
    """`45s`, `3m`, `2h`, `9d`: the largest unit that is at least one; `-` for what is not known."""
    if seconds < 0:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def soon(seconds: float, at_s: float) -> str:
    """`in 40 s (12:03:10)`: how long from now, and when in this user's time zone; a moment counts as a second."""
    clock = time.strftime("%H:%M:%S", time.localtime(at_s))
    if seconds < SOON_S:
        return f"in {max(1, round(seconds))} s ({clock})"
    return f"in {round(seconds / 60)} min ({clock})"


RETRY = "next try at "


def localised(text: str) -> str:
    """`next try at 12:03:10`, in this user's time zone, where the server wrote the whole moment in UTC."""
    before, mark, after = text.partition(RETRY)
    if not mark or len(after) < ISO_CHARACTERS:
        return text
    from datetime import datetime  # noqa: PLC0415 - few texts need it

    try:
        at_s = datetime.fromisoformat(after[:ISO_CHARACTERS]).timestamp()
    except ValueError:
        return text
    return f"{before}{mark}{time.strftime('%H:%M:%S', time.localtime(at_s))}{after[ISO_CHARACTERS:]}"


def moment(seconds: float) -> str:
    """Wall time in this user's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def plain(text: str) -> str:
    """One line without control characters, for engines and plugins word messages as they like."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(shown.split())
