"""Specs that change: more, fewer, another image, another machine; and what is refused."""

import pytest

from tests.e2e.machine import ask
from tests.e2e.skep import Skep
from tests.e2e.specs import QUICKSTART_CENSUS, changed, document, quickstart
from tests.e2e.waiting import eventually, phase
from tests.e2e.watch import TaskWatch
from tests.e2e.world import Census, World

pytestmark = pytest.mark.docker

SECOND_IMAGE = "skep/web:2"


def census(machines: int, containers: int) -> Census:
    numbers = dict.fromkeys(("machines", "running", "volumes", "folders", "nodes", "ready"), machines)
    return Census(networks=1, containers={"web": containers}, **numbers)


def images(world: World) -> set[str]:
    """Of all containers of `web`."""
    listings = [ask(world.socket(machine), "/containers/json") or [] for machine in world.machines()]
    return {one["Image"] for listing in listings for one in listing}


def of_second_image(skep: Skep) -> str:
    """The quickstart with another image, which is made for it."""
    made = skep.engine.docker("create", "skep/web:1")
    skep.engine.docker("commit", "--change", "LABEL edition=second", made, SECOND_IMAGE)
    skep.engine.docker("rm", made)
    text = changed(quickstart(skep), "Images: [skep/web:1]", f"Images: [skep/web:1, {SECOND_IMAGE}]", 2)
    return changed(text, "\nImage: skep/web:1\n", f"\nImage: {SECOND_IMAGE}\n", 1)


def with_other_workers(text: str) -> str:
    """The specs with workers that need new machines."""
    workers = document(text, "ID: workers")
    return text.replace(workers, changed(workers, "Memory: 1GiB", "Memory: 1100MiB", 1))


def test_a_workload_scales_up_and_down(world: World) -> None:
    skep, before = world.skep, set(world.containers()["web"])
    with phase("web from 5 to 8"):
        skep.run("workload", "scale", "web", "8", "--wait")
        eventually(world.census, census(3, 8))
    assert before < set(world.containers()["web"])
    with phase("web from 8 to 2"):
        skep.run("workload", "scale", "web", "2", "--wait")
        eventually(world.census, census(3, 2))


def test_a_group_scales_up_and_down_and_leaves_no_node(world: World) -> None:
    skep, before = world.skep, {machine.name for machine in world.machines("workers")}
    with phase("workers from 2 to 3"):
        skep.run("group", "scale", "workers", "3", "--wait")
        eventually(world.census, census(4, 5))
    assert before < {machine.name for machine in world.machines("workers")}
    with phase("workers from 3 to 1"):
        skep.run("group", "scale", "workers", "1", "--wait")
        eventually(world.census, census(2, 5))
    assert world.memberships() == {node["ID"] for node in world.nodes()}


def test_a_new_image_is_rolled_out_without_a_new_machine(world: World) -> None:
    """Images to hold are changed in place: the running machines get them."""
    skep, machines = world.skep, world.machines()
    text = of_second_image(skep)
    with phase("web to a new image"):
        skep.apply(text)
        eventually(world.census, QUICKSTART_CENSUS)
    assert images(world) == {SECOND_IMAGE}
    assert world.machines() == machines


def test_a_group_is_rolled_to_new_machines_and_leaves_no_node(world: World) -> None:
    """N15: of what runs on it no more is ever missing than ran on one machine."""
    skep, before = world.skep, {machine.name for machine in world.machines("workers")}
    with phase("workers to new machines"), TaskWatch(world.manager(), "web") as web:
        skep.apply(with_other_workers(quickstart(skep)))
        eventually(world.census, QUICKSTART_CENSUS)
    assert web.least >= 5 - web.most > 0
    assert before.isdisjoint(machine.name for machine in world.machines("workers"))
    assert world.memberships() == {node["ID"] for node in world.nodes()}


def test_new_machines_and_a_new_image_in_one_apply_do_not_get_in_each_others_way(world: World) -> None:
    """What the drains of a roll stop early would fail an update that had begun."""
    skep, before = world.skep, {machine.name for machine in world.machines("workers")}
    text = with_other_workers(of_second_image(skep))
    with phase("workers to new machines and web to a new image"), TaskWatch(world.manager(), "web") as web:
        skep.apply(text)
        eventually(world.census, QUICKSTART_CENSUS)
    assert web.least >= 5 - web.most > 0
    assert images(world) == {SECOND_IMAGE}
    assert before.isdisjoint(machine.name for machine in world.machines("workers"))


def test_a_roll_of_the_only_manager_is_refused_with_the_reason(world: World) -> None:
    skep, machines, last = world.skep, world.machines(), world.skep.last_event()
    refused = skep.call("apply", "-f", "-", text=changed(quickstart(skep), "Memory: 1GiB", "Memory: 1100MiB", 2))
    assert refused.returncode == 1
    assert "group managers has one manager" in refused.stderr
    assert "Add managers first" in refused.stderr
    assert world.machines() == machines
    assert [view["generation"] for view in skep.views()] == [view["observedGeneration"] for view in skep.views()]
    assert skep.last_event() == last


def test_managers_are_not_destroyed_while_others_need_them(world: World) -> None:
    skep, machines, last = world.skep, world.machines(), world.skep.last_event()
    refused = skep.call("group", "destroy", "managers")
    assert refused.returncode == 1
    assert "group/workers" in refused.stderr
    assert "workload/web" in refused.stderr
    assert "--cascade" in refused.stderr
    assert world.machines() == machines
    assert skep.last_event() == last
