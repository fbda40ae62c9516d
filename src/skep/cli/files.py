"""What people wrote, unparsed: `-f FILE`, `-f FOLDER`, `-f -`."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH110, PTH112, PTH122, PTH123

from __future__ import annotations

import os
import sys

from skep.cli.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "standard input"
"""What `-` is called where something is wrong in it."""


def read_files(names: Sequence[str]) -> list[dict[str, str]]:
    """Each file as the API takes it, once. A folder gives its own specs in order of their names, no others'."""
    named = list(dict.fromkeys(names))
    missing = [name for name in named if name != "-" and not os.path.exists(name)]
    if missing:
        raise Failure(f"no such file or folder: {', '.join(missing)}")
    return [_read(name) for name in dict.fromkeys(one for name in named for one in _expand(name))]


def _expand(name: str) -> Iterator[str]:
    if name == "-" or not os.path.isdir(name):
        yield name
        return
    found = _specs(name)
    if not found:
        raise Failure(f"{name} holds no {', no '.join('*' + suffix for suffix in SUFFIXES)}")
    yield from found


def _specs(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(one.path for one in entries if os.path.splitext(one.name)[1] in SUFFIXES and one.is_file())
    except OSError as error:
        raise Failure(f"can't read {error.filename or folder}: {error.strerror}") from error


def _read(name: str) -> dict[str, str]:
    called = STDIN if name == "-" else name
    try:
        return {"name": called, "text": _bytes(name).decode()}
    except OSError as error:
        raise Failure(f"can't read {called}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{called} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def _bytes(name: str) -> bytes:
    if name == "-":
        if sys.stdin is None:
            raise Failure(f"can't read {STDIN}: it is closed")
        return sys.stdin.buffer.read()
    with open(name, "rb") as file:
        return file.read()
