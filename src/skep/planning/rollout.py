"""Moving a group to a new spec without ever having too many or too few (semantics.md W41-W45, N35)."""

from skep.model.plan import REMOVALS, NoteKind, Reason
from skep.model.state import Desired, Role
from skep.planning.census import is_current, removal_order
from skep.planning.draft import Draft


def drains(desired: Desired) -> int:
    """N15: one drain at a time in a group, unless the user allows more to be unavailable."""
    return max(1, desired.max_unavailable)


def remove_old(draft: Draft) -> None:
    """W43: those that do not serve go first and cost nothing; of those that serve, as many as can be spared.

    Nothing goes while something is missing anyway: its place counts against what may be unavailable.
    """
    desired = draft.census.desired
    if not _may_roll(draft):
        return
    old = [m for m in draft.untouched() if not is_current(desired, m)]
    for member in sorted(old, key=lambda m: removal_order(desired, m)):
        if member.healthy and spare(draft) <= 0:
            return
        draft.remove(member, Reason.OUTDATED, limit=drains(desired))


def create_new(draft: Draft) -> None:
    """As many of the new spec as the surge allows; pets have no surge, their slots are filled as they empty."""
    census, desired = draft.census, draft.census.desired
    if desired.slots is not None or not _may_roll(draft):
        return
    going = {a.member for a in draft.actions if a.kind in REMOVALS}
    staying = sum(m.id not in going for m in census.current)
    new = staying + draft.creations + sum(is_current(desired, e) for e in census.creating)
    room = desired.size + desired.max_surge - draft.total
    for _ in range(min(room, desired.size - new)):
        draft.create(None, Reason.OUTDATED)


def _may_roll(draft: Draft) -> bool:
    """Whether there is anything to roll, and nothing that forbids it; what forbids it is noted."""
    census, desired = draft.census, draft.census.desired
    if not census.outdated or desired.in_place:
        return False
    if is_refused(desired):
        draft.note(NoteKind.ROLL_REFUSED, detail="the only manager can't be replaced without losing the Swarm")
    elif not census.observed.complete:
        draft.note(NoteKind.SOURCE_SILENT, detail="no roll while healths are unknown")
    elif desired.hold:
        draft.note(NoteKind.HELD, detail=desired.hold)
    else:
        return True
    return False


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
