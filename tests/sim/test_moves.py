"""Machines that are taken out of a Swarm take no more from its workloads than their own tasks (semantics.md N15)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.fakes.kernel import Observer
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.world import World

SLOW_START_S = 8.0
"""Longer than a machine takes to come and another to go."""


def drains_one_by_one(world: World, service: str, count: int) -> Observer:
    """Whoever drains a node does so while all of the service runs."""

    def observe(what: str, by_us: bool) -> str | None:
        running = world.running(service)
        is_drain = by_us and "updated: drain" in what
        return f"{what}, and {running} of {count} of {service} run" if is_drain and running < count else None

    return observe


async def settled(sim: Simulation, count: int, within_s: float) -> None:
    await sim.until(lambda views: all(v.converged for v in views) and sim.world.running("web") == count, within_s)


@pytest.mark.parametrize(
    ("before", "after"),
    [([workers(2)], [workers(2, Size="big")]), ([workers(5)], [workers(1)])],
    ids=["rolled", "scaled-down"],
)
def test_n15_the_next_machine_goes_when_what_ran_on_the_last_one_serves_again(
    before: Sequence[object], after: Sequence[object]
) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        sim.world.kernel.timings = replace(sim.world.kernel.timings, task_start_s=SLOW_START_S)
        async with sim.running():
            await sim.apply(managers(), *before, workload(count=6))
            await settled(sim, 6, 200)
            sim.world.watch(drains_one_by_one(sim.world, "web", 6))
            await sim.apply(*after)
            await settled(sim, 6, 600)
            assert sim.world.acts["remove node"] >= 2
        assert not sim.world.violations, sim.world.violations[0]

    run(main)
