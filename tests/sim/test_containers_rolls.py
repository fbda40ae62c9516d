"""Rolls of containers that have to prove themselves, and rolls that never end (semantics.md W41-W46, F11).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_containers_rolls.py.
"""

import os
from random import Random

import pytest

from skep.model.state import Condition, ConditionType
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.container_run import farm
from tests.sim.container_watch import Fewest, FewestAvailable, running
from tests.sim.loop import run

SEEDS = 60
BATCH = 12
_ONE = os.environ.get("SKEP_SIM_SEED", "")

DEADLINE_S = 120.0
BAD = {
    "web:never": Behaviour(health="starting", health_after_s=1.0),
    "web:ill": Behaviour(health="unhealthy", health_after_s=3.0),
    "web:ends": Behaviour(exits_after_s=0.2),
    "web:ends-late": Behaviour(exits_after_s=5.0),
}
"""Images that never serve, or not for long enough."""


async def progressing(farm: Farm) -> Condition:
    [view] = await farm.sim.views()
    return next(c for c in view.conditions if c.type is ConditionType.PROGRESSING)


def hold(farm: Farm, image: str) -> None:
    for host in farm.hosts:
        host.images[image] = f"sha256:{image}"


# --- W44 --------------------------------------------------------------------------------------------------------------


def test_w44_an_old_one_leaves_when_the_new_one_has_been_well_for_as_long_as_was_asked_for() -> None:
    async def body(farm: Farm) -> None:
        updating = {"MaxSurge": 1, "MaxUnavailable": 0, "MinReady": "20s"}
        await farm.up(3, Updating=updating)
        began_s = farm.now_s
        Fewest(farm.world, "web", 3)
        await farm.apply(3, "web:2", Updating=updating)
        await farm.right(120)
        assert 60 <= farm.now_s - began_s <= 70
        assert len(farm.attempts("create")) == 6

    farmed(body, engines=2)


def test_w44_w50_it_is_complete_when_the_last_one_counts_and_nobody_asks_meanwhile() -> None:
    async def body(farm: Farm) -> None:
        began_s = farm.now_s
        await farm.apply(2, Updating={"MinReady": "30s"})
        await farm.clock.sleep(25)
        [view] = await farm.sim.views()
        assert (view.converged, view.current) == (False, 2)
        await farm.right(10)
        assert farm.now_s - began_s == pytest.approx(31, abs=2)

    farmed(body)


def test_w44_what_ends_before_it_is_ready_ends_in_a_row_and_replaces_nothing() -> None:
    """A window of a second forgives nobody who was never ready."""

    async def body(farm: Farm) -> None:
        farm.world.behaviours.update(BAD)
        hold(farm, "web:ends-late")
        more = {"Updating": {"MinReady": "10s"}, "Restart": {"Window": "1s"}}
        await farm.up(4, **more)
        FewestAvailable(farm.world, "web", 3, "web:ends-late")
        await farm.apply(4, "web:ends-late", **more)
        await farm.clock.sleep(HOUR_S)
        assert await farm.condition(ConditionType.CRASH_LOOPING) is not None
        assert len(farm.attempts("create")) <= 4 + 3 * 20

    farmed(body, engines=2)


# --- W41 --------------------------------------------------------------------------------------------------------------


def test_w41_percentages_follow_the_count_and_another_pace_restarts_nothing() -> None:
    async def body(farm: Farm) -> None:
        half = {"MaxSurge": "50%", "MaxUnavailable": 0}
        await farm.up(2, surge=1, Updating=half)
        await farm.up(8, surge=4, Updating=half)
        made = len(farm.attempts("create"))
        await farm.up(8, surge=4, Updating={**half, "MinReady": "3s"})
        assert len(farm.attempts("create")) == made
        Fewest(farm.world, "web", 8)
        await farm.up(8, "web:2", surge=4, Updating=half)

    farmed(body, engines=3)


