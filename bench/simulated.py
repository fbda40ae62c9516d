"""A skep over simulated engines, with a real store and a real API: `python -m bench.simulated FOLDER CLUSTERS`.

What is measured of it is skep's own work: its engines answer at once. Each cluster is one engine, `c1` to `cN`.
"""

import asyncio
import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

from tests.sim.controller import PlainSecrets
from tests.sim.loop import SimClock
from tests.sim.world import World as Simulated

from skep.adapters.garbage import keep_pauses_short, small_steps
from skep.adapters.store_sqlite import SqliteStore
from skep.control.clusters import ClusterBook
from skep.control.core import Core, Options, World
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.cluster import StaticCluster
from skep.plugins.registry import PluginRegistry
from skep.server.api import create_api
from skep.server.front import ImageName, Info
from skep.server.serving import ApiServer

SOCKET = "skep.sock"
IMAGE = "web:1"


class SimulatedFront:
    """The core, and what the process itself answers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def info(self) -> Info:
        return Info("skep", "0", "", "", 0)

    async def build_image(self, which: ImageName) -> str:
        return IMAGE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


def _core(folder: Path, clusters: int) -> tuple[Core, SqliteStore]:
    clock, random, hub = SimClock(), Random(1), Hub()
    simulated = Simulated(clock, random)
    names = [f"c{number + 1}" for number in range(clusters)]
    for name in names:
        simulated.add_engine(name, IMAGE)
    store = SqliteStore(folder / "store.db")
    engines = simulated.engines
    book = EngineBook([StaticCluster(name, (f"sim://{name}",)) for name in names], engines, clock, hub.cluster_changed)
    world = World(
        store=store,
        clock=clock,
        rng=random,
        plugins=PluginRegistry({}, {}),
        watched={},
        secrets=PlainSecrets(),
        engines=engines,
        static=book,
        clusters=ClusterBook(store, engines, clock, hub.cluster_changed, book),
        hub=hub,
    )
    return Core(world, Options()), store


async def _serve(folder: Path, clusters: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    core, store = _core(folder, clusters)
    steps = asyncio.create_task(small_steps())
    running = asyncio.create_task(core.run("bench"))
    await core.ready.wait()
    await ApiServer(folder / SOCKET, create_api(SimulatedFront(core))).serve(stop)
    running.cancel()
    steps.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


if __name__ == "__main__":
    keep_pauses_short()
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
