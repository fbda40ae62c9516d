"""The collector looks at what came since it looked last, and at all once in an hour."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from skep.adapters.garbage import IDLE_STEP_S, STEP_S, WHOLE_EVERY_S, Freezer, small_steps


class Loop:
    """Only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Iterator[Clock]:
    told = Clock()
    freezer = Freezer(told)
    gc.callbacks.append(freezer)
    yield told
    gc.callbacks.remove(freezer)
    gc.unfreeze()


def test_what_outlives_a_collection_is_set_aside(clock: Clock) -> None:
    kept = [Loop() for _ in range(1000)]
    gc.collect()
    assert gc.get_freeze_count() >= len(kept)
    assert len(gc.get_objects(generation=2)) < len(kept)


def test_collections_of_the_young_set_nothing_aside(clock: Clock) -> None:
    before = gc.get_freeze_count()
    gc.collect(0)
    gc.collect(1)
    assert gc.get_freeze_count() == before


def test_what_only_the_collector_can_free_is_found_within_an_hour(clock: Clock) -> None:
    loop = Loop()
    seen = weakref.ref(loop)
    gc.collect()
    del loop
    gc.collect()
    assert seen() is not None
    clock.now_s = WHOLE_EVERY_S
    gc.collect()
    gc.collect()
    assert seen() is None
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize(
    ("used", "collected", "slept"),
    [
        pytest.param([0.0], 0, [IDLE_STEP_S] * 4, id="idle"),
        pytest.param([0.05], 4, [IDLE_STEP_S, *[STEP_S] * 3], id="busy"),
        pytest.param([0.2, 0.0], 2, [IDLE_STEP_S, STEP_S, IDLE_STEP_S, STEP_S], id="now and then"),
    ],
)
async def test_the_young_are_looked_at_in_small_steps_while_there_is_work(
    used: list[float], collected: int, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few objects there are more than before: the collector's own count does not see those that replace."""
    cpu_s, waits, looked_at = 0.0, list[float](), list[int]()
    monkeypatch.setattr(gc, "collect", looked_at.append)

    async def sleep(seconds: float) -> None:
        nonlocal cpu_s
        if len(waits) == len(slept):
            raise asyncio.CancelledError
        share = used[len(waits) % len(used)]
        waits.append(seconds)
        cpu_s += share if len(used) > 1 else share * 4 * seconds

    with pytest.raises(asyncio.CancelledError):
        await small_steps(lambda: cpu_s, sleep)
    assert waits == slept
    assert looked_at == [1] * collected
