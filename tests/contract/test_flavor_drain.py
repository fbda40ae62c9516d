"""When a drain is over: what ran on the node serves elsewhere, as far as it can (semantics.md N12, N13, N15)."""

import asyncio
from dataclasses import replace

import pytest

from skep.model.state import Phase
from skep.ports import Engine
from tests.conditions import until
from tests.contract.test_flavor import Stage, simulated
from tests.sim.world import World


async def serving(stage: Stage, world: World, replicas: int, *constraints: str) -> Engine:
    """A service that runs on workers, but may go to the manager; its tasks take longer to start than nodes to go."""
    world.kernel.timings = replace(world.kernel.timings, task_start_s=8.0)
    template = {"ContainerSpec": {"Image": "skep/web:1"}, "Placement": {"Constraints": constraints}}
    mode = {"Replicated": {"Replicas": replicas}}
    engine = await stage.manager()
    await _avail(engine, "drain")
    await engine.create_service({"Name": "web", "TaskTemplate": template, "Mode": mode})
    await until(lambda: _running(world), replicas)
    await _avail(engine, "active")
    return engine


async def _avail(engine: Engine, availability: str) -> None:
    """Of the manager."""
    [node] = await engine.nodes({"role": ["manager"]})
    await engine.update_node(node.id, node.version, availability=availability)


async def _running(world: World) -> int:
    return world.running("web")


@pytest.mark.parametrize("again", [False, True])
def test_a_drain_is_over_when_what_ran_there_serves_elsewhere(again: bool) -> None:
    """N15: of a drain that was begun before, by a controller that is no more, too."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        worker, other = [await stage.make(name) for name in ("w1", "w2")]
        for machine in (worker, other):
            world.machines[machine.id].host.images["skep/web:1"] = "sha256:1"
        engine = await serving(stage, world, 4, "node.role==worker")
        if again:
            [node] = [n for n in await engine.nodes() if n.hostname == worker.id]
            await engine.update_node(node.id, node.version, availability="drain")
            await stage.clock.sleep(3)
            assert world.running("web") == 2
        await stage.drain(worker)
        assert world.running("web") == 4

    simulated(check)


@pytest.mark.parametrize(
    ("constraints", "at_least_s", "at_most_s"),
    [([], 60, 75), (["node.role==worker"], 15, 30)],
    ids=["fails elsewhere", "fits nowhere else"],
)
def test_a_drain_waits_in_bounds_for_what_does_not_come_to_serve(
    constraints: list[str], at_least_s: float, at_most_s: float
) -> None:
    """N13, N15. Where no other node fits, none comes before this one has gone, as when there is no surge."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        worker = await stage.make("w1")
        world.machines[worker.id].host.images["skep/web:1"] = "sha256:1"
        await serving(stage, world, 2, *constraints)
        began_s = stage.clock.monotonic_s()
        assert await stage.drain(worker) == [Phase.DRAIN, Phase.WAIT, Phase.REMOVED]
        assert at_least_s <= stage.clock.monotonic_s() - began_s <= at_most_s

    simulated(check)


@pytest.mark.parametrize("change", ["scaled", "removed"])
def test_a_drain_waits_no_longer_for_what_is_not_wanted_any_more(change: str) -> None:
    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        worker = await stage.make("w1")
        world.machines[worker.id].host.images["skep/web:1"] = "sha256:1"
        engine = await serving(stage, world, 2)

        async def give_up() -> None:
            await stage.clock.sleep(20)
            [service] = await engine.services({"name": ["web"]})
            if change == "removed":
                await engine.remove_service(service.id)
            else:
                spec = {**service.spec, "Mode": {"Replicated": {"Replicas": 0}}}
                await engine.update_service(service.id, service.version, spec)

        began_s = stage.clock.monotonic_s()
        await asyncio.gather(stage.drain(worker), give_up())
        assert 20 <= stage.clock.monotonic_s() - began_s < 25

    simulated(check)


def test_what_did_not_run_before_a_drain_is_not_waited_for() -> None:
    """What was moved away from the node long ago, and fails since, neither."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        worker = await stage.make("w1")
        world.machines[worker.id].host.images["skep/web:1"] = "sha256:1"
        engine = await serving(stage, world, 1)
        [service] = await engine.services({"name": ["web"]})
        bad = {**service.spec, "TaskTemplate": {"ContainerSpec": {"Image": "skep/web:9"}}}
        await engine.update_service(service.id, service.version, bad)
        await stage.clock.sleep(60)
        assert world.running("web") == 0
        began_s = stage.clock.monotonic_s()
        await stage.drain(worker)
        assert stage.clock.monotonic_s() - began_s < 15

    simulated(check)
