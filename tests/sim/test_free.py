"""Keys that are freed: their members stay as they are, nothing of skep's is left behind, and they can be taken back."""

from skep.control.documents import cluster_path, record_path
from skep.model.cluster import StaticCluster
from skep.model.spec import Key
from tests.control.values import WEB, WORKERS
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.test_controller import quickstart, simulated

MANAGERS = Key.parse("group/managers")


async def free(sim: Simulation, *keys: Key) -> None:
    assert sim.core is not None
    for key in keys:
        await sim.core.free(key, "sim")


async def left(sim: Simulation, key: Key) -> bool:
    """Whether the store still has a record of it."""
    return await sim.store.get(record_path(key)) is not None


def test_all_that_is_freed_stays_as_it_is_and_is_taken_back_without_an_act() -> None:
    """W23; a commit of the same specs rolls nothing."""

    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        acts = sum(sim.world.acts.values())
        await free(sim, WEB, WORKERS, MANAGERS)
        await sim.clock.sleep(60)
        assert await sim.views() == ()
        assert not any([await left(sim, key) for key in (WEB, WORKERS, MANAGERS)])
        assert sim.world.running("web") == 5
        await quickstart(sim)
        await sim.clock.sleep(60)
        assert sum(sim.world.acts.values()) == acts
        assert {v.key: v.generation for v in await sim.views()} == dict.fromkeys(map(str, (MANAGERS, WORKERS, WEB)), 2)

    simulated(body)


def test_what_is_freed_is_not_repaired() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        await free(sim, WORKERS)
        sim.world.vanish(sim.world.group("workers")[0])
        await sim.clock.sleep(400)
        assert len(sim.world.group("workers")) == 1

    simulated(body)


def test_what_runs_when_its_key_is_freed_is_finished_and_leaves_no_record() -> None:
    async def body(sim: Simulation) -> None:
        await sim.apply(managers(1))
        await sim.converged(60)
        await sim.apply(workers(3))
        await sim.clock.sleep(0.5)
        assert not any(machine.init_done for machine in sim.world.group("workers"))
        await free(sim, WORKERS)
        await sim.clock.sleep(1.0)
        assert await left(sim, WORKERS)
        await sim.clock.sleep(60)
        assert len(sim.world.group("workers")) == 3
        assert not await left(sim, WORKERS)

    simulated(body)


def test_what_is_taken_back_while_it_is_made_is_not_made_twice() -> None:
    async def body(sim: Simulation) -> None:
        await sim.apply(managers(1))
        await sim.converged(60)
        await sim.apply(workers(3))
        await sim.clock.sleep(0.5)
        await free(sim, WORKERS)
        await sim.clock.sleep(0.2)
        await sim.apply(workers(3))
        await sim.converged(60)
        assert sim.world.acts["provision"] == len(sim.world.machines) == 4

    simulated(body)


def test_a_crash_between_the_freeing_and_the_end_leaves_no_record_for_ever() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(1))
            await sim.converged(60)
            await sim.apply(workers(3))
            await sim.clock.sleep(0.5)
            await free(sim, WORKERS)
        assert await left(sim, WORKERS)
        async with sim.running():
            assert not await left(sim, WORKERS)
            assert not await left(sim, WEB)
            assert await left(sim, MANAGERS)

    run(main)


def test_workers_live_on_when_their_managers_are_freed() -> None:
    """As with InfraKit's free: the Swarm runs, so it is known as before to those who live on it."""

    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        await free(sim, MANAGERS)
        await sim.clock.sleep(60)
        assert await sim.store.get(cluster_path("managers")) is not None
        sim.world.vanish(sim.world.group("workers")[0])
        await sim.until(lambda views: not all(v.converged for v in views), 60)
        await sim.apply(workers(3), workload(count=7))
        await sim.converged(120)
        await sim.until(lambda _: sim.world.running("web") == 7, 60)
        assert sim.world.acts["swarm init"] == 1
        inits = sim.world.acts["provision"]
        await sim.apply(managers(1))
        await sim.converged(60)
        assert (sim.world.acts["swarm init"], sim.world.acts["provision"]) == (1, inits)

    simulated(body)


def test_workers_leave_a_swarm_with_care_when_its_managers_were_freed() -> None:
    """Its machines go, the Swarm does not: what runs on them moves first (semantics.md N5)."""

    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        await free(sim, MANAGERS)
        await sim.delete(workers(2))
        await sim.until(lambda views: len(views) == 1, 120)
        [swarm] = sim.world.swarms()
        assert len(swarm.nodes) == 1
        assert sim.world.acts["remove node"] == 2
        assert sim.world.group("workers") == []
        await sim.until(lambda _: sim.world.running("web") == 5, 60)

    simulated(body)


def test_a_workload_is_not_forgotten_while_the_swarm_of_freed_managers_is_silent() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        await free(sim, MANAGERS)
        [manager] = sim.world.group("managers")
        sim.world.cut(manager, 100.0)
        await sim.delete(workload())
        await sim.clock.sleep(60)
        assert len([v for v in await sim.views() if v.kind == "workload"]) == 1
        await sim.until(lambda views: all(v.kind == "group" for v in views), 120)
        assert sim.world.running("web") == 0

    simulated(body)


def test_containers_of_a_freed_workload_run_on_and_are_taken_back() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        for name in ("e1", "e2"):
            sim.world.add_engine(name, "web:1")
        sim.static = (StaticCluster("farm", ("sim://e1", "sim://e2")),)
        async with sim.running():
            await sim.apply(workload(count=4))
            await sim.converged(60)
            acts = sum(sim.world.acts.values())
            await free(sim, WEB)
            await sim.clock.sleep(60)
            assert not await left(sim, WEB)
            await sim.apply(workload(count=4))
            await sim.converged(60)
            assert sum(sim.world.acts.values()) == acts
        assert not sim.world.violations

    run(main)
