"""Workers whose spec would take them from their Swarm without a drain: it is refused, and none of them is touched."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.model.cluster import StaticCluster
from skep.model.errors import RefusedError
from skep.model.spec import Key
from tests.fakes.foreign import ForeignInstances
from tests.sim.controller import Simulation, group, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.ways import WAYS, on, refused

WORKERS, MA = Key.parse("group/workers"), Key.parse("group/ma")
LEAVES = "has machines in cluster ma. With this spec they would be destroyed without a drain"


def managers(name: str, address: str) -> dict[str, Any]:
    return group(name, {"LogicalIDs": [address]}, "manager")


def vanilla(count: int) -> dict[str, Any]:
    document: dict[str, Any] = workers(count)
    document["Properties"]["Flavor"] = {"Plugin": "flavor-vanilla", "Properties": {}}
    return document


def combo(document: dict[str, Any], cluster: str) -> dict[str, Any]:
    """The same flavor, in a combo with another one."""
    parts = [document["Properties"]["Flavor"], {"Plugin": "flavor-vanilla", "Properties": {"Tags": {"a": "b"}}}]
    parts[0]["Properties"]["Cluster"] = cluster
    document["Properties"]["Flavor"] = {"Plugin": "flavor-combo", "Properties": {"Flavors": parts}}
    return document


def elsewhere() -> dict[str, Any]:
    document: dict[str, Any] = workers(2)
    document["Properties"]["Flavor"]["Properties"]["Host"] = "sim://nowhere"
    return document


def in_two(body: Callable[[Simulation], Awaitable[None]]) -> None:
    """Two clusters, ma and mb, and two workers that serve four containers on ma."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(managers("ma", "10.9.0.10"), managers("mb", "10.9.0.20"))
            await sim.converged(120)
            await sim.apply(on(workers(2), "ma"))
            await sim.apply({**workload("web", 4), "Cluster": "ma", "Constraints": ["node.role==worker"]})
            await sim.converged(120)
            await body(sim)
        assert not sim.world.violations

    run(main)


@WAYS
@pytest.mark.parametrize("freed", [False, True])
def test_workers_are_not_taken_to_another_cluster(way: str, freed: bool) -> None:
    """All of them were destroyed at once, before any of the new ones was there; their nodes stayed."""

    async def body(sim: Simulation) -> None:
        assert sim.core is not None
        if freed:
            await sim.core.free(WORKERS, "sim")
        await refused(sim, way, f"workers {LEAVES}", on(workers(2), "mb"))
        assert sim.world.running("web") == 4

    in_two(body)


def test_workers_without_the_tag_that_tells_their_swarm_are_where_their_spec_had_them() -> None:
    """As those whose plugin lost it."""

    async def body(sim: Simulation) -> None:
        for machine in sim.world.group("workers"):
            tags = {name: value for name, value in machine.spec.tags.items() if name != "swarm-id"}
            sim.world.instances._machines.tag(machine, replace(machine.spec, tags=tags))
        await refused(sim, "apply", "has machines that may be in cluster ma. With", on(workers(2), "mb"))

    in_two(body)


@pytest.mark.parametrize(
    "other",
    [vanilla(2), group("workers", {"LogicalIDs": ["10.9.0.40"]}, "manager"), elsewhere(), combo(workers(2), "mb")],
)
def test_workers_are_not_made_machines_of_another_kind(other: dict[str, Any]) -> None:
    async def body(sim: Simulation) -> None:
        await refused(sim, "apply", LEAVES, other)

    in_two(body)


def test_workers_that_have_left_join_the_other_cluster_and_are_not_rolled_back_while_they_are_there() -> None:
    """W48: a rollback is refused as an apply would be."""

    async def body(sim: Simulation) -> None:
        assert sim.core is not None
        await sim.apply(on(workers(0), "ma"))
        await sim.until(lambda views: all(v.converged for v in views if v.kind == "group"), 200)
        await sim.apply(on(workers(2), "mb"))
        await sim.until(lambda views: all(v.converged for v in views if v.kind == "group"), 200)
        assert {len(swarm.nodes) for swarm in sim.world.swarms()} == {1, 3}
        with pytest.raises(RefusedError, match="has machines in cluster mb"):
            await sim.core.rollback(WORKERS, 1, "sim")

    in_two(body)


def test_workers_that_are_being_removed_come_back_elsewhere_when_they_are_gone() -> None:
    async def body(sim: Simulation) -> None:
        await sim.delete(workers(2))
        with pytest.raises(RefusedError, match=f"{LEAVES}.*: apply it again when it is gone"):
            await sim.apply(on(workers(2), "mb"))
        await sim.until(lambda views: all(v.name != "workers" for v in views), 200)
        await sim.apply(on(workers(2), "mb"))
        await sim.until(lambda views: all(v.converged for v in views if v.name == "workers"), 200)

    in_two(body)


