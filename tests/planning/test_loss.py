"""semantics.md W35 and W36, number by number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.planning.loss import Brake, Loss, Silence, due_s, judge

NOW_S = 1000.0
NEVER = Brake()


def judged(silences: list[Silence], engines: int, brake: Brake = NEVER) -> Loss:
    return judge(silences, engines, brake, NOW_S)


def silent(count: int, failed: int = 3, silent_s: float = 30.0, lost: bool = False, prefix: str = "e") -> list[Silence]:
    return [Silence(f"{prefix}{n}", failed, silent_s, lost) for n in range(count)]


@pytest.mark.parametrize(
    ("failed", "silent_s", "lost"),
    [(3, 30.0, True), (2, 300.0, False), (30, 29.9, False), (0, 0.0, False), (4, 31.0, True)],
)
def test_an_engine_is_lost_after_three_probes_and_thirty_seconds_both(failed: int, silent_s: float, lost: bool) -> None:
    assert judged(silent(1, failed, silent_s), 3).lost == ({"e0"} if lost else set())


@pytest.mark.parametrize(
    ("gone", "engines", "lost"),
    [(1, 2, 1), (1, 1, 0), (2, 2, 0), (1, 3, 1), (2, 3, 0), (11, 20, 11), (12, 20, 0), (5, 9, 0), (6, 11, 6)],
)
def test_nobody_is_declared_lost_while_more_than_55_percent_are_silent(gone: int, engines: int, lost: int) -> None:
    found = judged(silent(gone), engines)
    assert len(found.lost) == lost
    assert found.partitioned is (lost == 0)


def test_those_that_just_fell_silent_count_for_the_brake() -> None:
    """F14: of the engines that a cut takes at once, one is always the first to be due."""
    found = judged([*silent(1), *silent(2, failed=1, silent_s=29.0, prefix="late")], 5)
    assert found.lost == frozenset()
    assert found.partitioned


def test_those_lost_before_stay_lost_behind_the_brake() -> None:
    found = judged([*silent(2, lost=True), *silent(1, prefix="new")], 5)
    assert found.lost == {"e0", "e1"}
    assert found.partitioned


def test_a_short_silence_of_all_is_no_partition_yet() -> None:
    assert judged(silent(1, failed=1, silent_s=3.0), 1).partitioned is False


@pytest.mark.parametrize(("free_s", "lost"), [(0.0, False), (29.9, False), (30.0, True)])
def test_of_those_that_come_back_one_by_one_the_last_has_half_a_minute_more(free_s: float, lost: bool) -> None:
    """W36: the brake is let go when the first is heard again."""
    held = judged(silent(2, silent_s=40.0), 3).brake
    assert held.on
    let_go = judge(silent(1, silent_s=40.0), 3, held, NOW_S)
    assert (let_go.lost, let_go.partitioned, let_go.brake) == (frozenset(), False, Brake(False, NOW_S))
    later = judge(silent(1, silent_s=40.0 + free_s), 3, let_go.brake, NOW_S + free_s)
    assert later.lost == ({"e0"} if lost else frozenset())
    assert later.brake == let_go.brake
    assert due_s(NOW_S - 40.0, later.brake) == NOW_S + 30.0


def test_the_brake_changes_nothing_for_those_that_fall_silent_later() -> None:
    assert due_s(NOW_S + 5.0, Brake(False, NOW_S)) == NOW_S + 35.0
    assert judge(silent(1), 3, Brake(False, NOW_S), NOW_S + 35.0).lost == {"e0"}


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 60), st.booleans()), max_size=10), st.integers(0, 10))
def test_of_all_engines_most_stay_unless_they_were_lost_before(
    silences: list[tuple[int, float, bool]], answering: int
) -> None:
    told = [Silence(str(n), failed, silent_s, lost) for n, (failed, silent_s, lost) in enumerate(silences)]
    engines = len(told) + answering
    before = {s.source for s in told if s.lost}
    found = judged(told, engines)
    assert before <= found.lost <= {s.source for s in told}
    if found.lost != before:
        assert len(found.lost) <= engines * 0.55
        assert not found.partitioned
