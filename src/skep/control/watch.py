"""Streams of changes that wake keys. They only make skep quick: the resync finds everything without them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from skep.control.abilities import can
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.cluster import ClusterKind
from skep.model.engine import EngineEvent
from skep.model.errors import SkepError, UnavailableError
from skep.model.spec import Key, Kind
from skep.planning.container import OWNERS
from skep.planning.service import CONTROLLER_LABEL, STATE_LABEL, WORKLOAD_LABEL
from skep.ports import Clock, InstancePlugin, Watchable

log = structlog.get_logger()

RETRY_S = 1.0
"""A stream that broke is opened again after a second."""

CHANGES = ("start", "die", "destroy", "pause", "unpause", "health_status", "rename")
"""What can befall a container that a turn would act on. A health check that runs is told of too (exec_create, …), as
often as it runs; and our own creations wake their keys by themselves."""

LISTED_LATE = frozenset({"die", "pause", "unpause"})
"""The engine tells of these before its lists show them: a container's death only after its network and mounts are
cleaned up (moby daemon/monitor.go, handleContainerExit). Inspecting the container waits for that."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of one engine of a cluster, or, with an empty `source`, those of a Swarm through a manager of it."""

    cluster: str
    source: str = ""


class Watch:
    """One task for each instance plugin with a stream of changes, and one for each stream of a cluster.

    Which streams there shall be is asked again when the hub says that a cluster has changed, and never by time.
    """

    def __init__(self, hub: Hub, clusters: ClusterBook, engines: EngineBook, clock: Clock, controller: str) -> None:
        self._hub, self._clusters, self._engines, self._clock = hub, clusters, engines, clock
        self._controller = controller

    async def run(self, plugins: Mapping[str, InstancePlugin], wake_all: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            for name, plugin in plugins.items():
                if can(plugin, Watchable):
                    group.create_task(self._machines(plugin, wake_all), name=f"watch {name}")
            streams: dict[Stream, asyncio.Task[None]] = {}
            while True:
                self._hub.changed.clear()
                wanted = await self._wanted()
                for stream in wanted - streams.keys():
                    name = f"watch {stream.cluster} {stream.source}"
                    streams[stream] = group.create_task(self._follow(stream), name=name)
                for stream in streams.keys() - wanted:
                    streams.pop(stream).cancel()
                await self._hub.changed.wait()

    async def _wanted(self) -> set[Stream]:
        """An engine that is silent has no stream, so that it gets a fresh one, and a look at all, when it is back."""
        wanted = set()
        for name in await self._clusters.names():
            sight = self._engines.known(name) if self._engines.has(name) else None
            if sight is None or sight.kind is ClusterKind.SWARM:
                wanted.add(Stream(name))
            elif sight.kind in (ClusterKind.ENGINE, ClusterKind.CLASSIC):
                wanted |= {Stream(name, e.source) for e in sight.engines if e.answers}
        return wanted

    async def _follow(self, stream: Stream) -> None:
        async def follow() -> None:
            await (self._engine(stream) if stream.source else self._swarm(stream.cluster))

        await self._for_ever(follow)

    async def _machines(self, plugin: Watchable, wake_all: Callable[[], None]) -> None:
        async def follow() -> None:
            async for name in plugin.changes():
                if name:
                    self._hub.wake(Key(Kind.GROUP, name))
                else:
                    wake_all()

        await self._for_ever(follow)

    async def _swarm(self, cluster: str) -> None:
        """The first event says that the stream is open: what happened before it is looked for."""
        engine = await self._clusters.manager(cluster)
        try:
            async for event in engine.events({"type": ["node", "service"]}):
                if event.type == "service":
                    self._hub.wake(Key(Kind.WORKLOAD, event.attributes.get("name", "")))
                else:
                    self._hub.wake_cluster(cluster)
        except UnavailableError:
            self._clusters.doubt(cluster)
            raise

    async def _engine(self, stream: Stream) -> None:
        """One that can't be opened says less of its engine than one that broke: lists are still asked for (F8)."""
        wanted = {"type": ["container"], "label": [STATE_LABEL], "event": CHANGES}
        opened = False
        try:
            async for event in self._engines.engine(stream.cluster, stream.source).events(wanted):
                if event.action == "subscribed":
                    opened = True
                    self._engines.heard(stream.cluster, stream.source)
                    self._hub.wake_cluster(stream.cluster)
                elif self._matters(event):
                    self._note(stream, event)
                    self._hub.wake(Key(Kind.WORKLOAD, event.attributes[STATE_LABEL]))
        except UnavailableError as error:
            if opened:
                self._engines.doubt(stream.cluster, stream.source, str(error))
            else:
                self._engines.suspect(stream.cluster, stream.source)
            self._hub.wake_cluster(stream.cluster)
            raise

    def _note(self, stream: Stream, event: EngineEvent) -> None:
        if event.action in LISTED_LATE:
            self._engines.befell(stream.cluster, stream.source, event.id)
        elif event.action == "destroy":
            self._engines.destroyed(stream.cluster, stream.source, event.id)

    def _matters(self, event: EngineEvent) -> bool:
        """A classic Swarm manager sends everything, whatever was asked for (semantics.md 5.4). What bears a workload's
        name and is nobody's may have been adopted (W21)."""
        told = event.attributes
        ours = told.get(CONTROLLER_LABEL) == self._controller and WORKLOAD_LABEL in told
        known = STATE_LABEL in told and (ours or OWNERS.isdisjoint(told))
        return known and event.type == "container" and event.action.partition(":")[0] in CHANGES

    async def _for_ever(self, follow: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await follow()
            except SkepError as error:
                log.debug("a stream of changes ended", error=str(error))
            await self._clock.sleep(RETRY_S)
