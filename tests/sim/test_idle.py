"""A controller with nothing to do does nothing: no read of its store, no call of an engine, no task that wakes."""

from collections import Counter
from collections.abc import Sequence

from skep.adapters.store_memory import MemoryStore
from skep.model.cluster import StaticCluster
from skep.ports import Versioned
from tests.sim.controller import Simulation, simulation, workload
from tests.sim.loop import run

QUIET_S = 25.0
"""Less than a resync, with its jitter."""


class CountedStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def get(self, key: str) -> Versioned | None:
        self.reads += 1
        return await super().get(key)

    async def list(self, prefix: str) -> Sequence[Versioned]:
        self.reads += 1
        return await super().list(prefix)


async def quietest_s(sim: Simulation, store: CountedStore) -> float:
    """The longest time in two minutes in which nothing was read."""
    longest_s, since_s, reads = 0.0, sim.clock.monotonic_s(), store.reads
    for _ in range(1200):
        await sim.clock.sleep(0.1)
        if store.reads != reads:
            since_s, reads = sim.clock.monotonic_s(), store.reads
        longest_s = max(longest_s, sim.clock.monotonic_s() - since_s)
    return longest_s


def test_without_clusters_nothing_is_read_between_resyncs() -> None:
    async def main() -> float:
        sim = simulation(seed=1)
        sim.store = store = CountedStore()
        async with sim.running():
            return await quietest_s(sim, store)

    assert run(main) > QUIET_S


def test_with_containers_that_are_well_nobody_is_asked_between_resyncs() -> None:
    async def main() -> tuple[float, int]:
        sim = simulation(seed=1)
        sim.store = store = CountedStore()
        for name in ("e1", "e2", "e3"):
            sim.world.add_engine(name, "web:1")
        sim.static = (StaticCluster("farm", ("sim://e1", "sim://e2", "sim://e3")),)
        async with sim.running():
            await sim.apply(workload(count=9))
            await sim.clock.sleep(60)
            before = Counter(sim.world.kernel.acts)
            quiet_s = await quietest_s(sim, store)
            return quiet_s, sum((sim.world.kernel.acts - before).values())

    quiet_s, acts = run(main)
    assert quiet_s > QUIET_S
    assert acts == 0
