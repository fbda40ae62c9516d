"""Rolls that fail and what becomes of them: they go back by themselves, or stand still (semantics.md W46, W47, F11).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_rollbacks.py.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import pytest

from skep.model.spec import Key
from skep.model.state import Condition, ConditionType
from skep.model.view import KeyView, RevisionView
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.container_run import farm
from tests.sim.container_watch import Fewest, FewestAvailable, running
from tests.sim.loop import run
from tests.sim.test_containers_rolls import BAD, hold

SEEDS = 60
BATCH = 12
_ONE = os.environ.get("SKEP_SIM_SEED", "")

WEB = Key.parse("workload/web")
BACK = {"FailureAction": "rollback", "ProgressDeadline": 120}
STILL = {"FailureAction": "pause", "ProgressDeadline": 120}


async def viewed(farm: Farm) -> KeyView:
    [view] = await farm.sim.views()
    return view


async def told(farm: Farm, kind: ConditionType) -> Condition | None:
    return next((c for c in (await viewed(farm)).conditions if c.type is kind), None)


async def progressing(farm: Farm) -> tuple[bool, str]:
    found = await told(farm, ConditionType.PROGRESSING)
    assert found is not None
    return found.status, found.reason


async def history(farm: Farm) -> tuple[RevisionView, ...]:
    assert farm.sim.core is not None
    return await farm.sim.core.history(WEB)


async def paused_by_skep(farm: Farm, within_s: float) -> None:
    """And the turn after that has said so."""
    paused = (ConditionType.PROGRESSING, False, "Paused")

    def is_paused(views: tuple[KeyView, ...]) -> bool:
        told = {(c.type, c.status, c.reason) for c in views[0].conditions}
        return views[0].paused.startswith("by skep: ") and paused in told

    await farm.sim.until(is_paused, within_s)


def _kept(farm: Farm, image: str) -> set[str]:
    """Slots whose containers of an image have ended and are there."""
    shown = [c for host in farm.hosts for c in host.of("web")]
    return {c.labels["skep.slot"] for c in shown if c.state == "exited" and c.image.partition("@")[0] == image}


Body = Callable[[Farm], Awaitable[None]]


def badly(image: str, body: Body, engines: int = 2) -> Farm:
    """With images that never serve, or not for long enough, on all engines."""

    async def whole(farm: Farm) -> None:
        farm.world.behaviours.update(BAD)
        hold(farm, image)
        await body(farm)

    return farmed(whole, engines=engines)


@pytest.mark.parametrize("image", ["web:ends", "web:ill"])
def test_w47_a_roll_of_which_one_fails_goes_back_to_what_served_as_a_new_revision(image: str) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(4, Updating=BACK)
        first = {c.shown.id for _, c in farm.containers()}
        FewestAvailable(farm.world, "web", 3, image)
        await farm.apply(4, image, Updating=BACK)
        farm.wanted["web"] = 4, "web:1"
        await farm.sim.until(lambda views: views[0].generation == 3, 60)
        await farm.right(60)
        assert len(first & {c.shown.id for _, c in farm.containers()}) >= 3
        newest, failed, _ = await history(farm)
        assert (newest.generation, newest.who, newest.automatic, failed.automatic) == (3, "skep", True, False)
        assert newest.why.startswith("generation 2 failed: 1 of 4 failed")
        assert newest.changed == (f"Image {image} -> web:1",)
        assert await progressing(farm) == (True, "Complete")
        rolled = await told(farm, ConditionType.ROLLED_BACK)
        assert rolled is not None and rolled.message == newest.why
        acts = farm.world.acts.copy()
        await farm.clock.sleep(600)
        assert farm.world.acts == acts
        assert _kept(farm, image), "for its logs"
        await farm.up(4, "web:2", Updating=BACK)
        assert _kept(farm, image) <= {c.shown.labels["skep.slot"] for _, c in farm.containers()}
        assert await told(farm, ConditionType.ROLLED_BACK) is None

    badly(image, body)


def test_w47_below_the_ratio_it_goes_on_and_at_the_deadline_it_goes_back() -> None:
    async def body(farm: Farm) -> None:
        half = {**BACK, "MaxFailureRatio": 0.5}
        await farm.up(4, Updating=half)
        await farm.apply(4, "web:ends", Updating=half)
        farm.wanted["web"] = 4, "web:1"
        await farm.clock.sleep(110)
        assert (await viewed(farm)).generation == 2
        await farm.clock.sleep(60)
        await farm.right(60)
        assert "no progress for 120 s" in (await history(farm))[0].why

    badly("web:ends", body)


def test_w46_an_image_that_can_not_be_had_fails_no_replica_and_is_late_at_the_deadline() -> None:
    """F6: by default it is waited for as long as it takes."""

    async def body(farm: Farm) -> None:
        await farm.up(3, Updating=BACK)
        Fewest(farm.world, "web", 3)
        await farm.apply(3, "web:unknown", Updating=BACK)
        await farm.clock.sleep(100)
        assert (await viewed(farm)).generation == 2
        farm.wanted["web"] = 3, "web:1"
        await farm.clock.sleep(60)
        await farm.right(10)
        assert (await viewed(farm)).generation == 3
        await farm.apply(3, "web:unknown")
        await farm.clock.sleep(1800)
        assert (await viewed(farm)).generation == 4

    farmed(body, engines=2)


def test_w47_a_roll_that_shall_pause_stands_still_until_somebody_says_more() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(4, Updating=STILL)
        FewestAvailable(farm.world, "web", 3, "web:ends")
        await farm.apply(4, "web:ends", Updating=STILL)
        await paused_by_skep(farm, 60)
        await farm.clock.sleep(60)
        view = await viewed(farm)
        assert (view.generation, view.converged) == (2, False)
        assert await progressing(farm) == (False, "Paused")
        assert "generation 2 failed: 1 of 4 failed" in view.paused
        assert {c.image.partition("@")[0] for host in farm.hosts for c in host.of("web") if c.state == "running"} == {
            "web:1"
        }
        farm.kill(2)
        await farm.clock.sleep(60)
        assert running(farm.world, "web") == 4
        await farm.up(4, "web:2", Updating=STILL)
        assert not (await viewed(farm)).paused

    badly("web:ends", body)


@pytest.mark.parametrize("how", ["resume", "retry"])
def test_w47_what_skep_paused_is_tried_again_when_somebody_asks(how: str) -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        await farm.up(2, Updating=STILL)
        await farm.apply(2, "web:ends", Updating=STILL)
        await paused_by_skep(farm, 60)
        await getattr(farm.sim.core, how)(WEB, "ann")
        await farm.sim.until(lambda views: views[0].generation == 3 and not views[0].paused, 1)
        await paused_by_skep(farm, 60)
        farm.world.behaviours["web:ends"] = Behaviour()
        await getattr(farm.sim.core, how)(WEB, "ann")
        await farm.right(60)

    badly("web:ends", body)


def test_w47_a_pause_of_people_is_not_ended_by_a_newer_spec_and_takes_over_that_of_skep() -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        await farm.up(2, Updating=STILL)
        await farm.apply(2, "web:ends", Updating=STILL)
        await paused_by_skep(farm, 60)
        await farm.sim.core.pause(WEB, "ann", "to look")
        await farm.apply(2, "web:2", Updating=STILL)
        await farm.clock.sleep(60)
        assert (await viewed(farm)).paused == "by ann: to look"
        await farm.sim.core.resume(WEB, "ann")
        await farm.right(60)

    badly("web:ends", body)


def test_w47_a_rollback_that_fails_is_not_rolled_back_but_stands_still() -> None:
    """F11: what served once serves no more."""

    async def body(farm: Farm) -> None:
        await farm.up(4, Updating=BACK)
        FewestAvailable(farm.world, "web", 2)
        farm.world.behaviours["web:1"] = Behaviour(exits_after_s=0.2)
        slow = {**BACK, "MaxSurge": 0, "MaxUnavailable": 2, "MinReady": "5s"}
        await farm.apply(4, "web:ends-late", surge=0, Updating=slow)
        await paused_by_skep(farm, 300)
        for _ in range(2):
            await farm.clock.sleep(HOUR_S / 2)
            view = await viewed(farm)
            assert (view.generation, await progressing(farm)) == (3, (False, "Paused"))
            assert "generation 3 failed: " in view.paused
        assert (await history(farm))[0].automatic

    badly("web:ends-late", body)


def test_w47_a_rollback_ends_also_where_what_served_gets_sick_at_the_moment_when_it_begins() -> None:
    """Nothing is missing then, and nothing of what failed is left: still it stands still, or was complete once."""

    async def body(farm: Farm, after_s: float, ends: set[tuple[bool, str]]) -> None:
        rolls = {**BACK, "MaxUnavailable": 0}
        farm.world.behaviours["web:1"] = Behaviour(health="healthy")
        await farm.up(2, Updating=rolls)
        farm.world.behaviours["web:1"] = Behaviour(health="unhealthy")
        served = farm.containers()
        await farm.apply(2, "web:ill", Updating=rolls)
        await farm.clock.sleep(after_s)
        for host, container in served:
            host.feel(container, "unhealthy")
        await farm.clock.sleep(HOUR_S / 4)
        assert (await viewed(farm)).generation == 3
        ends.add(await progressing(farm))

    ends: set[tuple[bool, str]] = set()
    for hundredths in range(290, 320):
        badly("web:ill", partial(body, after_s=hundredths / 100, ends=ends))
    assert ends == {(False, "Paused"), (True, "Updating")}


def test_w47_nothing_goes_back_where_nothing_is_rolled() -> None:
    """The first one of all, another count, a roll that is over: what fails there is made again and no more."""

    async def body(farm: Farm) -> None:
        await farm.apply(3, "web:ends", Updating=BACK)
        await farm.clock.sleep(300)
        assert ((await viewed(farm)).generation, (await viewed(farm)).paused) == (1, "")
        await farm.up(3, Updating=BACK)
        farm.world.behaviours["web:1"] = Behaviour(exits_after_s=0.2)
        await farm.apply(5, Updating=BACK)
        await farm.clock.sleep(300)
        assert ((await viewed(farm)).generation, (await viewed(farm)).paused) == (3, "")

    badly("web:ends", body)


def test_w40_what_goes_back_runs_the_very_image_that_served() -> None:
    """The tag means another one by now."""

    async def body(farm: Farm) -> None:
        await farm.up(2, Updating=BACK)
        before = {c.shown.image for _, c in farm.containers()}
        first = {c.shown.id for _, c in farm.containers()}
        hold(farm, "web:ends")
        for host in farm.hosts:
            host.images["web:1"] = "sha256:pushed-since"
        await farm.apply(2, "web:ends", Updating=BACK)
        farm.wanted["web"] = 2, "web:1"
        await farm.sim.until(lambda views: views[0].generation == 3, 60)
        await farm.right(60)
        assert {c.shown.image for _, c in farm.containers()} == before
        assert {c.shown.id for _, c in farm.containers()} == first

    badly("web:ends", body)


def rolled_back(seed: int) -> None:
    """F11: whatever is wrong with the new image, and whenever skep dies, the old one serves and is the newest again."""
    rng = Random(f"back {seed}")
    engines, count, image = rng.randint(1, 4), rng.randint(1, 8), rng.choice(sorted(BAD))
    surge = rng.randint(0, 3)
    unavailable = rng.randint(0 if surge else 1, 3)
    updating = {
        **rng.choice([BACK, BACK, STILL]),
        "MaxSurge": surge,
        "MaxUnavailable": unavailable,
        "MinReady": rng.choice([10, 30]),
        "MaxFailureRatio": rng.choice([0, 0.25, 1]),
    }
    goes_back = updating["FailureAction"] == "rollback"

    async def main() -> Farm:
        new = Farm(farm(seed, engines))
        new.world.behaviours.update(BAD)
        hold(new, image)
        async with new.sim.running():
            await new.apply(count, surge=surge, Updating=updating)
            await new.right(120)
        FewestAvailable(new.world, "web", count - unavailable, image)
        async with new.sim.running():
            await new.apply(count, image, surge=surge, Updating=updating)
        for _ in range(rng.randint(0, 6)):
            life = new.sim.begin(crash_at=rng.randint(1, 30))
            new.sim.core = life.core
            await life.ready()
            await new.clock.sleep(rng.choice([0.3, 3.0, 20.0, 100.0]))
            await life.kill()
        async with new.sim.running():
            new.wanted["web"] = count, "web:1"
            if goes_back:
                await new.sim.until(lambda views: views[0].generation == 3, 400)
                await new.right(120)
                assert await progressing(new) == (True, "Complete")
                assert [r.automatic for r in await history(new)] == [True, False, False]
            else:
                await paused_by_skep(new, 400)
                assert await progressing(new) == (False, "Paused")
            before = (await viewed(new)).generation
            await new.clock.sleep(HOUR_S)
            assert (await viewed(new)).generation == before
            await new.apply(count, "web:2", surge=surge, Updating=updating)
            await new.right(600)
        return new

    done = run(main, 4 * HOUR_S)
    assert not done.world.violations, f"seed {seed}: {done.world.violations[0]}\n{done.tail()}"


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_f11_a_bad_roll_goes_back_or_stands_still_whenever_skep_dies(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        rolled_back(seed)


def test_f3_the_way_back_is_begun_once_at_whichever_call_skep_dies() -> None:
    """Before and after every call that changes anything: there is one new revision, and no more."""

    async def died(crash_at: int) -> bool:
        new = Farm(farm(1, 2))
        new.world.behaviours.update(BAD)
        hold(new, "web:ends")
        async with new.sim.running():
            await new.apply(3, Updating=BACK)
            await new.right(60)
        FewestAvailable(new.world, "web", 3, "web:ends")
        life = new.sim.begin(crash_at)
        new.sim.core = life.core
        with contextlib.suppress(asyncio.CancelledError):
            await life.ready()
            await new.apply(3, "web:ends", Updating=BACK)
        await new.clock.sleep(60)
        was_killed = life.gate.dead.is_set()
        await life.kill()
        async with new.sim.running():
            if (await viewed(new)).generation == 1:
                await new.apply(3, "web:ends", Updating=BACK)
            new.wanted["web"] = 3, "web:1"
            await new.sim.until(lambda views: views[0].generation == 3, 60)
            await new.right(60)
            await new.clock.sleep(300)
            assert [r.automatic for r in await history(new)] == [True, False, False]
        assert not new.world.violations, new.world.violations[0]
        return was_killed

    crash_at = 1
    while run(partial(died, crash_at), HOUR_S) and run(partial(died, -crash_at), HOUR_S):
        crash_at += 1
    assert crash_at > 10
