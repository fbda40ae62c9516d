"""A roll is not late at the first look after a time in which nobody could bring it on (semantics.md W46, W47)."""

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
    """And is told to be late at no moment."""
    end_s = farm.now_s + 200
    while (told := await progressing(farm)) != (True, "Complete"):
        assert told[0] or farm.now_s < end_s, told
        assert farm.now_s < end_s
        await farm.clock.sleep(1)
    await farm.right(1)
    assert [(r.generation, r.automatic) for r in await history(farm)] == [(2, False), (1, False)]


def test_w46_a_roll_goes_on_when_skep_was_away_for_longer_than_its_deadline() -> None:
    async def main() -> Farm:
        new = Farm(farm(1, 3))
        async with new.sim.running():
            await new.up(6, Updating=SLOW)
            await _begun(new)
        await new.clock.sleep(AWAY_S)
        async with new.sim.running():
            await new.clock.sleep(1)
            await _goes_on(new)
        return new

    done = run(main, HOUR_S)
    assert not done.world.violations, done.world.violations[0]


async def _silence(farm: Farm, for_s: float) -> None:
    for host in farm.hosts:
        host.cut(for_s)
    await farm.clock.sleep(for_s)


def test_w46_a_roll_goes_on_when_no_engine_answered_for_longer_than_its_deadline() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6, Updating=SLOW)
        await _begun(farm)
        await _silence(farm, AWAY_S)
        await farm.clock.sleep(15)
        await _goes_on(farm)

    farmed(body, engines=3)


async def _restart(farm: Farm) -> None:
    life = farm.sim.begin()
    await life.ready()
    await farm.clock.sleep(30)
    await life.kill()
    await farm.clock.sleep(AWAY_S)


def test_w46_a_roll_goes_on_when_the_only_engine_it_may_be_on_was_lost_for_longer_than_its_deadline() -> None:
    """Most of the cluster answered all the time, and could do nothing for it; nor does it fail while that lasts."""

    async def body(farm: Farm) -> None:
        slow = {"Updating": {**SLOW, "MinReady": 20}, "Constraints": ["node.hostname==e1"]}
        await farm.apply(4, **slow)
        await farm.right(200)
        await farm.apply(4, "web:2", **slow)
        await farm.clock.sleep(10)
        farm.hosts[0].cut(300)
        for _ in range(300):
            await farm.clock.sleep(1)
            assert ((await viewed(farm)).generation, (await progressing(farm))[0]) == (2, True)
        await farm.clock.sleep(15)
        await _goes_on(farm)

    farmed(body, engines=3)


@pytest.mark.parametrize("is_away", [True, False])
def test_w47_a_bad_roll_goes_back_nevertheless(is_away: bool) -> None:
    """A minute and its MinReady after that, and no more."""

    async def main() -> Farm:
        new = Farm(farm(1, 3))
        async with new.sim.running():
            await new.up(6, Updating=SLOW)
            await new.apply(6, "web:unknown", Updating=SLOW)
            await new.clock.sleep(60)
            if not is_away:
                await _silence(new, AWAY_S)
                await new.sim.until(lambda views: views[0].generation == 3, 90)
        if is_away:
            await _restart(new)
        async with new.sim.running():
            if is_away:
                await new.clock.sleep(60)
                assert (await viewed(new)).generation == 2
            await new.sim.until(lambda views: views[0].generation == 3, 30)
            new.wanted["web"] = 6, "web:1"
            await new.right(60)
        return new

    done = run(main, HOUR_S)
    assert not done.world.violations, done.world.violations[0]


def test_w46_engines_that_blink_put_off_no_deadline() -> None:
    """Ten seconds of silence in each half minute."""

    async def body(farm: Farm) -> None:
        await farm.up(6, Updating=SLOW)
        await farm.apply(6, "web:unknown", Updating=SLOW)
        for _ in range(8):
            await farm.clock.sleep(20)
            await _silence(farm, 10)
        farm.wanted["web"] = 6, "web:1"
        await farm.right(60)
        assert (await viewed(farm)).generation == 3

    farmed(body, engines=3)
