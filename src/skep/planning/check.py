"""A linter of plans that stands apart from the planner and runs before the first action.

It shares no decision with the planner: it knows only the promises, counts for itself, and says which are broken.
"""

from collections import Counter
from collections.abc import Iterator

from skep.model.plan import REMOVALS, Action, ActionKind, Plan, Reason
from skep.model.state import EVERYTHING, HEALTH, Desired, Ledger, Life, Member, Observed, Role
from skep.planning.check_numbered import NUMBERED_RULES
from skep.planning.view import View


def check_plan(plan: Plan, desired: Desired, observed: Observed, ledger: Ledger) -> tuple[str, ...]:
    """The promises that this plan would break, in words; empty for a good plan."""
    view = View(plan, desired, observed, ledger)
    return tuple(fault for rule in _RULES for fault in rule(view))


def _identity(view: View) -> Iterator[str]:
    if (view.plan.key, view.plan.generation) != (view.desired.key, view.desired.generation):
        yield "the plan is for another key or generation"


def _subjects(view: View) -> Iterator[str]:
    """Every act but a creation is on a member that was seen, that nothing is under way on, and only once."""
    under_way = {e.member for e in view.ledger.entries if e.member}
    creating = {e.request for e in view.creating}
    for member, count in Counter(a.member for a in view.plan.actions if a.member).items():
        seen = view.by_id.get(member)
        if seen is None:
            yield f"{member} was not seen"
        elif member in under_way or (seen.request and seen.request in creating):
            yield f"something is under way on {member}"
        if count > 1:
            yield f"{member} is acted on {count} times"
    for action in view.plan.actions:
        if not action.member and action.kind is not ActionKind.CREATE:
            yield f"a {action.kind} names no member"


def _silence(view: View) -> Iterator[str]:
    """Unknown is not absent (architecture.md)."""
    if EVERYTHING in view.observed.silent and view.plan.actions:
        yield "nothing is known of the members, and still something is to be done"
    for action in view.plan.actions:
        member = view.by_id.get(action.member)
        if member is not None and (member.life is Life.UNKNOWN or member.source in view.observed.silent):
            yield f"{member.id} is to be acted on, and its source is silent"
    if HEALTH in view.observed.silent and not view.desired.removed:
        for member in view.taken:
            if member.life is Life.RUNNING:
                yield f"{member.id} is to be removed, and nobody can say how it is"


def _own(view: View) -> Iterator[str]:
    """Nobody saws off the branch that he sits on, unless the whole tree is to go."""
    own = "" if view.desired.removed else view.desired.own
    for member in view.taken:
        if own and member.slot == own and member.life is Life.RUNNING:
            yield f"{member.id} is to be removed, and this controller runs on it"


def _ceiling(view: View) -> Iterator[str]:
    """W42, N39: never more than the size and the surge by our own hand, besides those being removed (W7)."""
    if not view.creates:
        return
    total = len(view.staying) + len(view.promised) + len(view.creates)
    allowed = view.desired.size + view.desired.max_surge
    if total > allowed:
        yield f"there would be {total}, and at most {allowed} are allowed"
    to_roll = [
        *(m.id for m in view.staying if not view.is_current(m)),
        *(e for e in view.promised if not view.is_current(e)),
        *(a for a in view.creates if a.fingerprint),
    ]
    if total > view.desired.size and not to_roll:
        yield f"there would be {total} of {view.desired.size}, and there is nothing to roll"
    under_way = len(view.creating) + len(view.creates)
    if under_way > view.desired.limits.parallel:
        yield f"{under_way} creations at once are more than {view.desired.limits.parallel}"


def _floor(view: View) -> Iterator[str]:
    """W42: never fewer available than the size less what may be unavailable, unless the environment took them."""
    if view.desired.removed:
        return
    healthy_taken = sum(m.healthy for m in view.taken)
    left = sum(m.healthy for m in view.alive) - healthy_taken
    spare = 1 if view.desired.role is Role.MANAGER else view.desired.max_unavailable
    if healthy_taken and left < view.desired.size - spare:
        yield f"{left} would be available, and at least {view.desired.size - spare} must be"


def _victims(view: View) -> Iterator[str]:
    """W18: of cattle, no more are surplus than there are too many, and healthy ones only when no others are left."""
    if view.desired.slots is not None or view.desired.removed:
        return
    overtaken = {
        m.id for m in view.alive if view.desired.numbered and m.life is Life.STOPPED and not view.is_current(m)
    }
    surplus = {a.member for a in view.removals if a.reason in (Reason.SURPLUS, Reason.SUPERSEDED)} - overtaken
    too_many = max(0, len(view.alive) - view.desired.size)
    if len(surplus) > too_many:
        yield f"{len(surplus)} would go as surplus, and there are {too_many} too many"
    others = [m.id for m in view.alive if not m.healthy and m.life is not Life.UNKNOWN]
    healthy = [m.id for m in view.alive if m.id in surplus and m.healthy]
    if len(healthy) > max(0, too_many - len(others)):
        yield f"{healthy[0]} is healthy and would go before {', '.join(others)}"


def _reasons(view: View) -> Iterator[str]:
    """N29, and that what is said of a member is so: sick, outdated, or stopped for good."""
    for action in view.removals:
        member = view.by_id.get(action.member)
        if member is not None:
            yield from _unreasonable(view, action, member)
    if sum(a.reason is Reason.UNHEALTHY for a in view.removals) > 1:
        yield "more than one would be replaced as unhealthy at once"


