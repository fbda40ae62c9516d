"""What a plugin can do beyond its interface: the optional Protocols of ports.py."""

from typing import TypeGuard, TypeVar

A = TypeVar("A")

_known: dict[tuple[type, object], bool] = {}


def can(plugin: object, ability: type[A]) -> TypeGuard[A]:
    """As isinstance, asked once for each class: Python 3.11 compares every method's name at each isinstance."""
    question = (type(plugin), ability)
    if question not in _known:
        _known[question] = isinstance(plugin, ability)
    return _known[question]
