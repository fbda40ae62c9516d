"""Groups whose machines join no Swarm, of the plugins `file` and `simulator`, kept by the core that serves users."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.core import Core, Options
from skep.control.core import World as Ports
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.state import Life
from skep.model.view import KeyView
from skep.plugins.file import FileInstances
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry
from skep.plugins.simulator import SimulatorInstances
from skep.ports import Clock
from skep.specs.source import SourceFile
from tests.conditions import until
from tests.sim.controller import PlainSecrets, texts
from tests.sim.loop import SimClock, run


class CountedStore(MemoryStore):
    """Counts what is written below each first part of a path."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: Counter[str] = Counter()

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        self.puts[key.partition("/")[0]] += 1
        return await super().put(key, value, version=version, term=term)


class Site:
    """A core on one clock, with both plugins."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        self.clock, self.store = clock, CountedStore()
        hub, engines = Hub(), DockerEngines()
        static = EngineBook((), engines, clock, hub.wake_cluster)
        self.files, self.simulator = FileInstances(folder), SimulatorInstances(clock)
        instances = {"instance-file": self.files, "instance-simulator": self.simulator}
        ports = Ports(
            store=self.store,
            clock=clock,
            rng=Random(1),
            plugins=PluginRegistry(instances, {"flavor-vanilla": VanillaFlavor()}),
            watched=instances,
            secrets=PlainSecrets(),
            engines=engines,
            static=static,
            clusters=ClusterBook(self.store, engines, clock, hub.wake_cluster, static),
            hub=hub,
        )
        self.core = Core(ports, Options())

    async def apply(self, plugin: str, allocation: dict[str, object], **properties: object) -> None:
        document = {
            "ID": "g",
            "Properties": {
                "Allocation": allocation,
                "Instance": {"Plugin": plugin, "Properties": properties},
                "Flavor": {"Plugin": "flavor-vanilla"},
            },
        }
        await self.core.apply([SourceFile("group", texts([document]))], "ann")

    async def view(self) -> KeyView:
        [view] = await self.core.views()
        return view

    async def converged(self, within_s: float = 60.0) -> None:
        async def is_converged() -> bool:
            return (await self.view()).converged

        await until(is_converged, True, within_s=within_s)

    async def reasons(self) -> set[str]:
        return {condition.reason for condition in (await self.view()).conditions}


@contextlib.asynccontextmanager
async def running(clock: Clock, folder: Path) -> AsyncIterator[Site]:
    site = Site(clock, folder)
    task = asyncio.create_task(site.core.run("test"))
    try:
        await site.core.ready.wait()
        yield site
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def simulated(body: Callable[[Site], Awaitable[None]], folder: Path) -> None:
    async def main() -> None:
        async with running(SimClock(), folder) as site:
            await body(site)

    run(main)


def test_hundreds_are_made_at_once_and_said_in_one_line(tmp_path: Path) -> None:
    """semantics.md W8."""

    async def body(site: Site) -> None:
        await site.apply("instance-simulator", {"Size": 500}, ProvisionDelay="5s")
        await site.converged(within_s=10.0)
        made = [e.message for e in await site.core.events(0, 0.0) if e.reason == "Missing"]
        assert made == ["500 × create a machine: one is missing"]

    simulated(body, tmp_path)


def test_a_group_at_rest_is_looked_at_and_nothing_is_written(tmp_path: Path) -> None:
    """W4, W6."""

    async def body(site: Site) -> None:
        await site.apply("instance-file", {"Size": 20})
        await site.converged()
        await site.clock.sleep(60.0)
        before = dict(site.store.puts)
        await site.clock.sleep(300.0)
        assert dict(site.store.puts) == before
        [gone, *_] = await site.files.describe({})
        await site.files.destroy(gone.id)
        await site.clock.sleep(40.0)
        assert len(await site.files.describe({})) == 20

    simulated(body, tmp_path / "instances")


def test_what_fails_is_said_while_it_fails(tmp_path: Path) -> None:
    """W4: the status is written although nothing could be made."""

    async def body(site: Site) -> None:
        await site.apply("instance-simulator", {"Size": 3}, FailProvision=1)
        await site.clock.sleep(20.0)
        assert "FailedCreate" in await site.reasons()
        await site.apply("instance-simulator", {"Size": 3})
        await site.converged()
        assert "FailedCreate" not in await site.reasons()

    simulated(body, tmp_path)


def test_lost_answers_and_refusals_end_with_neither_too_many_nor_too_few(tmp_path: Path) -> None:
    """W26."""

    async def body(site: Site) -> None:
        chances = {"FailProvision": 0.3, "LoseProvision": 0.3, "FailDestroy": 0.3, "Seed": 7}
        await site.apply("instance-simulator", {"Size": 20}, **chances)
        await site.converged(within_s=3600.0)
        assert len(await site.simulator.describe({})) == 20
        await site.apply("instance-simulator", {"Size": 5}, **chances)
        await site.converged(within_s=3600.0)
        assert len(await site.simulator.describe({})) == 5

    simulated(body, tmp_path)


def test_a_machine_that_dies_is_started_again_as_the_same_one(tmp_path: Path) -> None:
    async def body(site: Site) -> None:
        await site.apply("instance-simulator", {"LogicalIDs": ["ann"]}, DieAfter="20s", BootDelay="1s")
        await site.clock.sleep(5.0)
        [ann] = await site.simulator.describe({})
        await site.clock.sleep(200.0)
        [still] = await site.simulator.describe({})
        assert (still.id, still.life, site.simulator.inits(ann.id)) == (ann.id, Life.RUNNING, 1)
        starts = [e for e in await site.core.events(0, 0.0) if e.reason == "Stopped"]
        assert 7 <= len(starts) <= 10

    simulated(body, tmp_path)


async def test_a_file_that_is_deleted_by_hand_is_back_at_once(tmp_path: Path) -> None:
    """Long before anybody would look by himself: the folder is watched."""
    folder = tmp_path / "instances"
    async with running(SystemClock(), folder) as site:
        await site.apply("instance-file", {"Size": 3})
        await site.converged()
        [gone, *_] = await site.files.describe({})
        (folder / gone.id).unlink()

        async def there() -> list[bool]:
            return [item.id == gone.id for item in await site.files.describe({})]

        await until(there, [False] * 3, within_s=5.0)
