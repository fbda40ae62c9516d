"""What is remembered of how a roll comes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How close a generation has come to what it asks for, and when it last came closer, on the planner's clock (W46).

    The most that were `updated` and `available`, and the fewest `outdated`. `complete`: it was there once, and what
    befalls it later is no matter of its roll. `to_replace`: how many were outdated when it began; where numbered
    members are to follow another template than the last that all followed, also those that were missing, and all that
    are wanted where neither was.
    """

    generation: int
    updated: int
    outdated: int
    available: int
    since_s: float
    complete: bool = False
    to_replace: int = 0
