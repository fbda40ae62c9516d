"""Clusters of the settings on real Engines: a Swarm that was there before. Those that stand alone: `test_faults.py`."""

import pytest

from tests.e2e.proxied import IMAGE, ProxiedSkep
from tests.e2e.waiting import eventually, phase
from tests.engines.host import host_engine

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
