"""The simulated world behaves as the real one does where it matters to a controller (semantics.md 4.1)."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from skep.model.engine import Node
from skep.model.errors import ConflictError, RejectedError, UnavailableError
from skep.model.machine import InstanceSpec
from skep.model.state import Life
from tests.fakes.kernel import Faults
from tests.sim.loop import SimClock, run
from tests.sim.world import Machine, World, at_most, keeps_quorum, one_init

INIT = "docker swarm init\n"


def spec(number: int, init: str, group: str = "g") -> InstanceSpec:
    return InstanceSpec(tags={"infrakit.group": group, "skep.request": f"r{group}{number}"}, init=init)


def simulated(body: Callable[[World], Awaitable[None]], seed: int = 1) -> World:
    world = World(SimClock(), Random(seed))
    world.watch(one_init(world))
    run(lambda: body(world))
    return world


async def swarm_of(world: World, managers: int, workers: int = 0) -> list[Machine]:
    first = await world.instances.provision(spec(1, INIT))
    tokens = await world.engine(world.machines[first]).join_tokens()
    address = world.machines[first].host.address
    for number in range(2, managers + workers + 1):
        token = tokens.manager if number <= managers else tokens.worker
        await world.instances.provision(spec(number, f"docker swarm join --token {token} {address}:2377\n"))
    return list(world.machines.values())


async def node_of(world: World, through: Machine, machine: Machine) -> Node:
    [node] = [node for node in await world.engine(through).nodes() if node.id == machine.host.node_id]
    return node


async def until(world: World, condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await world.kernel.clock.sleep(0.1)


def test_a_swarm_forms_and_a_lost_worker_is_down_after_three_missed_beats() -> None:
    async def body(world: World) -> None:
        manager, worker = await swarm_of(world, 1, 1)
        assert (await node_of(world, manager, worker)).state == "ready"
        world.stop(worker)
        await world.kernel.clock.sleep(14)
        assert (await node_of(world, manager, worker)).state == "ready"
        await world.kernel.clock.sleep(2)
        assert (await node_of(world, manager, worker)).state == "down"
        await world.instances.start(worker.id)
        await until(world, lambda: worker.life is Life.RUNNING)
        await world.kernel.clock.sleep(2)
        assert (await node_of(world, manager, worker)).state == "ready"

    assert simulated(body).acts["swarm init"] == 1


def test_without_a_majority_there_is_no_leader_until_it_is_back() -> None:
    async def body(world: World) -> None:
        first, second, third = await swarm_of(world, 3)
        world.stop(second)
        world.stop(third)
        with pytest.raises(UnavailableError, match="does not have a leader"):
            await world.engine(first).nodes()
        assert not (await world.engine(first).info()).control
        await world.instances.start(second.id)
        await world.kernel.clock.sleep(15)
        assert len(await world.engine(first).nodes()) == 3

    simulated(body)


def test_killing_the_leader_moves_leadership_and_nodes_are_unknown_for_a_moment() -> None:
    async def body(world: World) -> None:
        first, second, _ = await swarm_of(world, 3)
        world.stop(first)
        with pytest.raises(UnavailableError, match="does not have a leader"):
            await world.engine(second).nodes()
        await until(world, lambda: second.host.swarm is not None and second.host.swarm.leader is not None)
        assert {node.state for node in await world.engine(second).nodes()} == {"unknown"}
        await world.kernel.clock.sleep(20)
        states = [node.state for node in await world.engine(second).nodes()]
        assert sorted(states) == ["down", "ready", "ready"]

    simulated(body)


def test_the_engine_refuses_what_would_cost_the_quorum() -> None:
    async def body(world: World) -> None:
        first, second, third = await swarm_of(world, 3)
        world.stop(third)
        await world.kernel.clock.sleep(20)
        engine = world.engine(first)
        node = await node_of(world, first, second)
        with pytest.raises(RejectedError, match="loss of quorum"):
            await engine.update_node(node.id, node.version, role="worker")
        dead = await node_of(world, first, third)
        with pytest.raises(RejectedError, match="must be demoted"):
            await engine.remove_node(dead.id, force=True)
        await engine.update_node(dead.id, dead.version, role="worker")
        assert (await node_of(world, first, third)).reachability == "unreachable"
        await world.kernel.clock.sleep(3)
        assert (await node_of(world, first, third)).reachability == ""
        await engine.remove_node(dead.id, force=False)
        assert len(await engine.nodes()) == 2

    simulated(body)


def test_the_last_manager_and_ready_nodes_stay_and_old_versions_are_refused() -> None:
    async def body(world: World) -> None:
        manager, worker = await swarm_of(world, 1, 1)
        engine = world.engine(manager)
        node = await node_of(world, manager, manager)
        with pytest.raises(RejectedError, match="last manager"):
            await engine.update_node(node.id, node.version, role="worker")
        with pytest.raises(RejectedError, match="is not down"):
            await engine.remove_node(worker.host.node_id, force=False)
        node = await node_of(world, manager, worker)
        await engine.update_node(node.id, node.version, availability="drain")
        with pytest.raises(ConflictError, match="out of sequence"):
            await engine.update_node(node.id, node.version, availability="active")

    simulated(body)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("docker swarm join --token SWMTKN-1-no {manager}:2377", "valid join token"),
        ("docker swarm join {manager}:2377", "valid join token"),
        ("docker swarm join --token {token} 10.0.0.99:2377", "Timeout was reached"),
        ("docker swarm join --token {token} --advertise-addr 1.2.3.4 {manager}:2377", "no address of this machine"),
        ("docker swarm join --token {token}", "requires exactly 1 argument"),
        ("docker swarm join --tokne {token} {manager}:2377", "unknown flag"),
    ],
)
def test_a_broken_script_fails(script: str, message: str) -> None:
    async def body(world: World) -> None:
        [manager] = await swarm_of(world, 1)
        token = (await world.engine(manager).join_tokens()).worker
        with pytest.raises(RejectedError, match=message):
            await world.instances.provision(spec(2, script.format(manager=manager.host.address, token=token)))

    simulated(body)


def test_an_engine_founds_only_one_swarm() -> None:
    async def body(world: World) -> None:
        [manager] = await swarm_of(world, 1)
        manager.init_done = False
        with pytest.raises(RejectedError, match="already part of a swarm"):
            await world.instances.provision(spec(1, INIT))

    assert simulated(body).acts["swarm init"] == 1


def test_a_provision_whose_answer_was_lost_is_found_again_by_its_request() -> None:
    async def body(world: World) -> None:
        world.kernel.faults = Faults(lose=1.0)
        with pytest.raises(UnavailableError, match="before the answer came"):
            await world.instances.provision(spec(1, INIT))
        world.calm()
        assert await world.instances.provision(spec(1, INIT)) == "machine-1"
        assert len(world.machines) == 1

    assert simulated(body).acts["swarm init"] == 1


def test_a_silent_source_raises_and_a_stale_one_tells_the_past() -> None:
    async def body(world: World) -> None:
        await swarm_of(world, 1)
        world.kernel.faults = Faults(silent=1.0)
        with pytest.raises(UnavailableError):
            await world.instances.describe({})
        world.kernel.faults = Faults(stale=1.0, stale_s=3600)
        assert await world.instances.describe({}) == []
        world.calm()
        assert len(await world.instances.describe({"infrakit.group": "g"})) == 1

    simulated(body)


def test_observers_see_broken_promises() -> None:
    async def body(world: World) -> None:
        world.watch(at_most(world, "g", lambda: 2))
        world.watch(keeps_quorum(world))
        _, second, third = await swarm_of(world, 3)
        await world.instances.destroy(second.id)
        await world.instances.destroy(third.id)
        await world.instances.provision(spec(9, INIT))
        await world.instances.destroy("machine-1")
        await world.instances.provision(spec(10, INIT))

    violations = "\n".join(simulated(body).violations)
    assert "3 machines in g, at most 2" in violations
    assert "quorum of no group's swarm was lost by our hand" in violations
    assert "a second swarm" in violations


def test_the_same_seed_gives_the_same_history() -> None:
    async def body(world: World) -> None:
        world.kernel.faults = Faults(slow=0.3)
        machines = await swarm_of(world, 3, 3)
        world.stop(machines[0])
        await world.kernel.clock.sleep(60)

    histories = [simulated(body, seed).kernel.history for seed in (5, 5, 6)]
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]
