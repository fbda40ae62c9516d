"""Engines on which alone a workload's containers fail: others are asked before them (semantics.md W34)."""

import pytest

from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import AloneHost, Behaviour
from tests.sim.container_run import farm
from tests.sim.container_watch import running, spread
from tests.sim.loop import run

ENDS = Behaviour(exits_after_s=0.2)
SICK = Behaviour(health="unhealthy")
AILS = pytest.mark.parametrize("ails", [ENDS, SICK], ids=["ends", "unhealthy"])
SEEDS = pytest.mark.parametrize("seed", range(1, 4))
CREATES_MAX = 7
"""Two at first, two at once, and no more than two beside the one that is the fifth to fail."""


def spoil(host: AloneHost, ails: Behaviour) -> None:
    host.behaviours = {**host.behaviours, "web:1": ails}


def mend(host: AloneHost) -> None:
    host.behaviours = {**host.behaviours, "web:1": Behaviour()}


@AILS
@SEEDS
def test_w34_what_fails_on_one_engine_runs_on_the_others(ails: Behaviour, seed: int) -> None:
    async def body(farm: Farm) -> None:
        bad, *_ = farm.hosts
        spoil(bad, ails)
        await farm.apply(6)
        await farm.clock.sleep(600)
        assert [sum(c.state == "running" for c in host.of("web")) for host in farm.hosts] == [0, 3, 3]
        assert 5 <= len(farm.attempts("create", bad.name)) <= CREATES_MAX
        assert running(farm.world, "web") == 6

    farmed(body, engines=3, seed=seed)


@AILS
@SEEDS
def test_w34_a_restart_of_skep_forgets_it_not(ails: Behaviour, seed: int) -> None:
    async def main() -> None:
        new = Farm(farm(seed, 3))
        bad, *good = new.hosts
        spoil(bad, ails)
        async with new.sim.running():
            await new.apply(6)
            await new.clock.sleep(60)
        asked = len(new.attempts("create", bad.name))
        assert asked <= CREATES_MAX
        async with new.sim.running():
            await new.clock.sleep(20)
            new.kill(2)
            await new.right(200)
            assert [sum(c.state == "running" for c in host.of("web")) for host in good] == [3, 3]
            await new.clock.sleep(600)
            assert running(new.world, "web") == 6
            assert len(new.attempts("create", bad.name)) == asked

    run(main, HOUR_S)


@AILS
@SEEDS
def test_w34_after_five_minutes_it_is_asked_again(ails: Behaviour, seed: int) -> None:
    async def body(farm: Farm) -> None:
        bad, *_ = farm.hosts
        spoil(bad, ails)
        await farm.apply(6)
        await farm.clock.sleep(60)
        mend(bad)
        farm.kill(1)
        await farm.right(200)
        assert spread(farm.world, "web") == [0, 3, 3]
        await farm.clock.sleep(300)
        await farm.right(1)
        assert spread(farm.world, "web") == [0, 3, 3]
        farm.kill(2)
        await farm.right(400)
        assert any(c.state == "running" for c in bad.of("web"))

    farmed(body, engines=3, seed=seed)


@SEEDS
def test_w34_what_fails_everywhere_is_tried_everywhere_and_as_often_as_ever(seed: int) -> None:
    """W30, W33: once in each of its retry periods, wherever that is."""

    async def body(farm: Farm) -> None:
        for host in farm.hosts:
            spoil(host, ENDS)
        await farm.apply(6)
        await farm.clock.sleep(400)
        assert len(farm.attempts("create")) <= 6 * 8
        assert all(len(farm.attempts("create", host.name)) >= 5 for host in farm.hosts)
        for host in farm.hosts:
            mend(host)
        await farm.right(400)

    farmed(body, engines=3, seed=seed)


def test_w34_an_engine_that_has_the_only_room_is_asked_all_the_same() -> None:
    async def body(farm: Farm) -> None:
        bad = farm.hosts[1]
        spoil(bad, ENDS)
        farm.watch.asked("web", 3)
        await farm.sim.apply({"Name": "web", "Image": "web:1", "Mode": "global"})
        await farm.clock.sleep(120)
        assert len(farm.attempts("create", bad.name)) >= 5
        mend(bad)
        await farm.clock.sleep(200)
        assert spread(farm.world, "web") == [1, 1, 1]

    farmed(body, engines=3)
