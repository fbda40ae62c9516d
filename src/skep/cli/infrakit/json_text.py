"""JSON that keeps what people wrote: numbers, the order of names and the spelling of texts pass through untouched.

The scanner is the one in C that `json` is made of; `json` itself would take longer to load than all of a command.
"""

from __future__ import annotations

from skep.cli.infrakit.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Scan = Callable[[str, int], tuple[Any, int]]

WHITE = " \t\r\n"
NULL = "null"
ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
HTML = {one: f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}
"""What Go escapes besides, so that JSON may stand in a page."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


class _Rules:
    """How to read: as `json.loads`, but strictly, and with numbers left alone."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = parse_int = Number
    parse_constant = _refuse


def _scanner() -> Scan:
    try:
        from _json import make_scanner  # noqa: PLC0415

        return make_scanner(_Rules)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):  # a Python without those parts, or with others
        from json import JSONDecoder  # noqa: PLC0415

        return JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse).raw_decode


_scan = _scanner()


def read(text: str) -> Any:
    """Its value, with each number as a Number. Failure: it is no JSON, in Go's words."""
    try:
        value, end = _scan(text, _white(text, 0))
        if _white(text, end) == len(text):
            return value
    except (StopIteration, ValueError, RecursionError, SystemError):
        pass  # SystemError: the scanner wants to raise what `json` defines, which is not loaded
    from skep.cli.infrakit.go_syntax import syntax_error  # noqa: PLC0415 - for faults alone

    raise Failure(syntax_error(text) or "exceeded max depth")


def members(text: str) -> dict[str, str]:
    """Of an object that `read` has read: each name in lower case, as Go matches them, and its value as written.

    The last of several wins.
    """
    found = {}
    at = _white(text, 0) + 1
    while text[at := _white(text, at)] != "}":
        name, at = _scan(text, at)
        at = _white(text, _white(text, at) + 1)
        _, end = _scan(text, at)
        found[name.lower()] = text[at:end]
        at = _white(text, end)
        at += text[at] == ","
    return found


def elements(text: str) -> list[str]:
    """Of an array that `read` has read: its values as written."""
    found = []
    at = _white(text, 0) + 1
    while text[at := _white(text, at)] != "]":
        _, end = _scan(text, at)
        found.append(text[at:end])
        at = _white(text, end)
        at += text[at] == ","
    return found


def _white(text: str, at: int) -> int:
    while text[at : at + 1] in WHITE and at < len(text):
        at += 1
    return at


def string(text: str) -> str:
    """It in quotes, as Go writes it."""
    return f'"{"".join(map(_character, text))}"'


def _character(one: str) -> str:
    if one in ESCAPES or one in HTML:
        return ESCAPES.get(one) or HTML[one]
    if "\ud800" <= one <= "\udfff":
        return "\ufffd"
    return one if one >= " " else f"\\u{ord(one):04x}"


def strings(given: dict[str, str]) -> str:
    """An object of texts, in the order of their names."""
    return f"{{{','.join(f'{string(name)}:{string(given[name])}' for name in sorted(given))}}}"


def compact(text: str) -> str:
    """It without white space, as Go passes on what it does not look into."""
    return "".join(_tokens(text))


def indented(text: str, prefix: str, step: str) -> str:
    """As Go's MarshalIndent: `prefix` begins each line but the first."""
    written: list[str] = []
    depth = 0
    last = ""
    for token in _tokens(text):
        opened, closes = last in {"{", "["}, token in {"}", "]"}
        depth += opened - closes
        if last == "," or opened != closes:
            written.append(f"\n{prefix}{step * depth}")
        written.append(": " if token == ":" else token)
        last = token
    return "".join(written)


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        one = text[at]
        if one in WHITE:
            at += 1
            continue
        end = at + 1 if one in "{}[],:" else _string_end(text, at) if one == '"' else _scalar_end(text, at)
        yield _without_html(text[at:end]) if one == '"' else text[at:end]
        at = end


def _scalar_end(text: str, at: int) -> int:
    while at < len(text) and text[at] not in ",]}: \t\r\n":
        at += 1
    return at


def _string_end(text: str, at: int) -> int:
    while True:
        at = text.index('"', at + 1)
        before = at
        while text[before - 1] == "\\":
            before -= 1
        if (at - before) % 2 == 0:
            return at + 1


def _without_html(token: str) -> str:
    for one, escape in HTML.items():
        if one in token:
            token = token.replace(one, escape)
    return token
