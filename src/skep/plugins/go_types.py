"""Properties over InfraKit's wire, as Go reads them: those of another type are refused in its words, and null is the
zero value (infrakit-compat.md 1.3, 4.1, 4.2)."""

from collections.abc import Callable, Mapping

from skep.model.errors import Fault, InvalidError
from skep.model.json import NULL, RawJson
from skep.wire.go_decode import GoDecodeError, fields, items, kind_of, list_of, members, string

Decode = Callable[[RawJson | None, str], object]
"""Reads a field, which may be absent; the text is how Go's errors call its place."""


def check_types(properties: RawJson, struct: str, kinds: Mapping[str, Decode]) -> None:
    """InvalidError with Go's text for the first of these fields that has another type; `struct` is InfraKit's name of
    what holds them."""
    try:
        found = fields(properties, tuple(kinds))
        for name, decode in kinds.items():
            decode(found.get(name), f"{struct}.{name}")
    except GoDecodeError as error:
        raise InvalidError([Fault(str(error))]) from error


def without_nulls(properties: RawJson, zeros: Mapping[str, RawJson]) -> RawJson:
    """The same object, to be read leniently: each null within one of these fields, a list or a map, is its zero value.

    What has another type stays as it is, for whoever reads it to refuse.
    """
    if not properties.count(NULL) or kind_of(properties) != "object":
        return properties
    found = fields(properties, tuple(zeros))
    # Of a field that is written twice the last counts.
    more = [b",%s:%s" % (string(name), _filled(raw, zeros[name])) for name, raw in found.items() if raw != NULL]
    return RawJson(properties.rstrip()[:-1] + b"".join(more) + b"}")


def _filled(raw: RawJson, zero: RawJson) -> RawJson:
    if kind_of(raw) == "array":
        return list_of([zero if item == NULL else item for item in items(raw, "", "")])
    if kind_of(raw) != "object":
        return raw
    filled = {name: zero if value == NULL else value for name, value in members(raw, "", "").items()}
    return RawJson(b"{" + b",".join(b"%s:%s" % (string(name), value) for name, value in filled.items()) + b"}")
