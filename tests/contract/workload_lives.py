"""Controllers of this process, one after the other, over engines of any kind."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence

from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.core import Core, Options, World
from skep.control.endpoints import EngineBook
from skep.control.hidden import CLASSIC_AGE_S
from skep.control.hub import Hub
from skep.model.cluster import StaticCluster
from skep.plugins.registry import PluginRegistry
from skep.ports import Clock, Engines
from tests.sim.controller import PlainSecrets


class CoreLife:
    """A core of this process."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._task = asyncio.create_task(core.run("contract"), name="core")

    async def kill(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def lives(
    engines: Engines, static: Sequence[StaticCluster], clock: Clock, classic_age_s: float = CLASSIC_AGE_S
) -> Callable[[], Awaitable[CoreLife]]:
    """Controllers, one after the other, that share a store."""
    store, options = MemoryStore(), Options(f"w{secrets.token_hex(3)}", classic_age_s=classic_age_s)

    async def begin() -> CoreLife:
        life = CoreLife(_core(engines, static, store, options, clock))
        await life.core.ready.wait()
        return life

    return begin


def _core(
    engines: Engines, static: Sequence[StaticCluster], store: MemoryStore, options: Options, clock: Clock
) -> Core:
    hub = Hub()
    book = EngineBook(static, engines, clock, hub.cluster_changed)
    world = World(
        store=store,
        clock=clock,
        rng=random.Random(),
        plugins=PluginRegistry({}, {}),
        watched={},
        secrets=PlainSecrets(),
        engines=engines,
        static=book,
        clusters=ClusterBook(store, engines, clock, hub.cluster_changed, book),
        hub=hub,
    )
    return Core(world, options)
