"""An image that was pushed or built anew under its tag, and the request to look at it (semantics.md W40)."""

import json

import pytest

from skep.control.fixing import fixed
from skep.model.engine import Image
from skep.model.request import ApplyOptions
from skep.model.state import Record
from skep.specs.source import SourceFile
from tests.control.lab import WEB as WEB_OF
from tests.control.lab import document_of
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.container_run import farm
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.test_rollbacks import BACK, STILL, WEB, history, paused_by_skep

TAG = "web:1"
OLD, NEW = f"{TAG}@sha256:old", f"{TAG}@sha256:new"


async def asked_again(sim: Simulation, count: int, why: str = "", **more: object) -> None:
    assert sim.core is not None
    text = json.dumps(workload("web", count, TAG) | more)
    await sim.core.apply([SourceFile("sim", text)], "ann", ApplyOptions(resolve=True, why=why))


def images(farm: Farm) -> set[str]:
    return {c.shown.image for _, c in farm.containers()}


def ids(farm: Farm) -> set[str]:
    return {c.shown.id for _, c in farm.containers()}


def from_registry(farm: Farm) -> None:
    """No engine holds it yet."""
    farm.world.registry[TAG] = "sha256:old"
    for host in farm.hosts:
        host.images.pop(TAG, None)


def built_anew(farm: Farm, id: str) -> None:
    """On each engine, which keeps the image from before without a tag."""
    for host in farm.hosts:
        host.images[f"none:{host.images[TAG]}"] = host.images[TAG]
        host.images[TAG] = id


def test_what_was_pushed_anew_is_rolled_out_when_somebody_asks_and_not_before() -> None:
    async def body(farm: Farm) -> None:
        from_registry(farm)
        await farm.up(3)
        farm.world.registry[TAG] = "sha256:new"
        first = ids(farm)
        await farm.up(3)
        assert images(farm) == {OLD}
        await asked_again(farm.sim, 3, "pushed")
        await farm.right(60)
        assert (images(farm), ids(farm) & first) == ({NEW}, set())
        newest = (await history(farm))[0]
        assert (newest.generation, newest.who, newest.changed) == (2, "ann", ())
        assert newest.why == "pushed; image resolved again"

    farmed(body, engines=2)


@pytest.mark.parametrize("is_pushed", [True, False], ids=["pushed", "local"])
def test_a_tag_that_names_the_same_replaces_nothing(is_pushed: bool) -> None:
    async def body(farm: Farm) -> None:
        if is_pushed:
            from_registry(farm)
        await farm.up(3)
        first = ids(farm)
        await asked_again(farm.sim, 3)
        await farm.right(60)
        await asked_again(farm.sim, 3)
        await farm.right(60)
        assert ids(farm) == first
        assert [r.why for r in await history(farm)] == ["image resolved again", "image resolved again", ""]

    farmed(body, engines=2)


def test_what_was_built_anew_on_the_engines_is_named_by_its_id() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(3)
        assert images(farm) == {TAG}
        built_anew(farm, "sha256:second")
        await asked_again(farm.sim, 3)
        await farm.clock.sleep(60)
        assert images(farm) == {"sha256:second"}
        await farm.sim.converged(60)
        second = ids(farm)
        await asked_again(farm.sim, 3)
        await farm.clock.sleep(60)
        assert ids(farm) == second

    farmed(body, engines=2)


NEVER_WELL = Behaviour(health="starting", health_after_s=1.0)


def test_a_roll_to_it_that_fails_goes_back_to_the_very_image() -> None:
    """W47: though the tag names the bad one, also for what is made later."""

    async def body(farm: Farm) -> None:
        await farm.up(4, Updating=BACK)
        farm.world.behaviours["sha256:new"] = NEVER_WELL
        before = {TAG, farm.hosts[0].images[TAG]}
        built_anew(farm, "sha256:new")
        await asked_again(farm.sim, 4, Updating=BACK)
        await farm.sim.until(lambda views: views[0].generation == 3, 400)
        await farm.sim.converged(120)
        assert images(farm) <= before
        farm.kill(4)
        await farm.clock.sleep(120)
        await farm.sim.converged(60)
        assert len(farm.containers()) == 4
        assert images(farm) == before - {TAG}
        assert (await history(farm))[0].automatic

    farmed(body, engines=2)


def test_w42_what_ends_in_a_roll_to_it_that_proves_nothing_is_made_of_the_very_image_from_before() -> None:
    """It is known by its tag alone, which names the bad one now."""

    async def body(farm: Farm) -> None:
        await farm.up(8)
        before = farm.hosts[0].images[TAG]
        farm.world.behaviours["sha256:new"] = NEVER_WELL
        built_anew(farm, "sha256:new")
        await asked_again(farm.sim, 8)
        await farm.clock.sleep(60)
        first = [(h, c) for h, c in farm.containers() if c.shown.image == TAG]
        assert len(first) == 6
        for host, container in first:
            host.end(container)
            await farm.clock.sleep(30)
            assert sum(c.shown.image in (TAG, before) for _, c in farm.containers()) == 6
        assert images(farm) == {before, "sha256:new"}
        built_anew(farm, "sha256:mended")
        await asked_again(farm.sim, 8)
        await farm.clock.sleep(60)
        await farm.sim.converged(60)
        assert images(farm) == {"sha256:mended"}

    farmed(body, engines=2)


