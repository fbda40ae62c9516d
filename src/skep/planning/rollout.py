"""Moving a group to a new spec without ever having too many or too few (semantics.md W41-W45, N35)."""

from skep.model.plan import REMOVALS, ActionKind, NoteKind, Reason
from skep.model.state import Desired, Role
from skep.planning.census import health_known, is_current, removal_order
from skep.planning.draft import Draft


def drains(desired: Desired) -> int:
    """N15: one drain at a time in a group, unless the user allows more to be unavailable."""
    return max(1, desired.max_unavailable)


def roll(draft: Draft) -> None:
    """Create what the surge allows, then remove what availability allows."""
    census, desired = draft.census, draft.census.desired
    if not census.outdated or desired.in_place:
        return
    if desired.role is Role.MANAGER and desired.formed and desired.size == 1:
        draft.note(NoteKind.ROLL_REFUSED, detail="the only manager can't be replaced without losing the Swarm")
        return
    if not health_known(census.observed) or census.observed.silent:
        draft.note(NoteKind.SOURCE_SILENT, detail="no roll while healths are unknown")
        return
    if desired.slots is None:
        _create_new(draft)
    _remove_old(draft)


def _create_new(draft: Draft) -> None:
    census, desired = draft.census, draft.census.desired
    if desired.hold:
        draft.note(NoteKind.HELD, detail=desired.hold)
        return
    drafted = sum(a.kind is ActionKind.CREATE for a in draft.actions)
    new = len(census.current) + drafted + sum(e.fingerprint == desired.fingerprint for e in census.creating)
    room = desired.size + desired.max_surge - census.total - drafted
    for _ in range(min(room, desired.size - new)):
        draft.create(None, Reason.OUTDATED)


def _remove_old(draft: Draft) -> None:
    """W43: those that do not serve go first and cost nothing; of those that serve, as many as can be spared.

    Nothing goes while something is missing anyway: its place counts against what may be unavailable.
    """
    census, desired = draft.census, draft.census.desired
    named = {a.member for a in draft.actions if a.kind in REMOVALS}
    available = sum(m.healthy for m in census.staying if m.id not in named)
    spare = available - (desired.size - allowed_unavailable(desired))
    old = [m for m in draft.untouched() if not is_current(desired, m)]
    for member in sorted(old, key=lambda m: removal_order(desired, m)):
        if member.healthy and spare <= 0:
            return
        if draft.remove(member, Reason.OUTDATED, limit=drains(desired)):
            spare -= member.healthy


def allowed_unavailable(desired: Desired) -> int:
    """Managers that have no surge go one at a time, whatever the setting says; `managers` decides whether at all."""
    if desired.role is Role.MANAGER:
        return 1 if desired.max_surge == 0 else 0
    return desired.max_unavailable
