"""Properties of another type are refused in Go's words over InfraKit's wire (infrakit-compat.md 1.3, 4.1, 4.2)."""

from collections.abc import Callable, Mapping

from skep.model.errors import Fault, InvalidError
from skep.model.json import RawJson
from skep.wire.go_decode import GoDecodeError, fields

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
