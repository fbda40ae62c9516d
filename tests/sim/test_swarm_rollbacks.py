"""Rolls that fail on a Swarm, which counts and goes back by itself where it can (semantics.md W46, W47, F11)."""

from collections import Counter

import pytest

from skep.model.state import ConditionType
from skep.model.view import KeyView
from tests.sim.container_farm import HOUR_S
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.test_rollbacks import BACK, STILL, WEB


def asked(count: int, image: str, updating: object, **more: object) -> dict[str, object]:
    return {**workload("web", count, image), "Updating": updating, **more}


async def swarm_of(sim: Simulation, image: str, updating: object) -> None:
    """A Swarm that runs four of `web:1`, and an image that ends a second after it was started."""
    sim.world.host_images[image] = f"sha256:{image}"
    await sim.apply(managers(1), workers(2), asked(4, "web:1", updating))
    await sim.converged(60)
    sim.world.mark_bad(image)


async def swarm_history(sim: Simulation) -> list[tuple[int, str, bool]]:
    assert sim.core is not None
    return [(r.generation, r.who, r.automatic) for r in await sim.core.history(WEB)]


def of_web(views: tuple[KeyView, ...]) -> KeyView:
    return next(v for v in views if v.name == "web")


def is_paused_by_skep(views: tuple[KeyView, ...]) -> bool:
    return of_web(views).paused.startswith("by skep: ")


def stated(views: tuple[KeyView, ...], kind: ConditionType) -> tuple[bool, str] | None:
    return next(((c.status, c.reason) for c in of_web(views).conditions if c.type is kind), None)


def served(sim: Simulation) -> dict[str, int]:
    """Running tasks by image."""
    [swarm] = sim.world.swarms()
    service = swarm.services.named("web")
    return dict(Counter(t.image.partition("@")[0] for t in service.tasks if t.state == "running" and t.wanted))


@pytest.mark.parametrize("crash", [False, True])
def test_w47_what_a_swarm_has_rolled_back_becomes_a_revision_with_the_count_of_today(crash: bool) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await swarm_of(sim, "web:2", BACK)
            await sim.apply(asked(5, "web:2", BACK))
            if not crash:
                await sim.until(lambda views: of_web(views).generation == 3, 60)
        await sim.clock.sleep(60 if crash else 0)
        async with sim.running():
            await sim.until(lambda views: of_web(views).generation == 3, 60)
            await sim.converged(60)
            assert served(sim) == {"web:1": 5}
            assert await swarm_history(sim) == [(3, "skep", True), (2, "sim", False), (1, "sim", False)]
            views = await sim.views()
            assert stated(views, ConditionType.ROLLED_BACK) == (True, "RollFailed")
            acts = sim.world.acts.copy()
            await sim.clock.sleep(600)
            assert sim.world.acts == acts

    run(main, HOUR_S)


def test_w47_where_a_swarm_waits_for_ever_the_deadline_brings_the_old_one_back() -> None:
    """No node fits the new one: Swarm itself says nothing, and nothing fails."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await swarm_of(sim, "web:2", BACK)
            nowhere = asked(4, "web:1", BACK, Constraints=["node.labels.zone==moon"])
            await sim.apply(nowhere)
            await sim.clock.sleep(110)
            told = of_web(await sim.views())
            assert (told.generation, told.current, told.outdated) == (2, 4, 4)
            await sim.clock.sleep(60)
            await sim.converged(60)
            told = of_web(await sim.views())
            assert (told.generation, told.current, told.outdated, served(sim)) == (3, 4, 0, {"web:1": 4})
            still = asked(4, "web:1", STILL, Constraints=["node.labels.zone==moon"])
            await sim.apply(still)
            await sim.until(is_paused_by_skep, 200)
            assert stated(await sim.views(), ConditionType.PROGRESSING) == (False, "Paused")
            await sim.apply(nowhere | {"Constraints": [], "Image": "web:1"})
            await sim.converged(60)

    run(main, HOUR_S)


@pytest.mark.parametrize(("seed", "reason"), [(1, "Paused"), (8, "RevisionFailed")])
def test_w47_a_rollback_that_fails_on_a_swarm_is_paused_and_stays_so(seed: int, reason: str) -> None:
    """By skep at the deadline, or by the Swarm, where an old task is left when it turns to the spec that skep set."""

    async def main() -> None:
        sim = simulation(seed)
        async with sim.running():
            stop_first = {**BACK, "MaxSurge": 0, "MaxUnavailable": 2}
            await swarm_of(sim, "web:2", stop_first)
            sim.world.mark_bad("web:1")
            await sim.apply(asked(4, "web:2", stop_first))
            await sim.until(is_paused_by_skep, 300)
            for _ in range(2):
                await sim.clock.sleep(HOUR_S / 2)
                assert [number for number, _, _ in await swarm_history(sim)] == [3, 2, 1]
                assert stated(await sim.views(), ConditionType.PROGRESSING) == (False, reason)
                assert is_paused_by_skep(await sim.views())

    run(main, 3 * HOUR_S)


@pytest.mark.parametrize("more", [{}, {"FailureAction": "rollback"}], ids=["reported", "rolled back"])
def test_w46_a_roll_that_takes_longer_than_its_deadline_is_not_late_while_it_comes_on(more: dict[str, object]) -> None:
    """Nor is the way back, on which some already are what they shall be."""

    async def main() -> None:
        sim = simulation(seed=1)
        updating = {"MaxSurge": 1, "MaxUnavailable": 0, "ProgressDeadline": 10, **more}
        async with sim.running():
            await sim.apply(managers(1), workers(2), asked(40, "web:1", updating))
            await sim.converged(90)
            for image in ("web:2", "web:1"):
                await sim.apply(asked(40, image, updating))
                began_s, generation = sim.clock.monotonic_s(), of_web(await sim.views()).generation
                while served(sim).get(image, 0) < (33 if image == "web:2" else 40):
                    await sim.clock.sleep(1)
                    assert stated(await sim.views(), ConditionType.PROGRESSING) == (True, "Updating")
                if image == "web:1":
                    await sim.converged(60)
                assert sim.clock.monotonic_s() - began_s > 15
                assert of_web(await sim.views()).generation == generation

    run(main, HOUR_S)
