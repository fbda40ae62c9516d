"""Containers in trouble: the fault scenarios of semantics.md 6.2 in virtual time, each watched act by act, and seeds.

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_containers_sim.py.
"""

import os
from collections import Counter
from itertools import pairwise

import pytest

from skep.model.errors import RejectedError, SkepError, UnavailableError
from skep.model.state import ConditionType
from tests.fakes.kernel import Faults
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_run import run_crash, run_seed
from tests.sim.container_watch import Fewest, by_state, running
from tests.sim.controller import workload
from tests.sim.scenario import Document

SEEDS = 200
BATCH = 20
_ONE = os.environ.get("SKEP_SIM_SEED", "")


def test_f1_one_of_five_that_is_killed_is_made_anew_at_once_and_only_that_one() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(5)
        before = {c.shown.id for _, c in farm.containers()}
        farm.kill(1)
        await farm.right(5)
        after = {c.shown.id for _, c in farm.containers()}
        assert len(after - before) == 1
        assert len(farm.attempts("create")) == 6

    farmed(body, engines=3)


def test_f2_twenty_that_are_killed_at_once_come_back_slowly_at_first_and_without_doubles() -> None:
    """W9: 1, 2, 4, 8, and then all that is left."""

    async def body(farm: Farm) -> None:
        await farm.up(20)
        began_s = farm.now_s
        farm.kill(20)
        await farm.right(30)
        assert batches(farm, began_s) == [1, 2, 4, 8, 5], farm.tail()

    farmed(body, engines=5)


def batches(farm: Farm, since_s: float) -> list[int]:
    """Creations that were begun while the same number had been made, in order."""
    begun = [at_s for at_s in farm.attempts("create") if at_s >= since_s]
    lines = [line.split() for line in farm.world.kernel.history]
    made = [
        float(w[0]) for w in lines if w[1:3] == ["we", "container"] and w[4] == "created" and float(w[0]) >= since_s
    ]
    return list(Counter(sum(at_s <= b for at_s in made) for b in begun).values())


# --- F3: crashes --------------------------------------------------------------------------------------------------


def swept(side: int, before: Document | None, after: Document | None) -> int:
    """A controller is killed before (1) or after (-1) each of its acts, run by run; how many those are."""
    act = 1
    while run_crash(side * act, before, after):
        act += 1
    return act - 1


@pytest.mark.parametrize("side", [1, -1], ids=["before", "after"])
def test_f3_a_controller_that_dies_at_any_act_of_a_scale_from_0_to_10_leaves_exactly_10(side: int) -> None:
    assert swept(side, None, workload("web", 10)) > 30


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (workload("web", 4), workload("web", 4, "web:2")),
        (workload("web", 6), workload("web", 2)),
        (workload("web", 4), workload("web", 5, "web:slow")),
        (workload("web", 4), None),
    ],
    ids=["rolls", "scales down", "rolls to another count", "removes"],
)
def test_w42_a_controller_that_dies_at_any_act_while_it_changes_them_is_safe_and_arrives(
    before: Document, after: Document | None
) -> None:
    assert swept(1, before, after) > 8


# --- F4, F5: answers that are lost, and refusals ----------------------------------------------------------------------


def test_f4_a_creation_whose_answer_is_lost_is_looked_for_before_it_is_asked_again() -> None:
    async def body(farm: Farm) -> None:
        farm.world.kernel.faults = Faults(lose=0.5)
        await farm.apply(10)
        await farm.clock.sleep(60)
        farm.world.calm()
        await farm.right(120)
        assert not blind(farm), f"{blind(farm)} without a look between\n{farm.tail()}"

    farmed(body, engines=2)


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


@pytest.mark.parametrize("error", [RejectedError, UnavailableError], ids=["refused", "failed"])
def test_f5_when_every_creation_fails_one_is_tried_at_a_time_and_ever_more_seldom(error: type[SkepError]) -> None:
    """W10, W33: a thousand replicas, one call for each try, spaced by the curve; healed within one retry period."""

    async def body(farm: Farm) -> None:
        farm.hosts[0].refusal = lambda act, name: error("could not create: no space left on device")
        await farm.apply(1000)
        await farm.clock.sleep(2)
        failure = await farm.condition(ConditionType.REPLICA_FAILURE)
        assert failure is not None
        assert "no space left on device" in failure.message
        await farm.clock.sleep(HOUR_S)
        times = farm.attempts("create")
        assert len(times) <= 25, times
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(gap >= 0.5 for gap in gaps), gaps
        assert all(250 <= gap <= 340 for gap in gaps[-5:]), gaps
        farm.world.calm()
        healed_s = farm.now_s
        while not running(farm.world, "web"):
            await farm.clock.sleep(1)
        assert farm.now_s - healed_s <= 340

    farmed(body)


def test_f5_a_new_spec_is_tried_at_once_after_an_hour_of_refusals() -> None:
    async def body(farm: Farm) -> None:
        farm.hosts[0].refusal = lambda act, name: RejectedError("could not create: no space left on device")
        await farm.apply(5)
        await farm.clock.sleep(HOUR_S)
        farm.world.calm()
        await farm.apply(5, "web:2")
        await farm.right(5)

    farmed(body)


# --- F7, W38: crash loops --------------------------------------------------------------------------------------------


def test_f7_a_crash_loop_is_made_anew_16_times_in_the_first_hour_and_disturbs_nobody() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(3, name="calm")
        calm = {c.shown.id for _, c in farm.containers("calm")}
        began_s = farm.now_s
        farm.watch.asked("web", 1)
        await farm.sim.apply(workload("web", 1, "web:bad"))
        await farm.clock.sleep(100)
        looping = await farm.condition(ConditionType.CRASH_LOOPING)
        assert looping is not None
        await farm.clock.sleep(HOUR_S - (farm.now_s - began_s))
        restarts = len([at_s for at_s in farm.attempts("create") if at_s > began_s]) - 1
        assert 14 <= restarts <= 18
        assert sum(by_state(farm.world, "web").values()) <= 2
        assert {c.shown.id for _, c in farm.containers("calm")} == calm
        await farm.up(1, "web:1")
        await farm.clock.sleep(700)
        assert await farm.condition(ConditionType.CRASH_LOOPING) is None

    farmed(body)


# --- F8, F9: what is not told, or told late --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cut", "lost"])
def test_f8_deaths_that_no_event_tells_of_are_found_by_the_resync(how: str) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6)
        for host in farm.hosts:
            if how == "cut":
                host.cut_streams(60)
            else:
                host.events_lost = 1.0
        await farm.clock.sleep(5)
        farm.kill(3)
        await farm.right(40)
        assert len(farm.attempts("create")) == 9

    farmed(body, engines=2)


@pytest.mark.parametrize("age_s", [30.0, 60.0])
def test_f9_lists_of_a_minute_ago_make_nothing_double_and_remove_nothing_that_serves(age_s: float) -> None:
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

    farmed(body, engines=2)


# --- seeds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_containers_are_right_while_everything_fails_and_arrive_when_it_stops(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        run_seed(seed)


def test_a_seed_tells_the_same_story_twice() -> None:
    assert run_seed(7) == run_seed(7)
