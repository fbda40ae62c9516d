"""What the linter of plans knows of numbered members (semantics.md W9, W24, W30, W35, W38)."""

from collections import Counter
from collections.abc import Iterator

from skep.model.plan import REMOVALS, Action, ActionKind, Reason
from skep.model.state import Health, Life, Member, Phase
from skep.planning.view import View


def _stops(view: View) -> Iterator[str]:
    """Only what is unhealthy is stopped, and only where its slot is made anew."""
    for action in view.plan.actions:
        member = view.by_id.get(action.member)
        if action.kind is not ActionKind.STOP or member is None:
            continue
        sick = member.life is Life.RUNNING and member.health is Health.UNHEALTHY
        if not view.desired.numbered or not sick or action.reason is not Reason.UNHEALTHY:
            yield f"{member.id} is to be stopped, and nothing says that it must be"
        if member.foreign:
            yield f"{member.id} was not made by skep and is to be stopped"


def _numbers(view: View) -> Iterator[str]:
    """Every creation fills a slot that nobody bears, is about to bear or has not yet left, and each slot once."""
    if not view.desired.numbered:
        return
    held = {m.slot for m in view.observed.members if m.life not in (Life.GONE, Life.DEAD)}
    held |= {e.slot for e in view.creating}
    for slot, count in Counter(a.slot for a in view.creates).items():
        if slot is None or not slot.isdecimal():
            yield f"{slot} is no number"
        if count > 1 or slot in held:
            yield f"slot {slot} would be filled twice"
        if slot in view.desired.done:
            yield f"slot {slot} has completed and would be filled again"
    for slot in {a.slot for a in view.creates if _is_over(view, a)}:
        yield f"slot {slot} ended too often and would be filled again"


def _is_over(view: View, action: Action) -> bool:
    """What ended before a roll is no matter of a new one."""
    failure, most = view.failures.get((action.slot or "", ActionKind.START)), view.desired.limits.restarts_max
    counts = failure is not None and (bool(action.fingerprint) or not failure.settled)
    return failure is not None and counts and 0 < most <= failure.count


def _sources(view: View) -> Iterator[str]:
    """W35: nothing is made where nobody answers, where there is no room, or while anything may be there unseen."""
    if not view.desired.numbered:
        return
    seen, most = view.observed, view.desired.per_source_max
    held = Counter(m.source for m in view.observed.members if m.life not in (Life.GONE, Life.DEAD))
    held.update(e.source for e in view.promised)
    held.update(a.source for a in view.creates)
    for source in {a.source for a in view.creates}:
        if source not in view.desired.sources:
            yield f"{source or 'nowhere'} is no place to make anything"
        elif source in seen.silent or source in seen.lost:
            yield f"{source} does not answer and something is to be made there"
        if most and held[source] > most:
            yield f"there would be {held[source]} on {source}, and at most {most} have room"
    if view.creates and seen.unlisted:
        yield "something is to be made, and nobody knows what lives on a source that is silent"


def _batches(view: View) -> Iterator[str]:
    """W9, W10: one, two, four, eight, and after a failure one again. What is made and starts yet was a success."""
    if not view.desired.numbered or not view.creates:
        return
    failed = ("", ActionKind.CREATE) in view.failures
    asked = [e for e in view.creating if not _is_asked_alone(view, e.source, view.is_settled(e))]
    made = 0 if failed else sum(e.phase is Phase.CREATED for e in asked)
    pending = len(asked) - made
    streak, begun = 0 if failed else view.ledger.streak + made, _paced(view)
    most = next((size for least, size in ((15, begun), (7, 8), (3, 4), (1, 2)) if streak >= least), 1)
    if begun > most:
        yield f"{begun} would be made at once after {streak} that went well"
    if pending and begun and streak < 15:
        yield "a batch would begin before the last one has ended"


def _paced(view: View) -> int:
    return sum(not _is_asked_alone(view, a.source, bool(a.fingerprint)) for a in view.creates)


def _is_asked_alone(view: View, source: str, settled: bool) -> bool:
    """Whether it owes an answer, or could not get the image: that of the settled template is another one."""
    failure = view.failures.get((source, ActionKind.CREATE))
    return failure is not None and bool(failure.counted or (failure.pull and (failure.settled or not settled)))


def _pulls(view: View) -> Iterator[str]:
    """W32, W33: of a source that could not get the image one try at a time is asked."""
    pulls = {f.subject: f.settled for f in view.ledger.failures if f.pull}
    tries = Counter(e.source for e in view.creating if not view.is_settled(e) or pulls.get(e.source))
    asked = (a.source for a in view.creates if not a.fingerprint or pulls.get(a.source))
    for source, count in Counter(asked).items():
        if source in pulls and count + tries[source] > 1:
            yield f"{source} could not get the image and would be asked for it {count + tries[source]} times at once"


PROVEN_S = 2.0
"""What numbered members have to be well for before they make up for old ones, where the spec says nothing (W44)."""


