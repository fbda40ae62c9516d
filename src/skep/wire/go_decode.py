"""JSON as Go's encoding/json reads and writes it: lenient about names, strict about types, and with its error texts.

Names of fields match without regard to case, unknown ones are passed over, the last of a repeated one wins, and what
is absent or null is the zero value (infrakit-compat.md 1.3). Raw values keep their spelling.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import msgspec

from skep.model.go_json import go_escape, go_string
from skep.model.json import NULL, RawJson

UNSIGNED_MAX = 2**64 - 1
"""Go's uint on every machine that runs Docker."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_ANY = msgspec.json.Decoder(msgspec.Raw)

_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_HALF_PAIR = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_HTML = re.compile("[<>&\u2028\u2029]")
_HTML_BYTES = re.compile(rb"[<>&\xe2]")
_FOLDED = str.maketrans({"\u017f": "s", "\u212a": "k"})
"""The two letters beyond ASCII that Go folds into it."""
_QUOTED = {'"': '\\"', "\\": "\\\\", **{chr(7 + at): f"\\{letter}" for at, letter in enumerate("abtnvfr")}}
_KINDS = {b"{": "object", b"[": "array", b'"': "string", b"t": "bool", b"f": "bool", b"n": "null"}


class GoDecodeError(ValueError):
    """What Go would not have read; its text is Go's where scripts may see it."""


class GoTypeError(GoDecodeError):
    """JSON of another type than what is to hold it."""

    def __init__(self, raw: RawJson, place: str, kind: str) -> None:
        """place: `Request.Spec.ID`, empty for a value by itself; kind: the type that Go would have wanted."""
        found = kind_of(raw)
        told = f"number {raw[:40].decode()}" if found == "number" and kind == "uint" else found
        where = f"struct field {place}" if place else "value"
        super().__init__(f"json: cannot unmarshal {told} into Go {where} of type {kind}")


def first_value(body: bytes) -> RawJson:
    """The first JSON value of a body, without white space around it; what follows is not looked at, as Go's Decoder.

    Half surrogate pairs and bytes that are no UTF-8 become U+FFFD. GoDecodeError for what is no JSON, and for more
    than some hundred levels.
    """
    body = _readable(body)
    try:
        return RawJson(bytes(_first(body)).strip())
    except msgspec.DecodeError as error:
        raise GoDecodeError(str(error)) from error
    except RecursionError as error:
        raise GoDecodeError("exceeded max depth") from error


def _first(body: bytes) -> msgspec.Raw:
    """Where something follows, msgspec tells the place, counted from 1, in words only."""
    try:
        return _ANY.decode(body)
    except msgspec.DecodeError as error:
        trailing = _TRAILING.search(str(error))
        if trailing is None:
            raise
        return _ANY.decode(body[: int(trailing[1]) - 1])


