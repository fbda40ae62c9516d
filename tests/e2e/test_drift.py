"""What was changed by hand on the Swarm is repaired."""

import pytest

from tests.e2e.machine import docker
from tests.e2e.specs import QUICKSTART_CENSUS
from tests.e2e.waiting import eventually, phase
from tests.e2e.world import World

pytestmark = pytest.mark.docker


def spec(world: World) -> object:
    """What the service of `web` is asked to be; None while there is none."""
    service = world.services().get("web")
    return service and service["Spec"]


@pytest.mark.parametrize(
    "change",
    [
        ("--no-resolve-image", "--image", "nobody/has-this:1"),
        ("--env-add", "BY=hand"),
        ("--replicas", "2"),
    ],
    ids=" ".join,
)
def test_a_service_that_was_changed_by_hand_is_as_its_spec_says_again(world: World, change: tuple[str, ...]) -> None:
    before = world.services()["web"]
    with phase(f"service update {' '.join(change)} by hand: to 5 running as before"):
        docker(world.manager(), "service", "update", "--detach", *change, "web")
        eventually(lambda: spec(world), before["Spec"])
        eventually(world.census, QUICKSTART_CENSUS)
        world.skep.await_converged()
    after = world.services()["web"]
    assert after["ID"] == before["ID"]
    assert after["Version"] != before["Version"]


def test_a_service_that_was_removed_by_hand_is_made_again(world: World) -> None:
    before = world.services()["web"]
    with phase("service rm by hand: to 5 running again"):
        docker(world.manager(), "service", "rm", "web")
        eventually(lambda: spec(world), before["Spec"])
        eventually(world.census, QUICKSTART_CENSUS)
        world.skep.await_converged()
    assert world.services()["web"]["ID"] != before["ID"]


def test_what_others_put_on_the_swarm_is_let_be(world: World) -> None:
    """Their services, and their labels on ours while that is repaired."""
    manager, template = world.manager(), world.services()["web"]["Spec"]["TaskTemplate"]
    docker(manager, "service", "create", "--detach", "--no-resolve-image", "--name", "theirs", "skep/web:1")
    docker(manager, "service", "update", "--detach", "--label-add", "owner=them", "--env-add", "BY=hand", "web")
    try:
        eventually(lambda: world.services()["web"]["Spec"]["TaskTemplate"], template)
        world.skep.await_converged()
        assert world.services()["web"]["Spec"]["Labels"]["owner"] == "them"
        assert "theirs" in world.services()
    finally:
        docker(manager, "service", "rm", "theirs")
        docker(manager, "service", "update", "--detach", "--label-rm", "owner", "web")
    eventually(world.census, QUICKSTART_CENSUS)
