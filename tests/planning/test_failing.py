"""When a roll has failed, by what its spec says of that (semantics.md W46, W47)."""

from dataclasses import replace

import pytest

from skep.model.plan import ActionKind, NoteKind
from skep.model.state import ConditionType, Desired, Limits, Member, Observed
from skep.planning.conditions import conditions, is_converged
from skep.planning.failing import why_failed
from skep.planning.planner import plan
from skep.planning.progress import advanced
from tests.planning.notation import NUMBERED_LIMITS, OLD, ledger, numbered, observed, service
from tests.planning.row import NOW_S

LIMITS = replace(NUMBERED_LIMITS, progress_s=60.0, failure_action="rollback")
HALF = replace(LIMITS, failure_ratio_max=0.5)
FOUR = numbered(4, "a", 1, 1, limits=LIMITS)
BEGUN = "progress 1 4 3 90"
LATE = "progress 1 4 3 40"
ENDED = "failed start 1 1 100 m9"
TWO_ENDED = f"{ENDED}, failed start 2 3 180 m8"


def why(desired: Desired, books: str, silent: str = "", to_replace: int = 4) -> str:
    written = ledger(books)
    assert written.progress is not None
    written = replace(written, progress=replace(written.progress, to_replace=to_replace))
    return why_failed(desired, observed("1=m1~@a 2=m2~@a", silent), written, NOW_S)


@pytest.mark.parametrize(
    ("holds", "limits", "books", "told"),
    [
        ("nothing failed", LIMITS, BEGUN, ""),
        ("one is too many unless more are allowed", LIMITS, f"{BEGUN}, {ENDED}", "1 of 4 failed: refused"),
        ("a slot that ended often is one", LIMITS, f"{BEGUN}, {TWO_ENDED}", "2 of 4 failed: refused"),
        ("as many as are allowed", HALF, f"{BEGUN}, {TWO_ENDED}", ""),
        ("more than are allowed", HALF, f"{BEGUN}, {TWO_ENDED}, failed start 3 1 100 m7", "3 of 4 failed: refused"),
        ("one that was made as before the roll", LIMITS, f"{BEGUN}, {ENDED} ~", ""),
        ("what was forgiven", LIMITS, f"{BEGUN}, failed start 1 0 0 m9", ""),
        ("an image that can't be had", LIMITS, f"{BEGUN}, failed pull a 3 140", ""),
        ("a creation that was refused", LIMITS, f"{BEGUN}, failed create any 3 140", ""),
        ("it comes no closer", LIMITS, LATE, "no progress for 60 s 1 are updated, 4 old and 3 serve"),
        ("it comes no closer, and may", replace(LIMITS, progress_s=0.0), LATE, ""),
        ("it was complete", LIMITS, f"{LATE} complete, {ENDED}", ""),
        ("nobody asked", replace(LIMITS, failure_action=""), f"{LATE}, {ENDED}", ""),
    ],
)
def test_a_roll_has_failed_by_ratio_or_deadline(holds: str, limits: object, books: str, told: str) -> None:
    assert why(replace(FOUR, limits=limits), books) == told, holds  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "percent", "allowed"), [(50, 58, 29), (100, 29, 29), (90, 70, 63), (200, 29, 58)])
def test_w47_exactly_as_many_as_are_allowed_may_fail(count: int, percent: int, allowed: int) -> None:
    """Also where a fraction is no exact number."""
    desired = replace(FOUR, size=count, limits=replace(LIMITS, failure_ratio_max=percent / 100))
    ended = [f"failed start {slot} 1 100 m{slot}" for slot in range(1, allowed + 2)]
    assert not why(desired, ", ".join([BEGUN, *ended[:-1]]), to_replace=count)
    assert why(desired, ", ".join([BEGUN, *ended]), to_replace=count).startswith(f"{allowed + 1} of {count} failed")


@pytest.mark.parametrize(
    ("desired", "silent", "to_replace"),
    [
        (replace(FOUR, paused="by ann"), "", 4),
        (replace(FOUR, hold="its cluster is gone"), "", 4),
        (replace(FOUR, removed=True), "", 4),
        (replace(FOUR, generation=2), "", 4),
        (FOUR, "everything", 4),
        (FOUR, "a partitioned", 4),
        (replace(FOUR, sources=("a", "b")), "a b", 4),
        (FOUR, "", 0),
    ],
    ids=[
        "paused",
        "held",
        "removed",
        "a newer spec",
        "nobody answers",
        "we are cut off",
        "none answers where it may be",
        "nothing is rolled",
    ],
)
def test_nothing_fails_that_is_not_rolled_or_that_nobody_sees(desired: Desired, silent: str, to_replace: int) -> None:
    assert not why(desired, f"{LATE}, {ENDED}", silent, to_replace)


@pytest.mark.parametrize(
    ("limits", "heard_s", "late"),
    [
        (LIMITS, 59.0, False),
        (LIMITS, 60.0, True),
        (replace(LIMITS, progress_s=20.0, min_ready_s=15.0), 20.0, True),
        (replace(LIMITS, min_ready_s=15.0, progress_s=70.0), 69.0, False),
    ],
)
def test_w46_a_roll_is_late_when_skep_has_watched_it_for_a_while(limits: Limits, heard_s: float, late: bool) -> None:
    """It was away, or nobody answered: then nothing could bring the roll on, and it has a moment to come closer."""
    desired, books = replace(FOUR, limits=limits), ledger("progress 1 2 2 0")
    assert books.progress is not None
    books = replace(books, progress=replace(books.progress, to_replace=4))
    seen = replace(observed("1=m1~@a 2=m2~@a"), heard_s=heard_s)
    assert bool(why_failed(desired, seen, books, NOW_S)) is late
    made = plan(desired, seen, books, NOW_S)
    assert (NoteKind.PROGRESS_DEADLINE_EXCEEDED in [n.kind for n in made.notes]) is late
    assert late or made.recheck_after_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("applied", "undone", "told"),
    [("new", True, "the Swarm stopped it: exit 1"), ("new", False, ""), ("", True, ""), ("old", True, "")],
)
def test_of_a_service_the_swarm_tells_once_it_has_this_very_spec(applied: str, undone: bool, told: str) -> None:
    """What it stopped before is not what it was given now."""
    member = Member("s1", "s", "old", running=3, wanted=3, rolled_back=undone, detail="exit 1")
    books = ledger("progress 0 3 3 90", applied)
    assert why_failed(service(limits=LIMITS), Observed((member,)), books, NOW_S) == told