@pytest.mark.parametrize("named", [on(workers(2), "ma"), combo(workers(2), "ma")])
def test_workers_may_be_told_the_cluster_that_they_are_in(named: dict[str, Any]) -> None:
    """Also those that were freed, and of which no record tells where they were."""

    async def body(sim: Simulation) -> None:
        assert sim.core is not None
        await sim.core.free(WORKERS, "sim")
        await sim.apply(named)
        await sim.until(lambda views: all(v.converged for v in views if v.name == "workers"), 600)

    in_two(body)


def test_workers_that_named_no_cluster_and_were_freed_are_known_by_what_they_joined() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running() as core:
            await sim.apply(managers("ma", "10.9.0.10"), workers(2))
            await sim.converged(120)
            await sim.apply(managers("mb", "10.9.0.20"))
            await sim.converged(120)
            await core.free(WORKERS, "sim")
            await refused(sim, "apply", LEAVES, on(workers(2), "mb"))
            await sim.apply(on(workers(2), "ma"))
            await sim.converged(600)

    run(main)


def test_machines_of_no_swarm_may_become_workers() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(managers("ma", "10.9.0.10"), vanilla(2))
            await sim.converged(120)
            await sim.apply(workers(2))
            await sim.converged(2000)
            [swarm] = sim.world.swarms()
            assert len(swarm.nodes) == 3

    run(main)


def test_a_paused_group_of_workers_stays_in_its_swarm_also_while_it_is_empty() -> None:
    """W49: what is added meanwhile is made as before, and joins where those before it did."""

    async def body(sim: Simulation) -> None:
        assert sim.core is not None
        await sim.core.pause(WORKERS, "sim")
        await sim.apply(on(workers(0), "ma"))
        await sim.until(lambda _: not sim.world.group("workers"), 200)
        await refused(sim, "apply", "workers is paused", on(workers(2), "mb"))
        await sim.apply(combo(workers(2), "ma"))

    in_two(body)


def test_workers_that_are_on_their_way_to_a_cluster_count_as_its_own() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        sim.more["other"] = other = ForeignInstances(sim.clock)
        async with sim.running():
            await sim.apply(managers("ma", "10.9.0.10"), managers("mb", "10.9.0.20"))
            await sim.converged(120)
            other.provision_s = 300.0
            slow: dict[str, Any] = workers(1)
            slow["Properties"]["Instance"] = {"Plugin": "other"}
            del slow["Properties"]["Images"]
            await sim.apply(on(slow, "ma"))
            await sim.clock.sleep(10)
            await refused(sim, "plan", "has machines that may be in cluster ma. With", on(slow, "mb"))
            other.silent = True
            await refused(sim, "plan", r"has machines that may be in cluster ma \(.+\). With", on(slow, "mb"))

    run(main)


async def of_the_settings(sim: Simulation) -> StaticCluster:
    """Two workers of a Swarm of the settings, prod, whom skep does not look after now."""
    async with sim.running() as core:
        await sim.apply(managers("ma", "10.9.0.10"))
        await sim.converged(60)
        await core.free(MA, "sim")
    [manager] = sim.world.group("ma")
    prod = StaticCluster("prod", (f"sim://{manager.id}",))
    sim.store, sim.static = MemoryStore(), (prod,)
    async with sim.running():
        await sim.apply(on(workers(2), "prod"))
        await sim.converged(120)
    return prod


def test_workers_whose_cluster_has_another_name_in_the_settings_may_be_told_it() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        prod = await of_the_settings(sim)
        sim.static = (replace(prod, name="main"),)
        async with sim.running():
            await sim.apply(on(workers(2), "main"))
            await sim.converged(1000)
            [swarm] = sim.world.swarms()
            assert len(swarm.nodes) == 3

    run(main)


def test_workers_whose_cluster_is_gone_may_join_another_one() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        await of_the_settings(sim)
        sim.static = ()
        async with sim.running():
            await sim.apply(managers("mb", "10.9.0.20"), on(workers(2), "mb"))
            await sim.converged(2000)
            assert sorted(len(swarm.nodes) for swarm in sim.world.swarms())[-1] == 3

    run(main)


def test_workers_of_a_cluster_that_has_not_answered_yet_stay_there() -> None:
    """Its Swarm may be theirs: skep has just begun, and never heard of it."""

    async def main() -> None:
        sim = simulation(seed=3)
        await of_the_settings(sim)
        sim.world.cut(sim.world.group("ma")[0], 10_000.0)
        async with sim.running():
            await sim.apply(managers("mb", "10.9.0.20"))
            await sim.until(lambda views: any(v.name == "mb" and v.converged for v in views), 60)
            words = "that may be in cluster prod, which does not answer"
            await refused(sim, "plan", words, on(workers(2), "mb"))

    run(main)
