"""Errors named after what the one who catches them should do."""

from dataclasses import dataclass


class SkepError(Exception):
    """The root of all errors that skep raises on purpose; its text is fit for a user."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what a user wrote.

    `path` is dotted with the field names as documented (`Properties.Allocation.Size`), empty for a whole
    document; `file` is what the user called it (`standard input` for `-`); `line` counts from 1, 0 is unknown.
    """

    message: str
    path: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line) if self.line else "") if part)
        return ": ".join(part for part in (place, self.path, self.message) if part)


class InvalidError(SkepError):
    """The user mends it: everything that is wrong with the input, at once. Nothing was changed."""

    def __init__(self, faults: tuple[Fault, ...] | list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class RefusedError(SkepError):
    """The user decides: the request is well-formed, and carrying it out would do harm. Nothing was changed."""


class NotFoundError(SkepError):
    """The user mends it: what was named does not exist."""


class ConflictError(SkepError):
    """Read again: what was to be written has changed since it was read."""


class UnavailableError(SkepError):
    """Retry later: the other side did not answer, or said that it can't now. Whether it acted is unknown."""


class NotReadyError(SkepError):
    """Retry later: something that this waits for is not there yet. Nothing was done, nothing has failed."""


class RejectedError(SkepError):
    """Permanent until something changes: the other side understood and refused, in its own words."""


class NoImageError(RejectedError):
    """Elsewhere, or later: an engine could not get an image, and these are its registry's words. Nothing was made."""


class StaleTermError(SkepError):
    """Stop acting: another controller has taken over since this term began."""


class BugError(SkepError):
    """Our bug: a promise of the core would have been broken. Nothing was done."""