@pytest.mark.parametrize(
    ("members", "undone", "settled", "to_replace"),
    [
        ("1=m1~@a 2=m2~@a 3=m3@a", "", "", 2),
        ("1=m1@a 2=m2@a", "", "", 0),
        ("1=m1@a 2=m2@a 3=m3~@a", "2 failed", "", 2),
        ("1=m1@a 2=m2@a 3=m3@a 4=m4@a 5=m5~@a", "2 failed", "", 1),
        ("1=m1@a 2=m2@a 3=m3@a 4=m4!@a", "2 failed", "", 4),
        ("1=m1~@a 2=m2~@a 3=m3~%@a 4=m4~%@a", "", OLD, 4),
        ("1=m1~%@a 2=m2~%@a 3=m3~%@a 4=m4~%@a", "", OLD, 4),
        ("1=m1~%@a 2=m2~%@a 3=m3~%@a 4=m4~%@a", "", "", 0),
        ("1=m1~@a 2=m2~@a 3=m3@a 4=m4@a", "", OLD, 2),
        ("1=m1!@a 2=m2!@a 3=m3!@a 4=m4!@a", "", OLD, 4),
        ("1=m1!@a 2=m2!@a 3=m3!@a 4=m4!@a 5=m5~@a", "", OLD, 1),
    ],
)
def test_what_is_to_be_replaced_is_counted_when_it_begins(
    members: str, undone: str, settled: str, to_replace: int
) -> None:
    """What goes back has to make what is missing, too; where all are there, they have to show that they still serve. So
    does any roll of which all that is old has ended; what is first made replaces nothing."""
    desired = replace(FOUR, undone=undone, settled=settled)
    first = advanced(desired, observed(members), ledger(""), NOW_S)
    assert first is not None
    assert first.to_replace == to_replace
    later = advanced(desired, observed("1=m1@a 2=m2@a 3=m3@a"), replace(ledger(""), progress=first), NOW_S + 1)
    assert later is not None
    assert later.to_replace == to_replace


def test_progress_is_kept_for_a_roll_that_may_fail_also_where_nothing_is_ever_late() -> None:
    desired = replace(FOUR, limits=replace(LIMITS, progress_s=0.0))
    books = replace(ledger(""), progress=advanced(desired, observed("1=m1~@a"), ledger(""), 0.0))
    assert books.progress is not None
    assert NoteKind.PROGRESS_DEADLINE_EXCEEDED not in {
        n.kind for n in plan(desired, observed("1=m1~@a"), books, 1e6).notes
    }


def test_what_went_back_says_so_as_long_as_it_is_the_newest_and_fails_a_wait_until_it_is_there() -> None:
    """W54."""
    desired = replace(FOUR, undone="generation 2 failed: 1 of 4 failed")
    for members, progressing in (
        ("1=m1@a", (False, "RolledBack")),
        ("1=m1@a 2=m2@a 3=m3@a 4=m4@a", (True, "Complete")),
    ):
        seen = observed(members)
        made = plan(desired, seen, ledger(""), NOW_S)
        stated = {c.type: c for c in conditions(desired, seen, ledger(""), made, (), 10.0)}
        found = stated[ConditionType.PROGRESSING]
        assert (found.status, found.reason) == progressing
        assert stated[ConditionType.ROLLED_BACK].message == desired.undone


@pytest.mark.parametrize(
    ("progress", "progressing"),
    [
        ("progress 4 0 4 90 complete", (True, "Updating")),
        ("progress 3 0 4 90", (False, "RolledBack")),
    ],
)
def test_what_went_back_and_was_there_once_heals_like_anything_else(
    progress: str, progressing: tuple[bool, str]
) -> None:
    """W50, W54: a container that ends later is no failed roll; nobody has to apply another spec."""
    desired = replace(FOUR, undone="generation 2 failed: 1 of 4 failed")
    seen, books = observed("1=m1@a 2=m2@a 3=m3@a 4=m4%@a"), ledger(progress)
    made = plan(desired, seen, books, NOW_S)
    stated = {c.type: c for c in conditions(desired, seen, books, made, (), 10.0)}
    found = stated[ConditionType.PROGRESSING]
    assert (found.status, found.reason) == progressing
    assert stated[ConditionType.ROLLED_BACK].message == desired.undone


def test_what_skep_paused_is_told_as_long_as_it_lasts_and_is_not_there() -> None:
    """Also where nothing is outdated any more."""
    desired = replace(FOUR, paused="by skep: generation 3 failed", given_up=True)
    seen = observed("1=m1@a 2=m2@a 3=m3@a 4=m4@a")
    made = plan(desired, seen, ledger(""), NOW_S)
    assert [n.kind for n in made.notes] == [NoteKind.PAUSED]
    assert not is_converged(desired, seen, ledger(""))
    healed = plan(desired, observed("1=m1@a 2=m2@a 3=m3@a"), ledger(""), NOW_S)
    assert [a.kind for a in healed.actions] == [ActionKind.CREATE]
