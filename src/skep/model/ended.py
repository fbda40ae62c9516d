"""What is remembered of members that have ended, so that each end is news once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """What had ended on a source at the last look (semantics.md W30, W47): nothing of it is news any more.

    `members`: what their IDs begin with. `heard` is false until the source was listed in this generation: what it shows
    first ended before that began, for all that anybody knows. EVERYTHING stands for sources that are not named here.
    """

    source: str
    members: tuple[str, ...] = ()
    heard: bool = True
