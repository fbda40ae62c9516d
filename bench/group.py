"""How fast the core is with machines that cost nothing: made, kept and rolled, in this process and on a real store.

Run with `.venv/bin/python -m bench.group [ROUNDS]`. Exits 1 when a median is above its limit.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.secrets import FileSecrets
from skep.adapters.store_sqlite import SqliteStore
from skep.control.clusters import ClusterBook
from skep.control.core import Core, Options, World
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.machine import InstanceSpec
from skep.plugins.file import FileInstances
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry
from skep.plugins.simulator import SimulatorInstances
from skep.specs.source import SourceFile

ROUNDS = 5
MANY, FEW = 500, 20
EXIST_S_MAX, RESYNC_CPU_S_MAX, ROLL_S_MAX = 0.4, 0.010, 1.0
RESYNC_S, IDLE_S = 0.25, 3.0
"""Resyncs come often here, so that the CPU of one is the mean of a dozen."""
POLL_S = 0.002
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Place:
    """A core that runs, its plugins, and the folder of its machines. `looks` counts listings of the file plugin."""

    core: Core
    files: "CountedFiles"
    simulator: SimulatorInstances
    folder: Path


class CountedFiles(FileInstances):
    """Says how often it was asked for a listing, and how many files were opened."""

    looks = 0

    async def describe(self, tags):  # type: ignore[no-untyped-def]
        """As it does, and counted."""
        self.looks += 1
        return await super().describe(tags)


opened: list[str] = []
"""Files that this process opened, as the interpreter tells it."""


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        opened.append(str(arguments[0]))


@asynccontextmanager
async def running(resync_s: float = 30.0) -> AsyncIterator[Place]:
    """A core on a new state directory, until the end."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        store, clock, hub, engines = SqliteStore(state / "skep.db"), SystemClock(), Hub(), DockerEngines()
        files, simulator = CountedFiles(state / "instances"), SimulatorInstances(clock)
        instances = {"instance-file": files, "instance-simulator": simulator}
        static = EngineBook((), engines, clock, hub.wake_cluster)
        world = World(
            store=store,
            clock=clock,
            rng=random.SystemRandom(),
            plugins=PluginRegistry(instances, {"flavor-vanilla": VanillaFlavor()}),
            watched=instances,
            secrets=FileSecrets(state / "secret.key"),
            engines=engines,
            static=static,
            clusters=ClusterBook(store, engines, clock, hub.wake_cluster, static),
            hub=hub,
        )
        core = Core(world, Options(resync_s=resync_s))
        task = asyncio.create_task(core.run("bench"))
        try:
            await core.ready.wait()
            yield Place(core, files, simulator, state / "instances")
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await engines.close()
            await store.close()


def group(size: int, plugin: str, note: str = "one") -> SourceFile:
    """A group of machines that cost nothing; another note is another spec, and a seed does for the simulator."""
    properties = f'{{"Note":"{note}"}}' if plugin == "instance-file" else f'{{"Seed":{len(note)}}}'
    return SourceFile(
        "group.json",
        f'{{"ID":"many","Properties":{{"Allocation":{{"Size":{size}}},'
        f'"Instance":{{"Plugin":"{plugin}","Properties":{properties}}},"Flavor":{{"Plugin":"flavor-vanilla"}}}}}}',
    )


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Return as soon as it holds."""
    end_s = time.monotonic() + TIMEOUT_S
    while not await condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {TIMEOUT_S:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


def there(folder: Path) -> int:
    """How many machines there are, as anybody can see."""
    with suppress(FileNotFoundError):
        return sum(entry.name.startswith("instance-") for entry in os.scandir(folder))
    return 0


async def converged(place: Place) -> bool:
    """Whether skep says so."""
    return all(view.converged for view in await place.core.views())


async def existing() -> float:
    """Seconds from the commit until all of the machines exist."""

    async def all_there() -> bool:
        return there(place.folder) == MANY

    async with running() as place:
        began_s = time.monotonic()
        await place.core.apply([group(MANY, "instance-file")], "bench")
        await until(all_there, f"{MANY} files")
        return time.monotonic() - began_s


async def by_hand() -> float:
    """Seconds of the plugin alone for the same machines, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        plugin = FileInstances(Path(name) / "instances")
        began_s = time.monotonic()
        for number in range(MANY):
            await plugin.provision(InstanceSpec(tags={"infrakit.group": "many", "skep.request": str(number)}))
        return time.monotonic() - began_s


async def idle() -> tuple[float, int]:
    """Seconds of CPU for each resync of the group at rest, and how many of its files were opened meanwhile."""
    async with running(RESYNC_S) as place:
        await place.core.apply([group(MANY, "instance-file")], "bench")
        await until(lambda: converged(place), "the group at rest")
        await asyncio.sleep(2 * RESYNC_S)
        opened.clear()
        looks, cpu_s = place.files.looks, time.process_time()
        await asyncio.sleep(IDLE_S)
        spent_s = time.process_time() - cpu_s
        reread = sum(name.startswith(str(place.folder)) for name in opened)
        return spent_s / (place.files.looks - looks), reread


async def rolling() -> float:
    """Seconds from the commit of another spec until every machine is a new one and none is left over."""

    async def rolled() -> bool:
        found = {item.id for item in await place.simulator.describe({})}
        return len(found) == FEW and not found & old

    async with running() as place:
        await place.core.apply([group(FEW, "instance-simulator")], "bench")
        await until(lambda: converged(place), "the group at rest")
        old = {item.id for item in await place.simulator.describe({})}
        began_s = time.monotonic()
        await place.core.apply([group(FEW, "instance-simulator", "another")], "bench")
        await until(rolled, "all machines are new")
        return time.monotonic() - began_s


def told(what: str, seconds: Sequence[float], limit_s: float) -> bool:
    """Print the median and its limit; whether it holds."""
    median_s = statistics.median(seconds)
    spread = f"{min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f}, n = {len(seconds)}"
    print(f"{what}: {median_s * 1000:.1f} ms ({spread}), at most {limit_s * 1000:.0f} ms: {median_s / limit_s:.2f}")
    return median_s <= limit_s


def main() -> int:
    """Measure all three and say whether they hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    exist, alone, rolls = [], [], []
    for _ in range(rounds):
        exist.append(asyncio.run(existing()))
        alone.append(asyncio.run(by_hand()))
        rolls.append(asyncio.run(rolling()))
    sys.addaudithook(_audit)
    idles = [asyncio.run(idle()) for _ in range(rounds)]
    reread = sum(count for _, count in idles)
    held = [
        told(f"{MANY} machines exist after the commit", exist, EXIST_S_MAX),
        told(f"CPU of a resync of {MANY} machines at rest", [cpu_s for cpu_s, _ in idles], RESYNC_CPU_S_MAX),
        told(f"{FEW} machines rolled to a new spec", rolls, ROLL_S_MAX),
        reread == 0,
    ]
    print(f"files read again at rest: {reread}, at most 0")
    print(f"the plugin alone takes {statistics.median(alone) * 1000:.1f} ms for its {MANY} machines")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
