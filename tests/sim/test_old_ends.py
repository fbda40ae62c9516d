"""What ended before a roll began is no matter of it, and what ends in it is, whenever skep dies (W30, W38, W47).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_old_ends.py.
"""

import os
from random import Random

import pytest

from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.container_run import farm
from tests.sim.loop import run
from tests.sim.test_rollbacks import BACK, WEB, history, progressing, viewed

SEEDS = 32
BATCH = 8
_ONE = os.environ.get("SKEP_SIM_SEED", "")

LONG_S = 1200.0
"""Twice as long as an end is counted for (W30)."""


async def with_old_ends(farm: Farm, killed: int = 4, **more: object) -> None:
    """Four of `web:2`, in slots that keep those of `web:1` that were killed long ago."""
    await farm.up(4, **more)
    farm.kill(killed)
    await farm.clock.sleep(LONG_S)
    await farm.apply(4, "web:2", **more)
    await farm.right(300)


async def told(farm: Farm, *reasons: str) -> list[str]:
    assert farm.sim.core is not None
    events = await farm.sim.core.events(0, 0, str(WEB))
    return [one.message for one in events if one.reason in reasons]


@pytest.mark.parametrize("how", ["rollback", "apply"])
@pytest.mark.parametrize("action", ["rollback", "pause"])
def test_w47_a_roll_to_a_template_of_which_one_died_long_ago_is_completed(how: str, action: str) -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        more = {"Updating": {"FailureAction": action}}
        await with_old_ends(farm, 1, **more)
        if how == "rollback":
            await farm.sim.core.rollback(WEB, None, "ann")
        else:
            await farm.apply(4, Updating=more["Updating"])
        farm.wanted["web"] = 4, "web:1"
        await farm.right(120)
        await farm.clock.sleep(300)
        assert ((await viewed(farm)).generation, (await viewed(farm)).paused) == (3, "")

    farmed(body, engines=2)


def test_w47_what_goes_back_by_itself_is_not_paused_for_what_died_before_the_roll() -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:ends-late"] = Behaviour(exits_after_s=6.0)
        for host in farm.hosts:
            host.images["web:ends-late"] = "sha256:ends-late"
        up = {**BACK, "MinReady": 4}
        await farm.up(4, Updating=up)
        farm.kill(4)
        await farm.clock.sleep(LONG_S)
        await farm.apply(4, "web:ends-late", Updating=up)
        await farm.clock.sleep(300)
        farm.wanted["web"] = 4, "web:1"
        await farm.right(60)
        assert ((await viewed(farm)).generation, await progressing(farm)) == (3, (True, "Complete"))

    farmed(body, engines=2)


def test_w38_old_ends_use_up_no_try_and_are_no_events_of_a_later_generation() -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        more = {"Restart": {"MaxAttempts": 1}}
        await farm.up(4, **more)
        farm.kill(1)
        await farm.clock.sleep(60)
        await farm.sim.core.retry(WEB, "ann")
        await farm.right(30)
        await farm.clock.sleep(LONG_S)
        before = len(await told(farm, "Ended", "RetriesExhausted"))
        await farm.up(4, "web:2", **more)
        await farm.sim.core.rollback(WEB, None, "ann")
        farm.wanted["web"] = 4, "web:1"
        await farm.right(120)
        await farm.up(1, **more)
        await farm.clock.sleep(60)
        assert len(await told(farm, "Ended", "RetriesExhausted")) == before

    farmed(body, engines=2)


@pytest.mark.parametrize("killed", [0, 1])
def test_w47_what_dies_in_a_roll_while_skep_is_away_fails_it_and_what_died_before_does_not(killed: int) -> None:
    """Skep goes when the way back has just begun, and one of `web:1` dies while nobody looks, or none does."""

    async def main() -> None:
        new = Farm(farm(1, 2))
        up = {**BACK, "MinReady": 30}
        async with new.sim.running():
            await with_old_ends(new, Updating=up)
            assert new.sim.core is not None
            await new.sim.core.rollback(WEB, None, "ann")
            await new.clock.sleep(20)
        again = [(h, c) for h, c in new.containers() if c.shown.image.startswith("web:1")]
        assert again
        for host, container in again[:killed]:
            host.end(container)
        await new.clock.sleep(50)
        async with new.sim.running():
            new.wanted["web"] = 4, "web:2" if killed else "web:1"
            await new.clock.sleep(5)
            await new.right(400)
            newest = (await history(new))[0]
            assert (newest.generation, newest.automatic) == ((4, True) if killed else (3, False))
            assert not killed or "1 of 4 failed" in newest.why

    run(main, HOUR_S)


def turned_back(seed: int) -> None:
    """Whichever died before, whenever skep dies and whichever engine is silent meanwhile."""
    rng = Random(f"old ends {seed}")
    engines, count = rng.randint(1, 3), rng.randint(1, 6)
    surge = rng.randint(0, 2)
    up = {**BACK, "MaxSurge": surge, "MaxUnavailable": rng.randint(0 if surge else 1, 2), "MinReady": 5}
    up["FailureAction"] = rng.choice(["rollback", "pause"])

    async def main() -> Farm:
        new = Farm(farm(seed, engines))
        async with new.sim.running():
            await new.apply(count, surge=surge, Updating=up)
            await new.right(120)
            new.kill(rng.randint(1, count))
            await new.clock.sleep(rng.choice([90.0, LONG_S]))
            await new.apply(count, "web:2", surge=surge, Updating=up)
            await new.right(300)
        life = new.sim.begin(crash_at=rng.choice([1, -1]) * rng.randint(1, 12))
        new.sim.core = life.core
        if await life.ready() and not life.gate.dead.is_set():
            await new.clock.sleep(rng.choice([0.0, 2.0]))
        await life.kill()
        async with new.sim.running():
            if rng.random() < 0.5:
                new.kill(rng.randint(1, count))
            await new.apply(count, surge=surge, Updating=up)
            await new.clock.sleep(rng.choice([0.0, 0.05, 0.3, 3.0]))
        for _ in range(rng.randint(0, 3)):
            if rng.random() < 0.5:
                rng.choice(new.hosts).cut(rng.choice([3.0, 20.0]))
            life = new.sim.begin(crash_at=rng.randint(1, 30))
            new.sim.core = life.core
            await life.ready()
            await new.clock.sleep(rng.choice([0.3, 3.0, 20.0]))
            await life.kill()
        async with new.sim.running():
            await new.right(600)
            assert ((await viewed(new)).generation, (await viewed(new)).paused) == (3, "")
        return new

    done = run(main, 4 * HOUR_S)
    assert not done.world.violations, f"seed {seed}: {done.world.violations[0]}\n{done.tail()}"


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_w47_no_old_end_fails_a_roll_whenever_skep_dies(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        turned_back(seed)
