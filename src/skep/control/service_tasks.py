"""What the tasks of a Swarm service say of it: how many run, of which template, and how those of a job ended."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from skep.model.engine import Node, Service, Task
from skep.model.spec import WorkloadSpec
from skep.planning.nodes import is_open, may_run

ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
"""States of tasks of which nothing runs any more."""

BY_ITSELF = frozenset({"complete", "failed", "rejected"})
"""States of those of them that nobody stopped."""

LIVE = frozenset({"running", "ready"})
"""Desired states of tasks that are to run now, or when the delay after the last one's end is over."""

STOPPED = "the Swarm stopped it, as when its node is drained, is down or was removed"


@dataclass(frozen=True, slots=True)
class Counted:
    """A service's tasks as numbers, each as in model.state.Member. `is_through`: they are as its spec wants them, what
    the Swarm itself says of its update left out. `trouble`: what befell most of those that did not come to run."""

    running: int
    wanted: int
    updated: int
    completed: int
    failed: int
    is_through: bool
    trouble: str


def asks_for_nodes(spec: WorkloadSpec, tasks: Sequence[Task]) -> bool:
    """Whether what becomes of it can be told only by the nodes that the Swarm has."""
    if spec.mode == "global" and (not tasks or spec.restart.attempts_max):
        return True
    return spec.restart.once and any(map(_is_stopped, tasks))


def counted(spec: WorkloadSpec, service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> Counted:
    """`tasks` are all that the Swarm remembers of this service, `nodes` all that it has, where they are asked for."""
    tasks = _of_this_run(service, tasks, nodes) if spec.mode == "global" and spec.restart.once else tasks
    given_up = 0 if spec.restart.once else _given_up(spec, service, tasks, nodes)
    running, wanted = sum(map(_runs, tasks)), _wanted(spec, tasks, nodes, given_up)
    has_older = any(_runs(t) and not _is_of_newest(service, t) for t in tasks)
    ended = _ended(service, tasks, nodes) if spec.restart.once else Counter()
    return Counted(
        running=running,
        wanted=wanted,
        updated=sum(_runs(t) and _is_updated(service, t) for t in tasks),
        completed=min(ended["complete"], wanted),
        failed=ended.total() - ended["complete"] if spec.restart.once else min(given_up, max(0, wanted - running)),
        is_through=ended["complete"] >= wanted if spec.restart.once else running == wanted and not has_older,
        trouble=_trouble(tasks) or (STOPPED if ended["shutdown"] else ""),
    )


def _runs(task: Task) -> bool:
    return task.state == "running" and task.desired_state == "running"


def _is_of_newest(service: Service, task: Task) -> bool:
    """W50: whether it is none that the newest template replaces. A moment passes between an update and its begin, in
    which the Swarm says nothing of it."""
    if not service.template or service.update_state == "completed":
        return True
    return task.template in ("", service.template)


def _is_updated(service: Service, task: Task) -> bool:
    """W46. The template tells the old ones before the update begins, and the time where it is not the template that
    changed, but the ports."""
    return _is_of_newest(service, task) and task.created_s >= service.update_began_s


def _wanted(spec: WorkloadSpec, tasks: Sequence[Task], nodes: Sequence[Node], given_up: int) -> int:
    """Replicas asked for; of a global service as many as there are nodes that shall run one: while a task that ended
    waits to be made anew, the next one of its node is there already, and only ready, unless it is `given_up`.

    Its first tasks come a moment after the service: nothing of nothing would pass for done. Where no node fits, one
    that serves wants none until there is such a node, and a job has not been done.
    """
    if spec.mode == "global" and not tasks:
        return max(int(spec.restart.once), sum(may_run(spec, n) for n in nodes))
    if spec.mode == "global" and spec.restart.once:
        return max(1, len({t.node_id for t in tasks}))
    if spec.mode == "global":
        return given_up + len({t.node_id for t in tasks if t.desired_state in LIVE})
    return spec.count


def _given_up(spec: WorkloadSpec, service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> int:
    """W38: how many replicas have used up their tries: what ended last is wanted no more, and has no successor, which
    comes in one step with that otherwise. A node that shall run none has none to give up."""
    if not spec.restart.attempts_max:
        return 0
    live = {_place(t) for t in tasks if t.desired_state in LIVE}
    fit = {n.id for n in nodes if may_run(spec, n)}
    last = [t for place, t in _newest(tasks).items() if place not in live and _is_of_newest(service, t)]
    over = [t for t in last if t.state in BY_ITSELF and t.desired_state == "shutdown"]
    return sum(spec.mode != "global" or t.node_id in fit for t in over)


def _newest(tasks: Sequence[Task]) -> Mapping[tuple[int, str], Task]:
    """The last task of each replica."""
    return {_place(t): t for t in sorted(tasks, key=lambda t: t.created_s)}


def _place(task: Task) -> tuple[int, str]:
    """A replica's slot; a global service has one on each node."""
    return (task.slot, "" if task.slot else task.node_id)


def _of_this_run(service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> Sequence[Task]:
    """Without what was left undone by an earlier run of a global job, on nodes that have no part in this one."""
    shut = {t.node_id for t in tasks if _is_stopped(t)} - {n.id for n in nodes if is_open(n)}
    return [t for t in tasks if t.node_id not in shut or not service.template or t.template in ("", service.template)]


def _ended(service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> Counter[str]:
    """How the last task of each slot ended, of a job that Swarm does not try again: `complete`, `failed`, or `shutdown`
    by the Swarm. What the newest template is to do anew has not ended, and what scaling down takes does not count."""
    heard = {n.id for n in nodes if n.state != "down"}
    done = (t for t in _newest(tasks).values() if _is_of_newest(service, t) and t.desired_state != "remove")
    return Counter(filter(None, (_end(t, heard) for t in done)))


def _end(task: Task, heard: Collection[str]) -> str:
    """Empty for a task that shall run, or that is being stopped by a node which will say how that went. One that is
    down, or was removed, says no more."""
    if task.state == "complete":
        return "complete"
    if not _is_stopped(task) or (task.state not in ENDED and task.node_id in heard):
        return ""
    return "failed" if task.state in ("failed", "rejected") else "shutdown"


def _is_stopped(task: Task) -> bool:
    """Whether Swarm wants it to run no more, and it has not completed."""
    return task.desired_state not in LIVE and task.state != "complete"


def _trouble(tasks: Sequence[Task]) -> str:
    """The most frequent error of tasks that did not come to run; empty when none has one."""
    errors = Counter(t.error for t in tasks if t.error and t.state in ("rejected", "failed"))
    return errors.most_common(1)[0][0] if errors else ""
