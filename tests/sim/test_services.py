"""The simulated orchestrator does what SwarmKit does: places, heals, moves, rolls, pauses and rolls back."""

from typing import Any

from skep.model.engine import Service
from skep.ports import Engine
from tests.sim.test_world import simulated, swarm_of, until
from tests.sim.world import World

GOOD, BAD = "skep/web:1", "skep/web:2"


def web(replicas: int, image: str = GOOD, **config: Any) -> dict[str, Any]:
    template = {"ContainerSpec": {"Image": image}}
    mode = {"Replicated": {"Replicas": replicas}}
    return {"Name": "web", "TaskTemplate": template, "Mode": mode, "UpdateConfig": config}


async def running_web(world: World, replicas: int, workers: int = 2) -> Engine:
    manager, *_ = await swarm_of(world, 1, workers)
    for machine in world.machines.values():
        machine.host.images |= {GOOD: "sha256:1", BAD: "sha256:2"}
    engine = world.engine(manager)
    await engine.create_service(web(replicas))
    await until(world, lambda: world.running("web") == replicas)
    return engine


async def service(engine: Engine) -> Service:
    [only] = await engine.services({"name": ["web"]})
    return only


async def update(engine: Engine, spec: dict[str, Any]) -> None:
    before = await service(engine)
    await engine.update_service(before.id, before.version, spec)


def test_tasks_are_spread_and_a_killed_one_comes_back_after_the_restart_delay() -> None:
    async def body(world: World) -> None:
        engine = await running_web(world, 6)
        tasks = await engine.tasks({"service": ["web"]})
        assert sorted([task.node_id for task in tasks].count(node.id) for node in await engine.nodes()) == [2, 2, 2]
        assert world.kill_task("web")
        assert world.running("web") == 5
        await world.kernel.clock.sleep(4.5)
        assert world.running("web") == 5
        await world.kernel.clock.sleep(2)
        assert world.running("web") == 6

    simulated(body)


def test_tasks_leave_a_node_that_is_down_and_do_not_go_back() -> None:
    async def body(world: World) -> None:
        engine = await running_web(world, 4)
        lost = list(world.machines.values())[1]
        node_id = lost.host.node_id
        world.stop(lost)
        await world.kernel.clock.sleep(20)
        assert world.running("web") == 4
        await world.instances.start(lost.id)
        await world.kernel.clock.sleep(10)
        tasks = await engine.tasks({"service": ["web"], "desired-state": ["running"]})
        assert len(tasks) == 4
        assert node_id not in {task.node_id for task in tasks}

    simulated(body)


def test_surplus_slots_are_the_highest() -> None:
    async def body(world: World) -> None:
        engine = await running_web(world, 4)
        await update(engine, web(2))
        await world.kernel.clock.sleep(3)
        tasks = await engine.tasks({"service": ["web"], "desired-state": ["running"]})
        assert [task.slot for task in tasks] == [1, 2]
        assert (await service(engine)).update_state == ""

    simulated(body)


def test_an_update_goes_one_by_one_and_is_done_after_the_monitor_period() -> None:
    async def body(world: World) -> None:
        engine = await running_web(world, 3)
        await update(engine, web(3, BAD))
        await world.kernel.clock.sleep(world.kernel.timings.update_begin_s * 2)
        fewest = 3
        while (await service(engine)).update_state == "updating":
            fewest = min(fewest, world.running("web"))
            await world.kernel.clock.sleep(0.2)
        assert fewest == 2
        assert (await service(engine)).update_state == "completed"
        assert world.running("web") == 3

    simulated(body)


def test_an_update_to_a_bad_image_is_paused_and_the_rest_serve_on() -> None:
    async def body(world: World) -> None:
        engine = await running_web(world, 3)
        world.mark_bad(BAD)
        await update(engine, web(3, BAD))
        await world.kernel.clock.sleep(30)
        paused = await service(engine)
        assert paused.update_state == "paused"
        assert "update paused due to failure" in paused.update_message
        good = [task for task in await engine.tasks({"service": ["web"]}) if task.state == "running"]
        assert 1 <= len(good) < 3

    simulated(body)


def test_an_update_to_a_bad_image_is_rolled_back_where_that_is_asked_for() -> None:
    """W47."""

    async def body(world: World) -> None:
        engine = await running_web(world, 3)
        world.mark_bad(BAD)
        await update(engine, web(3, BAD, FailureAction="rollback"))
        await world.kernel.clock.sleep(40)
        after = await service(engine)
        assert after.update_state == "rollback_completed"
        template: Any = after.spec["TaskTemplate"]
        assert template["ContainerSpec"]["Image"] == GOOD
        assert world.running("web") == 3

    simulated(body)


def test_a_drained_node_gets_empty_and_constraints_hold() -> None:
    async def body(world: World) -> None:
        engine = await running_web(world, 3)
        [manager] = await engine.nodes({"role": ["manager"]})
        await engine.update_node(manager.id, manager.version, availability="drain")
        await world.kernel.clock.sleep(5)
        tasks = await engine.tasks({"node": [manager.id], "desired-state": ["running"]})
        assert tasks == []
        assert world.running("web") == 3
        spec = web(3)
        spec["TaskTemplate"]["Placement"] = {"Constraints": ["node.role==manager"]}
        await update(engine, spec)
        await world.kernel.clock.sleep(15)
        waiting = await engine.tasks({"service": ["web"], "desired-state": ["running"]})
        assert any(task.error == "no suitable node" for task in waiting)

    simulated(body)