def _proofs(view: View) -> Iterator[str]:
    """W42, W44: for old ones that serve only those make up that have been well for long enough."""
    desired, reasons = view.desired, (Reason.OUTDATED, Reason.SURPLUS)
    old = {a.member for a in view.removals if a.reason in reasons}
    going = [m for m in view.taken if m.id in old and m.healthy and not view.is_current(m)]
    if not desired.numbered or desired.removed or not going:
        return
    least_s = PROVEN_S if desired.limits.min_ready_s is None else desired.limits.min_ready_s
    left = [m for m in view.alive if m.healthy and m not in going]
    proven = any(m.well_s >= least_s for m in going)
    sure = sum(m.well_s >= least_s or (not proven and not view.is_current(m)) for m in left)
    if sure < desired.size - desired.max_unavailable:
        yield f"{going[0].id} is to go, and of those that are left only {sure} have proven that they serve"


def _as_before(view: View) -> Iterator[str]:
    """W42, W45: while a roll has proven nothing, what must serve and doesn't is made of the settled template, and no
    more than that. Who is late is not known here: then they may be made, and need not."""
    made = [a for a in view.creates if a.fingerprint]
    if any(a.fingerprint != view.desired.settled for a in made):
        yield "something is to be made of a template that nobody asked for, nor all ever followed"
    missing = _missing_as_before(view)
    if len(made) > missing:
        yield f"{len(made)} are to be made as before the roll, and {missing} are missing"
    left, total = missing - len(made), len(view.staying) + len(view.promised) + len(view.creates)
    is_new = len(view.creates) > len(made) and _is_there_any_settled(view)
    if is_new and left > 0 and total + left > view.desired.size + view.desired.max_surge:
        yield f"{left} are to be made as before the roll, and new ones would take their room"


def _missing_as_before(view: View) -> int:
    desired = view.desired
    least_s = PROVEN_S if desired.limits.min_ready_s is None else desired.limits.min_ready_s
    if not desired.settled or not desired.numbered or desired.paused or desired.once or desired.removed:
        return 0
    if any(m.healthy and view.is_current(m) and m.well_s >= least_s for m in view.alive):
        return 0
    coming = sum(view.is_settled(m) and _may_serve_soon(view, m) for m in view.alive)
    coming += sum(map(view.is_settled, view.promised))
    serving = sum(m.healthy for m in view.staying)
    unheard = sum(m.life is Life.UNKNOWN and not view.is_settled(m) for m in view.alive)
    return max(0, desired.size - desired.max_unavailable - serving - coming - unheard)


def _is_there_any_settled(view: View) -> bool:
    alive = any(view.is_settled(m) and (m.healthy or _may_serve_soon(view, m)) for m in view.alive)
    return alive or any(view.is_settled(e) for e in view.promised)


def _may_serve_soon(view: View, member: Member) -> bool:
    slot = view.failures.get((member.slot or "", ActionKind.START))
    refused = member.life is Life.STOPPED and slot is not None and slot.counted == member.id
    return not (refused or member.healthy or member.health is Health.UNHEALTHY)


def _graves(view: View) -> Iterator[str]:
    """The last dead of a slot that is used, or is to be filled, is kept for its logs."""
    if not view.desired.numbered or view.desired.removed:
        return
    last = _last_dead(view)
    buried = {a.member for a in view.removals} & {m.id for m in last.values()}
    if not buried:
        return
    used = {m.slot for m in view.observed.members if m.life not in (Life.GONE, Life.DEAD)} | _due(view, last)
    used |= {e.slot for e in view.promised} | {a.slot for a in view.creates} | view.desired.done
    for slot, member in last.items():
        if member.id in buried and slot in used:
            yield f"{member.id} is to be removed, and it is the last that ended of slot {slot}"


def _due(view: View, last: dict[str, Member]) -> set[str]:
    """Slots that ended and are to be filled: the lowest of them, so many as are missing."""
    held = {m.slot for m in view.staying} | {e.slot for e in view.creating} | {a.slot for a in view.creates}
    borne = {m.slot for m in view.observed.members if m.life not in (Life.GONE, Life.DEAD)}
    counted = {f.subject for f in view.ledger.failures if f.kind is ActionKind.START and f.counted and f.count}
    empty = sorted((s for s in counted | (last.keys() - borne) if s.isdecimal() and s not in held), key=int)
    return set(empty[: max(0, view.desired.size - len(view.staying) - len(view.promised) - len(view.creates))])


def _last_dead(view: View) -> dict[str, Member]:
    dead = [m for m in view.observed.members if m.life is Life.DEAD and m.id not in view.removing]
    return {m.slot: m for m in sorted(dead, key=lambda m: (-m.sick_s, m.created_s, m.id)) if m.slot is not None}


def _dead_ends(view: View) -> Iterator[str]:
    """What has ended is made anew: it is neither started nor changed."""
    for action in view.plan.actions:
        member = view.by_id.get(action.member)
        if member is not None and member.life is Life.DEAD and action.kind not in REMOVALS:
            yield f"{member.id} has ended, and something else than its removal is to be done"


NUMBERED_RULES = (_stops, _numbers, _sources, _batches, _pulls, _proofs, _as_before, _graves, _dead_ends)
"""Rules that say nothing of groups and services, but that nothing of theirs is stopped."""
