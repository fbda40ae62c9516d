"""Rolls that never get well, and what befalls their old containers meanwhile (semantics.md W42, W45, W49).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_stuck_rolls.py.
"""

import os
from collections import Counter
from random import Random

import pytest
import structlog

from skep.model.errors import RejectedError
from skep.model.spec import Key
from skep.model.state import ConditionType
from tests.fakes.host import FakeContainer
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import AloneHost, Behaviour
from tests.sim.container_run import farm
from tests.sim.loop import run
from tests.sim.test_containers_rolls import BAD, hold, progressing

SEEDS = 24
BATCH = 6
_ONE = os.environ.get("SKEP_SIM_SEED", "")

DEADLINE_S = 120.0
STARTING = Behaviour(health="starting", health_after_s=1.0)


def old(farm: Farm) -> list[tuple[AloneHost, FakeContainer]]:
    return [(h, c) for h, c in farm.containers() if c.shown.image.partition("@")[0] != "web:2"]


def shares(farm: Farm) -> dict[str, int]:
    """How many run of each image."""
    return dict(Counter(c.shown.image.partition("@")[0] for _, c in farm.containers()))


async def stuck(farm: Farm, count: int = 8, image: str = "web:1", **more: object) -> None:
    """A roll of so many to `web:2`, which never gets well."""
    farm.world.behaviours["web:2"] = STARTING
    await farm.up(count, image, **more)
    await farm.apply(count, "web:2", **more)
    await farm.clock.sleep(60)


def test_w45_what_is_added_to_a_roll_that_proves_nothing_serves_and_what_is_too_much_goes_of_the_new() -> None:
    async def body(farm: Farm) -> None:
        await stuck(farm)
        assert shares(farm) == {"web:1": 6, "web:2": 4}
        await farm.apply(16, "web:2")
        await farm.clock.sleep(60)
        assert shares(farm) == {"web:1": 12, "web:2": 8}
        await farm.apply(4, "web:2")
        await farm.clock.sleep(60)
        assert shares(farm) == {"web:1": 3, "web:2": 2}
        await farm.apply(8, "web:3")
        await farm.right(60)

    def held(farm: Farm) -> None:
        hold(farm, "web:3")

    async def whole(farm: Farm) -> None:
        held(farm)
        await body(farm)

    farmed(whole, engines=2)


def test_w42_old_ones_that_die_one_by_one_in_a_stuck_roll_come_back_as_they_were_in_their_slots() -> None:
    async def body(farm: Farm) -> None:
        await stuck(farm)
        slots = sorted(c.shown.labels["skep.slot"] for _, c in old(farm))
        for slot in slots:
            [(host, container)] = [(h, c) for h, c in old(farm) if c.shown.labels["skep.slot"] == slot]
            host.end(container)
            await farm.clock.sleep(20)
            assert shares(farm) == {"web:1": 6, "web:2": 4}, slot
            assert sorted(c.shown.labels["skep.slot"] for _, c in old(farm)) == slots
        assert len({c.shown.image for _, c in old(farm)}) == 1, "of the very image that ran before (W40)"

    farmed(body, engines=3)


def test_w46_all_old_ones_that_die_at_once_in_a_roll_that_is_late_come_back_as_they_were() -> None:
    async def body(farm: Farm) -> None:
        more = {"Updating": {"ProgressDeadline": DEADLINE_S}}
        await stuck(farm, **more)
        await farm.clock.sleep(2 * DEADLINE_S)
        assert (await progressing(farm)).reason == "ProgressDeadlineExceeded"
        for host, container in old(farm):
            host.end(container)
        await farm.clock.sleep(30)
        assert shares(farm) == {"web:1": 6, "web:2": 4}
        assert (await progressing(farm)).reason == "ProgressDeadlineExceeded"

    farmed(body, engines=2)


def test_old_ones_that_need_a_while_to_get_well_are_waited_for_and_made_once() -> None:
    async def body(farm: Farm) -> None:
        await stuck(farm, 6, "web:slow", Updating={"MaxSurge": 1, "MaxUnavailable": 0}, surge=1)
        assert shares(farm) == {"web:slow": 6, "web:2": 1}
        made = len(farm.attempts("create"))
        for host, container in old(farm)[:4]:
            host.end(container)
        await farm.clock.sleep(60)
        assert shares(farm) == {"web:slow": 6, "web:2": 1}
        assert len(farm.attempts("create")) == made + 4

    farmed(body, engines=2)


