"""What InfraKit's lists look like; scripts cut them by their tabs (infrakit-compat.md 1.2)."""

from __future__ import annotations

import os
import sys

from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import elements, read
from skep.cli.infrakit.rpc import field, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NO_LOGICAL_ID = "  -   "


def say(*lines: str) -> None:
    """Print them; a terminal gets no control characters but the tabs that are ours."""
    if sys.stdout.isatty():
        lines = tuple("".join(one if one.isprintable() or one in "\t\n" else " " for one in line) for line in lines)
    _printing(lambda: sys.stdout.writelines(f"{line}\n" for line in lines))


def flush() -> None:
    """Have it written now what was printed. Failure: standard output is full, or closed, as in `say`."""
    _printing(sys.stdout.flush)


def _printing(act: Callable[[], None]) -> None:
    try:
        act()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise Failure(f"write /dev/stdout: {(error.strerror or str(error)).lower()}") from error


def drop_output() -> None:
    """What is still to be written goes nowhere: the interpreter's last flush shall not complain either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def instances(descriptions: str, quiet: bool) -> list[str]:
    """The table of what an array of descriptions holds."""
    rows = [_row(one) for one in read(descriptions) or ()]
    return rows if quiet else [_columns("ID", "LOGICAL", "TAGS"), *rows]


def _row(description: Any) -> str:
    logical, tags = field(description, "LogicalID"), field(description, "Tags")
    given = tags if isinstance(tags, dict) else {}
    return _columns(
        text(field(description, "ID")),
        NO_LOGICAL_ID if logical is None else text(logical),
        ",".join(sorted(f"{name}={text(value)}" for name, value in given.items())),
    )


def _columns(id: str, logical: str, tags: str) -> str:
    return f"{id:<30}\t{logical:<30}\t{tags}"


def list_of(raw: str) -> list[str]:
    """The elements of an array as written; none of null."""
    return elements(raw) if read(raw) else []
