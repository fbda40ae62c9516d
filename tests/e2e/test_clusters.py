"""Clusters of the settings on real Engines: three that stand alone, of which one falls silent, and a Swarm."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.e2e.skep import Skep
from tests.e2e.waiting import eventually, phase
from tests.engines.host import HostEngine, host_engine

pytestmark = pytest.mark.docker

IMAGE = "skep/web:1"


@dataclass
class ClusterSkep(Skep):
    """A skep with clusters in its settings: `NAME=URL,…`."""

    clusters: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"SKEP_CLUSTER": " ".join(self.clusters)}


@contextmanager
def serving(engines: list[HostEngine], name: str) -> Iterator[ClusterSkep]:
    """A skep whose cluster these engines are; all of them hold the example's image."""
    skep = ClusterSkep(engines[0], "10.30.0", clusters=[f"{name}={','.join(e.endpoint for e in engines)}"])
    try:
        skep.start()
        skep.run("image", "example")
        saved = subprocess.run(["docker", "-H", engines[0].endpoint, "save", IMAGE], capture_output=True, check=True)
        for other in engines[1:]:
            load = ["docker", "-H", other.endpoint, "load"]
            subprocess.run(load, input=saved.stdout, capture_output=True, check=True)
        yield skep
    finally:
        skep.remove()


def running(*engines: HostEngine) -> list[int]:
    return [len(engine.docker("ps", "-q").split()) for engine in engines]


@contextmanager
def hung(engine: HostEngine) -> Iterator[None]:
    """It answers nobody, and its containers run on."""
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(engine.pid, signal.SIGCONT)


def test_an_engine_that_hangs_is_made_up_for_and_what_is_too_much_goes_when_it_is_back() -> None:
    """semantics.md W35 and F10; the others are looked after meanwhile."""
    with ExitStack() as stack:
        engines = [stack.enter_context(host_engine()) for _ in range(3)]
        skep = stack.enter_context(serving(engines, "lab"))
        skep.apply(f"Name: web\nImage: {IMAGE}\nCount: 6\n")
        assert running(*engines) == [2, 2, 2]
        first, second, third = engines
        with hung(third):
            first.docker("kill", first.docker("ps", "-q").split()[0])
            eventually(lambda: sum(running(first, second)), 4)
            eventually(lambda: states(skep), ["answering", "answering", "silent"])
            with phase("an engine hangs: until its containers run elsewhere"):
                eventually(lambda: sum(running(first, second)), 6)
        eventually(lambda: sum(running(*engines)), 6)
        skep.await_converged()
        assert sum(running(*engines)) == 6
        assert states(skep) == ["answering"] * 3


def states(skep: Skep) -> list[str]:
    [cluster] = skep.read("cluster", "ls")
    return [engine["state"] for engine in cluster["engines"]]


def test_a_swarm_that_is_there_already_runs_workloads_and_is_nobodys_to_found() -> None:
    with host_engine() as engine:
        engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        with serving([engine], "prod") as skep:
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


MANAGERS = """
ID: prod
Properties:
  Allocation: {LogicalIDs: ["10.30.0.10"]}
  Instance: {Plugin: instance-simulator}
  Flavor: {Plugin: flavor-swarm, Properties: {Type: manager}}
"""
