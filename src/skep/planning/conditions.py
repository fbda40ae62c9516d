"""What a key's status says of it (semantics.md W50, W52): derived from the same values as the plan."""

from collections.abc import Iterable
from dataclasses import replace

from skep.model.plan import REMOVALS, ActionKind, NoteKind, Plan
from skep.model.state import Condition, ConditionType, Desired, Failure, Ledger, Member, Observed
from skep.planning.census import LASTING_MAX_S, Census, is_count, take
from skep.planning.explain import explain_note, explain_retry

_NOTED = {
    NoteKind.HELD: ConditionType.WAITING,
    NoteKind.WAITING_FOR_QUORUM: ConditionType.WAITING,
    NoteKind.ROLL_REFUSED: ConditionType.ROLL_REFUSED,
    NoteKind.REMEDIATION_RESTRICTED: ConditionType.REMEDIATION_RESTRICTED,
    NoteKind.SOURCE_SILENT: ConditionType.UNREACHABLE,
    NoteKind.CRASH_LOOPING: ConditionType.CRASH_LOOPING,
    NoteKind.RETRIES_EXHAUSTED: ConditionType.CRASH_LOOPING,
    NoteKind.UNPLACEABLE: ConditionType.UNPLACEABLE,
    NoteKind.IMAGE_PULL_FAILED: ConditionType.IMAGE_PULL_FAILED,
    NoteKind.PARTITION_SUSPECTED: ConditionType.PARTITION_SUSPECTED,
}

ENDS_MAX = 10
"""Of more, the doubling says no more."""

_FAILED = {
    ActionKind.CREATE: "FailedCreate",
    ActionKind.ADOPT: "FailedAdopt",
    ActionKind.START: "FailedStart",
    ActionKind.STOP: "FailedStop",
    ActionKind.UPDATE: "FailedUpdate",
    ActionKind.DRAIN: "FailedDelete",
    ActionKind.DESTROY: "FailedDelete",
}


_UNSEEN = "no service of it is seen"
"""How many are wanted of it is told by the service, so that there is nothing to count without one."""

_FINAL = frozenset(
    {
        NoteKind.REVISION_FAILED,
        NoteKind.ROLL_REFUSED,
        NoteKind.RETRIES_EXHAUSTED,
        NoteKind.PROGRESS_DEADLINE_EXCEEDED,
        NoteKind.JOB_FAILED,
        NoteKind.PAUSED,
    }
)
"""What only people change, by a new spec or by resuming it (W54); or, for all that is known, nothing else (W46)."""


def is_converged(desired: Desired, observed: Observed, ledger: Ledger) -> bool:
    """W50: everything wanted is there, in its own slot where it has one, current and healthy, and nothing is under way;
    a job has completed (W54).

    What lived on a lost source is replaced (W35), but not removed: it comes back with its source.
    """
    census = take(desired, observed, ledger)
    return (
        observed.complete
        and not (desired.removed and observed.lost)
        and not (desired.withheld or desired.given_up)
        and not ledger.entries
        and not census.outdated
        and not census.gone
        and not (desired.once and desired.numbered and desired.size)
        and not any(m.drift for m in census.staying)
        and len(census.ready) == len(census.staying) == desired.size
        and {m.slot for m in census.staying}.issuperset(desired.slots or ())
    )


def is_over(observed: Observed, ledger: Ledger) -> bool:
    """Whether nothing is left of what is removed. A source that is lost may come back, and its members with it (W35);
    and some may be there that do not show."""
    return (
        observed.complete
        and not observed.unlisted
        and not observed.lost
        and not observed.members
        and not ledger.entries
    )


def unproven_s(desired: Desired, observed: Observed, ledger: Ledger) -> float:
    """For how much longer what is converged has to be so until who waits for it is told (W54); 0 once it was for long
    enough.

    One that follows others that ended in a row (W30) has to outlive them: it is asked for twice the time for each.
    """
    census = take(desired, observed, ledger)
    waits = [_lasting_s(census, m) - m.well_s for m in census.staying] if desired.lasting_s else []
    return max(0.0, *waits) if waits else 0.0


def _lasting_s(census: Census, member: Member) -> float:
    """Of a service's tasks those count that the Swarm remembers."""
    asked_s = census.desired.lasting_s
    count = census.failure(member.slot or "", ActionKind.START)
    ends = bool(member.detail) if census.desired.in_place else count.count if count else 0
    return max(asked_s, min(LASTING_MAX_S, asked_s * 2.0 ** min(ends, ENDS_MAX)))


