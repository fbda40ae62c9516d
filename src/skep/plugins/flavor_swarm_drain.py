"""Taking a machine out of its Swarm: drain, wait, demote, remove (semantics.md N5). Every step may be repeated."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random

import structlog

from skep.model.engine import Node
from skep.model.errors import ConflictError, NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.machine import InstanceDescription
from skep.model.state import Life, Phase
from skep.plugins.flavor_swarm_moves import Slot, moving, owed
from skep.plugins.flavor_swarm_nodes import nodes_of
from skep.ports import Advance, Clock, Clusters, DrainRequest, Engine

log = structlog.get_logger()

UPDATE_ATTEMPTS = 10
"""semantics.md N26: an update that is out of sequence is read again and tried again."""

DEMOTE_S = 60.0
"""SwarmKit tries a demotion every 5 s; one that is not through by then waits for something else."""

POLL_S = 0.5

# States of a task in which it has, or may still get, a process on its node.
_LIVE = frozenset({"assigned", "accepted", "preparing", "ready", "starting", "running"})


class Departure:
    """One machine's way out. The manager is looked up for every call: the last one asked may be the one that leaves."""

    def __init__(self, clusters: Clusters, cluster: str, clock: Clock, random: Random, advance: Advance) -> None:
        self._clusters = clusters
        self._cluster = cluster
        self._clock = clock
        self._random = random
        self._advance = advance

    async def leave(self, instance: InstanceDescription, request: DrainRequest) -> None:
        """One that is not in the Swarm, or whose Swarm never came to be, has left already."""
        dead = request.dead or instance.life is Life.GONE
        for node in reversed(await self._nodes_to_leave(instance)):
            if not dead and node.state != "down":
                await self._drain(node, request.wait_s)
            await self._demote(node)
            await self._advance(Phase.REMOVED)
            await (await self._manager()).remove_node(node.id, force=True)

    async def _nodes_to_leave(self, instance: InstanceDescription) -> Sequence[Node]:
        try:
            manager = await self._manager()
        except NotReadyError:
            if (await self._clusters.state(self._cluster)).id:
                raise
            return []
        nodes = nodes_of(instance, await manager.nodes())
        if sum(node.state == "ready" for node in nodes) > 1:
            raise RejectedError(
                f"{len(nodes)} nodes carry the label of {instance.id}, and more than one is ready (N19): "
                f"remove what is wrong by hand: {', '.join(f'{node.id} ({node.hostname})' for node in nodes)}"
            )
        return nodes

    async def _manager(self) -> Engine:
        return await self._clusters.manager(self._cluster)

    async def _read(self, node: Node) -> Node | None:
        """The node as it is now; None when it is not in the Swarm any more."""
        found = await (await self._manager()).nodes({"id": [node.id]})
        return found[0] if found else None

    async def _update(
        self, node: Node, is_so: Callable[[Node], bool], *, availability: str | None = None, role: str | None = None
    ) -> None:
        """Change the node unless it `is_so` already."""
        for _ in range(UPDATE_ATTEMPTS):
            now = await self._read(node)
            if now is None or is_so(now):
                return
            try:
                await (await self._manager()).update_node(now.id, now.version, availability=availability, role=role)
            except NotFoundError:
                return
            except ConflictError:
                await self._clock.sleep(self._random.uniform(0.05, 0.5))
            else:
                return
        raise UnavailableError(f"node {node.hostname} was changed by others {UPDATE_ATTEMPTS} times in a row")

    async def _drain(self, node: Node, wait_s: float) -> None:
        """Let the node's tasks move. When they don't in time, the node serves on (semantics.md N12, N13)."""
        await self._advance(Phase.DRAIN)
        slots = await self._moving(node)
        await self._update(node, lambda now: now.availability == "drain", availability="drain")
        await self._advance(Phase.WAIT)
        deadline_s = self._clock.monotonic_s() + wait_s
        if not await self._comes_true(lambda: self._is_empty(node), wait_s):
            await self._advance(Phase.WAIT)  # ten minutes have passed: another controller may act by now
            await self._update(node, lambda now: now.availability == "active", availability="active")
            raise RejectedError(
                f"tasks still ran on node {node.hostname} {wait_s:.0f} s after its drain; it serves again. "
                "See what holds them with: docker node ps"
            )
        await self._await_moves(node, slots, deadline_s)

    async def _moving(self, node: Node) -> frozenset[Slot]:
        tasks = await (await self._manager()).tasks({"node": [node.id]})
        return moving(tasks, again=node.availability == "drain")

    async def _await_moves(self, node: Node, slots: frozenset[Slot], deadline_s: float) -> None:
        """Until what ran here serves elsewhere: only then may the next node be drained (N15). Where that does not come
        about in time it is not this node that is missing for it."""
        began_s = self._clock.monotonic_s()

        async def are_there() -> bool:
            return (await owed(await self._manager(), slots)).is_paid(self._clock.monotonic_s() - began_s)

        if not await self._comes_true(are_there, deadline_s - began_s):
            log.warning("not all that ran on a drained node serves elsewhere by now", node=node.hostname)

    async def _is_empty(self, node: Node) -> bool:
        """A node that went down, or left, has nothing that could be waited for."""
        now = await self._read(node)
        if now is None or now.state == "down":
            return True
        tasks = await (await self._manager()).tasks({"node": [node.id]})
        return not any(task.state in _LIVE for task in tasks)

    async def _demote(self, node: Node) -> None:
        """A manager leaves the raft before its machine goes; the engine itself guards the quorum (semantics.md 4.1)."""
        now = await self._read(node)
        if now is None or (now.role != "manager" and not now.reachability):
            return
        await self._advance(Phase.DEMOTE)
        if now.role == "manager":
            await self._spare_the_last(now)
            await self._update(now, lambda again: again.role == "worker", role="worker")
        if not await self._comes_true(lambda: self._has_left_raft(node), DEMOTE_S):
            raise UnavailableError(f"node {node.hostname} is still in the raft {DEMOTE_S:.0f} s after its demotion")

    async def _spare_the_last(self, node: Node) -> None:
        managers = await (await self._manager()).nodes({"role": ["manager"]})
        if len(managers) == 1:
            raise RejectedError(
                f"node {node.hostname} is the last manager of its cluster: without it the Swarm is lost. "
                "It goes only when the whole cluster is removed"
            )

    async def _has_left_raft(self, node: Node) -> bool:
        now = await self._read(node)
        return now is None or not now.reachability

    async def _comes_true(self, condition: Callable[[], Awaitable[bool]], within_s: float) -> bool:
        """Whether it becomes true in time. A Swarm that is electing a leader meanwhile is asked again."""
        deadline_s = self._clock.monotonic_s() + within_s
        while True:
            try:
                if await condition():
                    return True
            except (UnavailableError, NotReadyError):
                if self._clock.monotonic_s() >= deadline_s:
                    raise
            if self._clock.monotonic_s() >= deadline_s:
                return False
            await self._clock.sleep(POLL_S)
