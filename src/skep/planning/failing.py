"""Rolls that have failed, by what their spec says of that: too many new ones, or no progress (semantics.md W47)."""

from skep.model.progress import Progress
from skep.model.state import Desired, Ledger, Observed
from skep.planning.census import Census, is_count, is_unheard, take
from skep.planning.rollout import standstill


def why_failed(desired: Desired, observed: Observed, ledger: Ledger, now_s: float) -> str:
    """Why the roll of this generation has failed, in words; empty while it may go on, or where nobody asks for an end.

    A roll that was complete once can't fail any more, and nothing is said of what nobody can see now.
    """
    progress = ledger.progress
    if not desired.limits.failure_action or desired.paused or desired.removed or desired.hold:
        return ""
    if is_unheard(desired, observed):
        return ""
    if progress is None or progress.complete or progress.generation != desired.generation:
        return ""
    census = take(desired, observed, ledger)
    return _refused(census) or _too_many(census, progress) or _late(census, progress, now_s)


def _refused(census: Census) -> str:
    """A Swarm counts for itself, and has paused or undone what it was given last."""
    if not census.desired.in_place or census.ledger.applied != census.desired.fingerprint:
        return ""
    undone = [m for m in census.staying if m.rolled_back]
    return f"the Swarm stopped it: {undone[0].detail or 'a task failed'}" if undone else ""


def _too_many(census: Census, progress: Progress) -> str:
    """Slots whose members ended, or were stopped as unhealthy, since this generation began: what was made for an older
    one is not counted, and an image that can't be had is no member that failed."""
    failed = [f for f in census.ledger.failures if is_count(f) and f.count and not f.settled]
    if not failed or not progress.to_replace:
        return ""
    # Divided, as Swarm does: 0.58 * 50 is less than 29.
    if len(failed) / progress.to_replace <= census.desired.limits.failure_ratio_max:
        return ""
    worst = max(failed, key=lambda f: (f.count, f.subject))
    return f"{len(failed)} of {progress.to_replace} failed" + (f": {worst.message}" if worst.message else "")


def _late(census: Census, progress: Progress, now_s: float) -> str:
    """W46. Where nothing was to be replaced there is no roll, and nothing to go back to."""
    if not progress.to_replace or census.late_in_s(now_s):
        return ""
    return f"no progress {standstill(census, progress)}"
