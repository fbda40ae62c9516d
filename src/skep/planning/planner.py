"""The planner: what to do next about one key. It decides, and does nothing.

Each step adds actions to what the steps before it left; the order is the order in which they are carried out:
clean up what is gone, remove what is too much, bring back what stopped, mend in place, remove the sick and what
the roll replaces, then fill what is missing and what the roll adds. Removals come first, so that a plan counts
on what it removes itself and planning again with it under way adds nothing. For managers, `managers` lets at
most one change through, and that one only if the majority stays.
"""

from collections.abc import Callable, Iterable, Sequence

from skep.model.plan import Action, ActionKind, Note, NoteKind, Plan, Reason
from skep.model.state import EVERYTHING, Desired, Ledger, Life, Member, Observed
from skep.planning import recheck, remedy, rollout, slots
from skep.planning.census import LASTING_MAX_S, Census, health_known, is_current, keep_order, take
from skep.planning.draft import Draft
from skep.planning.victims import first_to_go


def plan(desired: Desired, observed: Observed, ledger: Ledger, now_s: float) -> Plan:
    """The next actions for a key, given what is seen and what is already under way. `now_s` is the ledger's clock."""
    if EVERYTHING in observed.silent:
        note = Note(NoteKind.SOURCE_SILENT, detail=observed.why or "nothing is known of the members")
        return Plan(desired.key, desired.generation, (), (note,), recheck.CONVERGING_S)
    census = take(desired, observed, ledger)
    draft = Draft(census, now_s)
    for step in _steps(desired):
        step(draft)
    return Plan(desired.key, desired.generation, tuple(draft.actions), draft.notes, recheck.after_s(draft))


Step = Callable[[Draft], None]


def _steps(desired: Desired) -> Iterable[Step]:
    if desired.removed:
        return _REMOVED_NUMBERED if desired.numbered else (_remove_all,)
    if desired.numbered:
        return _NUMBERED
    return _NAMED_OR_ALIKE


def _remove_all(draft: Draft) -> None:
    desired = draft.census.desired
    if desired.hold_removal:
        draft.note(NoteKind.HELD, detail=desired.hold_removal)
        return
    for member in (*draft.census.gone, *draft.census.dead, *draft.census.free):
        draft.remove(member, Reason.REMOVED, limit=desired.limits.parallel)


def _clean_up(draft: Draft) -> None:
    for member in draft.census.gone:
        draft.remove(member, Reason.DEAD, limit=draft.census.desired.limits.parallel)


def _mend_in_place(draft: Draft) -> None:
    desired = draft.census.desired
    for member in draft.untouched():
        tried_again = bool(member.failed) and _is_tried_again(draft.census)
        outdated = desired.in_place and (not is_current(desired, member) or member.rolled_back or tried_again)
        if member.failed and not outdated:
            kind = NoteKind.JOB_FAILED if desired.once else NoteKind.RETRIES_EXHAUSTED
            draft.note(kind, detail=member.detail)
        elif member.trouble is not None and not (member.healthy and member.well_s >= LASTING_MAX_S):
            draft.note(member.trouble, detail=member.detail)
        if member.foreign:
            _adopt(draft, member)
        elif _refused_by_cluster(draft.census, member):
            draft.note(NoteKind.REVISION_FAILED, detail=member.detail)
        elif outdated and desired.hold:
            draft.note_hold()
        elif outdated:
            draft.try_act(Action(ActionKind.UPDATE, Reason.OUTDATED, member.slot, member.id, member.drift))
        elif member.drift and member.life is Life.RUNNING:
            draft.try_act(Action(ActionKind.UPDATE, Reason.DRIFTED, member.slot, member.id, member.drift))


def _is_tried_again(census: Census) -> bool:
    """Whether people asked for it: a new generation forgets what was applied. The first one asked for nothing again,
    and finds a service there if that was freed, or if skep lost its store."""
    return census.desired.generation > 1 and census.ledger.applied != census.desired.fingerprint


def _adopt_others(draft: Draft) -> None:
    for member in draft.untouched():
        if member.foreign:
            _adopt(draft, member)


