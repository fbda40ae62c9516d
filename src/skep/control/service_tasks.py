"""What the tasks of a Swarm service say of it: how many run, of which template, and how those of a job ended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from skep.model.engine import Node, Service, Task
from skep.model.spec import WorkloadSpec
from skep.planning.nodes import may_run


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
    return spec.mode == "global" and not tasks


def counted(spec: WorkloadSpec, service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> Counted:
    """`tasks` are all that the Swarm remembers of this service, `nodes` all that it has, where they are asked for."""
    running, wanted = sum(map(_runs, tasks)), _wanted(spec, tasks, nodes)
    has_older = any(_runs(t) and not _is_of_newest(service, t) for t in tasks)
    ended = _ended(service, tasks) if spec.restart.once else Counter()
    return Counted(
        running=running,
        wanted=wanted,
        updated=sum(_runs(t) and _is_updated(service, t) for t in tasks),
        completed=min(ended["complete"], wanted),
        failed=ended["failed"] + ended["rejected"],
        is_through=ended["complete"] >= wanted if spec.restart.once else running == wanted and not has_older,
        trouble=_trouble(tasks),
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


def _wanted(spec: WorkloadSpec, tasks: Sequence[Task], nodes: Sequence[Node]) -> int:
    """Replicas asked for; of a global service as many as there are nodes that shall run one: while a task that ended
    waits to be made anew, the next one of its node is there already, and only ready.

    Its first tasks come a moment after the service: nothing of nothing would pass for done. Where no node fits, one
    that serves wants none until there is such a node, and a job has not been done.
    """
    if spec.mode == "global" and not tasks:
        return max(int(spec.restart.once), sum(may_run(spec, n) for n in nodes))
    if spec.mode == "global" and spec.restart.once:
        return len({t.node_id for t in tasks})
    if spec.mode == "global":
        return len({t.node_id for t in tasks if t.desired_state in ("ready", "running")})
    return spec.count


def _ended(service: Service, tasks: Sequence[Task]) -> Counter[str]:
    """How the last task of each slot ended, of a job that Swarm does not try again; what the newest template is to do
    anew has not ended."""
    newest = {(t.slot, "" if t.slot else t.node_id): t for t in sorted(tasks, key=lambda t: t.created_s)}
    done = (t for t in newest.values() if _is_of_newest(service, t))
    return Counter(t.state for t in done if t.desired_state != "running" or t.state == "complete")


def _trouble(tasks: Sequence[Task]) -> str:
    """The most frequent error of tasks that did not come to run; empty when none has one."""
    errors = Counter(t.error for t in tasks if t.error and t.state in ("rejected", "failed"))
    return errors.most_common(1)[0][0] if errors else ""
