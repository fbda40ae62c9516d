"""semantics.md W30, W32 and W33: the curves, their ends and their jitter."""

import pytest

from skep.planning.backoff import JITTER, RESTART_CAP_S, create_delay_s, start_delay_s

MIDDLE = 0.5


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (9, 256), (10, 300), (10_000, 300)])
def test_refused_creations_wait_twice_as_long_each_time(failures: int, seconds: float) -> None:
    assert create_delay_s(failures, MIDDLE) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("starts", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (10_000, 300)]
)
def test_restarts_follow_the_crash_loop_curve(starts: int, seconds: float) -> None:
    assert start_delay_s(starts, MIDDLE) == pytest.approx(seconds)


@pytest.mark.parametrize("count", [1, 4, 50])
def test_jitter_is_a_tenth_to_either_side(count: int) -> None:
    for curve in (create_delay_s, start_delay_s):
        middle = curve(count, MIDDLE)
        assert curve(count, 0.0) == pytest.approx(middle * (1 - JITTER))
        assert curve(count, 0.999_999) == pytest.approx(middle * (1 + JITTER), rel=1e-4)


def test_the_longest_wait_is_five_minutes_and_its_jitter() -> None:
    assert max(create_delay_s(99, 0.999), start_delay_s(99, 0.999)) <= RESTART_CAP_S * (1 + JITTER)