def test_what_skep_paused_is_looked_at_again_when_it_is_resumed() -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        await farm.up(4, Updating=STILL)
        old = farm.hosts[0].images[TAG]
        farm.world.behaviours["sha256:new"] = NEVER_WELL
        built_anew(farm, "sha256:new")
        await asked_again(farm.sim, 4, Updating=STILL)
        await paused_by_skep(farm, 400)
        for host, container in farm.containers():
            if container.shown.image == TAG:
                host.end(container)
        await farm.clock.sleep(60)
        assert old in images(farm), "what ends is made as it was"
        built_anew(farm, "sha256:mended")
        await farm.sim.core.resume(WEB, "ann")
        await farm.clock.sleep(60)
        await farm.sim.converged(300)
        assert images(farm) == {"sha256:mended"}

    farmed(body, engines=2)


def test_while_it_is_paused_the_request_waits() -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        from_registry(farm)
        await farm.up(3)
        await farm.sim.core.pause(WEB, "ann")
        farm.world.registry[TAG] = "sha256:new"
        await asked_again(farm.sim, 3)
        await farm.clock.sleep(60)
        assert images(farm) == {OLD}
        await farm.sim.core.resume(WEB, "ann")
        await farm.clock.sleep(60)
        assert images(farm) == {NEW}

    farmed(body, engines=2)


def test_a_crash_between_the_request_and_its_answer_loses_nothing() -> None:
    async def main() -> None:
        new = Farm(farm(1, 2))
        from_registry(new)
        async with new.sim.running():
            await new.up(3)
            new.world.registry[TAG] = "sha256:new"
            await asked_again(new.sim, 3)
        assert images(new) == {OLD}
        async with new.sim.running():
            await new.clock.sleep(60)
            assert images(new) == {NEW}
            await new.sim.converged(60)

    run(main, HOUR_S)


@pytest.mark.parametrize("is_pushed", [True, False], ids=["pushed", "built"])
def test_on_a_swarm_the_service_gets_the_image_that_the_tag_names_now(is_pushed: bool) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        if is_pushed:
            sim.world.registry[TAG] = "sha256:old"
        async with sim.running():
            await sim.apply(managers(1), workers(2), workload("web", 3, TAG))
            await sim.converged(120)
            [swarm] = sim.world.swarms()

            def of_tasks() -> set[str]:
                return {t.image for t in swarm.services.named("web").tasks if t.state == "running" and t.wanted}

            first = {t.id for t in swarm.services.named("web").tasks if t.state == "running"}
            await asked_again(sim, 3)
            await sim.clock.sleep(60)
            assert {t.id for t in swarm.services.named("web").tasks if t.state == "running"} == first
            if is_pushed:
                sim.world.registry[TAG] = "sha256:new"
            for machine in sim.world.machines.values():
                machine.host.images[TAG] = "sha256:built"
            sim.world.host_images[TAG] = "sha256:built"
            await asked_again(sim, 3)
            await sim.clock.sleep(120)
            await sim.converged(120)
            assert of_tasks() == {NEW if is_pushed else "sha256:built"}

    run(main, HOUR_S)


HELD = [
    ("a registry's word counts", OLD, "", NEW, ["a"], (NEW, "")),
    ("without one nothing is new of what engines hold alike", TAG, "a", None, ["a"], (TAG, "a")),
    ("one that was built anew is named by its ID", TAG, "a", None, ["b", "b"], ("b", "b")),
    ("and so is the next", "b", "b", None, ["c"], ("c", "c")),
    ("engines that hold different ones tell nothing", TAG, "a", None, ["a", "b"], (TAG, "a")),
    ("nor do those that hold none", OLD, "", None, [], (OLD, "")),
    ("what is in a registry now is named by its digest", "b", "b", NEW, ["b"], (NEW, "")),
]


@pytest.mark.parametrize(
    ("image", "id", "told", "held", "expected"), [row[1:] for row in HELD], ids=[r[0] for r in HELD]
)
def test_looked_at_again(image: str, id: str, told: str | None, held: list[str], expected: tuple[str, str]) -> None:
    document = document_of(WEB_OF)
    record = Record(document.key, image=image, image_spec=TAG, image_id=id)
    after = fixed(document, record, TAG, told, [Image(one) for one in held])
    assert (after.image, after.image_id) == expected
