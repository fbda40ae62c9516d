"""Moving a group to a new spec without ever having too many or too few (semantics.md W41-W45, N35)."""

import math

from skep.model.plan import REMOVALS, NoteKind, Reason
from skep.model.progress import Progress
from skep.model.state import Desired, Member, Role
from skep.planning import slots
from skep.planning.census import Census, health_known, is_current, proven_s
from skep.planning.draft import Draft
from skep.planning.victims import first_to_go


def drains(desired: Desired) -> int:
    """N15: one drain at a time in a group, unless more may be unavailable; numbered members all at once (W12)."""
    return desired.limits.parallel if desired.numbered else max(1, desired.max_unavailable)


def remove_old(draft: Draft) -> None:
    """W43: those that do not serve go first and cost nothing; of those that serve, as many as can be spared.

    Nothing goes while something is missing anyway: its place counts against what may be unavailable.
    """
    desired = draft.census.desired
    if not _may_roll(draft):
        return
    old = [m for m in draft.untouched() if not is_current(desired, m) and m.id not in draft.awaited]
    for member in first_to_go(draft.census, old, draft.awaited):
        if not (member.healthy and slots.is_untried(draft)) and may_leave(draft, member):
            draft.remove(member, Reason.OUTDATED, limit=drains(desired))


def may_leave(draft: Draft, member: Member) -> bool:
    """Whether what serves can be spared. For an old numbered one those don't make up that have not proven themselves
    (W44), whether new or overtaken by a newer spec; after a restart of skep all are young, and the old ones stay."""
    if not member.healthy:
        return True
    young, least_s = draft.young, proven_s(draft.census.desired)
    is_old = draft.census.desired.numbered and not is_current(draft.census.desired, member)
    owed = len(young.current) + (0 if member.id in young.outdated else len(young.outdated))
    if not is_old or spare(draft) > owed:
        return spare(draft) > 0
    if young.longest_s is not None:
        draft.wake_in(least_s - young.longest_s)
    return False


def await_ready(draft: Draft) -> None:
    """W44: there is a turn at the moment when the next one counts as available."""
    least_s, staying = draft.census.desired.limits.min_ready_s or 0.0, draft.census.staying
    waits = [least_s - m.well_s for m in staying if m.healthy and m.well_s < least_s]
    if waits:
        draft.wake_in(min(waits))


def tell_late(draft: Draft) -> None:
    """W46: a report, and a turn at the moment when it is due. It ends as soon as something comes closer."""
    census, progress = draft.census, draft.census.ledger.progress
    if progress is None or census.late_at_s == math.inf:
        return
    left_s = census.late_in_s(draft.now_s)
    if left_s > 0:
        draft.wake_in(left_s)
        return
    draft.note(NoteKind.PROGRESS_DEADLINE_EXCEEDED, detail=standstill(census, progress))


def standstill(census: Census, progress: Progress) -> str:
    """How far it has come, since when it comes no further, and what is in the way."""
    limit_s = census.desired.limits.progress_s
    told = f"for {limit_s:g} s {progress.updated} are updated, {progress.outdated} old and {progress.available} serve"
    failed = sorted((f for f in census.ledger.failures if f.count and f.message), key=lambda f: (-f.count, f.subject))
    why = [f.message for f in failed] or [m.detail for m in census.staying if not m.healthy and m.detail]
    return "; ".join([told, *why[:1]])


def create_new(draft: Draft) -> None:
    """As many of the new spec as the surge allows; pets have no surge, their slots are filled as they empty."""
    census, desired = draft.census, draft.census.desired
    if desired.slots is not None or not _may_roll(draft):
        return
    going = {a.member for a in draft.actions if a.kind in REMOVALS}
    staying = sum(m.id not in going for m in census.current)
    drafted = draft.creations - draft.kept_creations
    new = staying + drafted + sum(is_current(desired, e) for e in census.creating)
    room = desired.size + desired.max_surge - draft.total - draft.kept_waiting
    if desired.numbered:
        waiting = len(draft.openings) - len(draft.kept_openings) - drafted
        slots.fill(draft, min(room, desired.size - new) - waiting, Reason.OUTDATED)
        return
    for _ in range(min(room, desired.size - new)):
        draft.create(None, Reason.OUTDATED)


def _may_roll(draft: Draft) -> bool:
    """Whether there is anything to roll, and nothing that forbids it; what forbids it is noted."""
    census, desired = draft.census, draft.census.desired
    if not census.outdated or desired.in_place or desired.paused:
        return False
    if is_refused(desired):
        draft.note(NoteKind.ROLL_REFUSED, detail="the only manager can't be replaced without losing the Swarm")
    elif not _is_known(draft):
        draft.note(NoteKind.SOURCE_SILENT, detail="no roll while healths are unknown")
    elif desired.hold:
        draft.note_hold()
    else:
        return True
    return False


def tell_paused(draft: Draft) -> None:
    """W49: that something waits for the end of a pause. What is changed in place is outdated by its count alone.

    One that skep made is told as long as it lasts: the roll that failed is not over (W47).
    """
    census, desired = draft.census, draft.census.desired
    waits = desired.withheld or (census.outdated and not desired.in_place)
    if desired.paused and (waits or desired.given_up):
        draft.note(NoteKind.PAUSED, detail=desired.paused)


def _is_known(draft: Draft) -> bool:
    """Numbered members of a source that is silent count as not serving, so that the others may be rolled."""
    observed = draft.census.observed
    return health_known(observed) if draft.census.desired.numbered else observed.complete


def is_refused(desired: Desired) -> bool:
    """The only manager is not rolled, so that nothing above its size is a roll's surge either."""
    return desired.role is Role.MANAGER and desired.formed and desired.size == 1


def spare(draft: Draft) -> int:
    """How many that serve may still be taken."""
    desired = draft.census.desired
    return draft.available - (desired.size - allowed_unavailable(desired))


def allowed_unavailable(desired: Desired) -> int:
    """Managers that have no surge go one at a time, whatever the setting says; `managers` decides whether at all."""
    if desired.role is Role.MANAGER:
        return 1 if desired.max_surge == 0 else 0
    return desired.max_unavailable