def _unreasonable(view: View, action: Action, member: Member) -> Iterator[str]:
    if action.reason is Reason.UNHEALTHY and member.healthy:
        yield f"{member.id} is to go as unhealthy, and it is healthy"
    if action.reason is Reason.OUTDATED and view.is_current(member):
        yield f"{member.id} is to go as outdated, and it is not"
    if action.reason is Reason.DEAD and member.life not in (Life.GONE, Life.DEAD) and not _gave_up(view, member):
        yield f"{member.id} is to go as dead, and it might be started"
    if view.desired.hold and action.reason in (Reason.UNHEALTHY, Reason.OUTDATED):
        yield f"{member.id} is to be replaced, and nothing may be created"
    if member.foreign and member.life is not Life.GONE and not view.desired.removed:
        yield f"{member.id} was not made by skep and is to be removed"


def _gave_up(view: View, member: Member) -> bool:
    """A stopped member is started before it is replaced, a manager always (architecture.md)."""
    if view.desired.numbered:
        slot = view.failures.get((member.slot or "", ActionKind.START))
        return member.life is Life.STOPPED and slot is not None and slot.counted == member.id
    start = view.failures.get((member.id, ActionKind.START))
    tries = start.count if start is not None else 0
    votes = view.desired.role is Role.MANAGER and view.desired.formed
    return member.life is Life.STOPPED and tries >= view.desired.limits.start_attempts and not votes


def _removal_of_the_key(view: View) -> Iterator[str]:
    """W5: nothing is made for what is being removed; and nothing is removed that is wanted."""
    if view.desired.removed and any(a.kind not in REMOVALS for a in view.plan.actions):
        yield "the key is being removed, and something else than a removal is to be done"
    for action in view.plan.actions:
        if action.reason is Reason.REMOVED and not view.desired.removed:
            yield f"{action.member} is to be removed with its key, which stays"
    moves = [a for a in view.plan.actions if a.kind is ActionKind.UPDATE and a.reason is Reason.OUTDATED]
    if view.desired.hold and (view.creates or moves):
        yield "something is to be created or moved to the new spec in spite of a hold"
    if view.desired.removed and view.desired.hold_removal and view.removals:
        yield "something is to be removed in spite of a hold"


def _pauses(view: View) -> Iterator[str]:
    """W49: nothing is rolled while that is paused. A service is outdated by its count alone then."""
    if view.desired.paused and not view.desired.in_place:
        for action in view.plan.actions:
            if action.reason is Reason.OUTDATED:
                yield f"{action.kind} {action.member or action.slot or 'one'} is part of a roll, and that is paused"


def _slots(view: View) -> Iterator[str]:
    """Every creation fills a slot that is wanted and empty, and each slot once."""
    if view.desired.numbered:
        return
    if view.desired.slots is None:
        if any(a.slot is not None for a in view.creates):
            yield "cattle have no slots"
        return
    taken = Counter(m.slot for m in view.observed.members) + Counter(e.slot for e in view.promised)
    for slot, count in Counter(a.slot for a in view.creates).items():
        if slot not in view.desired.slots:
            yield f"slot {slot} is not wanted"
        if count + taken[slot] > 1:
            yield f"slot {slot} would be filled twice"


def _managers(view: View) -> Iterator[str]:
    """N2, N3, 4.1: one change to the managers at a time, and never below a majority by our own hand."""
    desired = view.desired
    if desired.role is not Role.MANAGER or not desired.formed or desired.removed:
        return
    changes = [*view.creates, *view.removals]
    in_flight = [*view.creating, *(e for e in view.ledger.entries if e.kind in REMOVALS)]
    if len(changes) + (len(in_flight) if changes else 0) > 1:
        yield "more than one change to the managers at once"
    members = [m for m in view.observed.members if m.id not in view.removing]
    for action in view.removals:
        yield from _majority(action, members)
        yield from _spare(desired, action, members)
    if view.creates and any(not m.healthy for m in view.observed.members):
        yield "a manager would be added while another does not answer"


def _majority(action: Action, members: list[Member]) -> Iterator[str]:
    """4.1: what the engine itself asks of the managers that stay."""
    rest = [m for m in members if m.id != action.member]
    reachable = sum(m.healthy for m in rest)
    if reachable < len(rest) // 2 + 1:
        yield f"without {action.member}, {reachable} of {len(rest)} managers would be no majority"


def _spare(desired: Desired, action: Action, members: list[Member]) -> Iterator[str]:
    """N3, N4: a manager that answers goes only while all do, and one more than a majority stays."""
    if not any(m.id == action.member and m.healthy for m in members):
        return
    silent = [m.id for m in members if not m.healthy]
    if silent:
        yield f"{action.member} answers and would go while {silent[0]} does not"
    to_one = desired.size == 1 and action.reason is Reason.SURPLUS
    rest = len(members) - 1
    if rest < rest // 2 + 2 and not to_one and not desired.max_unavailable:
        yield f"without {action.member}, {rest} managers would have no spare"


_RULES = (
    _identity,
    _subjects,
    _silence,
    _own,
    _ceiling,
    _floor,
    _victims,
    _reasons,
    _removal_of_the_key,
    _pauses,
    _slots,
    _managers,
    *NUMBERED_RULES,
)
