"""Flavor swarm: machines that found a Swarm or join it, are healthy as its nodes are, and leave it with care."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from skep.model.engine import Node
from skep.model.errors import NotReadyError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth, Membership
from skep.model.spec import Allocation
from skep.model.state import ClusterState, Health, Role
from skep.plugins.flavor_attachments import attachments_of
from skep.plugins.flavor_swarm_drain import Departure
from skep.plugins.flavor_swarm_nodes import (
    ASSOCIATION,
    GROUP_LABEL,
    GROUP_TAG,
    LOGICAL_ID_LABEL,
    association_of,
    health_of,
    nodes_of,
    strays_of,
)
from skep.plugins.flavor_swarm_script import Way, init_script
from skep.plugins.flavor_swarm_spec import SwarmProperties, check_allocation, read_swarm
from skep.ports import Advance, Clock, Clusters, DrainRequest, Engine, Engines

CLUSTER_TAG = "swarm-id"


def _random_id() -> str:
    return secrets.token_hex(8)


class SwarmFlavor:
    """FlavorPlugin and Joins. Reads clusters and never writes them: who may found one is the controller's word."""

    def __init__(
        self,
        clusters: Clusters,
        engines: Engines,
        clock: Clock,
        random: Random | None = None,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        """`random` spreads retries; `new_id` gives associations to machines that carry no request."""
        self._clusters = clusters
        self._engines = engines
        self._clock = clock
        self._random = random or Random()
        self._new_id = new_id

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        wanted = read_swarm(properties)
        if wanted.host:
            self._engines.engine(wanted.host)
        check_allocation(wanted, allocation)

    def membership(self, properties: RawJson) -> Membership:
        """For managers an empty cluster means the one that is named after their own group."""
        wanted = read_swarm(properties)
        return Membership(wanted.role, wanted.cluster)

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """With a fresh join token in Init. The same request always gives the same association."""
        wanted = read_swarm(properties)
        if wanted.role is Role.MANAGER and not spec.logical_id:
            raise RejectedError("a manager needs a logical ID: it keeps its address and its disk")
        clusters, name = self._ways(wanted), _cluster_name(wanted, spec.tags)
        state = await clusters.state(name)
        association = association_of(spec.tags) or self._new_id()
        way = await _way(clusters, state, wanted.role, spec.logical_id)
        labels = _engine_labels(wanted, spec, association)
        return replace(
            spec,
            init=init_script(labels, ASSOCIATION, wanted.docker_restart_command, way, spec.init),
            tags={**spec.tags, ASSOCIATION: association, **({CLUSTER_TAG: state.id} if state.id else {})},
            attachments=spec.attachments + attachments_of(wanted.attachments, spec.logical_id),
        )

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        """Where the cluster is not there yet nobody has joined; where it does not answer nothing is known."""
        if not instances:
            return []
        wanted = read_swarm(properties)
        try:
            nodes = await self._nodes(wanted, instances[0].tags)
        except NotReadyError as error:
            return [MemberHealth(Health.UNKNOWN, detail=f"has not joined: {error}") for _ in instances]
        return [health_of(wanted.role, nodes_of(instance, nodes)) for instance in instances]

    async def _nodes(self, wanted: SwarmProperties, tags: Mapping[str, str]) -> Sequence[Node]:
        """NotReadyError only while the cluster has never been; UnavailableError when it is silent."""
        clusters, name = self._ways(wanted), _cluster_name(wanted, tags)
        try:
            return await (await clusters.manager(name)).nodes()
        except NotReadyError as error:
            if (await clusters.state(name)).id:
                raise UnavailableError(str(error)) from error
            raise

    async def strays(
        self, properties: RawJson, group: str, instances: Sequence[InstanceDescription], *, removed: bool = False
    ) -> Sequence[InstanceDescription]:
        wanted = read_swarm(properties)
        nodes = await self._nodes(wanted, {GROUP_TAG: group})
        return list(strays_of(group, instances, nodes, removed=removed))

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        if request.cluster_ends:
            return
        wanted = read_swarm(properties)
        name = _cluster_name(wanted, instance.tags)
        departure = Departure(self._ways(wanted), name, self._clock, self._random, advance)
        await departure.leave(instance, request)

    def _ways(self, wanted: SwarmProperties) -> Clusters:
        return HostCluster(self._engines.engine(wanted.host)) if wanted.host else self._clusters


class HostCluster:
    """ports.Clusters of one Swarm that skep did not make, through the engine that `Host` names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def state(self, name: str) -> ClusterState:
        return ClusterState(name, id=(await self._engine.info()).cluster_id)

    async def manager(self, name: str) -> Engine:
        info = await self._engine.info()
        if not info.control:
            why = info.error or f"its Swarm is {info.swarm_state}"
            raise NotReadyError(f"{self._engine.endpoint} is no manager with a quorum: {why}")
        return self._engine


def _cluster_name(wanted: SwarmProperties, tags: Mapping[str, str]) -> str:
    if wanted.cluster or wanted.host or wanted.role is Role.WORKER:
        return wanted.cluster
    if GROUP_TAG not in tags:
        raise RejectedError(f"managers found the cluster of their group, and there is no tag {GROUP_TAG} that names it")
    return tags[GROUP_TAG]


async def _way(clusters: Clusters, state: ClusterState, role: Role, logical_id: str | None) -> Way:
    """Found the Swarm if this member, and only this one, was chosen to and none is there yet (semantics.md N9)."""
    if role is Role.MANAGER and not state.id and state.bootstrap == logical_id:
        return Way(logical_id)
    engine = await clusters.manager(state.name)
    nodes = [node for node in await engine.nodes() if node.manager_addr and node.reachability == "reachable"]
    # Asked again for the founder itself, the script finds that it has joined; there is nobody else to be named.
    others = [node for node in nodes if node.addr != logical_id] or nodes
    if not others:
        raise NotReadyError(f"the cluster {state.name or 'that there is'} has no manager that can be joined")
    tokens = await engine.join_tokens()
    leader_first = sorted(others, key=lambda node: (not node.leader, node.manager_addr))
    token = tokens.manager if role is Role.MANAGER else tokens.worker
    return Way(logical_id, tuple(node.manager_addr for node in leader_first), token)


def _engine_labels(wanted: SwarmProperties, spec: InstanceSpec, association: str) -> dict[str, str]:
    ours = {ASSOCIATION: association, GROUP_LABEL: spec.tags.get(GROUP_TAG), LOGICAL_ID_LABEL: spec.logical_id}
    return {name: value for name, value in ours.items() if value} | wanted.engine_labels
