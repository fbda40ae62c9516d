"""Short forms that Docker's users know, written out; each raises ValueError for what it can't read."""

import re
import shlex
from collections.abc import Sequence

from skep.model.errors import Fault, InvalidError
from skep.model.json import Json
from skep.specs.references import VARIABLE

LINE_MAX = 16 * 1024
"""Characters that are split as a shell would: the time it takes grows with the square of a word's length."""

_PORT = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp|sctp))?")
_MOUNT_FLAGS = {"ro": True, "rw": False}


def words(given: Json) -> object:
    """`sleep "1 h"` as a shell would split it."""
    if not isinstance(given, str):
        return given
    if len(given) > LINE_MAX:
        raise ValueError(f"must have at most {LINE_MAX} characters as one line; write it as a list")
    try:
        return tuple(shlex.split(given))
    except ValueError as error:
        raise ValueError(f"can't be split into words: {error}") from error


def port(given: Json) -> object:
    """`80`, `8080:80` or `8080:80/udp`."""
    if isinstance(given, int) and not isinstance(given, bool):
        return {"Target": given}
    if not isinstance(given, str):
        return given
    match = _PORT.fullmatch(given)
    if match is None:
        raise ValueError(
            'must look like 80, "8080:80" or "8080:80/udp"; Swarm has no addresses and skep no ranges here'
        )
    return {"Target": int(match[2]), "Published": int(match[1] or 0), "Protocol": match[3] or "tcp"}


def mount(given: Json) -> object:
    """`/data`, `volume:/data`, `/folder:/data:ro`."""
    if not isinstance(given, str):
        return given
    parts = given.split(":")
    flags = parts.pop() if len(parts) == 3 else "rw"
    if len(parts) > 2 or flags not in _MOUNT_FLAGS or not all(parts):
        raise ValueError("must look like /data, volume:/data or /folder:/data:ro")
    source = parts[0] if len(parts) == 2 else ""
    return {"Source": source, "Target": parts[-1], "ReadOnly": _MOUNT_FLAGS[flags]}


def file_ref(given: Json) -> object:
    """The name of a secret or config."""
    return {"Source": given} if isinstance(given, str) else given


def restart(given: Json) -> object:
    """The policy alone."""
    return {"Policy": given} if isinstance(given, str) else given


def health_test(given: Json) -> object:
    """A line for the container's shell."""
    return ("CMD-SHELL", given) if isinstance(given, str) else given


def env(given: Json) -> object:
    """`[NAME=value]`."""
    return _pairs(given, "must look like NAME=value", bare=False)


def labels(given: Json) -> object:
    """`[name=value]`, or a name alone for an empty value."""
    return _pairs(given, "must look like name=value", bare=True)


def _pairs(given: Json, wanted: str, *, bare: bool) -> object:
    if not isinstance(given, Sequence) or isinstance(given, str):
        return given
    pairs: dict[str, str] = {}
    faults: list[Fault] = []
    for index, item in enumerate(given):
        name, equals, value = item.partition("=") if isinstance(item, str) else ("", "", "")
        if not VARIABLE.fullmatch(name) or not (equals or bare):
            faults.append(Fault(wanted, f"[{index}]"))
        elif name in pairs:
            faults.append(Fault("names what is named above", f"[{index}]"))
        pairs[name] = value
    if faults:
        raise InvalidError(faults)
    return pairs