@pytest.mark.parametrize("way", ["missing", "refused", "ends"])
def test_what_is_wrong_with_the_new_template_holds_up_no_old_one(way: str) -> None:
    """W30, W32, W33: an image that can't be had, creations that are refused, and containers that end."""

    async def body(farm: Farm) -> None:
        await farm.up(4, Updating={"MaxSurge": 1, "MaxUnavailable": 0}, surge=1)
        if way == "missing":
            for host in farm.hosts:
                host.images.pop("web:2")
            farm.world.registry.pop("web:2", None)
        elif way == "ends":
            farm.world.behaviours["web:2"] = Behaviour(exits_after_s=0.2)
        await farm.apply(4, "web:2", Updating={"MaxSurge": 1, "MaxUnavailable": 0}, surge=1)
        if way == "refused":
            farm.world.behaviours["web:2"] = STARTING
            for host in farm.hosts:
                host.refusal = lambda act, name: RejectedError("no such device") if act == "create" else None
        await farm.clock.sleep(300)
        for host in farm.hosts:
            host.refusal = lambda act, name: None
        farm.kill(3)
        await farm.clock.sleep(20)
        assert shares(farm)["web:1"] == 4, farm.tail()

    farmed(body, engines=2)


def test_w30_an_old_one_that_ends_again_and_again_backs_off_and_fails_no_roll() -> None:
    async def body(farm: Farm) -> None:
        more = {"Updating": {"FailureAction": "pause", "MaxSurge": 1, "MaxUnavailable": 0, "ProgressDeadline": 0}}
        await stuck(farm, 3, surge=1, **more)
        began = len(farm.attempts("create"))
        until_s = farm.now_s + 300
        while farm.now_s < until_s:
            for host, container in old(farm):
                if container.shown.labels["skep.slot"] == "1":
                    host.end(container)
            await farm.clock.sleep(1)
        assert 4 <= len(farm.attempts("create")) - began <= 8
        assert await farm.condition(ConditionType.CRASH_LOOPING) is not None
        assert (await progressing(farm)).reason == "Updating"
        [view] = await farm.sim.views()
        assert not view.paused

    farmed(body, engines=1)


@pytest.mark.parametrize("way", [Behaviour(exits_after_s=0.5), Behaviour(health="unhealthy", health_after_s=2.0)])
def test_the_mend_of_a_workload_that_serves_no_more_is_rolled_out_at_once(way: Behaviour) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(4)
        farm.world.behaviours["web:1"] = way
        if way.exits_after_s is None:
            for host, container in farm.containers():
                host.feel(container, "unhealthy")
        else:
            farm.kill(4)
        await farm.clock.sleep(200)
        began_s = farm.now_s
        await farm.apply(4, "web:2")
        await farm.right(30)
        assert farm.now_s - began_s < 20

    farmed(body, engines=2)


def test_w46_the_mend_is_rolled_out_at_once_also_where_skep_was_away_for_longer_than_the_deadline() -> None:
    """Nothing is late then that nobody could watch, and what is broken is not made once more."""

    async def main() -> Farm:
        new = Farm(farm(1, 2))
        more = {"Updating": {"ProgressDeadline": DEADLINE_S, "MaxSurge": 0, "MaxUnavailable": 1}}
        async with new.sim.running():
            await new.up(4, surge=0, **more)
            new.world.behaviours["web:1"] = Behaviour(health="unhealthy")
            new.kill(4)
            await new.clock.sleep(100)
            for host in new.hosts:
                host.images.pop("web:2")
            new.world.registry.pop("web:2", None)
            await new.apply(4, "web:2", surge=0, **more)
            await new.clock.sleep(20)
        await new.clock.sleep(DEADLINE_S + 80)
        hold(new, "web:2")
        before = len(new.made_s())
        async with new.sim.running():
            await new.right(60)
        assert len(new.made_s()) == before + 4
        return new

    done = run(main, HOUR_S)
    assert not done.world.violations, done.world.violations[0]


