"""What workloads promise of a roll that fails, whatever they run on (semantics.md W46, W47, F11)."""

from skep.model.cluster import ClusterKind
from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from skep.model.view import KeyView
from tests.contract.workload_bed import OTHER_IMAGE, Bed, Check, name

ENDS = ["sh", "-c", "exit 3"]


async def a_roll_that_fails_goes_back_by_itself_and_tells_why(bed: Bed) -> None:
    """With the count of today. Of engines none that served is touched; a Swarm may have stopped some of them first."""
    web = name()
    back = {"StopGrace": 1, "Updating": {"FailureAction": "rollback"}}
    await bed.apply(web, 2, **back)
    first = set(await bed.runs(web, 2))
    await bed.ask(web, 3, Command=ENDS, **back)
    await bed.until(lambda: _generation(bed, web), 3)
    view = await bed.converged(web)
    assert view.generation == 3
    after = await bed.runs(web, 3)
    assert first < set(after) or bed.kind is ClusterKind.SWARM
    newest, failed, _ = await bed.life.core.history(Key(Kind.WORKLOAD, web))
    assert (newest.who, newest.automatic, failed.automatic) == ("skep", True, False)
    assert newest.why.startswith("generation 2 failed: ")
    assert _condition(view, ConditionType.ROLLED_BACK) == (True, "RollFailed")
    view = await bed.apply(web, 1, **back)
    assert _condition(view, ConditionType.ROLLED_BACK) is None
    await bed.delete(web)


async def a_roll_that_fails_can_stand_still_until_somebody_asks_for_more(bed: Bed) -> None:
    """A restart of skep changes nothing of it."""
    web = name()
    still = {"StopGrace": 1, "Updating": {"FailureAction": "pause", "MaxSurge": 1, "MaxUnavailable": 0}}
    await bed.apply(web, 2, **still)
    first = set(await bed.runs(web, 2))
    await bed.ask(web, 2, Command=ENDS, **still)
    await bed.until(lambda: _is_paused_by_skep(bed, web), True)
    await bed.crash()
    await bed.clock.sleep(3)
    assert await _is_paused_by_skep(bed, web)
    assert first <= set(await bed.running(web)) or bed.kind is ClusterKind.SWARM
    view = await bed.apply(web, 2, OTHER_IMAGE, **still)
    assert (view.generation, view.paused) == (3, "")
    await bed.delete(web)


async def _generation(bed: Bed, web: str) -> int:
    view = await bed.view(web)
    return view.generation if view else 0


async def _is_paused_by_skep(bed: Bed, web: str) -> bool:
    view = await bed.view(web)
    progressing = _condition(view, ConditionType.PROGRESSING) if view else None
    return view is not None and view.paused.startswith("by skep: ") and progressing is not None and not progressing[0]


def _condition(view: KeyView, kind: ConditionType) -> tuple[bool, str] | None:
    return next(((c.status, c.reason) for c in view.conditions if c.type is kind), None)


ROLLBACK_CHECKS: list[Check] = [
    a_roll_that_fails_goes_back_by_itself_and_tells_why,
    a_roll_that_fails_can_stand_still_until_somebody_asks_for_more,
]
"""Of every cluster."""
