"""Bringing back what stopped, and replacing what stays sick (semantics.md 4.6)."""

from skep.model.plan import Action, ActionKind, NoteKind, Reason
from skep.model.state import Desired, Health, Life, Member, Role
from skep.planning.census import Census, health_known, is_current
from skep.planning.draft import Draft


def start_stopped(draft: Draft) -> None:
    """A stopped member with its disk is started before it is replaced; managers always (architecture.md)."""
    for member in draft.untouched():
        if member.life is not Life.STOPPED or _is_not_worth_it(draft, member):
            continue
        if _start_is_hopeless(draft.census, member):
            draft.remove(member, Reason.DEAD, limit=draft.census.desired.limits.parallel)
        else:
            draft.try_act(Action(ActionKind.START, Reason.STOPPED, member.slot, member.id))


def _is_not_worth_it(draft: Draft, member: Member) -> bool:
    """Surplus that merely waits for its removal; a manager's vote may be needed even then."""
    return member.id in draft.unwanted and not _votes(draft.census.desired)


def _votes(desired: Desired) -> bool:
    return desired.role is Role.MANAGER and desired.formed


def _start_is_hopeless(census: Census, member: Member) -> bool:
    failure = census.failure(member.id, ActionKind.START)
    return not _votes(census.desired) and failure is not None and failure.count >= census.desired.limits.start_attempts


def replace_sick(draft: Draft) -> None:
    """Replace one at a time (N29), and none where so many are sick that the fault must lie elsewhere (N28)."""
    census = draft.census
    if not health_known(census.observed) or census.desired.in_place or census.desired.hold:
        return
    sick = [m for m in census.staying if is_sick(census.desired, m)]
    _wake_for_the_next(draft)
    if len(sick) > _brake(census.desired):
        draft.note(NoteKind.REMEDIATION_RESTRICTED, detail=f"{len(sick)} of {census.desired.size} are unhealthy")
        return
    free = {m.id for m in draft.untouched()}
    for member in sick:
        if member.id in free:
            draft.remove(member, Reason.UNHEALTHY, limit=1)


def start_created(draft: Draft) -> None:
    """W28: a numbered member that was made and not started is started, or removed where that is of no use."""
    census, limit = draft.census, draft.census.desired.limits.parallel
    for member in draft.untouched():
        if member.life is not Life.STOPPED or member.id in draft.unwanted:
            continue
        if not is_current(census.desired, member) and member.id not in draft.awaited:
            draft.remove(member, Reason.SUPERSEDED, limit=limit)
        elif census.start_was_refused(member):
            draft.remove(member, Reason.DEAD, limit=limit)
        else:
            draft.try_act(Action(ActionKind.START, Reason.STOPPED, member.slot, member.id))


def stop_sick(draft: Draft) -> None:
    """W37: what is unhealthy serves no more, and counts as ended from then on, so that W30 sets the pace.

    All of them at once: it takes nothing from anybody, and its successor comes one, two, four at a time (W9). A job
    ends by itself, and says then how it went.
    """
    desired = draft.census.desired
    if not health_known(draft.census.observed) or desired.hold or desired.once:
        return
    for member in draft.untouched():
        if member.life is not Life.RUNNING or member.health is not Health.UNHEALTHY or member.id in draft.unwanted:
            continue
        if member.foreign:
            continue
        if member.sick_s >= desired.limits.unhealthy_after_s:
            draft.try_act(Action(ActionKind.STOP, Reason.UNHEALTHY, member.slot, member.id))
        else:
            draft.wake_in(desired.limits.unhealthy_after_s - member.sick_s)


def is_sick(desired: Desired, member: Member) -> bool:
    """N27: unhealthy for five minutes, or never healthy within the start-up time."""
    if member.life is not Life.RUNNING and member.life is not Life.PENDING:
        return False
    return member.sick_s > 0 and member.sick_s >= _patience_s(desired, member)


def patience_left_s(desired: Desired, member: Member) -> float:
    """For how much longer it may be unwell before it is replaced (N27)."""
    return _patience_s(desired, member) - member.sick_s


def _patience_s(desired: Desired, member: Member) -> float:
    if member.health is Health.UNHEALTHY:
        return desired.limits.unhealthy_after_s
    return desired.limits.startup_s


def _brake(desired: Desired) -> int:
    """N28: at most a third of the group, and at least one. A single manager is all of its group, see `managers`."""
    return max(1, desired.size // 3)


def _wake_for_the_next(draft: Draft) -> None:
    for member in draft.census.staying:
        if member.sick_s > 0 and not is_sick(draft.census.desired, member):
            draft.wake_in(_patience_s(draft.census.desired, member) - member.sick_s)
