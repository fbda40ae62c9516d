"""The level of machines: groups of instances, made by an instance plugin and joined to a cluster by a flavor."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from skep.control import groups
from skep.control.abilities import can
from skep.control.clusters import ClusterBook
from skep.control.documents import SpecDocument, spec_of
from skep.control.levels import Resolved
from skep.control.machine_memory import Memory
from skep.control.pauses import as_settled, standing_still
from skep.control.topology import Place, Topology, removed_first, why_astray
from skep.model.errors import BugError, NotReadyError, UnavailableError
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import GroupSpec, Key
from skep.model.state import (
    EVERYTHING,
    HEALTH,
    ClusterManager,
    Desired,
    Entry,
    Health,
    Life,
    Limits,
    Member,
    Observed,
    Phase,
    Record,
    Role,
)
from skep.planning.draft import BURST_MAX
from skep.ports import (
    Advance,
    Bootable,
    Clock,
    DrainRequest,
    FlavorPlugin,
    HoldsImages,
    InstancePlugin,
    Joins,
    Plugins,
    Reachable,
    Startable,
    Watchable,
)

PREPARE_WAIT_S = 5.0
"""How long one attempt waits for its cluster before it is put down as not ready and tried again."""

PREPARE_POLL_S = 0.2

LAPSE_S = 120.0
"""For so long has nobody wanted or made the founder of a Swarm before another one is named: a listing may be old, and a
machine whose making had no answer may come to be (semantics.md N9: there is only one)."""

UNKNOWN_HEALTH = MemberHealth(Health.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Group:
    """What an actuator works with: the spec, its plugins and its place. `ends`: its whole cluster is being removed.

    `joined`: machines of it have joined the place's cluster. `astray`: why nobody knows which Swarm that is, or where,
    and what to do about it; empty where it is known. `lapsed`: the manager that was to found the Swarm, and is neither
    wanted nor being made any more.
    """

    spec: GroupSpec
    instance: InstancePlugin
    flavor: FlavorPlugin
    place: Place
    ends: bool
    joined: bool = False
    astray: str = ""
    lapsed: str = ""


class Machines:
    """Implements control.levels.Level."""

    def __init__(
        self,
        topology: Topology,
        plugins: Plugins,
        clusters: ClusterBook,
        clock: Clock,
        limits: Limits,
        drain_wait_s: float,
        poll_s: float,
        burst: int = BURST_MAX,
        own: str = "",
    ) -> None:
        self._topology, self._plugins, self._clusters, self._clock = topology, plugins, clusters, clock
        self._limits, self._drain_wait_s, self._poll_s, self._burst = limits, drain_wait_s, poll_s, burst
        self._memories: dict[Key, Memory] = {}
        self._lapsing: dict[Key, tuple[str, float]] = {}
        self._own = own

    async def resolve(self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]) -> Resolved:
        asked, document = document, as_settled(document)
        places = self._topology.places([document if d.key == document.key else d for d in world])
        group = self._group(document, places)
        record = await self._joined(group.place, record)
        astray = why_astray(group.place, record, self._topology.names(world))
        group = replace(group, joined=bool(record.made_in), astray=astray, lapsed=await self._lapsed(group, record))
        spec, role = group.spec, group.place.role
        desired = Desired(
            key=document.key,
            generation=document.generation,
            size=0 if document.removed else spec.allocation.count,
            slots=spec.allocation.logical_ids or None,
            fingerprint=groups.fingerprint(spec),
            replace_sha=groups.replace_sha(spec, group.instance, group.flavor),
            max_surge=groups.max_surge(spec),
            max_unavailable=groups.max_unavailable(spec, role),
            role=role,
            removed=document.removed,
            formed=role is not Role.MANAGER or await self._is_formed(group.place.cluster),
            hold=await self._hold(group),
            hold_removal=(removed_first(group.place, places) or astray) if document.removed else "",
            limits=self._limits_of(group),
            own=self._own,
        )
        memory = self._memories.setdefault(document.key, Memory(document.key, self._clock, self._poll_s))
        actuator = GroupActuator(group, self._clusters, self._clock, self._drain_wait_s, memory)
        poll_s = None if can(group.instance, Watchable) else self._poll_s
        desired = standing_still(desired, asked, document)
        return Resolved(
            desired, record, actuator, group.place.cluster, poll_s, refusal="" if document.removed else astray
        )

    async def _joined(self, place: Place, record: Record) -> Record:
        """From now on its machines may be nodes of this cluster, whatever others there come to be."""
        if place.role is not Role.WORKER or place.cluster in ("", record.made_in):
            return record
        return replace(record, made_in=place.cluster) if await self._is_formed(place.cluster) else record

    def _limits_of(self, group: Group) -> Limits:
        """Machines that join no Swarm, and whose engines do not boot on this host, are all made at once (W8): N39's ten
        are about joins."""
        if group.place.role is not None or can(group.instance, Reachable):
            return self._limits
        return replace(self._limits, parallel=self._burst)

    def _group(self, document: SpecDocument, places: Sequence[Place]) -> Group:
        spec = spec_of(document.spec)
        if not isinstance(spec, GroupSpec):
            raise BugError(f"{document.key} holds no group")
        place = next(p for p in places if p.key == document.key)
        managers = [p for p in places if p.cluster == place.cluster and p.role is Role.MANAGER]
        return Group(
            spec,
            self._plugins.instance(spec.instance.plugin),
            self._plugins.flavor(spec.flavor.plugin),
            place,
            ends=self._ends(place.cluster, managers),
        )

    def _ends(self, cluster: str, managers: Sequence[Place]) -> bool:
        """Whether all that there is of the cluster is to go. One of the settings, or whose group was freed, stays."""
        if not managers:
            return bool(cluster) and cluster not in self._clusters.standing()
        return all(p.removed for p in managers)

    async def _is_formed(self, cluster: str) -> bool:
        try:
            return bool((await self._clusters.state(cluster)).id)
        except NotReadyError:
            return False

    async def _lapsed(self, group: Group, record: Record) -> str:
        """Empty where that is nobody. Whether its machine is there is for a listing to tell."""
        if group.place.role is not Role.MANAGER:
            return ""
        try:
            founder = (await self._clusters.state(group.place.cluster)).bootstrap
        except NotReadyError:
            return ""
        kept = {*group.spec.allocation.logical_ids, *(e.slot for e in record.ledger.entries)}
        before, since_s = self._lapsing.get(record.key, ("", 0.0))
        if founder != before or founder in kept:
            before, since_s = self._lapsing[record.key] = (
                "" if founder in kept else founder,
                self._clock.monotonic_s(),
            )
        return before if self._clock.monotonic_s() - since_s >= LAPSE_S else ""

    async def _hold(self, group: Group) -> str:
        """Workers whose machines can't boot ahead are made only when there is a manager to join."""
        if group.astray or group.place.role is not Role.WORKER or can(group.instance, Bootable):
            return group.astray
        try:
            await self._clusters.manager(group.place.cluster)
        except NotReadyError as error:
            return str(error)
        return ""

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        self._memories.pop(document.key, None)
        self._lapsing.pop(document.key, None)
        place = next(p for p in self._topology.places(world) if p.key == document.key)
        if place.role is Role.MANAGER:
            await self._clusters.forget(place.cluster)


