"""One change at a time, and never the majority: what of a plan may be done to managers (semantics.md 4.2)."""

from collections.abc import Sequence

from skep.model.plan import REMOVALS, Action, ActionKind, Note, NoteKind, Reason
from skep.model.state import Member, Role
from skep.planning import quorum
from skep.planning.census import Census

CHANGES = REMOVALS | {ActionKind.CREATE}

_NO_SPARE = "would leave no spare; Updating.MaxUnavailable: 1 takes that risk on purpose"
"""All managers answer and nothing is under way: this is so until people change the spec (N4)."""

_ONLY_ONE = "it is the only manager: without it the Swarm would be lost"
"""N30."""


def refusal(census: Census, drafted: Sequence[Action], action: Action) -> Note | None:
    """Why this action may not be drafted beside those that are; None when it may, and for all but managers."""
    why = _why_not(census, drafted, action)
    kind = NoteKind.ROLL_REFUSED if why.endswith(_NO_SPARE) else NoteKind.WAITING_FOR_QUORUM
    return Note(kind, action.member or action.slot or "", why) if why else None


def _why_not(census: Census, drafted: Sequence[Action], action: Action) -> str:
    desired = census.desired
    if desired.role is not Role.MANAGER or not desired.formed or desired.removed or action.kind not in CHANGES:
        return ""
    if any(e.kind in CHANGES for e in census.ledger.entries) or any(a.kind in CHANGES for a in drafted):
        return "another manager change is under way"  # N2
    if action.kind is ActionKind.CREATE:
        return _creation_refusal(census)
    return _removal_refusal(census, action, census.by_id[action.member])


def _creation_refusal(census: Census) -> str:
    """N2, N3, N6: a manager is added only to managers that all answer, and to none at all."""
    members = (*census.staying, *census.gone, *census.leaving)
    missing = [m.id for m in members if not m.healthy]
    return f"waiting for {', '.join(missing)} to be reachable" if missing else ""


def _removal_refusal(census: Census, action: Action, member: Member) -> str:
    desired = census.desired
    members = (*census.staying, *census.gone)
    reachable = sum(m.healthy for m in members)
    if not member.healthy:
        if len(members) == 1:
            return _ONLY_ONE
        if quorum.may_remove_unreachable(reachable, len(members)):
            return ""
        return f"only {reachable} of {len(members)} managers are reachable"
    target = desired.size if action.reason is Reason.SURPLUS else len(members)
    overridden = desired.max_unavailable > 0
    if quorum.may_remove_reachable(reachable, len(members), target, overridden=overridden):
        return ""
    if reachable < len(members):
        return f"only {reachable} of {len(members)} managers are reachable"
    return _ONLY_ONE if len(members) == 1 else f"removing one of {len(members)} managers {_NO_SPARE}"
