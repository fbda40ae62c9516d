"""The moment at which somebody asks, and what is yet to come as seen from it."""

from dataclasses import dataclass, replace

from skep.model.view import MemberView
from skep.planning.outlook import Next


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of the request on both clocks."""

    monotonic_s: float
    wall_s: float


def with_next(view: MemberView, coming: Next, now: Now) -> MemberView:
    """The row with what comes next, and when: on the wall clock, for people."""
    error = coming.error or view.last_error
    if not coming.at_s:
        return replace(view, next=coming.text, last_error=error)
    in_s = max(0.0, coming.at_s - now.monotonic_s)
    return replace(view, next=coming.text, next_in_s=in_s, next_at_s=now.wall_s + in_s, last_error=error)


def lasting(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h`: how long something has lasted, for a sentence."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