def _readable(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode(errors="replace").encode()
    if b"\\ud" in body or b"\\uD" in body:
        return _HALF_PAIR.sub(lambda match: match[1] or b"\\ufffd", body)
    return body


def fields(raw: RawJson, names: tuple[str, ...], place: str = "") -> dict[str, RawJson]:
    """Those of `names` that the object has; empty for null. Of a name that is repeated, however it is spelled, the last
    one wins. GoTypeError for what is no object.
    """
    if raw == NULL:
        return {}
    sent, known = members(raw, place, "struct"), _by_fold(names)
    spelled = [name for name in sent if _fold(name) in known]
    if len({*map(_fold, spelled)}) < len(spelled):
        spelled = _in_order(raw, {*spelled})
    return {known[_fold(name)]: sent[name] for name in spelled}


def _in_order(raw: RawJson, names: Collection[str]) -> list[str]:
    """Those of `names` that the object has, each as often and where it stands: msgspec keeps the place of the first."""
    try:
        pairs = json.loads(raw, object_pairs_hook=list, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise GoDecodeError("exceeded max depth") from error
    return [name for name, _ in pairs if name in names]


def members(raw: RawJson, place: str, kind: str) -> Mapping[str, RawJson]:
    """All of an object, by its names as written, the last of a repeated one; GoTypeError for what is no object."""
    if kind_of(raw) != "object":
        raise GoTypeError(raw, place, kind)
    try:
        return {name: RawJson(bytes(value)) for name, value in _OBJECT.decode(raw).items()}
    except (msgspec.DecodeError, RecursionError) as error:
        raise GoDecodeError(str(error)) from error


@lru_cache(maxsize=256)
def _by_fold(names: tuple[str, ...]) -> Mapping[str, str]:
    return {_fold(name): name for name in names}


def _fold(name: str) -> str:
    return name.translate(_FOLDED).lower()


def kind_of(raw: RawJson) -> str:
    """What Go's errors call the type of a value."""
    return _KINDS.get(raw[:1], "number")


def items(raw: RawJson | None, place: str, kind: str) -> tuple[RawJson, ...]:
    """The parts of a list; none for null and absent."""
    if raw is None or raw == NULL:
        return ()
    try:
        return tuple(RawJson(bytes(value)) for value in _LIST.decode(raw))
    except msgspec.DecodeError as error:
        raise GoTypeError(raw, place, kind) from error


def text(raw: RawJson | None, place: str = "") -> str:
    """A string; empty for null and absent."""
    return optional_text(raw, place) or ""


def optional_text(raw: RawJson | None, place: str = "") -> str | None:
    """A string, or None for null and absent."""
    if raw is None or raw == NULL:
        return None
    try:
        return _TEXT.decode(raw)
    except msgspec.DecodeError as error:
        raise GoTypeError(raw, place, "string") from error


def truth(raw: RawJson | None, place: str = "") -> bool:
    """A bool; False for null and absent."""
    if raw is not None and raw not in (NULL, b"true", b"false"):
        raise GoTypeError(raw, place, "bool")
    return raw == b"true"


def unsigned(raw: RawJson | None, place: str = "") -> int:
    """A whole number from 0 to 2^64-1, written without fraction and exponent; 0 for null and absent."""
    if raw is None or raw == NULL:
        return 0
    # Twenty digits are the most that fit; int() would take minutes for a million of them.
    if not raw.isdigit() or len(raw) > 20 or int(raw) > UNSIGNED_MAX:
        raise GoTypeError(raw, place, "uint")
    return int(raw)


def texts(raw: RawJson | None, place: str = "") -> tuple[str, ...]:
    """A list of strings; empty for null and absent."""
    return tuple(text(item, place) for item in items(raw, place, "[]string"))


def text_map(raw: RawJson | None, place: str = "") -> dict[str, str]:
    """Names to strings, both as written; empty for null and absent."""
    if raw is None or raw == NULL:
        return {}
    return {name: text(value, place) for name, value in members(raw, place, "map[string]string").items()}


def written(raw: RawJson) -> RawJson:
    """A raw value as Go puts it into what it writes: no white space, `<>&` escaped, all else as spelled."""
    return _written(raw) if len(raw) <= 4096 else _compact(raw)


def _compact(raw: RawJson) -> RawJson:
    dense = msgspec.json.format(raw, indent=-1)
    if not _HTML_BYTES.search(dense):
        return RawJson(dense)
    return RawJson(_HTML.sub(go_escape, dense.decode(errors="replace")).encode())


_written = lru_cache(maxsize=1024)(_compact)
"""All machines of a group have the same properties."""


def object_of(**fields: bytes) -> RawJson:
    """An object of these values, in this order."""
    return RawJson(b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields.items()) + b"}")


def list_of(values: Sequence[bytes]) -> RawJson:
    """A list of these values."""
    return RawJson(b"[" + b",".join(values) + b"]")


def string(value: str | None) -> RawJson:
    """A string as Go writes it; null for None."""
    return NULL if value is None else RawJson(go_string(value).encode())


def string_map(values: Mapping[str, str]) -> RawJson:
    """In byte order of the names, as Go writes a map; null for an empty one."""
    names = sorted(values, key=lambda name: name.encode(errors="replace"))
    return (
        RawJson(b"{" + b",".join(string(name) + b":" + string(values[name]) for name in names) + b"}")
        if names
        else NULL
    )


def boolean(value: bool) -> RawJson:
    """`true` or `false`."""
    return RawJson(b"true" if value else b"false")


def quoted(name: str) -> str:
    """A text as Go's %q prints it."""
    return f'"{"".join(map(_quoted, name))}"'


def _quoted(char: str) -> str:
    if char in _QUOTED:
        return _QUOTED[char]
    if char.isprintable():
        return char
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
