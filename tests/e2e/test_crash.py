"""`kill -9` of `skep serve` while it converges: whenever it comes, the next one finishes the work exactly.

The first file of the folder by its name, so that these run while no other cluster takes processor time.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import MakeSkep
from tests.e2e.machine import ask
from tests.e2e.skep import Skep
from tests.e2e.specs import NOTHING, SMALL_CENSUS, small
from tests.e2e.waiting import eventually, phase
from tests.e2e.world import World

pytestmark = pytest.mark.docker

Moment = Callable[[World], bool]

POLL_S = 0.005
"""Moments last from some milliseconds on."""


@pytest.fixture(scope="module")
def crashing(make_skep: MakeSkep) -> Iterator[World]:
    """A skep for this file alone: nothing of it is there before each test, nor after."""
    skep = make_skep()
    yield World(skep)
    skep.stop()


def specs_are_stored(world: World) -> bool:
    return True


def a_network_is_made(world: World) -> bool:
    return len(world.networks()) == 1


def a_disk_is_made(world: World) -> bool:
    return len(world.volumes()) > 0


def a_machine_is_made(world: World) -> bool:
    return len(world.machines()) > 0


def an_engine_answers(world: World) -> bool:
    return any(ask(world.socket(machine), "/info") for machine in world.machines())


def a_machine_has_the_image(world: World) -> bool:
    images = [one for machine in world.machines() for one in ask(world.socket(machine), "/images/json") or []]
    return any("skep/web:1" in (image["RepoTags"] or ()) for image in images)


def the_swarm_is_formed(world: World) -> bool:
    return bool(world.swarm())


def a_worker_has_joined(world: World) -> bool:
    return bool(world.swarm()) and len(ask(world.manager(), "/nodes") or ()) == 2


def the_service_is_made(world: World) -> bool:
    return bool(world.swarm()) and "web" in world.services()


def a_container_runs(world: World) -> bool:
    return bool(world.containers())


@pytest.mark.parametrize(
    "moments",
    [
        (specs_are_stored, a_machine_has_the_image),
        (a_network_is_made, the_swarm_is_formed),
        (a_disk_is_made, a_worker_has_joined),
        (a_machine_is_made, the_service_is_made),
        (an_engine_answers, a_container_runs),
    ],
    ids=lambda moments: "-and-".join(moment.__name__ for moment in moments),
)
def test_killed_twice_while_it_converges_it_makes_exactly_what_is_wanted(
    crashing: World, moments: tuple[Moment, Moment]
) -> None:
    skep = crashing.skep
    skep.changes(small(skep))
    with phase(f"killed when {' and when '.join(moment.__name__ for moment in moments)}: apply to converged"):
        for moment in moments:
            kill_at(crashing, moment)
        skep.await_converged()
    eventually(crashing.census, SMALL_CENSUS)
    check_that_there_is_one_swarm(crashing)
    skep.await_converged()
    delete_everything(skep)
    assert crashing.census() == NOTHING


def kill_at(world: World, moment: Moment) -> None:
    """Kill the server as soon as the moment has come, and start the next."""
    eventually(lambda: moment(world), True, poll_s=POLL_S)
    world.skep.kill()
    world.skep.start()


def check_that_there_is_one_swarm(world: World) -> None:
    """Every machine is a node of the manager's Swarm, and that has no other."""
    assert world.memberships() == {node["ID"] for node in world.nodes()}
    assert list(world.services()) == ["web"]


def delete_everything(skep: Skep) -> None:
    """As people do, waiting for the end."""
    skep.run("delete", "-f", "-", "--wait", text=small(skep))
    assert skep.views() == []


def test_killed_while_it_removes_everything_it_leaves_nothing(crashing: World) -> None:
    skep = crashing.skep
    skep.apply(small(skep))
    skep.run("delete", "-f", "-", text=small(skep))
    with phase("killed while it removes: to nothing left"):
        kill_at(crashing, lambda world: len(world.machines()) < 2)
        eventually(skep.views, [])
    assert crashing.census() == NOTHING
