"""Flavor swarm: machines that found a Swarm or join it, are healthy as its nodes are, and leave it with care."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from skep.model.engine import JoinTokens, Node
from skep.model.errors import NotReadyError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth, Membership
from skep.model.spec import Allocation
from skep.model.state import ClusterState, Health, Role
from skep.plugins.flavor_attachments import attachments_of
from skep.plugins.flavor_swarm_drain import Departure
from skep.plugins.flavor_swarm_host import HostCluster
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
from skep.plugins.flavor_swarm_spec import SwarmProperties, check_allocation, check_labels, read_swarm
from skep.plugins.flavor_templates import after, check_template, sample_spec, sample_values, script_of, template_values
from skep.ports import Advance, Clock, Clusters, DrainRequest, Engines, Fetch

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
        fetch: Fetch | None = None,
        *,
        lenient: bool = False,
    ) -> None:
        """`random` spreads retries; `new_id` gives associations to machines that carry no request.

        `lenient`: as over InfraKit's wire, fields that are not known are ignored, and faults have InfraKit's words.
        """
        self._clusters = clusters
        self._fetch = fetch
        self._lenient = lenient
        self._hosted: dict[str, HostCluster] = {}
        self._engines = engines
        self._clock = clock
        self._random = random or Random()
        self._new_id = new_id

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        wanted = read_swarm(properties, self._lenient)
        if wanted.host:
            self._engines.engine(wanted.host)
        check_allocation(wanted, allocation, self._lenient)
        if wanted.init_script_template_url:
            samples = _samples(wanted, properties, allocation)
            await check_template(self._fetch, wanted.init_script_template_url, *samples)

    def membership(self, properties: RawJson) -> Membership:
        """For managers an empty cluster means the one that is named after their own group."""
        wanted = read_swarm(properties, self._lenient)
        return Membership(wanted.role, wanted.cluster, elsewhere=bool(wanted.host))

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """With a fresh join token in Init. The same request always gives the same association."""
        wanted = read_swarm(properties, self._lenient)
        if wanted.role is Role.MANAGER and not spec.logical_id:
            raise RejectedError(
                "Manager nodes require a LogicalID, which will be used as an assigned private IP address"
            )
        joining = await self._joining(wanted, spec)
        association = association_of(spec.tags) or self._new_id()
        labels = _engine_labels(wanted, spec, association)
        check_labels(labels)
        return replace(
            spec,
            init=await self._init(wanted, properties, spec, allocation, joining, labels),
            tags={
                **spec.tags,
                ASSOCIATION: association,
                **({CLUSTER_TAG: joining.state.id} if joining.state.id else {}),
            },
            attachments=spec.attachments + attachments_of(wanted.attachments, spec.logical_id),
        )

    async def _joining(self, wanted: SwarmProperties, spec: InstanceSpec) -> "_Joining":
        clusters = self._ways(wanted)
        name = self._name(wanted, spec.tags)
        if not isinstance(clusters, HostCluster):
            return await _joining(clusters, await clusters.state(name), wanted.role, spec.logical_id)
        try:
            return await _joining(clusters, await clusters.state(name), wanted.role, spec.logical_id)
        except (UnavailableError, NotReadyError) as error:
            raise type(error)(f"Failed to fetch Swarm join tokens: {error}") from error

    async def _init(
        self,
        wanted: SwarmProperties,
        properties: RawJson,
        spec: InstanceSpec,
        allocation: Allocation,
        joining: "_Joining",
        labels: Mapping[str, str],
    ) -> str:
        """Our own script, or what a template makes of the same knowledge."""
        if not wanted.init_script_template_url:
            return init_script(labels, ASSOCIATION, wanted.docker_restart_command, joining.way, spec.init)
        script = init_script(labels, ASSOCIATION, wanted.docker_restart_command, joining.way)
        values = template_values(properties, spec, allocation) | _swarm_values(joining, labels, script)
        return after(spec.init, await script_of(self._fetch, wanted.init_script_template_url, values))

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        """Where the cluster is not there yet nobody has joined; where it does not answer nothing is known."""
        if not instances:
            return []
        wanted = read_swarm(properties, self._lenient)
        try:
            nodes = await self._nodes(wanted, instances[0].tags)
        except NotReadyError as error:
            return [MemberHealth(Health.UNKNOWN, detail=f"has not joined: {error}") for _ in instances]
        return [health_of(wanted.role, nodes_of(instance, nodes)) for instance in instances]

    async def _nodes(self, wanted: SwarmProperties, tags: Mapping[str, str]) -> Sequence[Node]:
        """NotReadyError only while the cluster has never been; UnavailableError when it is silent."""
        clusters, name = self._ways(wanted), self._name(wanted, tags)
        try:
            return await (await clusters.manager(name)).nodes()
        except NotReadyError as error:
            if (await clusters.state(name)).id:
                raise UnavailableError(str(error)) from error
            raise

    async def strays(
        self, properties: RawJson, group: str, instances: Sequence[InstanceDescription], *, removed: bool = False
    ) -> Sequence[InstanceDescription]:
        wanted = read_swarm(properties, self._lenient)
        nodes = await self._nodes(wanted, {GROUP_TAG: group})
        return list(strays_of(group, instances, nodes, removed=removed))

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        if request.cluster_ends:
            return
        wanted = read_swarm(properties, self._lenient)
        clusters, name = self._ways(wanted), self._name(wanted, instance.tags)
        if isinstance(clusters, HostCluster) and not wanted.host and await clusters.ends_with(instance):
            clusters.forget()
            return
        departure = Departure(clusters, name, self._clock, self._random, advance)
        await departure.leave(instance, request)

    def _ways(self, wanted: SwarmProperties) -> Clusters:
        if wanted.host:
            return self._hosted.setdefault(wanted.host, HostCluster(self._engines, [wanted.host], self._clock))
        if isinstance(self._clusters, HostCluster) and wanted.role is Role.MANAGER and wanted.swarm_join_ip:
            return self._clusters.founded_by(wanted.swarm_join_ip)
        return self._clusters

    def _name(self, wanted: SwarmProperties, tags: Mapping[str, str]) -> str:
        """Empty where it is known by its hosts. Who names none stays where its group's machines are, though there may
        be other clusters by now."""
        if isinstance(self._clusters, HostCluster):
            return ""
        return _cluster_name(wanted, tags) or self._clusters.joined_by(tags.get(GROUP_TAG, ""))


def _cluster_name(wanted: SwarmProperties, tags: Mapping[str, str]) -> str:
    if wanted.cluster or wanted.host or wanted.role is Role.WORKER:
        return wanted.cluster
    if GROUP_TAG not in tags:
        raise RejectedError(f"managers found the cluster of their group, and there is no tag {GROUP_TAG} that names it")
    return tags[GROUP_TAG]


@dataclass(frozen=True, slots=True)
class _Joining:
    """How a machine comes in. `tokens` are empty for who founds the Swarm."""

    state: ClusterState
    way: Way
    tokens: JoinTokens = field(default=JoinTokens("", ""), repr=False)


async def _joining(clusters: Clusters, state: ClusterState, role: Role, logical_id: str | None) -> _Joining:
    """Found the Swarm if this member, and only this one, was chosen to and none is there yet (semantics.md N9)."""
    if role is Role.MANAGER and not state.id and state.bootstrap == logical_id:
        return _Joining(state, Way(logical_id))
    engine = await clusters.manager(state.name)
    nodes = [node for node in await engine.nodes() if node.manager_addr and node.reachability == "reachable"]
    # Asked again for the founder itself, the script finds that it has joined; there is nobody else to be named.
    others = [node for node in nodes if node.addr != logical_id] or nodes
    if not others:
        raise NotReadyError(f"the cluster {state.name or 'that there is'} has no manager that can be joined")
    tokens = await engine.join_tokens()
    leader_first = sorted(others, key=lambda node: (not node.leader, node.manager_addr))
    token = tokens.manager if role is Role.MANAGER else tokens.worker
    return _Joining(state, Way(logical_id, tuple(node.manager_addr for node in leader_first), token), tokens)


def _swarm_values(joining: _Joining, labels: Mapping[str, str], script: str) -> dict[str, object]:
    """The variables of infrakit-compat.md 4.1 that only this flavor has, and the script that it makes itself."""
    return {
        "INFRAKIT_LABELS": [f"{name}={value}" for name, value in labels.items()],
        "SWARM_INITIALIZED": bool(joining.state.id),
        "SWARM_MANAGER_ADDR": next(iter(joining.way.managers), ""),
        "SWARM_JOIN_TOKENS": {"Worker": joining.tokens.worker, "Manager": joining.tokens.manager},
        "SWARM_CLUSTER_ID": joining.state.id,
        "SWARM_SCRIPT": script,
    }


def _samples(wanted: SwarmProperties, properties: RawJson, allocation: Allocation) -> list[dict[str, object]]:
    """What a template may be given: for who joins and, of managers, for who founds."""
    spec = sample_spec(allocation)
    labels = _engine_labels(wanted, spec, "0123456789abcdef")
    joins = Way(spec.logical_id, ("192.0.2.1:2377",), "TOKEN")
    joinings = [_Joining(ClusterState("", id="sample"), joins, JoinTokens("TOKEN", "TOKEN"))]
    if wanted.role is Role.MANAGER:
        joinings.append(_Joining(ClusterState(""), Way(spec.logical_id)))
    values = sample_values(properties, allocation)
    return [
        values | _swarm_values(one, labels, init_script(labels, ASSOCIATION, wanted.docker_restart_command, one.way))
        for one in joinings
    ]


def _engine_labels(wanted: SwarmProperties, spec: InstanceSpec, association: str) -> dict[str, str]:
    ours = {ASSOCIATION: association, GROUP_LABEL: spec.tags.get(GROUP_TAG), LOGICAL_ID_LABEL: spec.logical_id}
    return {name: value for name, value in ours.items() if value} | wanted.engine_labels
