"""Reading: what people are shown of a key, from its spec, its record and the last look at it. Never acts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skep.control.container_views import with_containers
from skep.control.containers import ContainerActuator
from skep.control.documents import SpecDocument, spec_of
from skep.control.pauses import paused_by
from skep.control.reconcile import Seen
from skep.control.services import ServiceActuator, Workload
from skep.model.engine import Node, Task
from skep.model.errors import SkepError
from skep.model.spec import GroupSpec, Kind, WorkloadSpec
from skep.model.state import Entry, Health, Life, Member, Record, Role
from skep.model.view import KeyView, MemberView
from skep.planning.census import follows_newest
from skep.planning.conditions import is_converged
from skep.planning.explain import explain_entry, explain_note
from skep.specs.canonical import to_json


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of the request on both clocks."""

    monotonic_s: float
    wall_s: float


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
    )
    if seen is not None:
        view = _with_sight(view, document, record, seen, now)
    return replace(view, waiting=(*view.waiting, f"the last look failed: {trouble}")) if trouble else view


def _count(spec: GroupSpec | WorkloadSpec) -> int:
    return spec.count if isinstance(spec, WorkloadSpec) else spec.allocation.count


def _with_sight(view: KeyView, document: SpecDocument, record: Record, seen: Seen, now: Now) -> KeyView:
    desired, members = seen.desired, seen.observed.members
    fresh = record.observed_generation >= document.generation == desired.generation
    converged = fresh and not document.removed and is_converged(desired, seen.observed, record.ledger)
    entries = {e.member: e for e in record.ledger.entries if e.member}
    view = replace(
        view,
        role=desired.role.value if desired.role else "",
        current=len(members),
        ready=sum(m.healthy for m in members),
        outdated=sum(not follows_newest(desired, m) for m in members),
        converged=converged and not seen.plan.actions,
        members=tuple(_member_view(document.key.kind, seen, m, entries.get(m.id), now) for m in members),
        waiting=tuple(explain_note(n) for n in seen.plan.notes),
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
    return replace(view, desired=desired, current=running, ready=ready, completed=completed, members=())


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
    """A workload's view with one row for each task or container, and the addresses at which it answers."""
    if seen is None:
        return view
    if isinstance(seen.actuator, ContainerActuator):
        return with_containers(view, seen, seen.actuator, record.ledger, now.wall_s)
    return await _with_tasks(view, seen.actuator, now) if isinstance(seen.actuator, ServiceActuator) else view


async def _with_tasks(view: KeyView, actuator: ServiceActuator, now: Now) -> KeyView:
    nodes = await _nodes(actuator.workload)
    tasks = [t for t in actuator.tasks if t.desired_state == "running"]
    tasks.sort(key=lambda t: (t.slot, t.node_id, t.id))
    members = tuple(_task_view(view.name, t, nodes.get(t.node_id), now) for t in tasks)
    return replace(view, members=members, endpoints=_endpoints(actuator.workload, tasks, nodes))


async def _nodes(workload: Workload) -> Mapping[str, Node]:
    if workload.engine is None:
        return {}
    try:
        return {n.id: n for n in await workload.engine.nodes()}
    except SkepError:
        return {}


def _task_view(workload: str, task: Task, node: Node | None, now: Now) -> MemberView:
    running = task.state == "running"
    return MemberView(
        id=task.id[:12],
        slot=f"{workload}.{task.slot}" if task.slot else workload,
        life=task.state,
        health=(Health.HEALTHY if running else Health.UNKNOWN).value,
        running=int(running),
        node=node.hostname if node else task.node_id,
        age_s=max(0.0, now.wall_s - task.since_s) if task.since_s else 0.0,
        address=next((f"{node.addr}:{published}" for published, _ in task.ports if node), ""),
        detail=task.error,
    )


def _endpoints(workload: Workload, tasks: list[Task], nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """`address:port` of each running container's host port, and of each port of the routing mesh, on a manager."""
    hosts = [
        f"{nodes[t.node_id].addr}:{published}"
        for t in tasks
        if t.state == "running" and t.node_id in nodes
        for published, _ in t.ports
    ]
    managers = [n.addr for n in nodes.values() if n.role == Role.MANAGER.value]
    mesh = [f"{managers[0]}:{p.published}" for p in workload.spec.ports if p.mode == "ingress" and managers]
    return tuple(hosts + [m for m in mesh if not m.endswith(":0")])


def shown_spec(spec: bytes, keyed_hash: Callable[[str], str]) -> str:
    """The canonical text of a spec; values of Env only as keyed hashes (architecture.md)."""
    parsed = spec_of(spec)
    if not isinstance(parsed, WorkloadSpec):
        return spec.decode()
    hidden = tuple((name, f"hmac:{keyed_hash(value)[:12]}") for name, value in parsed.env)
    return to_json(replace(parsed, env=hidden)).decode()
