"""Jobs on a Swarm, which tries each part of them once (semantics.md W38, W54)."""

from skep.model.state import ConditionType
from tests.fakes.services import Orchestrator
from tests.sim.container_farm import HOUR_S
from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.test_swarm_rollbacks import stated

JOB = {**workload("web", 3, "web:1"), "Restart": "never"}


async def job_of(sim: Simulation) -> Orchestrator:
    """A Swarm on which all three parts of a job run."""
    await sim.apply(managers(1), workers(2), JOB)
    await sim.until(lambda _: sim.world.running("web") == 3, 60)
    [swarm] = sim.world.swarms()
    return swarm.services


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