class GroupActuator:
    """Implements ports.Actuator for one group spec."""

    def __init__(
        self, group: Group, clusters: ClusterBook, clock: Clock, drain_wait_s: float, memory: Memory | None = None
    ) -> None:
        """`memory`: what was heard of the group's machines before."""
        self._group, self._clusters, self._clock, self._drain_wait_s = group, clusters, clock, drain_wait_s
        self._memory = memory or Memory(group.spec.key, clock, 0.0)
        self._seen: dict[str, InstanceDescription] = {}

    async def observe(self, desired: Desired) -> Observed:
        group = self._group
        try:
            listed = await group.instance.describe({groups.GROUP_TAG: group.spec.id})
        except UnavailableError as error:
            return Observed(silent=frozenset({EVERYTHING}), why=str(error))
        if group.place.role is Role.MANAGER:
            await self._learn_managers(group, listed)
        silent = set()
        strays: Sequence[InstanceDescription] = ()
        healths: Sequence[MemberHealth] = [UNKNOWN_HEALTH] * len(listed)
        try:
            await self._find(group, listed)
            strays = await self._strays(group, listed)
            healths = await self._healths(group, listed)
        except (UnavailableError, NotReadyError) as error:
            healths = [MemberHealth(Health.UNKNOWN, detail=str(error))] * len(listed)
            self._clusters.doubt(group.place.cluster)
            # Of a group that is being removed nobody can say then that nothing of it is left.
            silent = {HEALTH} if listed or group.place.removed else set()
        self._seen = {d.id: d for d in (*listed, *strays)}
        drifts = await self._drifts(group, listed)
        source = group.spec.instance.plugin
        members = [
            *(groups.member(d, h, drift, source) for d, h, drift in zip(listed, healths, drifts, strict=True)),
            *(groups.member(d, UNKNOWN_HEALTH, (), source) for d in strays),
        ]
        return Observed(tuple(members), frozenset(silent))

    async def _learn_managers(self, group: Group, listed: Sequence[InstanceDescription]) -> None:
        """Tell the cluster's document where its managers' engines are."""
        if not can(group.instance, Reachable):
            return
        running = [d for d in listed if d.life in (Life.RUNNING, Life.PENDING)]
        endpoints = await asyncio.gather(*(group.instance.endpoint(d.id) for d in running))
        known = tuple(
            ClusterManager(d.logical_id or d.id, e) for d, e in zip(running, endpoints, strict=True) if e is not None
        )
        if known:
            await self._clusters.learn(group.place.cluster, known)

    async def _find(self, group: Group, listed: Sequence[InstanceDescription]) -> None:
        """NotReadyError where machines that may have joined a Swarm can't be looked up in it: they don't count as those
        that have not joined."""
        if group.astray and (listed or group.joined):
            raise NotReadyError(group.astray)
        if group.joined and not group.ends:
            await self._clusters.state(group.place.cluster)

    async def _strays(self, group: Group, listed: Sequence[InstanceDescription]) -> Sequence[InstanceDescription]:
        if not can(group.flavor, Joins) or group.ends:
            return ()
        properties = group.spec.flavor.properties
        try:
            return await group.flavor.strays(properties, group.spec.id, listed, removed=group.place.removed)
        except NotReadyError:
            return ()

    async def _healths(self, group: Group, listed: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        properties = group.spec.flavor.properties
        if group.place.role is None:
            return await self._memory.healths(group.flavor, properties, listed)
        return await group.flavor.healthy(properties, listed) if listed else ()

    async def _drifts(self, group: Group, listed: Sequence[InstanceDescription]) -> Sequence[tuple[str, ...]]:
        """Of each machine, the images that it lacks."""
        plugin = group.instance
        if not group.spec.images or group.place.removed or not can(plugin, HoldsImages):
            return [()] * len(listed)
        return await asyncio.gather(*(self._drift(group, plugin, d) for d in listed))

    async def _drift(self, group: Group, plugin: HoldsImages, description: InstanceDescription) -> tuple[str, ...]:
        """A machine that does not answer is not asked again in this turn."""
        if description.life is not Life.RUNNING:
            return ()
        try:
            outdated = await plugin.outdated_images(description.id, group.spec.images)
        except UnavailableError:
            return ()
        return tuple(f"image {image}" for image in outdated)

    async def create(self, desired: Desired, entry: Entry, advance: Advance) -> None:
        """Boot the machine while its cluster is made, load its images, then let it join.

        A plugin that can't boot ahead may not know of requests: once its listing has what an earlier try made, it is
        not asked again.
        """
        group = self._group
        if not can(group.instance, Bootable) and self._is_made(entry):
            return
        if group.place.role is Role.MANAGER and entry.slot:
            is_there = any(d.logical_id == group.lapsed for d in self._seen.values())
            lapsed = "" if is_there else group.lapsed
            await self._clusters.claim_bootstrap(group.place.cluster, entry.slot, lapsed)
        spec = groups.instance_spec(group.spec, entry)
        if can(group.instance, Bootable):
            await advance(Phase.PROVISION)
            await self._boot(group, group.instance, spec, advance)
        if group.place.role is not None:
            # What joins no Swarm asks nobody anything here, and a phase costs a write.
            await advance(Phase.PREPARE)
        prepared = await self._prepared(group, spec)
        await advance(Phase.PROVISION)
        await group.instance.provision(prepared)

    def _is_made(self, entry: Entry) -> bool:
        """Our own plugins list a machine as running when there is nothing left to be done for its request."""
        of_request = [d for d in self._seen.values() if d.tags.get(groups.REQUEST_TAG) == entry.request]
        return any(d.life is Life.RUNNING for d in of_request)

    async def _boot(self, group: Group, instance: Bootable, spec: InstanceSpec, advance: Advance) -> None:
        machine = await instance.boot(spec)
        if group.spec.images and can(instance, HoldsImages):
            outdated = await instance.outdated_images(machine, group.spec.images)
            if outdated:
                await advance(Phase.PROVISION)
                await instance.load_images(machine, outdated)

    async def _prepared(self, group: Group, spec: InstanceSpec) -> InstanceSpec:
        """A flavor that knows of no cluster of ours may ask others far away: it is asked once for each attempt."""

        async def ask() -> InstanceSpec:
            return await group.flavor.prepare(group.spec.flavor.properties, spec, group.spec.allocation)

        if group.place.role is None:
            return await self._memory.prepared(spec.logical_id or "", ask)
        deadline_s = self._clock.monotonic_s() + PREPARE_WAIT_S
        while True:
            try:
                return await ask()
            except NotReadyError:
                if self._clock.monotonic_s() >= deadline_s:
                    raise
            await self._clock.sleep(PREPARE_POLL_S)

    async def start(self, desired: Desired, member: Member) -> None:
        plugin = self._group.instance
        if not can(plugin, Startable):
            raise BugError(f"{member.id} is stopped, and its plugin can't start machines")
        await plugin.start(member.id)

    async def stop(self, desired: Desired, member: Member) -> None:
        raise BugError("machines are not stopped to be kept")

    async def update(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        group = self._group
        if not can(group.instance, HoldsImages):
            raise BugError(f"nothing of {member.id} can be mended in place")
        outdated = await group.instance.outdated_images(member.id, group.spec.images)
        if outdated:
            await advance(Phase.BEGUN)
            await group.instance.load_images(member.id, outdated)

    async def adopt(self, desired: Desired, member: Member, advance: Advance) -> None:
        raise BugError("machines carry tags or are not ours: there is nothing to adopt")

    async def remove(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        """Take the machine out of its cluster, then destroy it. Every step may be repeated (semantics.md N5)."""
        group = self._group
        description = self._seen.get(member.id)
        if description is not None and entry.phase is not Phase.DESTROYED:
            request = DrainRequest(self._drain_wait_s, dead=member.life is not Life.RUNNING, cluster_ends=group.ends)
            try:
                await group.flavor.drain(group.spec.flavor.properties, description, request, advance)
            except NotReadyError:
                await self._lend_its_vote(member)
                raise
        await advance(Phase.DESTROYED)
        if member.life is not Life.GONE:
            await group.instance.destroy(member.id)

    async def _lend_its_vote(self, member: Member) -> None:
        """A manager that stopped while it was being demoted may be what the majority lacks to let it go."""
        group = self._group
        stopped = member.life is Life.STOPPED and group.place.role is Role.MANAGER and not group.ends
        if stopped and can(group.instance, Startable):
            await group.instance.start(member.id)
