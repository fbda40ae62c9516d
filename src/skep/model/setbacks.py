"""What is remembered of a source on which members of a key failed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setbacks:
    """When the last of them failed there (semantics.md W34): five at most, oldest first, on the planner's clock."""

    source: str
    at_s: tuple[float, ...]
