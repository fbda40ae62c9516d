"""Clusters of the settings on real Engines: a Swarm that was there before, and images that are built anew. What befalls
Engines that stand alone: `test_faults.py`."""

import pytest

from tests.e2e.proxied import IMAGE, ProxiedSkep, workload
from tests.e2e.waiting import eventually, phase
from tests.engines.host import HostEngine, host_engine

pytestmark = pytest.mark.docker


def test_a_swarm_that_is_there_already_runs_workloads_and_is_nobodys_to_found() -> None:
    with host_engine() as engine:
        engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        skep = ProxiedSkep(engine, "10.30.0", clusters={"prod": [engine.endpoint]})
        try:
            skep.start()
            skep.run("image", "example")
            skep.apply(f"Name: web\nImage: {IMAGE}\nCount: 2\n")
            [cluster] = skep.read("cluster", "ls")
            assert (cluster["name"], cluster["kind"], cluster["origin"]) == ("prod", "swarm", "settings")
            engine.docker("service", "rm", "web")
            with phase("a service of a Swarm of the settings is removed: until it is back"):
                eventually(lambda: len(engine.docker("service", "ls", "-q").split()), 1)
            refused = skep.call("apply", "-f", "-", text=MANAGERS)
            assert "the settings have one of that name" in refused.stderr
            skep.stop()
            assert "service web" in skep.run("down")
            assert engine.docker("service", "ls", "-q") == ""
            assert engine.docker("info", "-f", "{{.Swarm.LocalNodeState}}") == "active"
        finally:
            skep.remove()


MANAGERS = """
ID: prod
Properties:
  Allocation: {LogicalIDs: ["10.30.0.10"]}
  Instance: {Plugin: instance-simulator}
  Flavor: {Plugin: flavor-swarm, Properties: {Type: manager}}
"""


@pytest.mark.parametrize("is_swarm", [False, True], ids=["on an engine", "on a swarm"])
def test_w40_an_image_that_was_built_anew_is_rolled_out_when_somebody_asks_for_it(is_swarm: bool) -> None:
    with host_engine() as engine:
        if is_swarm:
            engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        skep = ProxiedSkep(engine, "10.30.0", clusters={"prod": [engine.endpoint]})
        try:
            skep.start()
            skep.run("image", "example")
            engine.docker("tag", IMAGE, MOVING)
            web = workload("web", "prod", 2, Image=MOVING)
            skep.apply(web)
            first = running(engine)
            skep.run("apply", "--resolve", "-f", "-", "--wait", text=web)
            assert running(engine) == first
            built = engine.docker("commit", "--change", "LABEL built=anew", engine.docker("create", IMAGE), MOVING)
            skep.apply(web)
            assert running(engine) == first
            skep.run("apply", "--resolve", "-f", "-", "--wait", text=web)
            eventually(lambda: list(running(engine).values()), [built, built])
            assert not first.keys() & running(engine).keys()
            assert "image resolved again" in skep.read("workload", "history", "web")[0]["why"]
        finally:
            skep.remove()


MOVING = "skep/moving:1"


def running(engine: HostEngine) -> dict[str, str]:
    """What the containers of web run, by container: the image's ID."""
    found = engine.docker("ps", "-q", "--no-trunc", "--filter", "label=swarm.cluster.state=web").split()
    return {id_: engine.docker("inspect", "-f", "{{.Image}}", id_) for id_ in found}
