"""One command from nothing to a Swarm that keeps itself: what the example makes, and that doing it again is nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.machine import ask, docker
from tests.e2e.skep import Skep
from tests.e2e.specs import QUICKSTART_CENSUS, quickstart
from tests.e2e.waiting import phase
from tests.e2e.world import World

pytestmark = pytest.mark.docker

ASK_WEB = Path(__file__).parents[2] / "scripts" / "ask_web.py"


def answering(skep: Skep) -> str:
    """What the script for people says of the endpoints of `web`, from where they can be reached."""
    endpoints = skep.run("workload", "describe", "web", "-o", "json")
    enter = ["nsenter", "--net", f"--target={skep.engine.pid}", sys.executable, str(ASK_WEB)]
    done = subprocess.run(enter, input=endpoints, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def everything(world: World) -> object:
    """What would differ if anything had been made again, started again or updated."""
    machines = world.machines()
    host = world.skep.engine.folder / "docker.sock"
    started = [ask(host, f"/containers/{one.id}/json")["State"]["StartedAt"] for one in machines]
    versions = {name: service["Version"]["Index"] for name, service in world.services().items()}
    return machines, started, versions, world.containers(), world.nodes(), world.census()


def test_the_quickstart_is_a_swarm_of_three_that_answers(world: World) -> None:
    nodes = json.loads("[" + ",".join(docker(world.manager(), "node", "ls", "--format=json").splitlines()) + "]")
    assert [node["Status"] for node in nodes] == ["Ready"] * 3
    assert sorted(node["ManagerStatus"] for node in nodes) == ["", "", "Leader"]
    assert world.census() == QUICKSTART_CENSUS
    assert answering(world.skep).startswith("5 of 5 endpoints of web answer")


def test_a_machine_is_limited_to_the_memory_of_its_spec(world: World) -> None:
    host = world.skep.engine.folder / "docker.sock"
    limits = {ask(host, f"/containers/{one.id}/json")["HostConfig"]["Memory"] for one in world.machines()}
    assert limits == {2**30}


def test_applying_it_again_changes_nothing(world: World) -> None:
    skep, before, last = world.skep, everything(world), world.skep.last_event()
    assert set(skep.changes(quickstart(skep)).values()) == {"unchanged"}
    plan = skep.call("plan", "-f", "-", text=quickstart(skep))
    assert plan.returncode == 0, plan.stdout + plan.stderr
    skep.apply(quickstart(skep))
    assert everything(world) == before
    assert skep.last_event() == last


def test_a_restart_of_the_server_changes_nothing(world: World) -> None:
    skep, before, last = world.skep, everything(world), world.skep.last_event()
    with phase("stop of a converged skep"):
        skep.stop()
    with phase("restart of a converged skep"):
        assert not os.path.lexists(skep.state / "skep.sock")
        assert everything(world) == before
        skep.start()
        skep.await_converged()
    assert everything(world) == before
    assert skep.last_event() == last
