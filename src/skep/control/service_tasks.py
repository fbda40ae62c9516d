"""What the tasks of a Swarm service say of it: how many run, of which template, and how those of a job ended."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from skep.control.service_trouble import Trouble, trouble_of
from skep.model.engine import BY_ITSELF, LIVE, Node, Service, Task
from skep.model.spec import WorkloadSpec
from skep.planning.nodes import is_open, may_run

ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
"""States of tasks of which nothing runs any more."""

UNDONE = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
"""Update states in which SwarmKit has stopped or undone a revision."""

_CULPRIT = re.compile(r"termination of task (\w+)")
"""In what SwarmKit says then."""

Place = tuple[int, str]
Last = Mapping[Place, Task]

STOPPED = "the Swarm stopped it, as when its node is drained, is down or was removed"


@dataclass(frozen=True, slots=True)
class Counted:
    """A service's tasks as numbers, each as in model.state.Member. `is_through`: they are as its spec wants them, what
    the Swarm itself says of its update left out. `trouble`: what befalls most of those that do not come to run.
    `stranded`: replicas are missing that did not end by themselves: moves from node to node used up their tries.
    `doubled`: several tasks of the newest template run for one replica."""

    running: int
    wanted: int
    updated: int
    completed: int
    failed: int
    is_through: bool
    trouble: Trouble
    stranded: bool = False
    doubled: bool = False


def asks_for_nodes(spec: WorkloadSpec, service: Service, tasks: Sequence[Task]) -> bool:
    """Whether what becomes of it can be told only by the nodes that the Swarm has."""
    if service.update_state in UNDONE:
        return True
    if spec.mode == "global" and (not tasks or spec.restart.attempts_max):
        return True
    return spec.restart.once and any(map(_is_stopped, tasks))


def counted(
    spec: WorkloadSpec, service: Service, tasks: Sequence[Task], nodes: Sequence[Node], wall_s: float = 0.0
) -> Counted:
    """`tasks` are all that the Swarm remembers of this service, `nodes` all that it has, where they are asked for."""
    tasks = _of_this_run(service, tasks, nodes) if spec.mode == "global" and spec.restart.once else tasks
    last = _last(tasks)
    live = {_place(t) for t in tasks if t.desired_state in LIVE}
    over = [t for place, t in last.items() if place not in live and t.desired_state == "shutdown"]
    given_up = _given_up(spec, [t for t in over if _is_of_newest(service, t)], len(live), nodes)
    stranded = spec.mode != "global" and any(t.state not in BY_ITSELF for t in given_up)
    running, wanted = sum(t.runs for t in tasks), _wanted(spec, tasks, nodes, len(given_up))
    has_older = any(t.runs and _is_older(service, t, last[_place(t)]) for t in tasks)
    ended = _ended(service, last.values(), nodes) if spec.restart.once else Counter()
    trouble = _trouble(spec, service, tasks, wall_s)
    return Counted(
        running=running,
        wanted=wanted,
        updated=sum(t.runs and _is_updated(service, t) for t in tasks),
        completed=min(ended["complete"], wanted),
        failed=ended.total() - ended["complete"] if spec.restart.once else 0 if stranded else len(given_up),
        is_through=ended["complete"] >= wanted if spec.restart.once else running == wanted and not has_older,
        trouble=trouble if trouble.text or not ended["shutdown"] else Trouble(None, STOPPED),
        stranded=stranded,
        doubled=_is_doubled(t for t in tasks if t.runs and _is_of_newest(service, t)),
    )


def is_interrupted(service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> bool:
    """Whether the Swarm stopped or undid its last update for a task whose node was drained, is down or was removed: a
    Swarm takes that for a failure of the new template as well."""
    told = _CULPRIT.search(service.update_message) if service.update_state in UNDONE else None
    culprit = next((t for t in tasks if told and t.id == told[1]), None)
    return culprit is not None and bool(culprit.node_id) and culprit.node_id not in {n.id for n in nodes if is_open(n)}


def _is_doubled(running: Iterable[Task]) -> bool:
    return any(number > 1 for number in Counter(map(_place, running)).values())


def _is_of_newest(service: Service, task: Task) -> bool:
    """W50: whether it is none that the newest template replaces. A moment passes between an update and its begin, in
    which the Swarm says nothing of it."""
    if not service.template or service.update_state == "completed":
        return True
    return task.template in ("", service.template)


def _is_older(service: Service, task: Task, last: Task) -> bool:
    """Whether it is one that the newest template replaces, told also by the `last` of its replica. A Swarm that lets
    tasks fail (FailureAction continue, or a ratio) says that it is through while old ones serve for new ones that never
    came to run."""
    return not _is_of_newest(service, task) or last.template == service.template != task.template


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


def _given_up(spec: WorkloadSpec, over: Sequence[Task], live: int, nodes: Sequence[Node]) -> Sequence[Task]:
    """W38: those that are `over` for having used up their tries: they are wanted no more, and have no successor, which
    comes in one step with that otherwise. A Swarm counts moves from node to node, too.

    What scaling down left behind may look like that, until others are in all places that are wanted; a node that shall
    run none has none to give up.
    """
    if spec.restart.once or not spec.restart.attempts_max:
        return ()
    if spec.mode == "global":
        fit = {n.id for n in nodes if may_run(spec, n)}
        return [t for t in over if t.node_id in fit]
    return over[: max(0, spec.count - live)]


def _last(tasks: Sequence[Task]) -> Last:
    """The newest task of each replica; beside it, one of before may serve while it is started first."""
    return {_place(t): t for t in sorted(tasks, key=lambda t: t.created_s)}


def _place(task: Task) -> Place:
    """A replica's slot; a global service has one on each node."""
    return (task.slot, "" if task.slot else task.node_id)


def _of_this_run(service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> Sequence[Task]:
    """Without what was left undone by an earlier run of a global job, on nodes that have no part in this one."""
    shut = {t.node_id for t in tasks if _is_stopped(t)} - {n.id for n in nodes if is_open(n)}
    return [t for t in tasks if t.node_id not in shut or not service.template or t.template in ("", service.template)]


def _ended(service: Service, last: Iterable[Task], nodes: Sequence[Node]) -> Counter[str]:
    """How the last task of each slot ended, of a job that Swarm does not try again: `complete`, `failed`, or `shutdown`
    by the Swarm. What the newest template is to do anew has not ended, and what scaling down takes does not count."""
    heard = {n.id for n in nodes if n.state != "down"}
    done = (t for t in last if _is_of_newest(service, t) and t.desired_state != "remove")
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


def _trouble(spec: WorkloadSpec, service: Service, tasks: Sequence[Task], wall_s: float) -> Trouble:
    """Of an older template nothing is told, but where the Swarm went back to that."""
    told: dict[Place, list[Task]] = {}
    for task in sorted(tasks, key=lambda t: t.created_s):
        if service.update_state in UNDONE or task.template in ("", service.template):
            told.setdefault(_place(task), []).append(task)
    return trouble_of(told, wall_s, spec.restart.window_s)
