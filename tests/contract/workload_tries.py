"""What is given up, says so, and is tried again when people ask for it, whatever it runs on (semantics.md W38)."""

from skep.model.cluster import ClusterKind
from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from tests.contract.workload_bed import Bed, Check, name

ENDS_BADLY = ["sh", "-c", "sleep 0.2; exit 3"]


async def _stands_still(bed: Bed, name: str, generation: int, reason: str) -> None:
    """Wait until it says so of this generation."""

    async def told() -> str:
        view = await bed.view(name)
        conditions = view.conditions if view and view.observed_generation == generation else ()
        return next((c.reason for c in conditions if c.type is ConditionType.PROGRESSING and not c.status), "")

    await bed.until(told, reason)


async def _tried_again(bed: Bed, name: str, reason: str, and_then: str) -> None:
    """A simulated Swarm shows no container that has ended."""
    await _stands_still(bed, name, 1, reason)
    before = {r.id for r in await bed.look(name)}
    await bed.life.core.retry(Key(Kind.WORKLOAD, name), "contract")

    async def is_another() -> bool:
        return not before or bool({r.id for r in await bed.look(name)} - before)

    await bed.until(is_another, True)
    await _stands_still(bed, name, 2, and_then)
    await bed.delete(name)


async def a_job_that_failed_is_tried_again_when_it_is_asked_for(bed: Bed) -> None:
    job = name()
    await bed.ask(job, 1, Command=ENDS_BADLY, Restart="never")
    await _tried_again(bed, job, "Failed", "Failed")


async def what_ended_as_often_as_it_may_is_left_alone_and_tried_again_when_it_is_asked_for(bed: Bed) -> None:
    """A Swarm takes the new try for an update, and pauses it."""
    web = name()
    await bed.ask(web, 1, Command=ENDS_BADLY, Restart={"MaxAttempts": 1})
    and_then = "RevisionFailed" if bed.kind is ClusterKind.SWARM else "RetriesExhausted"
    await _tried_again(bed, web, "RetriesExhausted", and_then)


TRY_CHECKS: list[Check] = [
    a_job_that_failed_is_tried_again_when_it_is_asked_for,
    what_ended_as_often_as_it_may_is_left_alone_and_tried_again_when_it_is_asked_for,
]
"""Of every cluster."""


async def _is_told(bed: Bed, kind: ConditionType, **more: object) -> None:
    web = name()
    await bed.ask(web, 1, **more)  # type: ignore[arg-type]

    async def told() -> bool:
        view = await bed.view(web)
        return any(c.type is kind and c.status for c in view.conditions) if view else False

    await bed.until(told, True)
    await bed.delete(web)


async def what_ends_again_and_again_is_told(bed: Bed) -> None:
    """W30."""
    await _is_told(bed, ConditionType.CRASH_LOOPING, Command=ENDS_BADLY)


async def an_image_that_can_not_be_had_is_told(bed: Bed) -> None:
    """W32."""
    await _is_told(bed, ConditionType.IMAGE_PULL_FAILED, image="skep/nobody-has-this:1")


async def what_fits_nowhere_is_told(bed: Bed) -> None:
    """W52."""
    await _is_told(bed, ConditionType.UNPLACEABLE, Constraints=["node.labels.zone==moon"])


SERVICE_TROUBLE_CHECKS: list[Check] = [
    what_ends_again_and_again_is_told,
    an_image_that_can_not_be_had_is_told,
    what_fits_nowhere_is_told,
]
"""Of Swarm services, whose tasks say so. What containers say is in workloads.py and tests/sim."""
