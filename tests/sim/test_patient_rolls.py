"""A roll is not late for time in which nobody could bring it on (semantics.md W46, W47)."""

from collections.abc import Awaitable, Callable

import pytest

from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_run import farm
from tests.sim.loop import run
from tests.sim.test_rollbacks import BACK, history, progressing, viewed

SLOW = {**BACK, "MaxSurge": 1, "MaxUnavailable": 0, "MinReady": 10}
AWAY_S = 200.0
"""Longer than SLOW's ProgressDeadline."""


async def _begun(farm: Farm) -> None:
    """Two or three of six are new."""
    await farm.apply(6, "web:2", Updating=SLOW)
    await farm.clock.sleep(25)
    assert 0 < sum(c.shown.image.startswith("web:2") for _, c in farm.containers()) < 6


async def _goes_on(farm: Farm) -> None:
    await farm.right(200)
    assert await progressing(farm) == (True, "Complete")
    assert [(r.generation, r.automatic) for r in await history(farm)] == [(2, False), (1, False)]


def test_w46_a_roll_goes_on_when_skep_was_away_for_longer_than_its_deadline() -> None:
    async def main() -> Farm:
        new = Farm(farm(1, 3))
        async with new.sim.running():
            await new.up(6, Updating=SLOW)
            await _begun(new)
        await new.clock.sleep(AWAY_S)
        async with new.sim.running():
            await _goes_on(new)
        return new

    done = run(main, HOUR_S)
    assert not done.world.violations, done.world.violations[0]


def test_w46_a_roll_goes_on_when_no_engine_answered_for_longer_than_its_deadline() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6, Updating=SLOW)
        await _begun(farm)
        for host in farm.hosts:
            host.cut(AWAY_S)
        await farm.clock.sleep(AWAY_S)
        await _goes_on(farm)

    farmed(body, engines=3)


async def _restart(farm: Farm) -> None:
    life = farm.sim.begin()
    await life.ready()
    await farm.clock.sleep(30)
    await life.kill()


async def _silence(farm: Farm) -> None:
    for host in farm.hosts:
        host.cut(AWAY_S)
    await farm.clock.sleep(AWAY_S)


@pytest.mark.parametrize("between", [_restart, _silence])
def test_w47_a_bad_roll_goes_back_nevertheless(between: Callable[[Farm], Awaitable[None]]) -> None:
    """It has all of its time afterwards, and no more."""

    async def main() -> Farm:
        new = Farm(farm(1, 3))
        async with new.sim.running():
            await new.up(6, Updating=SLOW)
            await new.apply(6, "web:unknown", Updating=SLOW)
            await new.clock.sleep(60)
            if between is _silence:
                await _silence(new)
        if between is _restart:
            await _restart(new)
        async with new.sim.running():
            await new.clock.sleep(100)
            assert (await viewed(new)).generation == 2
            await new.sim.until(lambda views: views[0].generation == 3, 60)
            new.wanted["web"] = 6, "web:1"
            await new.right(60)
        return new

    done = run(main, HOUR_S)
    assert not done.world.violations, done.world.violations[0]
