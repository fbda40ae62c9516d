"""What people are shown of a service's tasks: how each replica is, what befell it, and what the Swarm does next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skep.control.moment import Now
from skep.control.service_tasks import ENDED, STOPPED
from skep.control.service_trouble import FAILED
from skep.control.services import ServiceActuator, Workload
from skep.model.engine import BY_ITSELF, LIVE, Node, Task
from skep.model.errors import SkepError
from skep.model.state import Health, Role
from skep.model.view import KeyView, MemberView
from skep.planning.nodes import may_run
from skep.planning.outlook import LEFT_ALONE

RESTART_DELAY_S = 5.0
"""What Swarm waits before it starts the next task of a slot, as skep leaves it (semantics.md W31)."""

_NEXT = {
    "new": "placed",
    "pending": "placed",
    "allocated": "placed",
    "assigned": "started",
    "accepted": "started",
    "preparing": "started when its node has the image",
    "ready": "started",
    "starting": "counts as available when its health check passes",
}
"""By the state of a task that shall run."""


async def with_tasks(view: KeyView, actuator: ServiceActuator, now: Now) -> KeyView:
    """One row for each task that shall run, and for each replica of which the last one has ended for good."""
    nodes = await _nodes(actuator.workload)
    shown = _Page(view, actuator.workload, nodes, now).rows(_by_place(actuator.tasks))
    running = [t for t in actuator.tasks if t.runs]
    return replace(view, members=tuple(shown), endpoints=_endpoints(actuator.workload, running, nodes))


async def _nodes(workload: Workload) -> Mapping[str, Node]:
    if workload.engine is None:
        return {}
    try:
        return {n.id: n for n in await workload.engine.nodes()}
    except SkepError:
        return {}


def _by_place(tasks: Sequence[Task]) -> Mapping[tuple[int, str], Sequence[Task]]:
    """The tasks of each replica, the oldest first: a global service has one on each node, and no slots."""
    found: dict[tuple[int, str], list[Task]] = {}
    for task in sorted(tasks, key=lambda t: (t.created_s, t.id)):
        found.setdefault((task.slot, "" if task.slot else task.node_id), []).append(task)
    return found


@dataclass(frozen=True, slots=True)
class _Page:
    view: KeyView
    workload: Workload
    nodes: Mapping[str, Node]
    now: Now

    def rows(self, places: Mapping[tuple[int, str], Sequence[Task]]) -> list[MemberView]:
        """Of each replica. The Swarm may scale down any of them, and what such a one left behind is not shown."""
        live = sum(_is_live(tasks) for tasks in places.values())
        spare = len(places) if self.workload.spec.mode == "global" else self.workload.spec.count - live
        found: list[MemberView] = []
        for _, tasks in sorted(places.items()):
            shown = [t for t in tasks if t.desired_state in LIVE]
            if not shown and spare > 0 and self._is_told(tasks[-1]):
                shown, spare = [tasks[-1]], spare - 1
            found += [self._row(t, [other for other in tasks if other.id != t.id]) for t in shown]
        return found

    def _is_told(self, task: Task) -> bool:
        """Whether one that is the last of its replica, and not to run any more, is still of interest."""
        return task.desired_state != "remove" and (task.state in BY_ITSELF or self._was_stopped(task))

    def _was_stopped(self, task: Task) -> bool:
        """By the Swarm, which makes no other: one of a job, or of what may end only so often (W38)."""
        spec, node = self.workload.spec, self.nodes.get(task.node_id)
        counts = spec.restart.once or (spec.restart.attempts_max and (node is None or may_run(spec, node)))
        return bool(counts) and task.state in ENDED - BY_ITSELF

    def _row(self, task: Task, others: Sequence[Task]) -> MemberView:
        """`others` are those of the same replica that the Swarm remembers, five unless it was told otherwise."""
        node, running = self.nodes.get(task.node_id), task.state == "running"
        ended = [t for t in others if t.state in BY_ITSELF]
        errors = [t.error for t in (*ended, task) if t.error]
        text, at_s = self._next(task, ended)
        return MemberView(
            id=task.id[:12],
            slot=f"{self.view.name}.{task.slot}" if task.slot else self.view.name,
            life=task.state,
            health=(Health.HEALTHY if running else Health.UNKNOWN).value,
            running=int(running),
            node=node.hostname if node else task.node_id,
            age_s=max(0.0, self.now.wall_s - task.since_s) if task.since_s else 0.0,
            address=next((f"{node.addr}:{published}" for published, _ in task.ports if node), ""),
            detail=task.error or (STOPPED if self._was_stopped(task) else ""),
            restarts=len(ended),
            last_error=errors[-1] if errors else "",
            next=text,
            next_in_s=max(0.0, at_s - self.now.wall_s) if at_s else -1.0,
            next_at_s=at_s,
        )

    def _next(self, task: Task, ended: Sequence[Task]) -> tuple[str, float]:
        """What the Swarm does with it, and when on the wall clock; 0 where no time decides."""
        if self.view.removed:
            return "removed", 0.0
        if task.desired_state == "ready":
            since_s = max((t.since_s for t in ended), default=0.0)
            due_s = since_s + RESTART_DELAY_S
            return "started by the Swarm", due_s if since_s and due_s > self.now.wall_s else 0.0
        restart = self.workload.spec.restart
        if self._was_stopped(task) and not restart.once and self.workload.spec.mode != "global":
            return "made again, with all others", 0.0
        if task.state in FAILED or self._was_stopped(task) or (task.state == "complete" and not restart.once):
            return (LEFT_ALONE if restart.once or restart.attempts_max else "made again by the Swarm"), 0.0
        if task.state == "pending" and task.error:
            return "placed when a node fits", 0.0
        return _NEXT.get(task.state, ""), 0.0


def _is_live(tasks: Sequence[Task]) -> bool:
    return any(t.desired_state in LIVE for t in tasks)


def _endpoints(workload: Workload, running: Sequence[Task], nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """`address:port` of each running container's host port, and of each port of the routing mesh, on a manager."""
    hosts = [f"{nodes[t.node_id].addr}:{port}" for t in running if t.node_id in nodes for port, _ in t.ports]
    managers = [n.addr for n in nodes.values() if n.role == Role.MANAGER.value]
    mesh = [f"{managers[0]}:{p.published}" for p in workload.spec.ports if p.mode == "ingress" and managers]
    return tuple(hosts + [m for m in mesh if not m.endswith(":0")])
