"""Going back and standing still in a roll during which the count was changed more often than revisions are kept."""

import pytest

from tests.sim.container_farm import Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.test_rollbacks import BACK, WEB, history, viewed

NEVER_WELL = Behaviour(health="starting", health_after_s=1.0)
SCALES = 12


async def scale(farm: Farm, times: int = SCALES) -> int:
    """To five and four in turn, as an autoscaler does. What it is at last."""
    assert farm.sim.core is not None
    count = 4
    for n in range(times):
        count = 5 - n % 2
        await farm.sim.core.scale(WEB, count, "hpa")
        farm.watch.asked("web", count, None)
        await farm.clock.sleep(5)
    return count


def shown(farm: Farm) -> dict[str, int]:
    found = [c.shown.image.partition("@")[0] for _, c in farm.containers()]
    return {image: found.count(image) for image in set(found)}


@pytest.mark.parametrize("to", [None, 1])
def test_w48_a_template_is_gone_back_to_however_often_it_was_scaled_since_then(to: int | None) -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        await farm.up(4)
        await farm.up(4, "web:2")
        count = await scale(farm)
        change = await farm.sim.core.rollback(WEB, to, "ann")
        assert (change.generation, change.changed) == (3 + SCALES, ("Image web:2 -> web:1",))
        farm.wanted["web"] = count, "web:1"
        await farm.right(120)
        told = await history(farm)
        assert [r.generation for r in told] == [*range(3 + SCALES, 4, -1), 2, 1]
        assert told[0].changed == ("Image web:2 -> web:1",)
        assert {r.who for r in told if r.changed and r.changed[0].startswith("Count")} == {"hpa"}

    farmed(body, engines=2)


@pytest.mark.parametrize("scales", [0, SCALES])
def test_w47_a_roll_that_fails_goes_back_by_itself_whatever_the_count_was_meanwhile(scales: int) -> None:
    async def body(farm: Farm) -> None:
        farm.world.behaviours["web:2"] = NEVER_WELL
        await farm.up(4, Updating=BACK)
        await farm.apply(4, "web:2", Updating=BACK)
        await farm.clock.sleep(20)
        count = await scale(farm, scales)
        await farm.sim.until(lambda views: bool(views[0].generation == 3 + scales), 400)
        farm.wanted["web"] = count, "web:1"
        await farm.right(60)
        newest = (await history(farm))[0]
        assert (newest.who, newest.automatic, newest.changed) == ("skep", True, ("Image web:2 -> web:1",))
        assert (await viewed(farm)).paused == ""

    farmed(body, engines=2)


@pytest.mark.parametrize("scales", [0, SCALES])
def test_w49_a_pause_in_mid_roll_heals_with_what_served_whatever_the_count_was_meanwhile(scales: int) -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        farm.world.behaviours["web:2"] = NEVER_WELL
        await farm.up(4)
        await farm.apply(4, "web:2")
        await farm.clock.sleep(10)
        await scale(farm, scales)
        await farm.sim.core.pause(WEB, "ann", "to look at it")
        await farm.clock.sleep(20)
        new = shown(farm)["web:2"]
        for host, container in farm.containers():
            if container.shown.image.startswith("web:1"):
                host.end(container)
        await farm.clock.sleep(120)
        count = (await viewed(farm)).desired
        assert shown(farm) == {"web:1": count - new, "web:2": new}

    farmed(body, engines=2)
