"""A value as somebody gave it, and where."""

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
