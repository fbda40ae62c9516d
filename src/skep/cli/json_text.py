"""JSON with the parts in C that `json` is made of.

`json` itself compiles patterns for its other parts when it is loaded, which takes a third of the time of a command.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Scan = Callable[[str, int], tuple[Any, int]]
    Encode = Callable[[object, int], tuple[str, ...]]

CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class _Rules:
    """How to read: as `json.loads` without options."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, CONSTANTS.__getitem__


def _scanner() -> Scan | None:
    """None where this Python has no such thing, or it wants to be made otherwise."""
    try:
        from _json import make_scanner  # noqa: PLC0415

        return make_scanner(_Rules)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        return None


def _encoder() -> Encode | None:
    try:
        from _json import encode_basestring_ascii, make_encoder  # noqa: PLC0415

        return make_encoder({}, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True)
    except (ImportError, AttributeError, TypeError):
        return None


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} has no JSON")


def read_json(text: bytes, scanner: Callable[[], Scan | None] = _scanner) -> Any:
    """What json.loads gives; ValueError: it is no JSON."""
    scan = scanner()
    if scan is None:
        from json import loads  # noqa: PLC0415

        return loads(text)
    whole = text.decode().strip(" \t\r\n")
    try:
        value, end = scan(whole, 0)
    except (StopIteration, SystemError) as error:  # the scanner's own error is in `json`, which is not loaded
        raise ValueError("it is no JSON") from error
    if end != len(whole):
        raise ValueError("something stands behind the JSON")
    return value


def write_json(value: object, encoder: Callable[[], Encode | None] = _encoder) -> str:
    """What json.dumps gives, in one line."""
    encode = encoder()
    if encode is None:
        from json import dumps  # noqa: PLC0415

        return dumps(value)
    return "".join(encode(value, 0))
