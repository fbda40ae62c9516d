"""A real core over the simulated world in real time, as the front of a server."""

import asyncio
from random import Random
from typing import Any

from skep.control.core import Core
from skep.model.cluster import StaticCluster
from skep.server.front import ImageName, Info
from skep.specs.source import SourceFile
from tests.sim.controller import Life, Simulation, managers, texts, workload
from tests.sim.loop import SimClock
from tests.sim.world import World

FARM = StaticCluster("farm", ("sim://farm",))


class WholeFront:
    """Everything that a core can do; `start` and `stop` are called on the server's loop."""

    def __init__(self) -> None:
        self._life: Life | None = None

    async def start(self) -> None:
        """It runs, with a group of one manager and a workload on an engine of the settings."""
        clock, random = SimClock(), Random(1)
        world = World(clock, random)
        world.host_images.update({"web:1": "sha256:1"})
        world.add_engine("farm", "web:1")
        self._life = Simulation(world, random, clock, static=(FARM,)).begin()
        await self._life.ready()
        documents = (managers(), {**workload("web", 2), "Cluster": "farm"})
        await self._life.core.apply([SourceFile("start", texts(documents))], "test")

    async def stop(self) -> None:
        if self._life is not None:
            await self._life.kill()

    def info(self) -> Info:
        return Info("skep", "0.1.0", "", "/var/lib/skep", 1)

    async def build_image(self, which: ImageName) -> str:
        return f"skep/{which}:1"

    @property
    def core(self) -> Core:
        assert self._life is not None
        return self._life.core

    def __getattr__(self, name: str) -> Any:
        return getattr(self.core, name)


class LateFront(WholeFront):
    """One that starts with the first request, where nobody else can reach the server's loop; it ends with that."""

    def __init__(self) -> None:
        super().__init__()
        self._starting: asyncio.Task[None] | None = None

    def is_ready(self) -> bool:
        return self._life is not None and self.core.is_ready()

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._starting = self._starting or asyncio.create_task(self.start())
            await asyncio.shield(self._starting)
            return await getattr(self.core, name)(*arguments, **named)

        return call
