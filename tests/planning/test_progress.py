"""How close a key has come to its spec, and what is said when it comes no closer (semantics.md W44, W46)."""

from dataclasses import replace

import pytest

from skep.model.plan import NoteKind
from skep.model.progress import Progress
from skep.model.state import ConditionType, Desired, Ledger, Member, Observed, Record
from skep.planning.conditions import conditions, is_converged
from skep.planning.news import news
from skep.planning.planner import plan
from skep.planning.progress import advanced
from tests.planning.notation import NUMBERED_LIMITS, OLD, cattle, ledger, numbered, observed, service
from tests.planning.row import NOW_S

TIMED = replace(NUMBERED_LIMITS, progress_s=60.0)
FOUR = numbered(4, "a", 1, 1, limits=TIMED)
READY = replace(NUMBERED_LIMITS, min_ready_s=90.0)


def told(progress: Progress | None) -> str:
    """In the notation of a ledger, without the generation."""
    if progress is None:
        return "none"
    counts = f"{progress.updated} {progress.outdated} {progress.available} {progress.since_s:g}"
    return f"progress {counts}{' complete' if progress.complete else ''}"


@pytest.mark.parametrize(
    ("why", "members", "before", "after"),
    [
        ("the first look", "1=m1~@a 2=m2@a", "", "progress 1 1 2 100"),
        ("nothing new", "1=m1~@a 2=m2@a", "progress 1 1 2 40", "progress 1 1 2 40"),
        ("one more is updated", "1=m1~@a 2=m2.@a", "progress 0 1 1 40", "progress 1 1 1 100"),
        ("an old one left", "2=m2.@a", "progress 1 1 1 40", "progress 1 0 1 100"),
        ("one more serves", "1=m1~@a 2=m2@a", "progress 1 1 1 40", "progress 1 1 2 100"),
        ("one ended", "1=m1~@a 2=m2%@a", "progress 1 1 2 40", "progress 1 1 2 40"),
        ("one that ended is made anew", "1=m1~@a 2=m2%@a 2=m3@a", "progress 1 1 2 40", "progress 1 1 2 40"),
        ("all are there", "1=m1@a 2=m2@a 3=m3@a 4=m4@a", "progress 4 0 3 40", "progress 4 0 4 100 complete"),
        (
            "what ends later is no matter of the roll",
            "1=m1@a",
            "progress 4 0 4 40 complete",
            "progress 4 0 4 40 complete",
        ),
    ],
)
def test_progress_is_more_updated_fewer_old_or_more_that_serve(why: str, members: str, before: str, after: str) -> None:
    """W46: against the best that there was, so that what ends again and again makes none."""
    assert told(advanced(FOUR, observed(members), ledger(before), NOW_S)) == after


@pytest.mark.parametrize(
    ("why", "members", "after"),
    [
        ("an old one died, and is made again", "1=m1~@a 2=m2~@a 4=m4.@a", "progress 1 3 3 40"),
        ("all of them did", "4=m4.@a", "progress 1 3 3 40"),
        ("a new one that may not last makes up for none", "1=m1~@a 2=m2~@a 4=m4o@a", "progress 1 3 3 40"),
        ("a new one does", "1=m1~@a 2=m2~@a 4=m4@a", "progress 1 2 3 100"),
    ],
)
def test_w46_an_old_one_that_dies_in_a_roll_that_proves_nothing_brings_it_no_closer(
    why: str, members: str, after: str
) -> None:
    desired = replace(FOUR, settled=OLD)
    assert told(advanced(desired, observed(members), ledger("progress 1 3 3 40"), NOW_S)) == after


@pytest.mark.parametrize(
    ("desired", "silent", "after"),
    [
        (replace(FOUR, generation=2), "", "progress 1 0 1 100"),
        (replace(FOUR, hold="no cluster yet"), "", "none"),
        (replace(FOUR, hold="no cluster yet"), "everything", "none"),
        (replace(FOUR, paused="ann paused it"), "", "none"),
        (replace(FOUR, paused="ann paused it", withheld=True), "", "none"),
        (replace(FOUR, removed=True, size=0), "", "none"),
        (FOUR, "everything", "progress 1 0 1 40"),
        (cattle(4), "", "none"),
    ],
    ids=["a new spec", "held", "held unheard", "paused", "withheld", "removed", "nobody answers", "machines"],
)
def test_what_waits_for_something_else_is_not_late(desired: Desired, silent: str, after: str) -> None:
    found = advanced(desired, observed("1=m1@a", silent), ledger("progress 1 0 1 40"), NOW_S)
    assert told(found) == after


