"""An intake on a store of its own, with the plugins of the simulated world."""

from collections.abc import Sequence
from random import Random

from skep.adapters.store_memory import MemoryStore
from skep.control.catalog import Catalog
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.harm import Harm
from skep.control.intake import Intake
from skep.control.journal import Journal
from skep.control.topology import Topology
from skep.control.validate import Validator
from skep.model.cluster import StaticCluster
from skep.model.spec import Key
from skep.model.state import Record
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry
from skep.specs.source import SourceFile
from tests.sim.controller import texts
from tests.sim.loop import SimClock
from tests.sim.world import World


class Desk:
    """`woken` are the keys that were woken, in order."""

    def __init__(self, static: Sequence[str] = ()) -> None:
        """`static` are the clusters of the settings."""
        self.store, clock = MemoryStore(), SimClock()
        self.world = world = World(clock, Random(1))
        named = [StaticCluster(name, (f"sim://{name}",)) for name in static]
        book = EngineBook(named, world.engines, clock, lambda name: None)
        self.clusters = clusters = ClusterBook(self.store, world.engines, clock, lambda name: None, book)
        flavors = {
            "flavor-swarm": SwarmFlavor(clusters, world.engines, clock),
            "flavor-vanilla": VanillaFlavor(),
        }
        self.plugins = plugins = PluginRegistry({"instance-sim": world.instances}, flavors)
        self.woken: list[Key] = []
        self.topology = Topology(plugins, clusters.standing)
        self.catalog = Catalog(self.store, 10)
        self.journal = journal = Journal(self.store, clock, 100)
        uids = iter(range(1000))
        validator = Validator(plugins)
        self.failed: set[Key] = set()
        self.intake = Intake(
            self.catalog,
            self.topology,
            validator,
            journal,
            clock,
            lambda: f"uid-{next(uids)}",
            self.woken.append,
            self.failed.__contains__,
            Harm(self.catalog, self.topology, plugins, clusters, book, self._record),
        )

    async def _record(self, key: Key) -> Record:
        """Nothing is ever under way here."""
        return Record(key)

    async def apply(self, *documents: object) -> list[tuple[str, str, int]]:
        changes = await self.intake.apply([file(*documents)], "ann")
        return [(c.key, c.change, c.generation) for c in changes]


def file(*documents: object) -> SourceFile:
    return SourceFile("file", texts(documents))
