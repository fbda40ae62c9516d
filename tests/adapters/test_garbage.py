"""The collector looks at what came since it looked last, and at all once in an hour."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from skep.adapters.garbage import WHOLE_EVERY_S, Freezer


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
