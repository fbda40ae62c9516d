"""Rolls that fail although nothing old is left, or may be left, when their generation is looked at first (W46, W47).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_rolls_without_old_ones.py.
"""

import os
from random import Random

import pytest

from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.container_run import farm
from tests.sim.loop import run
from tests.sim.test_containers_rolls import BAD, hold
from tests.sim.test_rollbacks import BACK, WEB, history, progressing, viewed

SEEDS = 32
BATCH = 8
_ONE = os.environ.get("SKEP_SIM_SEED", "")

NEVER_WELL = Behaviour(health="starting")
ALL_AT_ONCE = {**BACK, "MaxSurge": 0, "MaxUnavailable": "100%"}


async def ask_again(farm: Farm, how: str) -> int:
    """What people do in the midst of a roll of four, which ends it not. How many are wanted then."""
    core = farm.sim.core
    assert core is not None
    if how == "pause":
        await core.pause(WEB, "ann", "to look")
        await farm.clock.sleep(5)
        await core.resume(WEB, "ann")
    elif how == "retry":
        await core.retry(WEB, "ann")
    elif how == "pace":
        await farm.apply(4, "web:2", surge=1, Updating={**ALL_AT_ONCE, "MaxUnavailable": 3})
    elif how != "nothing":
        farm.watch.asked("web", int(how), 1)
        await core.scale(WEB, int(how), "ann")
        return int(how)
    return 4


@pytest.mark.parametrize("how", ["nothing", "pause", "retry", "5", "3", "pace"])
def test_w47_a_roll_that_has_replaced_all_goes_back_whatever_is_asked_meanwhile(how: str) -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:2"] = NEVER_WELL
        await farm.up(4, surge=1, Updating=ALL_AT_ONCE)
        await farm.apply(4, "web:2", surge=1, Updating=ALL_AT_ONCE)
        await farm.clock.sleep(30)
        assert {c.shown.image.partition("@")[0] for _, c in farm.containers()} == {"web:2"}
        farm.wanted["web"] = await ask_again(farm, how), "web:1"
        await farm.clock.sleep(200)
        await farm.right(30)
        assert (await history(farm))[0].automatic
        assert "no progress for 120 s" in (await history(farm))[0].why

    farmed(body, engines=2)


@pytest.mark.parametrize("how", ["nothing", "pause", "retry"])
def test_w47_one_alone_with_a_fixed_port_goes_back_whatever_is_asked_meanwhile(how: str) -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:2"] = NEVER_WELL
        more = {"Updating": {"FailureAction": "rollback"}, "Ports": ["8080:80"]}
        await farm.up(1, **more)
        await farm.apply(1, "web:2", **more)
        await farm.clock.sleep(60)
        await ask_again(farm, how)
        farm.wanted["web"] = 1, "web:1"
        await farm.clock.sleep(700)
        await farm.right(30)
        assert (await history(farm))[0].automatic

    farmed(body, engines=1)


@pytest.mark.parametrize(("dead", "ratio"), [(2, 0.0), (4, 0.0), (2, 0.5), (4, 1)])
def test_w47_a_roll_that_begins_when_old_ones_are_dead_replaces_them_too(dead: int, ratio: float) -> None:
    """A machine that was just started again: whatever is allowed to fail is counted of all."""

    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:2"] = Behaviour(health="unhealthy")
        updating = {**BACK, "MaxFailureRatio": ratio}
        await farm.up(4, Updating=updating)
        farm.kill(dead)
        await farm.apply(4, "web:2", Updating=updating)
        farm.wanted["web"] = 4, "web:1"
        await farm.clock.sleep(400)
        await farm.right(60)
        newest = (await history(farm))[0]
        assert newest.automatic
        assert ratio or "1 of 4 failed" in newest.why

    farmed(body, engines=2)


def test_w47_a_settled_workload_that_is_scaled_never_goes_back_nor_does_what_was_never_there() -> None:
    """Also while all of it is down."""

    async def body(farm: Farm) -> None:
        core = farm.sim.core
        assert core is not None
        hold(farm, "web:2")
        farm.world.behaviours["web:2"] = Behaviour(health="unhealthy")
        await farm.apply(2, "web:2", Updating=ALL_AT_ONCE, surge=1)
        await farm.clock.sleep(200)
        farm.watch.asked("web", 4, 1)
        await core.scale(WEB, 4, "ann")
        await farm.clock.sleep(200)
        await core.retry(WEB, "ann")
        await farm.clock.sleep(200)
        assert ((await viewed(farm)).generation, (await viewed(farm)).paused) == (3, "")
        await farm.up(4, surge=1, Updating=ALL_AT_ONCE)
        farm.world.behaviours["web:1"] = Behaviour(exits_after_s=0.2)
        farm.kill(4)
        farm.watch.asked("web", 6, 1)
        await core.scale(WEB, 6, "ann")
        await farm.clock.sleep(600)
        assert ((await viewed(farm)).generation, (await viewed(farm)).paused) == (5, "")

    farmed(body, engines=2)


def asked_again(seed: int) -> None:
    """Whatever is wrong with the new image, whatever is asked in the midst of its roll, and whenever skep dies: it is
    undone in the end."""
    rng = Random(f"asked again {seed}")
    engines, count, image = rng.randint(1, 3), rng.randint(1, 5), rng.choice(sorted(BAD))
    up = {**BACK, "MaxSurge": 0, "MaxUnavailable": rng.choice(["100%", 1, 2]), "MinReady": rng.choice([10, 30])}
    up["MaxFailureRatio"] = rng.choice([0, 0.5, 1])

    async def main() -> Farm:
        new = Farm(farm(seed, engines))
        new.world.behaviours.update(BAD)
        hold(new, image)
        async with new.sim.running():
            await new.apply(count, surge=0, Updating=up)
            await new.right(200)
            if rng.random() < 0.4:
                new.kill(rng.randint(1, count))
            await new.apply(count, image, surge=0, Updating=up)
            await new.clock.sleep(rng.choice([0.0, 1.0, 8.0, 60.0]))
            core = new.sim.core
            assert core is not None
            if not (await viewed(new)).paused and not (await history(new))[0].automatic:
                how = rng.choice(["nothing", "pause", "retry", "scale"])
                wanted = rng.randint(1, 6) if how == "scale" else count
                if how == "scale":
                    new.watch.asked("web", wanted, 0)
                    await core.scale(WEB, wanted, "ann")
                else:
                    await ask_again(new, how)
            else:
                wanted = count
            await new.clock.sleep(rng.choice([0.0, 0.1, 5.0]))
        for _ in range(rng.randint(0, 3)):
            life = new.sim.begin(crash_at=rng.randint(1, 30))
            new.sim.core = life.core
            await life.ready()
            await new.clock.sleep(rng.choice([0.3, 3.0, 60.0]))
            await life.kill()
        async with new.sim.running():
            new.wanted["web"] = wanted, "web:1"
            await new.clock.sleep(600)
            await new.right(300)
            assert (await history(new))[0].automatic
            assert await progressing(new) == (True, "Complete")
        return new

    done = run(main, 4 * HOUR_S)
    assert not done.world.violations, f"seed {seed}: {done.world.violations[0]}\n{done.tail()}"


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_w47_a_bad_roll_is_undone_whatever_is_asked_in_its_midst_and_whenever_skep_dies(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        asked_again(seed)
