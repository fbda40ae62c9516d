"""JSON and YAML for programs that read what is printed; the libraries for them take longer to load than a command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
"""What both know under these names."""

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./ :@,+=()")
WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""What is no text in YAML, be it 1.1 or 1.2."""

KEY_CHARACTERS_MAX = 500
"""YAML looks no further than 1,024 for the colon behind a key; escapes take up to ten."""


def json_lines(value: Any, *, ascii_only: bool = False) -> list[str]:
    """What json.dumps gives with an indent of 2, line by line. `ascii_only`: other characters as `\\u00e9`."""
    lines = _json_lines(value)
    return [_in_ascii(line) for line in lines] if ascii_only else lines


def _in_ascii(line: str) -> str:
    """JSON has no other characters outside its texts; those beyond 16 bits are two of them there."""
    return "".join(one if one <= "~" else _units(one) for one in line)


def _units(one: str) -> str:
    raw = one.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{raw[at : at + 4]}" for at in range(0, len(raw), 4))


def _json_lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return _enclosed("{", [_headed(f"{_json_text(key)}: ", _json_lines(one)) for key, one in value.items()], "}")
    if isinstance(value, list | tuple) and value:
        return _enclosed("[", [_json_lines(one) for one in value], "]")
    return [_scalar(value, _json_text, _json_float)]


def _enclosed(begin: str, parts: list[list[str]], end: str) -> list[str]:
    for part in parts[:-1]:
        part[-1] += ","
    return [begin, *(f"  {line}" for part in parts for line in part), end]


def yaml_lines(value: Any) -> list[str]:
    """The same in YAML's block style, line by line; texts are quoted where they might be taken for something else."""
    if isinstance(value, dict) and value:
        return [line for key, one in value.items() for line in _yaml_entry(_yaml_text(key), one)]
    if isinstance(value, list | tuple) and value:
        return [line for one in value for line in _hung("- ", yaml_lines(one))]
    return [_scalar(value, _yaml_text, _yaml_float)]


def _yaml_entry(key: str, value: Any) -> list[str]:
    lines = yaml_lines(value)
    if len(key) > KEY_CHARACTERS_MAX:
        return [f"? {key}", *_hung(": ", lines)]
    if isinstance(value, dict) and value:
        return [f"{key}:", *(f"  {line}" for line in lines)]
    return [f"{key}:", *lines] if isinstance(value, list | tuple) and value else [f"{key}: {lines[0]}"]


def _headed(head: str, lines: Sequence[str]) -> list[str]:
    return [head + lines[0], *lines[1:]]


def _hung(head: str, lines: Sequence[str]) -> list[str]:
    return [head + lines[0], *(f"  {line}" for line in lines[1:])]


def _scalar(value: Any, text: Callable[[str], str], number: Callable[[float], str]) -> str:
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    return ("{}" if isinstance(value, dict) else "[]") if isinstance(value, dict | list | tuple) else str(value)


def _json_float(value: float) -> str:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value)) or repr(value)


def _yaml_float(value: float) -> str:
    """For YAML 1.1, 1e-05 is a text: it wants a point."""
    text = repr(value)
    pointed = text if "." in text else text.replace("e", ".0e")
    return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(text) or pointed


def _json_text(text: str) -> str:
    return f'"{"".join(map(_json_character, text))}"'


def _json_character(one: str) -> str:
    return ESCAPES.get(one) or (one if one >= " " else f"\\u{ord(one):04x}")


def _yaml_text(text: str) -> str:
    is_plain = text[:1].isalpha() and PLAIN.issuperset(text) and ": " not in text and text[-1] not in " :"
    return text if is_plain and text.lower() not in WORDS else f'"{"".join(map(_yaml_character, text))}"'


def _yaml_character(one: str) -> str:
    if one in ESCAPES or one.isprintable():
        return ESCAPES.get(one, one)
    return f"\\U{ord(one):08x}"
