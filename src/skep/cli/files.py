"""What people wrote, unparsed: `-f FILE`, `-f FOLDER`, `-f -`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from skep.cli.failures import Failure

SUFFIXES = (".yaml", ".yml", ".json")


def read_files(names: Sequence[str]) -> list[dict[str, str]]:
    """Each file as the API takes it, once. A folder gives its own specs in order of their names, no others'."""
    named = list(dict.fromkeys(names))
    missing = [name for name in named if name != "-" and not Path(name).exists()]
    if missing:
        raise Failure(f"no such file or folder: {', '.join(missing)}")
    return [_read(name) for name in dict.fromkeys(one for name in named for one in _expand(name))]


def _expand(name: str) -> Iterator[str]:
    if name == "-" or not Path(name).is_dir():
        yield name
        return
    found = sorted(str(path) for path in Path(name).iterdir() if path.suffix in SUFFIXES and path.is_file())
    if not found:
        raise Failure(f"{name} holds no {', no '.join('*' + suffix for suffix in SUFFIXES)}")
    yield from found


def _read(name: str) -> dict[str, str]:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return {"name": name, "text": raw.decode()}
    except OSError as error:
        raise Failure(f"can't read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{name} is not UTF-8 text: {error.reason} at byte {error.start}") from error
