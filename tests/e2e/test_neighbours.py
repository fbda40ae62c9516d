"""Two skeps on one engine leave each other alone, though their groups and workloads have the same names."""

import pytest

from tests.e2e.conftest import MakeSkep
from tests.e2e.machine import ask
from tests.e2e.specs import NOTHING, SMALL_CENSUS, small
from tests.e2e.waiting import eventually, phase
from tests.e2e.world import World

pytestmark = pytest.mark.docker


def test_removing_all_of_one_leaves_the_other_as_it_was(world: World, make_skep: MakeSkep) -> None:
    """And `delete -f` leaves nothing that carries its controller's label."""
    machines, containers, last = world.machines(), world.containers(), world.skep.last_event()
    other = World(make_skep())
    with phase("a neighbour: apply to 2 Ready and 3 running"):
        other.skep.apply(small(other.skep))
        eventually(other.census, SMALL_CENSUS)
    with phase("a neighbour: delete to nothing left"):
        other.skep.run("delete", "-f", "-", "--wait", text=small(other.skep))
    assert other.census() == NOTHING
    assert other.skep.views() == []
    assert (world.machines(), world.containers()) == (machines, containers)
    world.skep.await_converged()
    assert world.skep.last_event() == last


def test_taking_one_down_from_its_labels_alone_leaves_the_other_as_it_was(world: World, make_skep: MakeSkep) -> None:
    machines, containers, last = world.machines(), world.containers(), world.skep.last_event()
    other = World(make_skep())
    other.skep.changes(small(other.skep))
    eventually(lambda: len(other.machines()), 2)
    held = other.skep.call("down")
    assert held.returncode == 1
    assert "is in use by process" in held.stderr
    other.skep.stop()
    with phase("a neighbour: down"):
        other.skep.run("down")
    assert other.census() == NOTHING
    host = other.skep.engine.folder / "docker.sock"
    assert ask(host, "/networks", {"label": [f"skep.controller={other.skep.controller}"]}) == []
    assert (world.machines(), world.containers()) == (machines, containers)
    world.skep.await_converged()
    assert world.skep.last_event() == last
