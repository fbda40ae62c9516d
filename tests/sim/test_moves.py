"""Machines that are taken out of a Swarm take no more from its workloads than their own tasks (semantics.md N15)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from skep.model.spec import Key
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


BOTH = (workers(2, Size="big"), workload(count=6, image="web:2"))
WAITS = ("waiting: machines of group/workers come and go for its newer spec",)


def image(sim: Simulation) -> str:
    """Of the only service."""
    [service] = sim.world.swarms()[0].services.listed()
    return str(service.spec["TaskTemplate"]["ContainerSpec"]["Image"])  # type: ignore[call-overload, index]


async def waiting(sim: Simulation) -> tuple[str, ...]:
    [told] = [v.waiting for v in await sim.views() if v.key == "workload/web"]
    return told


async def updated(sim: Simulation) -> None:
    """All of it is as it is wanted, and the Swarm has not stopped the update."""
    await settled(sim, 6, 600)
    [service] = sim.world.swarms()[0].services.listed()
    assert (service.update_state, image(sim)) == ("completed", "web:2")


def on_a_swarm(body: Callable[[Simulation], Awaitable[None]], *managed: object, seed: int = 1) -> None:
    """With six of web on two workers and a manager, or the managers that are given."""

    async def main() -> None:
        sim = simulation(seed)
        async with sim.running():
            await sim.apply(*(managed or (managers(),)), workers(2), workload(count=6))
            await settled(sim, 6, 200)
            sim.world.watch(drains_one_by_one(sim.world, "web", 6))
            await body(sim)
        assert not sim.world.violations, sim.world.violations[0]

    run(main)


@pytest.mark.parametrize("documents", [BOTH, BOTH[::-1]], ids=["groups first", "groups last"])
@pytest.mark.parametrize("seed", [3, 4, 7])
def test_an_update_waits_for_machines_that_come_and_go_for_a_newer_spec(seed: int, documents: Sequence[object]) -> None:
    """A drain that ends what an update has just made would fail it. Both are accepted in one go, in any order."""

    async def body(sim: Simulation) -> None:
        await sim.apply(*documents)
        await sim.clock.sleep(3)
        assert await waiting(sim) == WAITS
        await updated(sim)

    on_a_swarm(body, seed=seed)


def test_it_waits_in_the_next_life_of_skep_too() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(managers(), workers(2), workload(count=6))
            await settled(sim, 6, 200)
            await sim.apply(*BOTH)
            await sim.clock.sleep(4)
        async with sim.running():
            await sim.clock.sleep(3)
            assert image(sim) == "web:1"
            await updated(sim)

    run(main)


def test_a_scale_does_not_wait_for_machines() -> None:
    async def body(sim: Simulation) -> None:
        await sim.apply(workers(2, Size="big"), workload(count=7))
        await sim.until(lambda _: sim.world.running("web") == 7, 60)
        assert not all(v.converged for v in await sim.views())

    on_a_swarm(body)


def test_an_update_does_not_wait_for_a_roll_that_is_paused() -> None:
    async def body(sim: Simulation) -> None:
        assert sim.core is not None
        await sim.core.pause(Key.parse("group/workers"), "sim")
        await sim.apply(*BOTH)
        await sim.until(lambda _: image(sim) == "web:2", 10)

    on_a_swarm(body)


def test_an_update_does_not_wait_for_a_roll_that_is_refused() -> None:
    """N7: without a spare no manager of three goes unasked."""

    async def body(sim: Simulation) -> None:
        await sim.apply(managers(3, Size="big"), workload(count=6, image="web:2"))
        await sim.until(lambda _: image(sim) == "web:2", 10)
        [group] = [v for v in await sim.views() if v.key == "group/managers"]
        assert group.outdated == 3

    on_a_swarm(body, managers(3))
