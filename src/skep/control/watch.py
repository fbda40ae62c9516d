"""Streams of changes that wake keys. They only make skep quick: the resync finds everything without them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from skep.control.abilities import can
from skep.control.clusters import ClusterBook
from skep.model.errors import SkepError
from skep.model.spec import Key, Kind
from skep.ports import Clock, InstancePlugin, Watchable

log = structlog.get_logger()

RETRY_S = 1.0
"""A stream that broke is opened again after a second."""

Wake = Callable[[Key], None]


class Watch:
    """One task for each instance plugin with a stream of changes, and one for each cluster that is formed."""

    def __init__(self, clusters: ClusterBook, clock: Clock, wake: Wake, wake_cluster: Callable[[str], None]) -> None:
        self._clusters, self._clock, self._wake, self._wake_cluster = clusters, clock, wake, wake_cluster

    async def run(self, plugins: Mapping[str, InstancePlugin], wake_all: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            for name, plugin in plugins.items():
                if can(plugin, Watchable):
                    group.create_task(self._machines(plugin, wake_all), name=f"watch {name}")
            streams: dict[str, asyncio.Task[None]] = {}
            while True:
                names = set(await self._clusters.names())
                for cluster in names - streams.keys():
                    streams[cluster] = group.create_task(self._cluster(cluster), name=f"watch {cluster}")
                for cluster in streams.keys() - names:
                    streams.pop(cluster).cancel()
                await self._clock.sleep(RETRY_S)

    async def _machines(self, plugin: Watchable, wake_all: Callable[[], None]) -> None:
        async def follow() -> None:
            async for name in plugin.changes():
                if name:
                    self._wake(Key(Kind.GROUP, name))
                else:
                    wake_all()

        await self._for_ever(follow)

    async def _cluster(self, cluster: str) -> None:
        async def follow() -> None:
            engine = await self._clusters.manager(cluster)
            async for event in engine.events({"type": ["node", "service"]}):
                if event.type == "service":
                    self._wake(Key(Kind.WORKLOAD, event.attributes.get("name", "")))
                else:
                    self._wake_cluster(cluster)

        await self._for_ever(follow)

    async def _for_ever(self, follow: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await follow()
            except SkepError as error:
                log.debug("a stream of changes ended", error=str(error))
            await self._clock.sleep(RETRY_S)