def test_what_is_made_as_before_is_told_with_the_reason() -> None:
    """In the events, and in the outlook while it can't be made."""

    async def body(farm: Farm) -> None:
        await stuck(farm)
        [(host, container), *_] = old(farm)
        host.end(container)
        await farm.clock.sleep(2)
        why = "as before the roll, of which nothing is available yet"
        assert farm.sim.core is not None
        events = [one.message for one in await farm.sim.core.events(0, 0.0)]
        assert any(told.endswith(f"on e1: one is missing, {why}") for told in events)
        [(host, again)] = [(h, c) for h, c in old(farm) if slot_of(c) == slot_of(container)]
        host.end(again)
        await farm.clock.sleep(2)
        view = await farm.sim.core.view(Key.parse("workload/web"))
        assert f"made again, {why}" in [m.next for m in view.members], [(m.slot, m.life, m.next) for m in view.members]

    farmed(body, engines=1)


def slot_of(container: FakeContainer) -> str:
    return container.shown.labels["skep.slot"]


# --- all of it, and skep dies meanwhile -------------------------------------------------------------------------------


class StuckRoll:
    """A roll of a drawn size and pace to an image that never serves."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(f"stuck {seed}")
        self.count, self.surge = rng.randint(2, 8), rng.randint(0, 3)
        self.unavailable = rng.randint(0 if self.surge else 1, min(3, self.count - 1))
        self.before, self.image = rng.choice(["web:1", "web:slow"]), rng.choice(sorted(BAD))
        self.updating = {
            "MaxSurge": self.surge,
            "MaxUnavailable": self.unavailable,
            "MinReady": rng.choice([10, 30]),
            "ProgressDeadline": DEADLINE_S,
        }
        self.farm = Farm(farm(seed, rng.randint(1, 3)))
        self.farm.world.behaviours.update(BAD)
        hold(self.farm, self.image)

    async def apply(self, image: str) -> None:
        await self.farm.apply(self.count, image, surge=self.surge, Updating=self.updating)

    async def begin(self) -> None:
        async with self.farm.sim.running():
            await self.apply(self.before)
            await self.farm.right(120)
            await self.apply(self.image)
            await self.farm.clock.sleep(self.rng.choice([40.0, 2 * DEADLINE_S]))

    async def harm(self) -> None:
        """Another count, or some of the old ones die but for one at least; and skep dies at an act of what it does."""
        if self.rng.random() < 0.4:
            async with self.farm.sim.running():
                self.count = self.rng.randint(self.unavailable + 1, 10)
                await self.apply(self.image)
                await self.farm.clock.sleep(self.rng.choice([0.0, 0.1, 1.0]))
        else:
            old = [(h, c) for h, c in self.farm.containers() if c.shown.image.partition("@")[0] == self.before]
            for host, container in self.rng.sample(old, self.rng.randint(1, max(1, len(old) - 1))):
                host.end(container)
        life = self.farm.sim.begin(self.rng.randint(1, 30))
        await self.farm.clock.sleep(self.rng.choice([1.0, 10.0]))
        await life.kill()

    async def healed(self) -> None:
        """Where no old one is left the new spec may be the mend, until its roll is late, which it is no sooner than a
        minute and its MinReady after skep is back (W46)."""
        left = shares(self.farm).get(self.before, 0)
        async with self.farm.sim.running():
            await self.farm.clock.sleep(90 if left else DEADLINE_S + 90)
        serving = shares(self.farm).get(self.before, 0)
        assert serving >= self.count - self.unavailable, f"{shares(self.farm)} of {self.count}\n{self.farm.tail()}"


def harmed(seed: int) -> None:
    """Whatever is wrong with the new image, whatever befalls the old ones, and whenever skep dies: what must serve does
    soon, number and surge are never exceeded, and the next image is rolled out."""
    roll = StuckRoll(seed)

    async def main() -> None:
        await roll.begin()
        for _ in range(4):
            await roll.harm()
            await roll.healed()
        async with roll.farm.sim.running():
            await roll.apply("web:2")
            await roll.farm.right(600)

    with structlog.testing.capture_logs() as logs:
        run(main, HOUR_S)
    farm = roll.farm
    assert not farm.world.violations, f"seed {seed}: {farm.world.violations[0]}\n{farm.tail()}"
    assert not [line for line in logs if line["log_level"] in ("error", "critical")], f"seed {seed}"


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_a_roll_that_never_gets_well_takes_nothing_whatever_befalls_the_old_ones_and_skep(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        harmed(seed)
