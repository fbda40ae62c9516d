"""What ends again and again is as wanted between two ends, and nobody who waits is told that it serves (W54)."""

import pytest

from skep.cli.wait import Goal, judge
from skep.model.spec import Key
from skep.model.view import KeyView
from tests.server.bodies import as_json
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.container_watch import wrong_in_containers
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.test_containers_rolls import hold

WEB = Key.parse("workload/web")
POLL_S = 0.3
"""As often as the command line looks."""


async def shown(sim: Simulation) -> KeyView:
    assert sim.core is not None
    return next(v for v in await sim.core.views(fresh=True) if v.key == str(WEB))


async def watched(sim: Simulation, for_s: float) -> list[KeyView]:
    """What was seen as wanted within this time."""
    seen = []
    for _ in range(round(for_s / POLL_S)):
        await sim.clock.sleep(POLL_S)
        seen.append(await shown(sim))
    return [view for view in seen if view.converged]


async def waited(sim: Simulation) -> float:
    """For how long somebody waits who asks now, in seconds."""
    began_s = sim.clock.monotonic_s()
    while not (view := await shown(sim)).converged or view.unproven_s:
        await sim.clock.sleep(POLL_S)
    return sim.clock.monotonic_s() - began_s


@pytest.mark.parametrize("lives_s", [0.4, 1.5])
def test_w54_a_container_that_ends_at_once_never_passes_for_one_that_serves(lives_s: float) -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:ends"] = Behaviour(exits_after_s=lives_s)
        hold(farm, "web:ends")
        await farm.apply(1, "web:ends")
        for_a_moment = await watched(farm.sim, 120.0)
        assert for_a_moment
        assert all(view.unproven_s for view in for_a_moment)

    farmed(body)


def test_w54_what_outlives_the_first_moment_and_ends_has_to_live_longer_the_next_time() -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:ends"] = Behaviour(exits_after_s=3.0)
        hold(farm, "web:ends")
        await farm.apply(1, "web:ends")
        await farm.clock.sleep(5.0)
        assert all(view.unproven_s for view in await watched(farm.sim, 120.0))

    farmed(body)


def test_w54_who_waits_is_told_after_a_moment_and_at_once_of_what_serves_for_longer() -> None:
    async def body(farm: Farm) -> None:
        await farm.apply(3)
        farm.wanted["web"] = 3, "web:1"
        await farm.right(60)
        assert 1.0 < await waited(farm.sim) < 4.0
        await farm.clock.sleep(60.0)
        assert await waited(farm.sim) < 1.1

    farmed(body)


def test_w54_a_service_whose_tasks_end_at_once_never_passes_for_one_that_serves() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(1), workers(2), workload("web", 1, "web:1"))
            await sim.converged(60)
            assert await waited(sim) < 4.0
            assert await waited(sim) < 1.1
            sim.world.mark_bad("web:1")
            await sim.apply(workload("web", 3, "web:1"))
            assert all(view.unproven_s for view in await watched(sim, 120.0))

    run(main, HOUR_S)


@pytest.mark.parametrize("count", [6, 2])
def test_w49_a_count_that_is_waited_for_is_reached_while_a_roll_waits(count: int) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(4)
        core = farm.sim.core
        assert core is not None
        await core.pause(WEB, "ann")
        await farm.apply(4, "web:2")
        change = await core.scale(WEB, count, "ann")
        farm.watch.asked("web", count, None)
        goal, began_s = Goal(str(WEB), change.generation, count=True), farm.now_s
        while not (line := judge(goal, as_json(await shown(farm.sim)))).done:
            assert not line.failed
            assert farm.now_s < began_s + 30.0, line
            await farm.clock.sleep(POLL_S)
        assert (line.word, line.ready) == ("Paused", f"{count}/{count}")
        farm.wanted["web"] = count, "web:1"
        assert not wrong_in_containers(farm.world, farm.wanted)

    farmed(body, engines=2)
