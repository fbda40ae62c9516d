"""The fault scenarios F1 to F9 of semantics.md 6.2, clause by clause, in virtual time and watched act by act.

F3 is in test_containers_sim.py, F10 in test_lost_engines.py, F11 in test_containers_rolls.py and test_rollbacks.py.
One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_fault_scenarios.py.
"""

import os
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from statistics import mean

import pytest

from skep.model.errors import RejectedError, SkepError, UnavailableError
from skep.model.state import ConditionType
from tests.fakes.kernel import Faults
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_watch import Fewest, by_state, running
from tests.sim.controller import workload

_ONE = os.environ.get("SKEP_SIM_SEED", "")
SEEDS = [int(_ONE)] if _ONE else range(1, 7)
seeds = pytest.mark.parametrize("seed", SEEDS)

CURVE_S = (10, 20, 40, 80, 160, *[300] * 20)
"""W30, W32."""


def assert_on_the_curve(at_s: Iterable[float], more_s: float) -> None:
    """10 % to either side, and `more_s` for what is done between."""
    waits = [after - before for before, after in pairwise(at_s)]
    assert waits
    assert all(0.9 * s <= wait <= 1.1 * s + more_s for s, wait in zip(CURVE_S, waits, strict=False)), waits


# --- F1, F2: deaths ---------------------------------------------------------------------------------------------------


@seeds
def test_f1_one_of_five_that_is_killed_is_made_anew_within_five_seconds_and_only_that_one(seed: int) -> None:
    """The observer holds that there are never more than five and the surge."""

    async def body(farm: Farm) -> None:
        await farm.up(5)
        first = farm.containers()
        Random(seed).shuffle(first)
        for number, (host, container) in enumerate(first, start=1):
            before = {c.shown.id for _, c in farm.containers()}
            host.end(container)
            await farm.right(5)
            after = {c.shown.id for _, c in farm.containers()}
            assert len(after - before) == len(before - after) == 1
            assert len(farm.attempts("create")) == 5 + number
            await farm.clock.sleep(Random(seed + number).uniform(0, 60))

    farmed(body, engines=3, seed=seed)


@seeds
def test_f2_twenty_that_are_killed_at_once_come_back_slowly_at_first_and_without_doubles(seed: int) -> None:
    """W9: 1, 2, 4, 8, and then all that are left."""

    async def body(farm: Farm) -> None:
        await farm.up(20)
        began_s = round(farm.now_s, 3)
        farm.kill(20)
        await farm.right(30)
        assert batches(farm, began_s) == [1, 2, 4, 8, 5], farm.tail()

    farmed(body, engines=5, seed=seed)


def batches(farm: Farm, since_s: float) -> list[int]:
    """Creations that were begun while the same number had been made, in order."""
    made = [at_s for at_s in farm.made_s() if at_s >= since_s]
    return list(Counter(sum(at_s <= b for at_s in made) for b in farm.attempts("create") if b >= since_s).values())


def test_f2_however_many_are_killed_at_once_no_engine_is_flooded() -> None:
    """W8, W9: each is made once, and never more are under way than the engines take, twice over."""

    async def body(farm: Farm) -> None:
        await farm.up(120)
        began_s = round(farm.now_s, 3)
        farm.kill(120)
        await farm.right(60)
        begun, made = (
            [at_s for at_s in times if at_s >= began_s] for times in (farm.attempts("create"), farm.made_s())
        )
        assert (len(begun), len(made)) == (120, 120)
        assert max(sum(b <= at_s for b in begun) - sum(m <= at_s for m in made) for at_s in begun) <= 2 * 4 * 5

    farmed(body, engines=5)


# --- F4, F5: answers that are lost, and refusals ----------------------------------------------------------------------


@seeds
def test_f4_a_creation_whose_answer_is_lost_is_looked_for_before_it_is_asked_again(seed: int) -> None:
    """Exactly as many are made as are wanted: each that was made in silence is found and counts."""

    async def body(farm: Farm) -> None:
        farm.world.kernel.faults = Faults(lose=0.5)
        await farm.apply(10)
        await farm.clock.sleep(60)
        farm.world.calm()
        await farm.right(120)
        assert len(farm.made_s()) == 10
        assert not blind(farm), f"{blind(farm)} without a look between\n{farm.tail()}"

    farmed(body, engines=2, seed=seed)


def blind(farm: Farm) -> list[str]:
    """Containers that were asked for twice without a look in between (W26)."""
    asked: set[str] = set()
    found = []
    for line in farm.world.kernel.history:
        words = line.split()
        if words[1:3] == ["..", "create"]:
            found += [words[3]] if words[3] in asked else []
            asked.add(words[3])
        elif words[1:3] == ["..", "inspect"]:
            asked.discard(words[3])
        elif words[1:3] == ["..", "list"]:
            asked.clear()
    return found


