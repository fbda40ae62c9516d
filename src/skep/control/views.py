"""Reading: what people are shown of a key, from its spec, its record and the last look at it. Never acts."""

from collections.abc import Callable
from dataclasses import replace

from skep.control.container_views import outlook_of, with_containers
from skep.control.containers import ContainerActuator
from skep.control.documents import SpecDocument, spec_of
from skep.control.moment import Now, with_next
from skep.control.pauses import paused_by
from skep.control.reconcile import Seen
from skep.control.services import ServiceActuator
from skep.control.task_views import with_tasks
from skep.model.plan import ActionKind
from skep.model.spec import GroupSpec, Kind, WorkloadSpec
from skep.model.state import Condition, ConditionType, Entry, Life, Member, Record
from skep.model.view import KeyView, MemberView
from skep.planning.census import follows_newest
from skep.planning.conditions import is_converged, unproven_s
from skep.planning.explain import explain_entry, explain_note
from skep.planning.outlook import Opening, Outlook
from skep.specs.canonical import to_json


def key_view(document: SpecDocument, record: Record, seen: Seen | None, now: Now, trouble: str = "") -> KeyView:
    """Without a look at the key yet (a moment after the start) only the spec's side is filled in."""
    spec = spec_of(document.spec)
    doing = tuple(explain_entry(document.key.kind, e) for e in record.ledger.entries)
    view = KeyView(
        key=str(document.key),
        kind=document.key.kind.value,
        name=document.key.name,
        cluster=seen.cluster if seen else "",
        role="",
        image=spec.image if isinstance(spec, WorkloadSpec) else "",
        desired=0 if document.removed else _count(spec),
        current=0,
        ready=0,
        outdated=0,
        generation=document.generation,
        observed_generation=record.observed_generation,
        converged=False,
        removed=document.removed,
        conditions=record.conditions,
        doing=doing,
        paused=paused_by(document),
        given_up=document.paused is not None and document.paused.automatic,
    )
    if seen is not None:
        view = _with_sight(view, document, record, seen, now)
    return _in_trouble(view, trouble, now) if trouble else view


def _in_trouble(view: KeyView, trouble: str, now: Now) -> KeyView:
    """What the last look but one showed may be so no more: nothing counts as done until there was another one (W50)."""
    since_s = now.wall_s - max(0.0, view.observed_age_s)
    failed = Condition(ConditionType.UNREACHABLE, True, "LookFailed", f"the last look failed: {trouble}", since_s)
    others = tuple(c for c in view.conditions if c.type is not ConditionType.UNREACHABLE)
    return replace(view, converged=False, conditions=(*others, failed), waiting=(*view.waiting, failed.message))


def _count(spec: GroupSpec | WorkloadSpec) -> int:
    return spec.count if isinstance(spec, WorkloadSpec) else spec.allocation.count


def _with_sight(view: KeyView, document: SpecDocument, record: Record, seen: Seen, now: Now) -> KeyView:
    desired, members = seen.desired, seen.observed.members
    fresh = record.observed_generation >= document.generation == desired.generation
    converged = fresh and not document.removed and is_converged(desired, seen.observed, record.ledger)
    converged = converged and not seen.plan.actions
    owed_s = unproven_s(desired, seen.observed, record.ledger) if converged or desired.paused else 0.0
    entries = {e.member: e for e in record.ledger.entries if e.member}
    view = replace(
        view,
        role=desired.role.value if desired.role else "",
        current=len(members),
        ready=sum(m.healthy for m in members),
        outdated=sum(not follows_newest(desired, m) for m in members),
        converged=converged,
        unproven_s=max(0.0, owed_s - seen.rested_s),
        members=tuple(_member_view(document.key.kind, seen, m, entries.get(m.id), now) for m in members),
        waiting=tuple(explain_note(n, document.key.name) for n in seen.plan.notes),
        observed_age_s=now.monotonic_s - seen.at_s,
    )
    if document.key.kind is not Kind.WORKLOAD:
        return view
    return _counting_containers(view, seen) if desired.numbered else _counting_tasks(view, seen)