def test_w41_without_a_surge_old_ones_leave_first() -> None:
    async def body(farm: Farm) -> None:
        updating = {"MaxSurge": 0, "MaxUnavailable": 2}
        await farm.up(5, surge=0, Updating=updating)
        Fewest(farm.world, "web", 3)
        await farm.up(5, "web:2", surge=0, Updating=updating)

    farmed(body, engines=2)


# --- W46, F11 ---------------------------------------------------------------------------------------------------------


def test_w46_a_roll_that_comes_no_closer_is_told_after_ten_minutes_and_no_more_once_it_does() -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:2"] = Behaviour(health="starting", health_after_s=1.0)
        await farm.up(4)
        FewestAvailable(farm.world, "web", 3)
        await farm.apply(4, "web:2")
        await farm.clock.sleep(590)
        assert (await progressing(farm)).status
        await farm.clock.sleep(30)
        late = await progressing(farm)
        assert (late.status, late.reason) == (False, "ProgressDeadlineExceeded")
        for host, container in farm.containers():
            host.feel(container, "healthy")
        farm.world.behaviours["web:2"] = Behaviour(health="healthy", health_after_s=1.0)
        await farm.clock.sleep(1)
        assert (await progressing(farm)).status
        await farm.right(60)
        assert (await progressing(farm)).reason == "Complete"
        farm.kill(4)
        farm.world.behaviours["web:2"] = Behaviour(health="starting", health_after_s=1.0)
        await farm.clock.sleep(HOUR_S)
        assert (await progressing(farm)).status

    farmed(body, engines=2)


def test_w46_a_restart_of_skep_does_not_put_off_the_deadline() -> None:
    async def main() -> None:
        new = Farm(farm(1, 1))
        async with new.sim.running():
            await new.up(1)
            new.world.behaviours["web:2"] = Behaviour(health="starting", health_after_s=1.0)
            await new.apply(1, "web:2")
            await new.clock.sleep(400)
        async with new.sim.running():
            await new.clock.sleep(190)
            assert (await progressing(new)).status
            await new.clock.sleep(30)
            assert (await progressing(new)).reason == "ProgressDeadlineExceeded"
            assert running(new.world, "web") == 2

    run(main, HOUR_S)


def rolled_badly(seed: int) -> None:
    """F11, its first half: whatever is wrong with the new image, and whenever skep dies, the old one serves."""
    rng = Random(f"roll {seed}")
    engines, count, image = rng.randint(1, 4), rng.randint(1, 8), rng.choice(sorted(BAD))
    surge = rng.randint(0, 3)
    unavailable = rng.randint(0 if surge else 1, 3)
    updating = {
        "MaxSurge": surge,
        "MaxUnavailable": unavailable,
        "MinReady": rng.choice([10, 30]),
        "ProgressDeadline": DEADLINE_S,
    }

    async def main() -> Farm:
        new = Farm(farm(seed, engines))
        new.world.behaviours.update(BAD)
        hold(new, image)
        async with new.sim.running():
            await new.apply(count, surge=surge, Updating=updating)
            await new.right(120)
        FewestAvailable(new.world, "web", count - unavailable, image)
        async with new.sim.running():
            await new.apply(count, image, surge=surge, Updating=updating)
            await new.clock.sleep(rng.choice([0.0, 0.3, 3.0, 20.0]))
        async with new.sim.running():
            await new.clock.sleep(2 * DEADLINE_S)
            assert (await progressing(new)).reason == "ProgressDeadlineExceeded", await progressing(new)
        async with new.sim.running():
            await new.apply(count, "web:2", surge=surge, Updating=updating)
            await new.right(600)
            assert (await progressing(new)).reason == "Complete"
        return new

    done = run(main, 3 * HOUR_S)
    assert not done.world.violations, f"seed {seed}: {done.world.violations[0]}\n{done.tail()}"


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_f11_an_image_that_never_serves_takes_nothing_from_anybody_and_is_told_in_time(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        rolled_badly(seed)
