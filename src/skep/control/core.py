"""The core put together: what the server's requests are answered with, and the controllers that do the work.

Everything outside comes in as a port, so that the simulation runs this very object.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.control.actions import Actions
from skep.control.adoptions import Adoptions
from skep.control.board import Board
from skep.control.catalog import Catalog
from skep.control.cluster_views import formed_view, static_view
from skep.control.clusters import ClusterBook
from skep.control.container_level import ContainerLevel
from skep.control.controller import Controller
from skep.control.documents import SpecDocument
from skep.control.endpoints import EngineBook
from skep.control.harm import Harm
from skep.control.hidden import CLASSIC_AGE_S
from skep.control.hub import Hub
from skep.control.intake import Intake
from skep.control.journal import Journal
from skep.control.levels import Level
from skep.control.machines import Machines
from skep.control.moment import Now
from skep.control.preview import Preview
from skep.control.reconcile import Reconciler
from skep.control.records import Records
from skep.control.revisions import history_view
from skep.control.services import SwarmWorkloads
from skep.control.surroundings import Groups, Standing
from skep.control.topology import Topology
from skep.control.validate import Validator
from skep.control.views import described, key_view, shown_spec
from skep.control.watch import Watch
from skep.control.workloads import Workloads
from skep.model.errors import NotReadyError, RefusedError, UnavailableError
from skep.model.plan import NoteKind
from skep.model.request import PLAIN, ApplyOptions
from skep.model.spec import GroupSpec, Key, Kind
from skep.model.state import ClusterState, Event, Limits, Record
from skep.model.view import ChangeView, ClusterView, KeyView, Listed, PlanView, RevisionView
from skep.planning.draft import BURST_MAX
from skep.ports import Clock, Engines, InstancePlugin, Plugins, Secrets, Store
from skep.specs.source import SourceFile

FRESH_S = 1.0
"""architecture.md: a describe takes a fresh observation if the last is older than a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the core. Times in seconds, see settings.py for their reasons.

    call_limit: calls at once to one engine. burst: machines of a group that are made or removed at once where they join
    no Swarm and this host has only to ask for them (W8). classic_age_s: how old may be what a classic Swarm
    manager tells. own_machine: the logical ID of the machine that this runs on.
    """

    controller: str = "skep"
    resync_s: float = 30.0
    poll_s: float = 10.0
    drain_wait_s: float = 600.0
    history: int = 10
    events_kept: int = 1000
    call_limit: int = 4
    burst: int = BURST_MAX
    classic_age_s: float = CLASSIC_AGE_S
    own_machine: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, as ports. `watched`: the instance plugins whose streams of changes wake groups.

    `static` are the clusters of the settings, `clusters` those and the ones that groups form.
    """

    store: Store
    clock: Clock
    rng: random.Random
    plugins: Plugins
    watched: Mapping[str, InstancePlugin]
    secrets: Secrets
    engines: Engines
    static: EngineBook
    clusters: ClusterBook
    hub: Hub