def _counting_containers(view: KeyView, seen: Seen) -> KeyView:
    """W53: what runs, each number once; what was only created or has ended is not counted."""
    desired, members = seen.desired, seen.observed.members
    active = [m for m in members if m.life is not Life.DEAD]
    return replace(
        view,
        desired=desired.size + len(desired.done),
        current=len({m.slot for m in members if m.life is Life.RUNNING}),
        ready=len(desired.done) if desired.once else len({m.slot for m in members if m.healthy}),
        completed=len(desired.done),
        outdated=sum(not follows_newest(desired, m) for m in active),
        members=(),
    )


def _counting_tasks(view: KeyView, seen: Seen) -> KeyView:
    """A workload counts containers, not services (semantics.md W53)."""
    members = seen.observed.members
    running = sum(m.running for m in members)
    desired = 0 if view.removed else sum(m.wanted for m in members) or view.desired
    completed = sum(m.completed for m in members)
    ready = completed if seen.desired.once else running
    # Those of before that the newest template spares are told apart only when the Swarm is through.
    newest = (m for m in members if follows_newest(seen.desired, m))
    updated = sum(m.running if m.healthy else min(m.updated, m.running) for m in newest)
    counts = replace(view, desired=desired, current=running, ready=ready, completed=completed)
    return replace(counts, outdated=running - updated, members=())


def _member_view(kind: Kind, seen: Seen, member: Member, entry: Entry | None, now: Now) -> MemberView:
    return MemberView(
        id=member.id,
        slot=member.slot or "",
        life=member.life.value,
        health=member.health.value,
        current=follows_newest(seen.desired, member),
        running=member.running,
        wanted=member.wanted,
        age_s=max(0.0, now.wall_s - member.created_s) if member.created_s else 0.0,
        doing=explain_entry(kind, entry) if entry else "",
        detail="leader" if member.leader else member.detail,
    )


async def described(view: KeyView, seen: Seen | None, record: Record, now: Now) -> KeyView:
    """The view with one row for each task, container or machine, what comes next for each, and those that are missing;
    of a workload also the addresses at which it answers."""
    if seen is None:
        return view
    if isinstance(seen.actuator, ContainerActuator):
        return with_containers(view, seen, seen.actuator, record.ledger, now)
    if isinstance(seen.actuator, ServiceActuator):
        return await with_tasks(view, seen.actuator, now)
    return _with_machines(view, seen, record, now)


def _with_machines(view: KeyView, seen: Seen, record: Record, now: Now) -> KeyView:
    """A row for each machine with what comes next for it, then one for each that is wanted and not there."""
    look = outlook_of(seen, record.ledger, now)
    rows = zip(view.members, seen.observed.members, strict=True)
    there = [_with_outlook(row, member, look, record, now) for row, member in rows]
    return replace(view, members=(*there, *(_opening_view(view, opening, now) for opening in look.openings)))


def _with_outlook(row: MemberView, member: Member, look: Outlook, record: Record, now: Now) -> MemberView:
    failures = [f for f in record.ledger.failures if f.subject == member.id and f.count]
    restarts = sum(f.count for f in failures if f.kind is ActionKind.START)
    told = replace(row, restarts=restarts, last_error=next((f.message for f in failures if f.message), ""))
    return with_next(told, look.of(member), now)


def _opening_view(view: KeyView, opening: Opening, now: Now) -> MemberView:
    row = MemberView(id="", slot=opening.slot, life="creating" if opening.entry else "missing", health="unknown")
    doing = explain_entry(Kind(view.kind), opening.entry) if opening.entry else ""
    return with_next(replace(row, doing=doing), opening.next, now)


def shown_spec(spec: bytes, keyed_hash: Callable[[str], str]) -> str:
    """The canonical text of a spec; values of Env only as keyed hashes (architecture.md)."""
    parsed = spec_of(spec)
    if not isinstance(parsed, WorkloadSpec):
        return spec.decode()
    hidden = tuple((name, f"hmac:{keyed_hash(value)[:12]}") for name, value in parsed.env)
    return to_json(replace(parsed, env=hidden)).decode()
