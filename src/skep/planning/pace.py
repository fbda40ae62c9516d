"""How many numbered members may be made at once: 1, 2, 4, 8, and then all that are left (semantics.md W9-W12)."""

from skep.model.plan import ActionKind
from skep.model.state import Desired, Entry, Ledger, Observed, Phase
from skep.planning.census import ENDED, Census, is_count, is_current
from skep.planning.settled import is_settled

STREAK_FULL = 15
"""After 1 + 2 + 4 + 8 creations that went well (F2), an engine's own limit is the only one."""


def batch(census: Census) -> int:
    """How many creations may be begun now. A batch has to be made before the next one begins, and a failure ends the
    row. What is made may still be starting then: a start is limited like all else, but no batch waits for it.

    Creations that a source leaves without an answer, or that wait for an image that it could not get before, count only
    against the limit: others go on.
    """
    under_way = [e for e in census.ledger.entries if e.kind is ActionKind.CREATE]
    room = census.desired.limits.parallel - len(under_way)
    counted = [e for e in under_way if not _is_asked_alone(census, e)]
    if census.failure("", ActionKind.CREATE) is not None:
        return max(0, min(room, 1 - len(counted)))
    made = sum(e.phase is Phase.CREATED for e in counted)
    streak = census.ledger.streak + made
    if streak >= STREAK_FULL:
        return max(0, room)
    return 0 if len(counted) > made else max(0, min(room, _doubling(streak)))


def _is_asked_alone(census: Census, entry: Entry) -> bool:
    alone = census.asked_alone_for_settled if is_settled(census.desired, entry) else census.asked_alone
    return entry.source in alone


def _doubling(streak: int) -> int:
    """1 after none, 2 after one, 4 after three, …; a row that ended in the middle of a batch repeats that batch."""
    return 1 << ((streak + 1).bit_length() - 1)


def is_at_rest(desired: Desired, observed: Observed, ledger: Ledger, now_s: float) -> bool:
    """Whether no creation is under way and none is due, so that the next one begins a new row."""
    if any(e.kind is ActionKind.CREATE for e in ledger.entries):
        return False
    active = sum(m.life not in ENDED and is_current(desired, m) for m in observed.members)
    waiting = sum(is_count(f) and f.retry_s > now_s for f in ledger.failures)
    return active + waiting >= desired.size
