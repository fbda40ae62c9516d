"""The Group interface over the real core in virtual time, with plugins that know nothing of skep."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

from skep.adapters.docker import DockerEngines
from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.committed_groups import CommittedGroups
from skep.control.core import Core, Options, World
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, GroupDescription
from tests.conditions import until
from tests.fakes.foreign import ForeignFlavor, ForeignInstances, ForeignPlugins
from tests.sim.controller import PlainSecrets
from tests.sim.loop import SimClock, run

Allocation = int | list[str]


class Site:
    """A core on virtual time. The store and the plugins outlive it: `restarted` is another process."""

    def __init__(self, options: Options | None = None) -> None:
        self.clock, self.store = SimClock(), MemoryStore()
        self.instances, self.flavor = ForeignInstances(self.clock), ForeignFlavor(self.clock)
        self.others = ForeignInstances(self.clock)
        self._plugins = ForeignPlugins({"instances": self.instances, "others": self.others}, {"flavor": self.flavor})
        self._options = options or Options()
        self.groups = self._build()[1]

    def _build(self) -> tuple[Core, CommittedGroups]:
        hub, engines = Hub(), DockerEngines()
        static = EngineBook((), engines, self.clock, hub.wake_cluster)
        core = Core(
            World(
                store=self.store,
                clock=self.clock,
                rng=Random(1),
                plugins=self._plugins,
                watched={},
                secrets=PlainSecrets(),
                engines=engines,
                static=static,
                clusters=ClusterBook(self.store, engines, self.clock, hub.wake_cluster, static),
                hub=hub,
            ),
            self._options,
        )
        return core, CommittedGroups(core, self._plugins, self.clock)

    def serve_as(self, group: CommittedGroup) -> None:
        """The same plugins under the names that a group gives them, too."""
        asked = json.loads(group.properties)
        self._plugins.add(asked["Instance"]["Plugin"], self.instances, asked["Flavor"]["Plugin"], self.flavor)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """One process; leaving the block is its end, and nothing is finished."""
        core, self.groups = self._build()
        task = asyncio.create_task(core.run("test"))
        try:
            await core.ready.wait()
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def commit(self, allocation: Allocation, note: object = 1, *, pretend: bool = False, **more: object) -> str:
        return await self.groups.commit(group(allocation, note, **more), pretend=pretend)

    async def describe(self) -> GroupDescription:
        return await self.groups.describe("g")

    async def is_converged(self) -> bool:
        return (await self.describe()).converged

    async def converged(self, within_s: float = 300.0) -> None:
        await until(self.is_converged, True, within_s=within_s)

    def fewest(self, since: int) -> int:
        """The fewest machines that there were at any moment since a count of changes."""
        return min(self.instances.counts[since:])

    def hash_of(self, index: int) -> str:
        """The hash that the machine made first (0), or last (-1), bears."""
        return list(self.instances.machines.values())[index].tags["infrakit.config_sha"]

    async def until_count(self, count: int) -> None:
        async def machines() -> int:
            return len(self.instances.machines)

        await until(machines, count, within_s=300.0)


def group(allocation: Allocation, note: object = 1, **more: object) -> CommittedGroup:
    """Group `g`; `note` is what its machines are made of, `more` are other parts of its Properties."""
    properties = {
        "Allocation": {"Size": allocation} if isinstance(allocation, int) else {"LogicalIDs": allocation},
        "Instance": {"Plugin": "instances", "Properties": {"Note": note}},
        "Flavor": {"Plugin": "flavor", "Properties": {}},
        **more,
    }
    return CommittedGroup("g", RawJson(json.dumps(properties).encode()))


def simulated(body: Callable[[Site], Awaitable[None]], options: Options | None = None) -> None:
    """Run `body` with a core that runs, in virtual time."""

    async def main() -> None:
        site = Site(options)
        async with site.running():
            await body(site)

    run(main, max_virtual_s=20_000.0)
