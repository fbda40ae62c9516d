"""What jobs promise when people change their minds, whatever they run on."""

from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from tests.contract.workload_bed import Bed, Check, name

ENDS_WELL = ["sh", "-c", "sleep 0.2; exit 0"]
ENDS_BADLY = ["sh", "-c", "sleep 0.2; exit 3"]


async def _failed(bed: Bed, job: str, generation: int) -> None:
    """Wait until it says so of this generation."""

    async def reason() -> str:
        view = await bed.view(job)
        conditions = view.conditions if view and view.observed_generation == generation else ()
        return next((c.reason for c in conditions if c.type is ConditionType.PROGRESSING and not c.status), "")

    await bed.until(reason, "Failed")


async def a_job_that_failed_is_tried_again_when_it_is_asked_for(bed: Bed) -> None:
    """W38; a simulated Swarm shows no container that has ended."""
    job = name()
    await bed.ask(job, 1, Command=ENDS_BADLY, Restart="never")
    await _failed(bed, job, 1)
    before = {r.id for r in await bed.look(job)}
    await bed.life.core.retry(Key(Kind.WORKLOAD, job), "contract")

    async def is_another() -> bool:
        return not before or bool({r.id for r in await bed.look(job)} - before)

    await bed.until(is_another, True)
    await _failed(bed, job, 2)
    await bed.delete(job)


async def a_job_that_completed_is_not_run_again_by_a_retry_or_a_pause(bed: Bed) -> None:
    """W49, W54: nothing of it failed, and its template is the same."""
    job = name()
    key = Key(Kind.WORKLOAD, job)
    await bed.apply(job, 2, Command=ENDS_WELL, Restart="never")
    before = {r.id for r in await bed.look(job)}
    await bed.life.core.retry(key, "contract")
    await bed.life.core.pause(key, "contract", "to look")
    await bed.life.core.resume(key, "contract")
    view = await bed.converged(job)
    assert (view.completed, view.desired, view.paused) == (2, 2, "")
    await bed.life.core.scale(key, 1, "contract")
    view = await bed.converged(job)
    assert (view.completed, view.desired) == (1, 1)
    assert {r.id for r in await bed.look(job)} <= before
    await bed.delete(job)


JOB_CHECKS: list[Check] = [
    a_job_that_failed_is_tried_again_when_it_is_asked_for,
    a_job_that_completed_is_not_run_again_by_a_retry_or_a_pause,
]
"""Of every cluster."""
