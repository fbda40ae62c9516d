"""While a roll has proven nothing, what is short is made of the template that all members followed last.

So a roll that never gets well takes nothing from anybody, neither when old members die nor when more are asked for
(semantics.md W42, W45, W49). Members of the settled template are outdated ones for all else.
"""

from skep.model.state import Desired, Entry, Health, Life, Member
from skep.planning.census import ENDED, Census, is_current, proven_s


def is_settled(desired: Desired, one: Member | Entry) -> bool:
    """Whether it follows the settled template, where there is one beside the desired."""
    is_old = one.fingerprint == desired.settled and not is_current(desired, one)
    return bool(desired.settled) and is_old and one.source in desired.sources


def applies(census: Census, now_s: float) -> bool:
    """Whether what is short is made as before the roll: nothing new is available, and the old ones serve or come, or
    the roll is late. Where the old ones don't serve either, the new template may be their very mend."""
    desired = census.desired
    if not desired.settled or desired.paused or desired.removed or desired.once or _is_proven(census):
        return False
    serving = any(m.healthy and is_settled(desired, m) for m in census.staying)
    return serving or bool(coming(census)) or being_made(census) > 0 or not census.late_in_s(now_s)


def _is_proven(census: Census) -> bool:
    least_s = proven_s(census.desired)
    return any(m.healthy and m.well_s >= least_s for m in census.current)


def coming(census: Census) -> tuple[Member, ...]:
    """Settled ones that are there and do not serve yet, as far as anybody knows."""
    return tuple(m for m in census.staying if is_settled(census.desired, m) and _is_coming(census, m))


def _is_coming(census: Census, member: Member) -> bool:
    if member.life is Life.STOPPED:
        return not census.start_was_refused(member)
    return member.life not in ENDED and not member.healthy and member.health is not Health.UNHEALTHY


def being_made(census: Census) -> int:
    """How many creations of the settled template are under way of which nothing shows yet."""
    return sum(is_settled(census.desired, e) for e in census.creating)


def lacking(census: Census, available: int) -> int:
    """How many fewer than must be `available` are: what does not answer is not missing (W35)."""
    desired = census.desired
    unheard = sum(m.life is Life.UNKNOWN and not is_settled(desired, m) for m in census.staying)
    return max(0, desired.size - desired.max_unavailable - available - unheard)


def short(census: Census, available: int, now_s: float) -> int:
    """How many of the settled template are to be made, if there is room."""
    if not applies(census, now_s):
        return 0
    return max(0, lacking(census, available) - len(coming(census)) - being_made(census))


def awaited(census: Census, now_s: float) -> frozenset[str]:
    """IDs of those that come and are needed: the roll leaves them, though they are old and do not serve yet."""
    if not applies(census, now_s):
        return frozenset()
    arriving = sorted(coming(census), key=lambda m: (m.life is not Life.RUNNING, m.created_s, m.id))
    return frozenset(m.id for m in arriving[: lacking(census, census.available)])