class Core:
    """One controller process. `run` acts; the other methods may be called before and while it runs."""

    def __init__(self, world: World, options: Options) -> None:
        self._world, self._options = world, options
        self._topology = Topology(world.plugins, world.clusters.standing, self._made_in)
        self._catalog = Catalog(world.store, options.history)
        self._journal = Journal(world.store, world.clock, options.events_kept)
        self._harm = Harm(self._catalog, self._topology, world.plugins, world.clusters, world.static, self._record)
        self._intake = Intake(
            self._catalog,
            self._topology,
            Validator(world.plugins),
            self._journal,
            world.clock,
            lambda: f"{world.rng.getrandbits(64):016x}",
            world.hub.wake,
            self._has_failed,
            self._harm,
        )
        world.clusters.attach(self._formed, lambda group: self._made_in(Key(Kind.GROUP, group)))
        self._reconcilers: dict[Kind, Reconciler] = {}
        self._records: Records | None = None
        self._board = Board(self._shown)
        self.ready = asyncio.Event()

    async def run(self, holder: str) -> None:
        """Take the term and act under it until cancelled. StaleTermError when another has taken over.

        RefusedError where a cluster of the settings has the name of one that a stored group forms.
        """
        await self._refuse_two_of_a_name()
        term = await self._world.store.acquire(holder)
        await self._world.clusters.begin(term)
        await self._journal.load()
        records = Records(self._world.store, self._world.clock, term, self._board.changed)
        await records.recall({d.key for d in await self._catalog.list()})
        self._records = records
        try:
            async with asyncio.TaskGroup() as group:
                self._begin(group, records)
                self.ready.set()
        finally:
            self.ready.clear()
            self._world.hub.detach()

    async def _refuse_two_of_a_name(self) -> None:
        both = sorted((await self._formed()) & set(self._world.static.names()))
        if both:
            raise RefusedError(
                f"the settings have a cluster {both[0]}, and the managers of a stored group form a Swarm of that name: "
                "give the cluster of the settings another name"
            )

    async def _formed(self) -> frozenset[str]:
        """The clusters that manager groups form."""
        return self._topology.formed(await self._catalog.list(Kind.GROUP))

    def _made_in(self, key: Key) -> str:
        return self._kept().made_in(key)

    def _begin(self, group: asyncio.TaskGroup, records: Records) -> None:
        world, options = self._world, self._options
        actions = Actions(group, world.clock, world.hub.wake)
        controllers = {}
        for kind, level in self._levels(records.term).items():
            self._reconcilers[kind] = reconciler = Reconciler(
                level, self._catalog, records, self._journal, actions, world.clock, world.rng
            )
            controllers[kind] = Controller(
                kind, reconciler, self._catalog, world.clock, world.rng, options.resync_s, self._board
            )
        world.hub.attach(lambda key: controllers[key.kind].wake(key), self._keys_on)
        watch = Watch(world.hub, world.clusters, world.static, world.clock, options.controller)
        for kind, controller in controllers.items():
            group.create_task(controller.run(), name=f"controller {kind}")
        group.create_task(watch.run(world.watched, controllers[Kind.GROUP].wake_all), name="watch")

    def _levels(self, term: int) -> dict[Kind, Level]:
        world, options = self._world, self._options
        return {
            Kind.GROUP: Machines(
                self._topology,
                world.plugins,
                world.clusters,
                world.clock,
                options.limits,
                options.drain_wait_s,
                options.poll_s,
                options.burst,
                options.own_machine,
            ),
            Kind.WORKLOAD: self._workloads(term),
        }

    def _workloads(self, term: int) -> Level:
        world, options = self._world, self._options
        name, limits = options.controller, options.limits
        groups = Groups(self._topology, self.standing, world.clock)
        services = SwarmWorkloads(
            self._topology, world.clusters, world.secrets, world.clock, world.rng, name, limits, groups
        )
        containers = ContainerLevel(
            world.static,
            Adoptions(world.store, term),
            world.secrets,
            name,
            limits,
            options.call_limit,
            options.classic_age_s,
        )
        return Workloads(self._topology, world.static, services, containers)

    def _keys_on(self, cluster: str) -> tuple[Key, ...]:
        return tuple(key for reconciler in self._reconcilers.values() for key in reconciler.keys_on(cluster))

    # --- requests --------------------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        return self.ready.is_set()

    async def apply(
        self, files: Sequence[SourceFile], who: str, options: ApplyOptions = PLAIN
    ) -> tuple[ChangeView, ...]:
        """The events are written by the turns that this begins: who submits waits for the disk once, for the spec."""
        return await self._intake.apply(files, who, options)

    async def plan(self, files: Sequence[SourceFile], kind: Kind | None = None) -> tuple[PlanView, ...]:
        preview = Preview(self._catalog, self._running)
        return await preview.plan([p.spec for p in await self._intake.read(files, kind)])

    async def check(self, files: Sequence[SourceFile]) -> tuple[str, ...]:
        return tuple(str(p.spec.key) for p in await self._intake.read(files))

    async def delete(
        self, files: Sequence[SourceFile], who: str, cascade: bool, why: str = ""
    ) -> tuple[ChangeView, ...]:
        return await self._intake.delete(files, who, cascade, why)

    async def remove(
        self, key: Key, who: str, cascade: bool, *, again: bool = False, why: str = ""
    ) -> tuple[ChangeView, ...]:
        return await self._intake.remove(key, who, cascade, again=again, why=why)

    async def take(self, spec: GroupSpec, who: str, *, pretend: bool) -> None:
        """Accept a group whose plugins have been asked already; if it is pretended, only say what forbids it.

        What failed is tried at once, also when the spec is the one that failed (semantics.md W38, F5).
        """
        if pretend:
            await self._harm.refuse([spec])
            return
        has_failed = any(failure.count for failure in (await self._record(spec.key)).ledger.failures)
        await self._intake.take(spec, who, again=has_failed)
        await self._journal.flush()

    async def document(self, key: Key) -> SpecDocument | None:
        return await self._catalog.get(key)

    async def documents(self, kind: Kind) -> tuple[SpecDocument, ...]:
        return await self._catalog.list(kind)

    async def standing(self, key: Key) -> Standing:
        reconciler = self._running(key.kind)
        return Standing(reconciler.seen(key), await self._record(key), reconciler.trouble(key))

    async def free(self, key: Key, who: str, why: str = "") -> ChangeView:
        change = await self._intake.free(key, who, why)
        if self._records is not None:
            await self._records.let_go(key)
        await self._journal.flush()
        return change

    async def retry(self, key: Key, who: str, why: str = "") -> ChangeView:
        return await self._intake.retry(key, who, why)

    async def scale(self, key: Key, count: int, who: str, why: str = "") -> ChangeView:
        return await self._intake.scale(key, count, who, why)

    async def rollback(self, key: Key, to: int | None, who: str, why: str = "") -> ChangeView:
        return await self._intake.rollback(key, to, who, why)

    async def pause(self, key: Key, who: str, why: str = "") -> ChangeView:
        change = await self._intake.pause(key, await self._record(key), who, why)
        await self._journal.flush()
        return change

    async def resume(self, key: Key, who: str, why: str = "") -> ChangeView:
        change = await self._intake.resume(key, who, why)
        await self._journal.flush()
        return change

    def _running(self, kind: Kind) -> Reconciler:
        """The reconciler of a kind; UnavailableError in the moments before the term begins."""
        if kind not in self._reconcilers:
            raise UnavailableError("skep is starting; try again in a moment")
        return self._reconcilers[kind]

    async def views(self, kind: Kind | None = None, fresh: bool = False) -> tuple[KeyView, ...]:
        listed = await self.listed(kind, fresh)
        aged = zip(listed.views, listed.ages_s, strict=True)
        return tuple(replace(view, observed_age_s=age_s) for view, age_s in aged)

    async def listed(self, kind: Kind | None = None, fresh: bool = False) -> Listed:
        documents = await self._catalog.list(kind)
        if fresh:
            await self._refresh(*(d.key for d in documents))
        return await self._board.listed(documents, self._world.clock.monotonic_s())

    async def _shown(self, document: SpecDocument) -> tuple[KeyView, float | None]:
        seen = self._running(document.key.kind).seen(document.key)
        return await self._key_view(document), seen.at_s if seen else None

    async def _key_view(self, document: SpecDocument) -> KeyView:
        reconciler, key = self._running(document.key.kind), document.key
        record = await self._record(key)
        return key_view(document, record, reconciler.seen(key), self._now(), reconciler.trouble(key))

    async def view(self, key: Key) -> KeyView:
        document = await self._catalog.require(key)
        await self._refresh(key)
        seen, record = self._running(key.kind).seen(key), await self._record(key)
        return await described(await self._key_view(document), seen, record, self._now())

    def _has_failed(self, key: Key) -> bool:
        seen = self._reconcilers[key.kind].seen(key) if key.kind in self._reconcilers else None
        return seen is not None and any(n.kind is NoteKind.REVISION_FAILED for n in seen.plan.notes)

    def _now(self) -> Now:
        return Now(self._world.clock.monotonic_s(), self._world.clock.wall_s())

    async def _record(self, key: Key) -> Record:
        return await self._kept().glance(key)

    def _kept(self) -> Records:
        """UnavailableError in the moments before the term begins."""
        if self._records is None:
            raise UnavailableError("skep is starting; try again in a moment")
        return self._records

    async def _refresh(self, *keys: Key) -> None:
        """Wait a little for looks that are not older than a second; old ones are better than none."""
        clock = self._world.clock
        old = [key for key in keys if self._age_s(key) > FRESH_S]
        for key in old:
            self._world.hub.wake(key)
        asked_s = clock.monotonic_s()
        while old and clock.monotonic_s() - asked_s < FRESH_S:
            await clock.sleep(0.01)
            old = [key for key in old if self._age_s(key) > FRESH_S]

    def _age_s(self, key: Key) -> float:
        seen = self._running(key.kind).seen(key)
        return self._world.clock.monotonic_s() - seen.at_s if seen else float("inf")

    async def history(self, key: Key) -> tuple[RevisionView, ...]:
        return history_view(await self._catalog.require(key), self._world.secrets.keyed_hash)

    async def spec(self, key: Key) -> str:
        return shown_spec((await self._catalog.require(key)).spec, self._world.secrets.keyed_hash)

    async def events(self, since: int, wait_s: float, key: str = "") -> tuple[Event, ...]:
        """Events after `since`, of one key where it is named; waits up to `wait_s` for the first one."""
        clock = self._world.clock
        deadline_s = clock.monotonic_s() + wait_s
        while not (found := self._journal.since(since, key)) and clock.monotonic_s() < deadline_s:
            await clock.sleep(0.1)
        return found

    async def clusters(self) -> tuple[ClusterView, ...]:
        names = await self._world.clusters.names()
        return tuple(await asyncio.gather(*(self._cluster_view(name) for name in names)))

    async def _cluster_view(self, name: str) -> ClusterView:
        world = self._world
        if world.static.has(name):
            return static_view(await world.static.sight(name))
        try:
            state = await world.clusters.state(name)
        except NotReadyError:
            state = ClusterState(name)
        return await formed_view(state, world.engines)
