"""What jobs promise when people change their minds, whatever they run on."""

from skep.model.spec import Key, Kind
from tests.contract.workload_bed import Bed, Check, name

ENDS_WELL = ["sh", "-c", "sleep 0.2; exit 0"]


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


JOB_CHECKS: list[Check] = [a_job_that_completed_is_not_run_again_by_a_retry_or_a_pause]
"""Of every cluster."""