@pytest.mark.parametrize(
    "waits", [{"hold": "its cluster is still getting nodes"}, {"paused": "ann paused it"}], ids=str
)
def test_what_has_arrived_stays_so_while_it_waits_and_afterwards(waits: dict[str, str]) -> None:
    """Its end is written down at once, and not when the wait is over; what ends meanwhile is no matter of the roll."""
    waiting, all_there = replace(FOUR, **waits), observed("1=m1@a 2=m2@a 3=m3@a 4=m4@a")
    arrived = advanced(waiting, all_there, ledger(""), NOW_S)
    assert told(arrived) == "progress 4 0 4 100 complete"
    for desired, members in ((waiting, "1=m1@a"), (FOUR, "1=m1@a")):
        assert advanced(desired, observed(members), Ledger(progress=arrived), NOW_S + 50) == arrived


@pytest.mark.parametrize(
    ("updated", "running", "current", "after"),
    [(0, 4, True, "progress 0 4 4 40"), (1, 4, True, "progress 1 3 4 100"), (0, 4, False, "progress 0 4 4 40")],
)
def test_of_a_service_its_tasks_count(updated: int, running: int, current: bool, after: str) -> None:
    member = Member("s1", "s", "new" if current else "old", running=running, wanted=4, updated=updated)
    books = ledger("progress 0 4 4 40")
    assert told(advanced(service(limits=TIMED), Observed((member,)), books, NOW_S)) == after


def test_a_roll_that_is_late_is_a_condition_with_its_cause_and_is_told_once() -> None:
    """W46, W52, W54: the condition that ends --wait."""
    seen, books = observed("1=m1~@a 2=m2%@a"), ledger("failed start 2 4 180 m2, progress 1 1 1 0")
    made = plan(FOUR, seen, books, NOW_S)
    stated = conditions(FOUR, seen, books, made, (), 10.0)
    progressing = next(c for c in stated if c.type is ConditionType.PROGRESSING)
    assert (progressing.status, progressing.reason) == (False, "ProgressDeadlineExceeded")
    assert progressing.message == ("it comes no closer to its spec: for 60 s 1 are updated, 1 old and 1 serve; refused")
    before, after = Record(FOUR.key), Record(FOUR.key, conditions=stated)
    assert "ProgressDeadlineExceeded" in [n.reason for n in news(before, after, numbered=True, now_s=NOW_S)]
    assert "ProgressDeadlineExceeded" not in [n.reason for n in news(after, after, numbered=True, now_s=NOW_S)]


def test_it_is_no_condition_any_more_once_something_came_closer() -> None:
    seen, late = observed("1=m1~@a 2=m2@a 3=m3@a"), ledger("progress 1 1 2 0")
    assert NoteKind.PROGRESS_DEADLINE_EXCEEDED in {n.kind for n in plan(FOUR, seen, late, NOW_S).notes}
    moved = Ledger(progress=advanced(FOUR, seen, late, NOW_S))
    assert NoteKind.PROGRESS_DEADLINE_EXCEEDED not in {n.kind for n in plan(FOUR, seen, moved, NOW_S).notes}


@pytest.mark.parametrize(
    ("ready_s", "members", "converged"),
    [(None, "1=m1o@a", True), (0.0, "1=m1o@a", True), (60.0, "1=m1@a", True), (61.0, "1=m1@a", False)],
)
def test_it_is_complete_when_all_have_been_well_for_long_enough(
    ready_s: float | None, members: str, converged: bool
) -> None:
    """W44, W50."""
    limits = replace(NUMBERED_LIMITS, min_ready_s=ready_s)
    assert is_converged(numbered(1, limits=limits), observed(members), ledger("")) is converged
