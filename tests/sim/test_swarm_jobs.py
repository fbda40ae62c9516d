"""Jobs on a Swarm, which tries each part of them once (semantics.md W38, W54)."""

from collections.abc import Awaitable, Callable

import pytest

from skep.cli.state import state_of
from skep.model.state import ConditionType
from skep.model.view import KeyView
from tests.fakes.services import Orchestrator
from tests.fakes.swarm import SimNode, SimSwarm
from tests.server.bodies import as_json
from tests.sim.container_farm import HOUR_S
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.scenario import Document
from tests.sim.test_rollbacks import WEB
from tests.sim.test_swarm_rollbacks import of_web, stated

JOB: Document = {**workload("web", 3, "web:1"), "Restart": "never"}


async def job_of(sim: Simulation, job: Document = JOB) -> Orchestrator:
    """A Swarm on which all three parts of a job run."""
    await sim.apply(managers(1), workers(2))
    await sim.converged(60)
    await sim.apply(job)
    await sim.until(lambda _: sim.world.running("web") == 3, 60)
    [swarm] = sim.world.swarms()
    return swarm.services


def has_failed(views: tuple[KeyView, ...]) -> bool:
    return stated(views, ConditionType.COMPLETE) == (False, "Failed")


def detail(views: tuple[KeyView, ...]) -> str:
    return next(c.message for c in of_web(views).conditions if c.type is ConditionType.PROGRESSING)


def test_w46_a_job_that_runs_for_longer_than_a_roll_may_stand_still_is_not_late() -> None:
    """As on plain Engines."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            services = await job_of(sim)
            await sim.clock.sleep(HOUR_S)
            assert stated(await sim.views(), ConditionType.COMPLETE) == (False, "Running")
            assert stated(await sim.views(), ConditionType.PROGRESSING) == (True, "Updating")
            for slot in (1, 2, 3):
                services.end("web", slot, 0)
            await sim.converged(10)

    run(main, 2 * HOUR_S)


@pytest.mark.parametrize("more", [{}, {"Restart": "never"}], ids=["service", "job"])
def test_w50_what_runs_on_every_node_is_not_complete_before_its_first_tasks_are_there(more: dict[str, object]) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(1), workers(2))
            await sim.converged(60)
            await sim.apply({"Name": "web", "Image": "web:1", "Mode": "global", **more})
            while sim.world.running("web") < 3:
                assert not of_web(await sim.views()).converged
                await sim.clock.sleep(0.02)
            [swarm] = sim.world.swarms()
            if more:
                swarm.services.end("web", 0, 0)
            await sim.converged(10)

    run(main, HOUR_S)


def test_w54_a_job_that_waits_for_its_cluster_has_not_completed() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(JOB)
            await sim.until(lambda views: bool(of_web(views).conditions), 10)
            assert stated(await sim.views(), ConditionType.COMPLETE) == (False, "Running")

    run(main, HOUR_S)


def test_w54_who_waits_for_what_a_swarm_can_t_do_is_told_at_once_for_no_time_heals_it() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running() as core:
            await sim.apply(managers(1), workers(2))
            await sim.converged(60)
            await sim.apply({**JOB, "Restart": {"Policy": "never", "MaxAttempts": 2}})
            await sim.clock.sleep(10)
            state = state_of(as_json(of_web(await sim.views())))
            assert (state.word, state.final) == ("Refused", True)
            assert "Restart.MaxAttempts: Swarm mode does not tell when it gives up a job" in state.detail
            assert [e.reason for e in await core.events(0, 0.0, "workload/web")].count("RollRefused") == 1
            await sim.apply(JOB)
            await sim.until(lambda _: sim.world.running("web") == 3, 60)

    run(main)


def test_w54_what_others_changed_of_a_failed_job_is_mended_and_nothing_is_run_for_it() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            services = await job_of(sim)
            for slot, code in ((1, 0), (2, 0), (3, 1)):
                services.end("web", slot, code)
            await sim.until(has_failed, 10)
            service = services.named("web")
            version, tasks = service.version, [task.id for task in service.tasks]
            changed = {**service.spec["UpdateConfig"], "Parallelism": 7}
            services.update("web", version, {**service.spec, "UpdateConfig": changed})
            await sim.clock.sleep(60)
            assert service.version == version + 2
            assert service.spec["UpdateConfig"]["Parallelism"] != 7
            assert [task.id for task in service.tasks] == tasks
            assert has_failed(await sim.views())
            assert sim.core is not None
            await sim.core.retry(WEB, "ann")
            await sim.until(lambda _: sim.world.running("web") == 3, 10)

    run(main, HOUR_S)


async def drained(sim: Simulation) -> None:
    """By hand, one that runs a part of it."""
    swarm, node = node_of_last(sim)
    swarm.update_node(node.id, node.version, "drain", None, None)


async def lost(sim: Simulation) -> None:
    _, node = node_of_last(sim)
    sim.world.stop(next(m for m in sim.world.machines.values() if m.host is node.host))


async def replaced(sim: Simulation) -> None:
    """Each by another machine, by skep."""
    await sim.apply(workers(2, Note="new"))


def node_of_last(sim: Simulation) -> tuple[SimSwarm, SimNode]:
    """The Swarm, and the worker of it that runs the last part."""
    [swarm] = sim.world.swarms()
    ran = {t.node_id for t in swarm.services.named("web").tasks if t.state == "running"}
    return swarm, next(n for n in swarm.nodes.values() if n.id in ran and not n.in_raft)


@pytest.mark.parametrize(
    ("befalls", "told"),
    [(drained, "the Swarm stopped it"), (lost, "non-zero exit (255)"), (replaced, "the Swarm stopped it")],
)
def test_w38_a_job_of_which_a_part_was_stopped_has_failed_and_a_retry_runs_it_again(
    befalls: Callable[[Simulation], Awaitable[None]], told: str
) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            services = await job_of(sim)
            await befalls(sim)
            await sim.until(has_failed, 300)
            assert told in detail(await sim.views())
            for slot in (1, 2, 3):
                services.end("web", slot, 0)
            await sim.clock.sleep(60)
            assert has_failed(await sim.views())
            assert sim.core is not None
            await sim.core.retry(WEB, "ann")
            await sim.until(lambda _: sim.world.running("web") == 3, 60)
            for slot in (1, 2, 3):
                services.end("web", slot, 0)
            await sim.until(lambda views: of_web(views).converged, 30)

    run(main, HOUR_S)


def test_w38_a_job_of_every_node_is_run_again_without_one_that_was_drained() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            services = await job_of(sim, {"Name": "web", "Image": "web:1", "Mode": "global", "Restart": "never"})
            await drained(sim)
            await sim.clock.sleep(10)
            services.end("web", 0, 0)
            await sim.until(has_failed, 10)
            assert sim.core is not None
            await sim.core.retry(WEB, "ann")
            await sim.until(lambda _: sim.world.running("web") == 2, 60)
            services.end("web", 0, 0)
            await sim.until(lambda views: of_web(views).converged, 30)

    run(main, HOUR_S)
