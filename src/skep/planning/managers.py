"""One change at a time, and never the majority: what of a plan may be done to managers (semantics.md 4.2)."""

from skep.model.plan import REMOVALS, Action, ActionKind, Note, NoteKind, Reason
from skep.model.state import Member
from skep.planning import quorum
from skep.planning.census import Census

CHANGES = REMOVALS | {ActionKind.CREATE}


def restrain(census: Census, actions: list[Action], notes: list[Note]) -> tuple[list[Action], list[Note]]:
    """Keep what changes no membership, and at most one change that the quorum rules permit; note what was held back."""
    kept = [a for a in actions if a.kind not in CHANGES]
    notes = list(notes)
    changes = [a for a in actions if a.kind in CHANGES]
    for action in changes:
        refusal = _refusal(census, action)
        if not refusal:
            return [*kept, action], notes
        note = Note(NoteKind.WAITING_FOR_QUORUM, action.member or action.slot or "", refusal)
        if note not in notes:
            notes.append(note)
    return kept, notes


def _refusal(census: Census, action: Action) -> str:
    """Why this change may not be made now; empty when it may."""
    if any(e.kind in CHANGES for e in census.ledger.entries):
        return "another manager change is under way"  # N2
    if action.kind is ActionKind.CREATE:
        return _creation_refusal(census)
    member = next(m for m in census.observed.members if m.id == action.member)
    return _removal_refusal(census, action, member)


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
            return "it is the only manager: without it the Swarm would be lost"  # N30
        if quorum.may_remove_unreachable(reachable, len(members)):
            return ""
        return f"only {reachable} of {len(members)} managers are reachable"
    target = desired.size if action.reason is Reason.SURPLUS else len(members)
    overridden = desired.max_unavailable > 0
    if quorum.may_remove_reachable(reachable, len(members), target, overridden=overridden):
        return ""
    if reachable < len(members):
        return f"only {reachable} of {len(members)} managers are reachable"
    return (
        f"removing one of {len(members)} managers would leave no spare; "
        "Updating.MaxUnavailable: 1 takes that risk on purpose"
    )