@pytest.mark.parametrize("engines", [1, 3])
@pytest.mark.parametrize("error", [RejectedError, UnavailableError], ids=["refused", "failed"])
def test_f5_when_every_creation_fails_one_is_tried_at_a_time_and_ever_more_seldom(
    error: type[SkepError], engines: int
) -> None:
    """W10, W33: a thousand replicas, one call for each try, spaced by the curve; healed within one retry period."""

    async def body(farm: Farm) -> None:
        for host in farm.hosts:
            host.refusal = lambda act, name: error("could not create: no space left on device")
        await farm.apply(1000)
        await farm.clock.sleep(2)
        failure = await farm.condition(ConditionType.REPLICA_FAILURE)
        assert failure is not None
        assert "no space left on device" in failure.message
        await farm.clock.sleep(HOUR_S)
        tried = farm.attempts("create")
        assert len(tried) <= 25 * (1 if error is RejectedError else engines), tried
        for host in farm.hosts if error is UnavailableError else [None]:
            of_one = farm.attempts("create", host.name if host else "")
            gaps = [later - earlier for earlier, later in pairwise(of_one)]
            assert all(gap >= min(0.9 * 2**n, 270) for n, gap in enumerate(gaps)), gaps
            assert all(gap <= 340 for gap in gaps), gaps
        farm.world.calm()
        healed_s = farm.now_s
        while not running(farm.world, "web"):
            await farm.clock.sleep(1)
        assert farm.now_s - healed_s <= 340

    farmed(body, engines=engines)


@seeds
def test_f5_a_new_spec_is_tried_at_once_after_an_hour_of_refusals(seed: int) -> None:
    async def body(farm: Farm) -> None:
        farm.hosts[0].refusal = lambda act, name: RejectedError("could not create: no space left on device")
        await farm.apply(5)
        await farm.clock.sleep(HOUR_S)
        farm.world.calm()
        await farm.apply(5, "web:2")
        await farm.right(5)

    farmed(body, seed=seed)


# --- F6: images that can't be had -------------------------------------------------------------------------------------


@pytest.mark.parametrize("away_s", [600.0, 1500.0], ids=["registry down for ten minutes", "image pushed later"])
@seeds
def test_f6_an_image_that_nobody_has_is_asked_for_ever_more_seldom_and_the_old_ones_are_untouched(
    seed: int, away_s: float
) -> None:
    """W32: on each engine at once, then after 10, 20, 40, … 300 s, 10 % more or less; and it recovers without help."""

    async def body(farm: Farm) -> None:
        await farm.up(4)
        fewest = Fewest(farm.world, "web", 4)
        old = {c.shown.id for _, c in farm.containers()}
        asked_s = farm.now_s
        await farm.apply(4, "web:new")
        await farm.clock.sleep(1)
        told = await farm.condition(ConditionType.IMAGE_PULL_FAILED)
        assert told is not None
        assert told.reason == "ImagePullFailed"
        assert "manifest unknown; next try at " in told.message
        await farm.clock.sleep(away_s)
        for host in farm.hosts:
            pulls = farm.attempts("fetch", host.name)
            assert pulls[0] - asked_s <= 1
            assert_on_the_curve(pulls, more_s=1)
            assert farm.now_s - pulls[-1] <= 331
        assert {c.shown.id for _, c in farm.containers()} == old
        assert await farm.condition(ConditionType.REPLICA_FAILURE) is None
        farm.world.registry["web:new"], fewest.least = "sha256:new", 4 - 1
        await farm.right(340)
        assert await farm.condition(ConditionType.IMAGE_PULL_FAILED) is None

    farmed(body, engines=2, seed=seed)


# --- F7: crash loops --------------------------------------------------------------------------------------------------


@seeds
def test_f7_a_crash_loop_is_made_anew_16_times_in_the_first_hour(seed: int) -> None:
    """At once, then on the curve; at most one that ended is kept beside the newest."""

    async def body(farm: Farm) -> None:
        began_s = farm.now_s
        farm.watch.asked("web", 1)
        await farm.sim.apply(workload("web", 1, "web:bad"))
        await farm.clock.sleep(100)
        assert await farm.condition(ConditionType.CRASH_LOOPING) is not None
        await farm.clock.sleep(HOUR_S - (farm.now_s - began_s))
        first, *restarts = farm.attempts("create")
        assert 15 <= len(restarts) <= 18
        assert restarts[0] - first <= 1.5
        assert_on_the_curve(restarts, more_s=1.5)
        assert sum(by_state(farm.world, "web").values()) <= 2
        await farm.up(1, "web:1")
        await farm.clock.sleep(700)
        assert await farm.condition(ConditionType.CRASH_LOOPING) is None

    farmed(body, seed=seed)