def conditions(
    desired: Desired,
    observed: Observed,
    ledger: Ledger,
    plan: Plan,
    before: Iterable[Condition],
    wall_s: float,
    now_s: float = 0.0,
) -> tuple[Condition, ...]:
    """All statements that hold now. `since_s` is kept from `before` where the status has not flipped.

    `now_s` is the same moment as `wall_s`, on the planner's clock.
    """
    census = take(desired, observed, ledger)
    stated = [_available(census, plan), _progressing(desired, census, plan), *_failures(desired, ledger)]
    stated += _from_notes(plan, wall_s - now_s)
    if observed.beside and not desired.removed:
        stated.append(Condition(ConditionType.UNOWNED, True, "LeftAlone", observed.beside))
    if desired.undone:
        stated.append(Condition(ConditionType.ROLLED_BACK, True, "RollFailed", desired.undone))
    since = {c.type: (c.status, c.since_s) for c in before}
    return tuple(replace(c, since_s=_since(c, since.get(c.type), wall_s)) for c in stated)


def _since(condition: Condition, before: tuple[bool, float] | None, wall_s: float) -> float:
    return before[1] if before is not None and before[0] == condition.status else wall_s


def _available(census: Census, plan: Plan) -> Condition:
    if census.desired.once:
        done, left = len(census.desired.done), census.desired.size
        if census.desired.in_place and left and not census.staying:
            return Condition(ConditionType.COMPLETE, False, "Running", _UNSEEN)
        if census.desired.in_place:
            done = sum(m.completed for m in census.staying)
            left = sum(m.wanted - m.completed for m in census.staying)
        failed = any(n.kind is NoteKind.JOB_FAILED for n in plan.notes)
        reason = ("Failed" if failed else "Running") if left else "Completed"
        return Condition(ConditionType.COMPLETE, not left, reason, f"{done} of {done + left} have completed")
    if census.desired.in_place and census.desired.size and not census.staying:
        return Condition(ConditionType.AVAILABLE, False, "MinimumReplicasUnavailable", _UNSEEN)
    ready = sum(m.running for m in census.staying) if census.desired.in_place else census.available
    wanted = sum(m.wanted for m in census.staying) if census.desired.in_place else census.desired.size
    enough = ready >= wanted and bool(census.staying or not census.desired.size)
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    return Condition(ConditionType.AVAILABLE, enough, reason, f"{ready} of {wanted}")


def _progressing(desired: Desired, census: Census, plan: Plan) -> Condition:
    refused = next((n for n in plan.notes if n.kind in _FINAL), None)
    if refused is not None:
        return Condition(ConditionType.PROGRESSING, False, refused.kind.value, explain_note(refused, desired.key.name))
    if is_converged(desired, census.observed, census.ledger) and not plan.actions:
        return Condition(ConditionType.PROGRESSING, True, "Complete")
    if desired.undone and not _was_complete(desired, census.ledger):
        return Condition(ConditionType.PROGRESSING, False, ConditionType.ROLLED_BACK.value, desired.undone)
    reason = "Removing" if desired.removed else "Updating"
    sick = [m.detail for m in census.staying if not m.healthy and m.detail]
    return Condition(ConditionType.PROGRESSING, True, reason, sick[0] if sick else "")


def _was_complete(desired: Desired, ledger: Ledger) -> bool:
    """Whether all followed this generation once: what is missing since then is made again, as ever."""
    return ledger.progress is not None and ledger.progress.complete and ledger.progress.generation == desired.generation


def _failures(desired: Desired, ledger: Ledger) -> list[Condition]:
    """The worst failure as ReplicaFailure; what merely waits (count 0) as Waiting."""
    worded = [f for f in ledger.failures if f.message and not _is_told_elsewhere(desired, ledger, f)]
    failed = sorted((f for f in worded if f.count), key=lambda f: (-f.count, f.subject, f.kind))
    waiting = sorted((f for f in worded if not f.count), key=lambda f: (f.subject, f.kind))
    found = [Condition(_type(f.message, f.kind), True, _FAILED[f.kind], f.message) for f in failed[:1]]
    return found + [Condition(ConditionType.WAITING, True, "NotReady", f.message) for f in waiting[:1]]


def _is_told_elsewhere(desired: Desired, ledger: Ledger, failure: Failure) -> bool:
    """Slots that end again and again have a condition of their own (W30), so have images (W32), and of the sources of
    numbered members only those matter that something is asked of now."""
    if failure.kind is not ActionKind.CREATE or not desired.numbered or not failure.subject:
        return is_count(failure)
    if failure.pull:
        return True
    asked = {e.source for e in ledger.entries if e.kind is ActionKind.CREATE}
    return failure.subject not in asked


def _type(message: str, kind: ActionKind) -> ConditionType:
    conflict = kind not in REMOVALS and message.startswith("NameConflict")
    return ConditionType.NAME_CONFLICT if conflict else ConditionType.REPLICA_FAILURE


def _from_notes(plan: Plan, ahead_s: float) -> list[Condition]:
    found = {}
    for note in plan.notes:
        kind = _NOTED.get(note.kind)
        if kind is not None and kind not in found:
            is_whole = note.kind in (NoteKind.HELD, NoteKind.ROLL_REFUSED) and not note.subject
            message = note.detail if is_whole else explain_retry(note, ahead_s, plan.key.name)
            found[kind] = Condition(kind, True, note.kind.value, message)
    return list(found.values())
