"""Printing: tables for people, JSON and YAML for programs."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

COLOURS = {"Ready": "green", "Refused": "red", "Failed": "red", "Failing": "red", "Conflict": "red"}
"""By the word in a STATE column; any other word is yellow."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under stable column names; on a terminal the last column is cut to what fits."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self, width: int | None = None, colour: bool = False) -> list[str]:
        cells = [self.columns, *(tuple(plain(cell) or "-" for cell in row) for row in self.rows)]
        widths = [max(len(row[index]) for row in cells) for index in range(len(self.columns))]
        return [self._line(row, widths, width, colour and number > 0) for number, row in enumerate(cells)]

    def _line(self, row: Sequence[str], widths: Sequence[int], width: int | None, colour: bool) -> str:
        padded = [cell.ljust(size) for cell, size in zip(row[:-1], widths, strict=False)]
        room = None if width is None else max(width - sum(len(cell) + 2 for cell in padded), 8)
        last = row[-1] if room is None or len(row[-1]) <= room else row[-1][: room - 1] + "…"
        if colour and "STATE" in self.columns[:-1]:
            index = self.columns.index("STATE")
            padded[index] = click.style(padded[index], fg=COLOURS.get(row[index], "yellow"))
        return "  ".join((*padded, last)).rstrip()


def emit(data: Any, form: str, text: Callable[[], Sequence[str]]) -> None:
    """Print `data` as JSON or YAML, or the lines of `text` for a table."""
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif form == "yaml":
        _emit_yaml(data)
    else:
        for line in text():
            click.echo(line)


def _emit_yaml(data: Any) -> None:
    from ruamel.yaml import YAML  # noqa: PLC0415 - costs 60 ms, and few ask for it

    yaml = YAML()
    yaml.width = 4096
    yaml.dump(data, sys.stdout)


def show(table: Table) -> list[str]:
    """The lines of a table, as wide and as colourful as where they go."""
    if not sys.stdout.isatty():
        return table.lines()
    return table.lines(shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ)


def age(seconds: float) -> str:
    """`45s`, `3m`, `2h`, `9d`: the largest unit that is at least one; `-` for what is not known."""
    if seconds < 0:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def moment(seconds: float) -> str:
    """Wall time in this user's time zone."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """One line without control characters, for engines and plugins word messages as they like."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(shown.split())
