"""A value as somebody gave it, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

from skep.model.errors import Fault


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was given, and where: a flag, a variable or a key of the file."""

    value: object
    place: str
    file: str = ""

    def fault(self, message: str) -> Fault:
        """What is wrong with it, with its place."""
        return Fault(message, self.place, self.file)


def fault_at(given: Mapping[str, Given], name: str, message: str) -> Fault:
    """What is wrong with a setting, with the place where it was given, if it was."""
    one = given.get(name)
    return Fault(message, one.place if one else name, one.file if one else "")
