"""A linter of plans that stands apart from the planner and runs before the first action.

It shares no decision with the planner: it knows only the promises, counts for itself, and says which are broken.
"""

from collections import Counter
from collections.abc import Iterator

from skep.model.plan import REMOVALS, Action, ActionKind, Plan, Reason
from skep.model.state import EVERYTHING, Desired, Ledger, Life, Member, Observed, Role


def check_plan(plan: Plan, desired: Desired, observed: Observed, ledger: Ledger) -> tuple[str, ...]:
    """The promises that this plan would break, in words; empty for a good plan."""
    view = _View(plan, desired, observed, ledger)
    rules = (_identity, _subjects, _silence, _ceiling, _floor, _victims, _removal_of_the_key, _slots, _managers)
    return tuple(fault for rule in rules for fault in rule(view))


class _View:
    """The world as the linter counts it."""

    def __init__(self, plan: Plan, desired: Desired, observed: Observed, ledger: Ledger) -> None:
        self.plan, self.desired, self.observed, self.ledger = plan, desired, observed, ledger
        self.by_id = {m.id: m for m in observed.members}
        self.creates = [a for a in plan.actions if a.kind is ActionKind.CREATE]
        self.removals = [a for a in plan.actions if a.kind in REMOVALS]
        self.removing = {e.member for e in ledger.entries if e.kind in REMOVALS}
        self.alive = [m for m in observed.members if m.life is not Life.GONE and m.id not in self.removing]
        requests = {m.request for m in observed.members}
        self.promised = [
            e for e in ledger.entries if e.kind is ActionKind.CREATE and (not e.request or e.request not in requests)
        ]

    def is_current(self, member: Member) -> bool:
        same_template = member.fingerprint == self.desired.fingerprint
        return same_template or member.replace_sha == self.desired.replace_sha != ""


def _identity(view: _View) -> Iterator[str]:
    if (view.plan.key, view.plan.generation) != (view.desired.key, view.desired.generation):
        yield "the plan is for another key or generation"


def _subjects(view: _View) -> Iterator[str]:
    """Every act but a creation is on a member that was seen, that nothing is under way on, and only once."""
    under_way = {e.member for e in view.ledger.entries if e.member}
    creating = {e.request for e in view.ledger.entries if e.kind is ActionKind.CREATE}
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


def _silence(view: _View) -> Iterator[str]:
    """Unknown is not absent (architecture.md)."""
    if EVERYTHING in view.observed.silent and view.plan.actions:
        yield "nothing is known of the members, and still something is to be done"
    for action in view.plan.actions:
        member = view.by_id.get(action.member)
        if member is not None and member.life is Life.UNKNOWN:
            yield f"{member.id} is to be acted on, and its source is silent"


def _ceiling(view: _View) -> Iterator[str]:
    """W42: never more than the size and the surge by our own hand."""
    if not view.creates:
        return
    total = len(view.alive) + len(view.promised) + len(view.creates)
    allowed = view.desired.size + view.desired.max_surge
    if total > allowed:
        yield f"there would be {total}, and at most {allowed} are allowed"
    if total > view.desired.size and all(view.is_current(m) for m in view.alive):
        yield f"there would be {total} of {view.desired.size}, and there is nothing to roll"


def _floor(view: _View) -> Iterator[str]:
    """W42: never fewer available than the size less what may be unavailable, unless the environment took them."""
    if view.desired.removed:
        return
    taken = [view.by_id[a.member] for a in view.removals if a.member in view.by_id]
    healthy_taken = sum(m.healthy for m in taken)
    left = sum(m.healthy for m in view.alive) - healthy_taken
    spare = 1 if view.desired.role is Role.MANAGER else view.desired.max_unavailable
    if healthy_taken and left < view.desired.size - spare:
        yield f"{left} would be available, and at least {view.desired.size - spare} must be"


def _victims(view: _View) -> Iterator[str]:
    """W18: of cattle, no healthy member is surplus while one that is not healthy stays."""
    if view.desired.slots is not None:
        return
    surplus = {a.member for a in view.removals if a.reason in (Reason.SURPLUS, Reason.SUPERSEDED)}
    taken = {a.member for a in view.removals}
    healthy_gone = [m.id for m in view.alive if m.id in surplus and m.healthy]
    busy = {e.member for e in view.ledger.entries} | _busy_by_request(view)
    spared = [m.id for m in view.alive if m.id not in taken | busy and not m.healthy and m.life is not Life.UNKNOWN]
    startable = {a.member for a in view.plan.actions if a.kind is ActionKind.START}
    if healthy_gone and set(spared) - startable and not _limited(view):
        yield f"{healthy_gone[0]} is healthy and would go before {spared[0]}"


def _busy_by_request(view: _View) -> set[str]:
    creating = {e.request for e in view.ledger.entries if e.kind is ActionKind.CREATE}
    return {m.id for m in view.alive if m.request in creating}


def _limited(view: _View) -> bool:
    return any(f.kind in REMOVALS for f in view.ledger.failures)


def _removal_of_the_key(view: _View) -> Iterator[str]:
    """W5: nothing is made for what is being removed; and nothing is removed that is wanted."""
    if view.desired.removed and any(a.kind not in REMOVALS for a in view.plan.actions):
        yield "the key is being removed, and something else than a removal is to be done"
    for action in view.plan.actions:
        if action.reason is Reason.REMOVED and not view.desired.removed:
            yield f"{action.member} is to be removed with its key, which stays"
    if view.desired.hold and view.creates:
        yield "something is to be created in spite of a hold"
    if view.desired.removed and view.desired.hold_removal and view.removals:
        yield "something is to be removed in spite of a hold"


def _slots(view: _View) -> Iterator[str]:
    """Every creation fills a slot that is wanted and empty, and each slot once."""
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


def _managers(view: _View) -> Iterator[str]:
    """N2, N3, 4.1: one change to the managers at a time, and never below a majority by our own hand."""
    desired = view.desired
    if desired.role is not Role.MANAGER or not desired.formed or desired.removed:
        return
    changes = [*view.creates, *view.removals]
    in_flight = [e for e in view.ledger.entries if e.kind in REMOVALS or e.kind is ActionKind.CREATE]
    if len(changes) + (len(in_flight) if changes else 0) > 1:
        yield "more than one change to the managers at once"
    members = [m for m in view.observed.members if m.id not in view.removing]
    for action in view.removals:
        yield from _majority(action, members)
    if view.creates and any(not m.healthy for m in view.observed.members):
        yield "a manager would be added while another does not answer"


def _majority(action: Action, members: list[Member]) -> Iterator[str]:
    rest = [m for m in members if m.id != action.member]
    reachable = sum(m.healthy for m in rest)
    if reachable < len(rest) // 2 + 1:
        yield f"without {action.member}, {reachable} of {len(rest)} managers would be no majority"
