"""The planner: what to do next about one key. It decides, and does nothing.

Each step adds actions to what the steps before it left; the order is the order in which they are carried out:
clean up what is gone, remove what is too much, bring back what stopped, mend in place, replace the sick, fill
what is missing, and only then move to a new spec. For managers, `quorum` lets at most one change through.
"""

from collections.abc import Callable, Iterable, Sequence

from skep.model.plan import Action, ActionKind, Note, NoteKind, Plan, Reason
from skep.model.state import EVERYTHING, Desired, Ledger, Life, Member, Observed, Role
from skep.planning import managers, remedy, rollout
from skep.planning.census import Census, keep_order, removal_order, take
from skep.planning.draft import Draft

CONVERGING_RECHECK_S = 1.0
"""A key that is not where it should be is looked at every second: Swarm has no task events (architecture.md)."""


def plan(desired: Desired, observed: Observed, ledger: Ledger, now_s: float) -> Plan:
    """The next actions for a key, given what is seen and what is already under way. `now_s` is the ledger's clock."""
    if EVERYTHING in observed.silent:
        note = Note(NoteKind.SOURCE_SILENT, detail="nothing is known of the members")
        return Plan(desired.key, desired.generation, (), (note,), CONVERGING_RECHECK_S)
    census = take(desired, observed, ledger)
    draft = Draft(census, now_s)
    for step in _steps(desired):
        step(draft)
    actions, notes = (draft.actions, draft.notes)
    if desired.role is Role.MANAGER and desired.formed and not desired.removed:
        actions, notes = managers.restrain(census, actions, notes)
    return Plan(desired.key, desired.generation, tuple(actions), tuple(notes), _recheck(census, draft))


Step = Callable[[Draft], None]


def _steps(desired: Desired) -> Iterable[Step]:
    if desired.removed:
        return (_remove_all,)
    return (
        _clean_up,
        _remove_surplus,
        remedy.start_stopped,
        _mend_in_place,
        remedy.replace_sick,
        _fill_missing,
        rollout.roll,
    )


def _remove_all(draft: Draft) -> None:
    desired = draft.census.desired
    if desired.hold_removal:
        draft.note(NoteKind.HELD, detail=desired.hold_removal)
        return
    for member in (*draft.census.gone, *draft.census.free):
        draft.remove(member, Reason.REMOVED, limit=desired.limits.parallel)


def _clean_up(draft: Draft) -> None:
    for member in draft.census.gone:
        draft.remove(member, Reason.DEAD, limit=draft.census.desired.limits.parallel)


def _mend_in_place(draft: Draft) -> None:
    desired = draft.census.desired
    for member in draft.untouched():
        outdated = desired.in_place and member in draft.census.outdated
        if member.foreign:
            draft.act(Action(ActionKind.ADOPT, Reason.DRIFTED, member.slot, member.id))
        elif outdated and _refused_by_cluster(draft.census, member):
            draft.note(NoteKind.REVISION_FAILED, member.id, member.detail)
        elif outdated:
            draft.try_act(Action(ActionKind.UPDATE, Reason.OUTDATED, member.slot, member.id, member.drift))
        elif member.drift and member.life is Life.RUNNING:
            draft.try_act(Action(ActionKind.UPDATE, Reason.DRIFTED, member.slot, member.id, member.drift))


def _refused_by_cluster(census: Census, member: Member) -> bool:
    """The cluster undid this very revision: applying it again would only repeat the failure (architecture.md)."""
    return member.rolled_back and census.ledger.applied == census.desired.fingerprint


def _remove_surplus(draft: Draft) -> None:
    census, desired = draft.census, draft.census.desired
    pets = desired.slots is not None
    spare = census.available - (desired.size - rollout.allowed_unavailable(desired))
    for member in _extra_pets(census) if pets else _extra_cattle(census):
        if member not in draft.untouched() or (pets and member.healthy and spare <= 0):
            continue
        superseded = member.life is Life.PENDING and member in census.outdated
        reason = Reason.SUPERSEDED if superseded else Reason.SURPLUS
        if draft.remove(member, reason, limit=rollout.drains(desired)):
            spare -= member.healthy


def _extra_pets(census: Census) -> list[Member]:
    """Duplicates, and those in slots that nobody wants; the latter leave as the new slots fill, as in a roll."""
    wanted = set(census.desired.slots or ())
    extra = [m for m in census.staying if m.slot not in wanted]
    for slot in wanted:
        holders = sorted((m for m in census.staying if m.slot == slot), key=lambda m: keep_order(census.desired, m))
        extra += holders[1:]
    return sorted(extra, key=lambda m: removal_order(census.desired, m))


def _extra_cattle(census: Census) -> list[Member]:
    """While a roll is under way, members above the size are the surge: the roll removes those."""
    surge = census.desired.max_surge if census.outdated else 0
    known = [m for m in census.staying if m.life is not Life.UNKNOWN]
    surplus = len(census.staying) - census.desired.size - surge
    return sorted(known, key=lambda m: removal_order(census.desired, m))[: max(0, surplus)]


def _fill_missing(draft: Draft) -> None:
    desired = draft.census.desired
    room = max(0, desired.size - draft.census.total)
    empty: Sequence[str | None] = [None] * room
    if desired.slots is not None:
        empty = [slot for slot in desired.slots if _is_empty(draft.census, slot)][:room]
    if empty and desired.hold:
        draft.note(NoteKind.HELD, detail=desired.hold)
        return
    for slot in empty:
        draft.create(slot, Reason.MISSING)


def _is_empty(census: Census, slot: str) -> bool:
    """A slot's address is taken until the machine before it is gone altogether, its membership included (N6)."""
    holders = (*census.staying, *census.leaving, *census.gone)
    return all(m.slot != slot for m in holders) and all(e.slot != slot for e in census.creating)


def _recheck(census: Census, draft: Draft) -> float | None:
    desired = census.desired
    size = 0 if desired.removed else desired.size
    lasting = all(note.kind is NoteKind.ROLL_REFUSED for note in draft.notes)
    at_rest = not census.ledger.entries and not draft.actions and lasting and census.observed.complete
    if at_rest and census.available == len(census.staying) == size:
        return draft.wake_s
    waits = [w for w in (draft.wake_s, CONVERGING_RECHECK_S) if w is not None]
    return max(0.01, min(waits))
