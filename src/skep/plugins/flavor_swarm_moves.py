"""What moves when a node is drained: the replicas that run on it, until each of them serves elsewhere (semantics.md
N12, N15). Swarm stops a task before it starts the next one of its slot, so that an empty node is not enough."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skep.model.engine import BY_ITSELF, LIVE, Task
from skep.ports import Engine

UNPLACED_S = 15.0
"""Whom the Swarm finds no node for is waited for so long: it may be that a node is just coming, or a leader. Who waits
for the place that this machine takes would never come."""

_NO_NODE = "no suitable node"


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A replica of a service. Those of a global service are one with their node, and never move."""

    service: str
    number: int


def moving(tasks: Sequence[Task], *, again: bool) -> frozenset[Slot]:
    """The replicas that leave with a node. `tasks` are the node's; `again`: it was drained before, and those that it
    was told to stop count as well."""
    return frozenset(_slot(t) for t in tasks if t.slot and (t.runs or (again and _was_stopped(t))))


def _was_stopped(task: Task) -> bool:
    return task.desired_state == "shutdown" and task.state not in BY_ITSELF


@dataclass(frozen=True, slots=True)
class Owed:
    """The replicas that do not serve elsewhere yet. `placeable`: those of them that the Swarm has, or seeks, a node
    for."""

    all: tuple[Slot, ...]
    placeable: tuple[Slot, ...]

    def is_paid(self, waited_s: float) -> bool:
        return not (self.all if waited_s < UNPLACED_S else self.placeable)


async def owed(manager: Engine, slots: frozenset[Slot]) -> Owed:
    """Those that are wanted no more (scaled down, removed, given up) are owed to nobody."""
    if not slots:
        return Owed((), ())
    live: dict[Slot, list[Task]] = {}
    for task in await manager.tasks({"service": sorted({slot.service for slot in slots})}):
        if task.desired_state in LIVE and _slot(task) in slots:
            live.setdefault(_slot(task), []).append(task)
    missing = {slot: tasks for slot, tasks in live.items() if not any(t.runs for t in tasks)}
    return Owed(tuple(sorted(missing)), tuple(sorted(s for s, tasks in missing.items() if not _is_unplaceable(tasks))))


def _is_unplaceable(tasks: Iterable[Task]) -> bool:
    return any(task.state == "pending" and _NO_NODE in task.error for task in tasks)


def _slot(task: Task) -> Slot:
    return Slot(task.service_id, task.slot)
