"""What dies is started again or replaced, and nothing stale stays behind."""

import pytest

from tests.e2e.machine import docker
from tests.e2e.specs import QUICKSTART_CENSUS
from tests.e2e.waiting import eventually, phase
from tests.e2e.world import World

pytestmark = pytest.mark.docker


def node_ids(world: World) -> set[str]:
    return {node["ID"] for node in world.nodes()}


def names(world: World, group: str) -> list[str]:
    return [machine.name for machine in world.machines(group)]


def await_healed(world: World) -> None:
    """All as the quickstart says, the Swarm's nodes are those that the machines are, and skep sees it so.

    Numbers alone would not do: for some seconds a Swarm takes a dead node for one that is ready.
    """
    eventually(lambda: (world.census(), world.memberships() == node_ids(world)), (QUICKSTART_CENSUS, True))
    world.skep.await_converged()
    assert (world.census(), world.memberships() == node_ids(world)) == (QUICKSTART_CENSUS, True)


def test_a_worker_that_was_killed_is_started_with_its_disk(world: World) -> None:
    workers, nodes = names(world, "workers"), node_ids(world)
    with phase("a worker killed: to 3 Ready and 5 running"):
        world.skep.engine.docker("kill", workers[0])
        await_healed(world)
    assert names(world, "workers") == workers
    assert node_ids(world) == nodes


def test_a_worker_whose_container_was_removed_is_made_again_on_its_disk(world: World) -> None:
    workers, nodes = world.machines("workers"), node_ids(world)
    with phase("a worker's container removed: to 3 Ready and 5 running"):
        world.skep.engine.docker("rm", "-fv", workers[0].name)
        await_healed(world)
    assert names(world, "workers") == [worker.name for worker in workers]
    assert workers[0].id not in {worker.id for worker in world.machines("workers")}
    assert node_ids(world) == nodes


def test_a_worker_that_was_removed_with_its_disk_is_replaced_and_leaves_no_node(world: World) -> None:
    """While skep is held, or it would make the container again before the disk can be removed."""
    skep, workers, nodes = world.skep, names(world, "workers"), node_ids(world)
    with phase("a worker removed with its disk: to 3 Ready and 5 running"):
        with skep.held():
            skep.engine.docker("rm", "-fv", workers[0])
            skep.engine.docker("volume", "rm", workers[0])
        await_healed(world)
    assert workers[0] not in names(world, "workers")
    assert workers[1] in names(world, "workers")
    assert len(nodes & node_ids(world)) == 2


def test_the_only_manager_that_was_killed_is_started_and_the_swarm_is_as_before(world: World) -> None:
    managers, nodes, swarm = world.machines("managers"), node_ids(world), world.swarm()
    services = {name: service["ID"] for name, service in world.services().items()}
    with phase("the only manager killed: to 3 Ready and 5 running"):
        world.skep.engine.docker("kill", managers[0].name)
        await_healed(world)
    assert [machine.id for machine in world.machines("managers")] == [managers[0].id]
    assert world.swarm() == swarm
    assert {name: service["ID"] for name, service in world.services().items()} == services
    assert node_ids(world) == nodes


def test_a_container_that_was_killed_is_replaced(world: World) -> None:
    killed = world.containers()["web"][0]
    with phase("a container killed: to 5 running"):
        docker(world.holder(killed), "kill", killed)
        await_healed(world)
    assert killed not in world.containers()["web"]
