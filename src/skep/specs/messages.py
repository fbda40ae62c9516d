"""Pydantic's findings as faults: our paths and our words.

What was written is described by its type: it may be a secret. Only where a closed list is asked for is it shown.
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from skep.model.errors import Fault
from skep.specs.node import ROOT, Shape, under


def faults_of(error: ValidationError) -> list[Fault]:
    """One fault for each finding, in the order of the fields; without file and line."""
    return [_fault(details) for details in error.errors(include_url=False)]


def _fault(details: ErrorDetails) -> Fault:
    path = ROOT
    for part in details["loc"]:
        if part != "[key]":
            path = under(path, part)
    return Fault(worded(details), path)


def worded(details: ErrorDetails) -> str:
    """What pydantic found wrong with one value, as it goes on behind its path."""
    if words := _WANTED.get(details["type"]):
        return f"must be {words}, not {_found(details['input'])}{_hint(details)}"
    if make := _MESSAGES.get(details["type"]):
        return make(details)
    return details["msg"]


def _found(given: object) -> str:
    for shape, types in _SHAPES.items():
        if isinstance(given, types):
            return shape
    return Shape.NULL


def _hint(details: ErrorDetails) -> str:
    scalar = isinstance(details["input"], bool | int | float)
    return ": put it in quotes" if details["type"] == "string_type" and scalar else ""


def _at_least(details: ErrorDetails) -> str:
    least = details["ctx"]["ge"]
    return "must not be negative" if least == 0 else f"must be at least {least:g}"


def _one_of(details: ErrorDetails) -> str:
    given = details["input"]
    shown = f'"{given}"' if isinstance(given, str) and len(given) <= 40 else _found(given)
    return f"must be {details['ctx']['expected'].replace(chr(39), '')}, not {shown}"


def _longest(details: ErrorDetails) -> str:
    unit = "characters" if isinstance(details["input"], str) else "items"
    return f"must have at most {details['ctx']['max_length']} {unit}"


def _bound(text: str, name: str) -> Callable[[ErrorDetails], str]:
    return lambda details: text.format(details["ctx"][name])


_SHAPES: Mapping[str, tuple[type, ...]] = {
    Shape.BOOL: (bool,),
    Shape.NUMBER: (int,),
    "a number with a fraction or exponent": (float,),
    Shape.STRING: (str,),
    Shape.OBJECT: (Mapping,),
    Shape.LIST: (tuple, list),
}
"""In this order: a bool is an int, too."""

_WANTED = {
    "string_type": Shape.STRING,
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": Shape.NUMBER,
    "bool_type": Shape.BOOL,
    "tuple_type": Shape.LIST,
    "list_type": Shape.LIST,
    "dict_type": Shape.OBJECT,
    "model_type": Shape.OBJECT,
    "model_attributes_type": Shape.OBJECT,
}

_MESSAGES: Mapping[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda _: "is required",
    "string_too_short": lambda _: "must not be empty",
    "too_short": lambda _: "must not be empty",
    "string_too_long": _longest,
    "too_long": _longest,
    "greater_than_equal": _at_least,
    "greater_than": _bound("must be more than {:g}", "gt"),
    "less_than_equal": _bound("must be at most {}", "le"),
    "less_than": _bound("must be less than {}", "lt"),
    "literal_error": _one_of,
    "finite_number": lambda _: "must be a finite number",
    "value_error": lambda details: str(details["ctx"]["error"]),
    "assertion_error": lambda details: str(details["ctx"]["error"]),
}


def listed(names: Sequence[str]) -> str:
    """`A, B and C`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else ""