def repairs_s(seed: int, beside: str) -> list[float]:
    """How long each repair of another workload took in the hour; a death is forgotten after ten minutes."""
    took_s: list[float] = []

    async def body(farm: Farm) -> None:
        await farm.up(3, name="calm")
        calm = {c.shown.id for _, c in farm.containers("calm")}
        farm.watch.asked("web", 1)
        await farm.sim.apply(workload("web", 1, beside))
        await farm.clock.sleep(60)
        for _ in range(5):
            assert {c.shown.id for _, c in farm.containers("calm")} == calm
            for host, container in farm.containers("calm"):
                died_s = farm.now_s
                host.end(container)
                while running(farm.world, "calm") < 3:
                    await farm.clock.sleep(0.01)
                took_s.append(farm.now_s - died_s)
            calm = {c.shown.id for _, c in farm.containers("calm")}
            await farm.clock.sleep(660)

    farmed(body, seed=seed)
    return took_s


def test_f7_a_crash_loop_disturbs_no_other_workload() -> None:
    """Others are repaired as fast as beside one that is well, 10 % more or less."""
    beside = {image: mean(s for seed in SEEDS for s in repairs_s(seed, image)) for image in ("web:1", "web:bad")}
    assert beside["web:bad"] == pytest.approx(beside["web:1"], rel=0.1)


# --- F8, F9: what is not told, or told late ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cut", "lost"])
@seeds
def test_f8_deaths_that_no_event_tells_of_are_found_by_the_resync(seed: int, how: str) -> None:
    """No later than 40 s after the cut, whenever in it they died; and each is made anew once."""

    async def body(farm: Farm) -> None:
        await farm.up(6)
        began_s, rng = farm.now_s, Random(seed)
        for host in farm.hosts:
            if how == "cut":
                host.cut_streams(60)
            else:
                host.events_lost = 1.0
        for (host, container), at_s in zip(
            farm.containers()[:3], sorted(rng.uniform(0, 60) for _ in "123"), strict=True
        ):
            await farm.clock.sleep(began_s + at_s - farm.now_s)
            host.end(container)
        await farm.clock.sleep(began_s + 60 - farm.now_s)
        await farm.right(40)
        assert len(farm.attempts("create")) == 9

    farmed(body, engines=2, seed=seed)


@seeds
def test_w1_whatever_becomes_of_the_events_the_end_is_the_same(seed: int) -> None:
    """All are told, or dropped, duplicated or shuffled, or some of each: the same is made, and the same is there."""

    def ended(**twists: float) -> tuple[int, list[str]]:
        async def body(farm: Farm) -> None:
            await farm.up(6)
            for host in farm.hosts:
                for twist, chance in twists.items():
                    setattr(host, twist, chance)
            farm.kill(3)
            await farm.right(60)
            await farm.apply(9)
            await farm.right(60)
            farm.kill(2)
            await farm.right(60)
            await farm.apply(4, "web:2")
            await farm.right(300)

        done = farmed(body, engines=2, seed=seed)
        return len(done.made_s()), sorted(c.shown.labels["skep.slot"] for _, c in done.containers())

    told = ended()
    assert ended(events_lost=1.0) == ended(events_doubled=1.0) == ended(events_shuffled=1.0) == told
    assert ended(events_lost=0.3, events_doubled=0.5, events_shuffled=0.5) == told


@pytest.mark.parametrize("age_s", [30.0, 60.0])
@seeds
def test_f9_lists_of_a_minute_ago_make_nothing_double_and_remove_nothing_that_serves(seed: int, age_s: float) -> None:
    """The observers hold it: never more than count and surge, and never fewer that serve than may be."""

    async def body(farm: Farm) -> None:
        for host in farm.hosts:
            host.list_age_s = age_s
        fewest = Fewest(farm.world, "web")
        await farm.apply(5)
        await farm.right(300)
        farm.kill(2)
        await farm.right(300)
        fewest.least = 5 - 2
        await farm.apply(8)
        await farm.right(300)
        fewest.least = 8 - 2
        await farm.apply(8, "web:2")
        await farm.right(900)
        fewest.least = 3
        await farm.apply(3, "web:2")
        await farm.right(300)

    farmed(body, engines=2, seed=seed)
