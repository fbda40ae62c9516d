"""The whole controller over the simulated world: the very core that serves users, on fake ports."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.core import Core, Options
from skep.control.core import World as Ports
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.cluster import StaticCluster
from skep.model.errors import StaleTermError
from skep.model.view import KeyView
from skep.plugins.flavor_combo import ComboFlavor
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry
from skep.ports import FlavorPlugin, InstancePlugin
from skep.specs.source import SourceFile
from tests.fakes.kernel import Faults
from tests.sim.faults import Gate, GatedClock, GatedEngines, GatedStore, gated_instances
from tests.sim.loop import SimClock
from tests.sim.world import World, keeps_quorum, one_init


class PlainSecrets:
    """Hashes without a key: the same in every run of a seed."""

    def keyed_hash(self, value: str) -> str:
        return hashlib.sha256(value.encode()).hexdigest()


class Life:
    """One controller process: a core, its task and its gate to the world."""

    def __init__(self, core: Core, gate: Gate) -> None:
        self.core, self.gate = core, gate
        self.task = asyncio.create_task(core.run("sim"), name="core")

    async def ready(self) -> bool:
        """Whether it came so far that it takes requests."""
        waiting = asyncio.create_task(self.core.ready.wait())
        dying = asyncio.create_task(self.gate.dead.wait())
        await asyncio.wait({self.task, waiting, dying}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        dying.cancel()
        return self.core.ready.is_set() and not self.gate.dead.is_set()

    async def kill(self) -> None:
        """Nothing is said or finished. What had ended it before is raised, unless its term was over."""
        self.gate.die()
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            return
        except BaseExceptionGroup as group:
            other = group.split(StaleTermError)[1]
            if other is not None:
                raise other from None


@dataclass
class Simulation:
    """A world and the store that outlives controllers. `core` is the one that runs now, if any.

    `static` are the clusters of the settings; a controller that begins reads them. `plugins` are those of the one that
    began last, `more` other instance plugins that it has.
    """

    world: World
    random: Random
    clock: SimClock
    store: MemoryStore = field(default_factory=MemoryStore)
    core: Core | None = None
    ending: set[str] = field(default_factory=set)
    static: tuple[StaticCluster, ...] = ()
    more: dict[str, InstancePlugin] = field(default_factory=dict)
    plugins: PluginRegistry = field(default_factory=lambda: PluginRegistry({}, {}))

    def begin(self, crash_at: int = 0) -> Life:
        """A new controller process; it takes over the term of any other one."""
        gate = Gate(self.world, crash_at)
        return Life(self._build(gate), gate)

    def _build(self, gate: Gate) -> Core:
        hub, store, clock = Hub(), GatedStore(self.store, gate), GatedClock(self.clock, gate)
        engines, machines = GatedEngines(self.world, gate), gated_instances(self.world, gate)
        static = EngineBook(self.static, engines, clock, hub.cluster_changed)
        clusters = ClusterBook(store, engines, self.clock, hub.cluster_changed, static)
        flavors: dict[str, FlavorPlugin] = {
            "flavor-swarm": SwarmFlavor(clusters, engines, clock, self.random),
            "flavor-vanilla": VanillaFlavor(),
        }
        instances: dict[str, InstancePlugin] = {"instance-sim": machines}
        flavors["flavor-combo"] = ComboFlavor(PluginRegistry(instances, flavors))
        self.plugins = PluginRegistry({**instances, **self.more}, flavors)
        ports = Ports(
            store=store,
            clock=clock,
            rng=self.random,
            plugins=self.plugins,
            watched=instances,
            secrets=PlainSecrets(),
            engines=engines,
            static=static,
            clusters=clusters,
            hub=hub,
        )
        return Core(ports, Options())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Core]:
        """A controller that runs inside the block; leaving it is a crash: nothing is said or finished."""
        life = self.begin()
        self.core = life.core
        try:
            await life.ready()
            yield life.core
        finally:
            self.core = None
            await life.kill()

    async def apply(self, *documents: object) -> None:
        assert self.core is not None
        await self.core.apply([SourceFile("sim", texts(documents))], "sim")

    async def delete(self, *documents: dict[str, object]) -> None:
        assert self.core is not None
        self.ending |= {str(d["ID"]) for d in documents if "ID" in d}
        await self.core.delete([SourceFile("sim", texts(documents))], "sim", False)

    async def views(self) -> tuple[KeyView, ...]:
        assert self.core is not None
        return await self.core.views()

    async def converged(self, within_s: float) -> None:
        """Every key is where it shall be, and nothing that was removed is left; AssertionError with the state."""
        await self.until(lambda views: all(v.converged for v in views), within_s)

    async def until(self, condition: Callable[[tuple[KeyView, ...]], bool], within_s: float) -> None:
        deadline_s = self.clock.monotonic_s() + within_s
        while not condition(views := await self.views()):
            if self.clock.monotonic_s() > deadline_s:
                raise AssertionError(f"not there after {within_s:.0f} s:\n" + self.describe(views))
            await self.clock.sleep(0.5)

    def describe(self, views: tuple[KeyView, ...]) -> str:
        lines = [f"{v.key} gen {v.generation}/{v.observed_generation} {v.ready}/{v.desired} {v}" for v in views]
        return "\n".join([*lines, *self.world.kernel.history[-40:]])


def texts(documents: Iterable[object]) -> str:
    """As one YAML stream."""
    return "\n---\n".join(json.dumps(document) for document in documents)


def simulation(seed: int, faults: Faults | None = None) -> Simulation:
    """A fresh world under watch: never two Swarms of one group, and no quorum lost by our hand."""
    random, clock = Random(seed), SimClock()
    world = World(clock, random, faults)
    world.host_images.update({"web:1": "sha256:1", "web:2": "sha256:2"})
    sim = Simulation(world, random, clock)
    world.watch(one_init(world))
    world.watch(keeps_quorum(world, lambda: sim.ending))
    return sim


def managers(count: int = 1, **properties: object) -> dict[str, object]:
    ids = [f"10.9.0.{10 + n}" for n in range(count)]
    return group("managers", {"LogicalIDs": ids}, "manager", **properties)


def workers(count: int, **properties: object) -> dict[str, object]:
    return group("workers", {"Size": count}, "worker", **properties)


def group(id: str, allocation: dict[str, object], type: str, **properties: object) -> dict[str, object]:
    return {
        "ID": id,
        "Properties": {
            "Allocation": allocation,
            "Images": ["web:1", "web:2"],
            "Instance": {"Plugin": "instance-sim", "Properties": properties},
            "Flavor": {"Plugin": "flavor-swarm", "Properties": {"Type": type}},
        },
    }


def workload(name: str = "web", count: int = 5, image: str = "web:1") -> dict[str, object]:
    return {"Name": name, "Image": image, "Count": count}