def _adopt(draft: Draft, member: Member) -> None:
    draft.try_act(Action(ActionKind.ADOPT, Reason.DRIFTED, member.slot, member.id))


def _refused_by_cluster(census: Census, member: Member) -> bool:
    """The cluster undid or paused this very revision: applying it again would repeat the failure (architecture.md)."""
    return census.desired.in_place and member.rolled_back and census.ledger.applied == census.desired.fingerprint


def _remove_surplus(draft: Draft) -> None:
    census, desired = draft.census, draft.census.desired
    extra = _extra_cattle(census, draft.awaited) if desired.slots is None else _extra_pets(census)
    draft.unwanted.update(m.id for m in extra)
    free = {m.id for m in draft.untouched()}
    for member in extra:
        if member.id not in free or not _may_go(draft, member):
            continue
        superseded = member.life is Life.PENDING and not is_current(desired, member)
        reason = Reason.SUPERSEDED if superseded else Reason.SURPLUS
        draft.remove(member, reason, limit=rollout.drains(desired))


def _may_go(draft: Draft, member: Member) -> bool:
    """What serves, or may serve for all that is known, goes only if it can be spared."""
    if member.life is Life.RUNNING and not health_known(draft.census.observed):
        return False
    return rollout.may_leave(draft, member)


def _extra_pets(census: Census) -> list[Member]:
    """Duplicates, and those in slots that nobody wants; the latter leave as the new slots fill, as in a roll."""
    free = set(census.desired.slots or ())
    extra: list[Member] = []
    for member in sorted(census.staying, key=lambda m: keep_order(census.desired, m)):
        if member.slot in free:
            free.discard(member.slot)
        else:
            extra.append(member)
    return first_to_go(census, extra)


def _extra_cattle(census: Census, awaited: frozenset[str]) -> list[Member]:
    """The first to go until the size is left, and the surge for those still to be rolled: the roll removes those."""
    desired, outdated, left = census.desired, len(census.outdated), len(census.staying)
    extra: list[Member] = []
    surge = 0 if rollout.is_refused(desired) else desired.max_surge
    known = [m for m in census.staying if m.life is not Life.UNKNOWN]
    for member in first_to_go(census, known, awaited) if left > desired.size else ():
        if left <= desired.size + min(surge, outdated):
            break
        extra.append(member)
        left -= 1
        outdated -= not is_current(desired, member)
    return extra


def _fill_missing(draft: Draft) -> None:
    desired = draft.census.desired
    room = max(0, desired.size - draft.total)
    empty: Sequence[str | None] = [None] * room
    if desired.slots is not None:
        taken = _taken(draft.census)
        empty = [slot for slot in desired.slots if slot not in taken][:room]
    if empty and desired.hold:
        draft.note_hold()
        return
    for slot in empty:
        draft.create(slot, Reason.MISSING)


def _taken(census: Census) -> set[str | None]:
    """A slot's address is taken until the machine before it is gone altogether, its membership included (N6)."""
    holders = (*census.staying, *census.leaving, *census.gone)
    return {m.slot for m in holders} | {e.slot for e in census.creating}


def _fill_numbers(draft: Draft) -> None:
    slots.fill(draft, draft.census.desired.size - draft.total - draft.kept_waiting, Reason.MISSING)


_NAMED_OR_ALIKE: Sequence[Step] = (
    _clean_up,
    _remove_surplus,
    remedy.start_stopped,
    _mend_in_place,
    remedy.replace_sick,
    rollout.remove_old,
    _fill_missing,
    rollout.create_new,
    rollout.tell_late,
    rollout.tell_paused,
)
"""Of pets, cattle and services."""

_NUMBERED: Sequence[Step] = (
    slots.tell,
    _adopt_others,
    _clean_up,
    _remove_surplus,
    remedy.start_created,
    remedy.stop_sick,
    rollout.remove_old,
    slots.fill_as_before,
    _fill_numbers,
    rollout.create_new,
    rollout.await_ready,
    rollout.tell_late,
    slots.bury,
    rollout.tell_paused,
)
"""Of numbered members. The dead come late, for until then nobody knows which slots are to be filled."""

_REMOVED_NUMBERED: Sequence[Step] = (slots.tell_of_left, _remove_all)
