"""An engine that is away for five minutes and comes back with its containers (semantics.md F10, W35).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_lost_engines.py.
"""

import pytest

from skep.model.state import ConditionType
from tests.sim.container_farm import Farm, farmed
from tests.sim.container_hosts import AloneHost
from tests.sim.container_watch import Fewest
from tests.sim.test_fault_scenarios import seeds

START_S = 2.0
"""Until a replacement is made and runs, and until the silence is noticed: engines are asked every three seconds."""


def elsewhere(farm: Farm, lost: AloneHost) -> int:
    """How many run on the other engines."""
    return sum(host is not lost for host, _ in farm.containers())


async def lose(farm: Farm, seconds: float) -> AloneHost:
    """The first engine is away; its containers are made elsewhere in time."""
    lost = farm.hosts[0]
    began_s = farm.now_s
    lost.cut(seconds)
    await farm.clock.sleep(29)
    assert elsewhere(farm, lost) == 4
    while elsewhere(farm, lost) < 6:
        assert farm.now_s - began_s <= 30 + 3 + START_S, farm.tail()
        await farm.clock.sleep(0.1)
    return lost


@seeds
def test_f10_what_a_lost_engine_ran_is_made_elsewhere_and_is_too_much_when_it_returns(seed: int) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6)
        lost = await lose(farm, 300)
        Fewest(farm.world, "web", 6)
        await farm.clock.sleep(300 - 35)
        assert elsewhere(farm, lost) == 6
        await farm.right(60)
        assert len(farm.made_s()) == 8

    farmed(body, engines=3, seed=seed)


@pytest.mark.parametrize("image", ["web:2", "web:slow"])
@pytest.mark.parametrize("before_s", [200.0, 5.0], ids=["rolled meanwhile", "in the middle of a roll"])
@seeds
def test_f10_of_what_returns_the_old_version_goes_and_nothing_new_does(seed: int, before_s: float, image: str) -> None:
    """Once they were replaced there are never fewer that serve than are wanted, but for what a roll may take."""

    async def body(farm: Farm) -> None:
        await farm.up(6)
        await lose(farm, 300)
        removed: list[str] = []
        Fewest(farm.world, "web", 6 - 1)

        def look(what: str, by_us: bool) -> str | None:
            _, name, did = what.split()[:3]
            if by_us and did == "exited":
                [of] = [c.shown.image for host in farm.hosts for c in host.containers.values() if c.shown.name == name]
                removed.append(of.partition("@")[0])
            return None

        await farm.clock.sleep(300 - before_s - 35)
        await farm.apply(6, image)
        farm.world.watch(look)
        await farm.clock.sleep(before_s)
        await farm.right(90)
        assert set(removed) == {"web:1"}

    farmed(body, engines=3, seed=seed)


@seeds
def test_w36_engines_that_come_back_one_by_one_are_not_made_up_for(seed: int) -> None:
    """Two of three are away; the second is back ten seconds after the first. A third time, one stays away for good."""

    async def body(farm: Farm) -> None:
        await farm.up(6)
        for first_s, second_s in ((60, 70), (50, 51)):
            farm.hosts[0].cut(first_s)
            farm.hosts[1].cut(second_s)
            await farm.clock.sleep(45)
            assert await farm.condition(ConditionType.PARTITION_SUSPECTED)
            await farm.clock.sleep(75)
            await farm.right(5)
            assert len(farm.made_s()) == 6
        farm.hosts[0].cut(60)
        farm.hosts[1].cut(600)
        await farm.clock.sleep(60 + 29)
        assert len(farm.made_s()) == 6
        await farm.clock.sleep(1 + 3 + 3 + START_S)
        assert elsewhere(farm, farm.hosts[1]) == 6
        assert len(farm.made_s()) == 8

    farmed(body, engines=3, seed=seed)


@seeds
def test_f10_an_engine_that_ended_and_comes_back_with_its_dead_takes_nothing_from_anybody(seed: int) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6)
        lost = farm.hosts[0]
        lost.silences.append((farm.now_s, farm.now_s + 300))
        lost.halt()
        await farm.clock.sleep(30 + 3 + START_S)
        assert elsewhere(farm, lost) == 6
        Fewest(farm.world, "web", 6)
        await farm.clock.sleep(265)
        lost.boot()
        await farm.right(60)
        assert len(farm.made_s()) == 8

    farmed(body, engines=3, seed=seed)
