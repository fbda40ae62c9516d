"""What a workload's status says of its containers (semantics.md W50, W52, F7)."""

from dataclasses import replace

import pytest

from skep.model.plan import NoteKind
from skep.model.state import Condition, ConditionType, Desired, Observed
from skep.planning.conditions import conditions, is_converged, unproven_s
from skep.planning.planner import plan
from tests.planning.notation import ledger, member, numbered, observed, service
from tests.planning.row import NOW_S


def stated(desired: Desired, members: str, under_way: str = "", silent: str = "") -> dict[ConditionType, Condition]:
    seen, books = observed(members, silent), ledger(under_way)
    made = plan(desired, seen, books, NOW_S)
    return {c.type: c for c in conditions(desired, seen, books, made, (), 10.0)}


@pytest.mark.parametrize(
    ("why", "members", "under_way", "silent", "converged"),
    [
        ("everything is there", "1=m1@a 2=m2@b", "", "", True),
        ("the last dead is kept", "1=m1@a 2=m2%@b 2=m3@b", "failed start 2 1 90 m2", "", True),
        ("a lost source has been replaced (W35)", "1=m1@a 2=m2@a", "", "lost:b", True),
        ("a silent one may be well or not", "1=m1@a 2=m2?@b", "", "b", False),
        ("one ended", "1=m1@a 2=m2%@b", "", "", False),
        ("one is not where it may be", "1=m1@a 2=m2@z", "", "", False),
    ],
)
def test_containers_are_converged_when_all_serve(
    why: str, members: str, under_way: str, silent: str, converged: bool
) -> None:
    """W50."""
    assert is_converged(numbered(2, "ab"), observed(members, silent), ledger(under_way)) is converged


def test_a_crash_loop_is_a_condition_with_the_containers_words() -> None:
    """F7; one end is an accident and no condition at all."""
    once = stated(numbered(1), "1=m1%@a", "failed start 1 1 90 m1")
    assert ConditionType.CRASH_LOOPING not in once
    assert ConditionType.REPLICA_FAILURE not in once
    looping = stated(numbered(1), "1=m1%@a", "failed start 1 4 180 m1")[ConditionType.CRASH_LOOPING]
    assert (looping.status, looping.reason) == (True, "CrashLooping")
    assert "refused" in looping.message


def test_a_slot_that_was_given_up_is_no_progress() -> None:
    """W38, W54: waiting for it would be in vain."""
    found = stated(numbered(1), "1=m1%@a", "failed start 1 5 90 m1")
    assert found[ConditionType.CRASH_LOOPING].reason == "RetriesExhausted"
    progress = found[ConditionType.PROGRESSING]
    assert (progress.status, progress.reason) == (False, "RetriesExhausted")


def test_a_job_that_failed_is_told_to_have_with_the_name_of_its_container() -> None:
    found = stated(numbered(1, once=True), "1=m1%@a", "failed start 1 5 90 m1")
    complete, progressing = found[ConditionType.COMPLETE], found[ConditionType.PROGRESSING]
    assert (complete.status, complete.reason) == (False, "Failed")
    assert progressing.message.startswith("k.1: it failed and is not tried again until the spec changes, or retry")


def test_a_refusal_is_told_once_with_the_engines_words() -> None:
    """F5."""
    found = stated(numbered(2, "ab"), "1=m1@a", "failed create any 1 101, failed create b 3 130")
    assert (found[ConditionType.REPLICA_FAILURE].reason, found[ConditionType.REPLICA_FAILURE].status) == (
        "FailedCreate",
        True,
    )


def test_an_image_that_can_not_be_had_is_told_with_the_registrys_words_and_the_time_of_the_next_try() -> None:
    """W32, F6: the next one first; and no more when others have made up for it."""
    seen, books = observed("1=m1@c"), ledger("failed pull a 2 120, failed pull b 1 110")
    desired = numbered(2, "abc", per_source_max=1)
    made = plan(desired, seen, books, NOW_S)
    found = {c.type: c for c in conditions(desired, seen, books, made, (), 1_000_000_000.0, NOW_S)}
    told = found[ConditionType.IMAGE_PULL_FAILED]
    assert (told.status, told.reason) == (True, "ImagePullFailed")
    assert told.message == "b: it could not get the image: manifest unknown; next try at 2001-09-09T01:46:50Z"
    assert made.recheck_after_s == 110 - NOW_S
    assert ConditionType.REPLICA_FAILURE not in found
    assert ConditionType.IMAGE_PULL_FAILED not in stated(desired, "1=m1@c 2=m2@b", "failed pull a 2 120")


def test_what_a_source_once_refused_is_not_told_when_others_have_made_up_for_it() -> None:
    found = stated(numbered(2, "ab"), "1=m1@a 2=m2@a", "failed create b 3 130")
    assert ConditionType.REPLICA_FAILURE not in found


def test_a_source_that_owes_an_answer_is_told() -> None:
    """W26."""
    found = stated(numbered(2, "ab"), "1=m1@a", "create 2 @b #r, failed create b 3 130 r")
    assert found[ConditionType.REPLICA_FAILURE].reason == "FailedCreate"


@pytest.mark.parametrize(
    ("members", "silent", "condition"),
    [
        ("", "lost:a lost:b", ConditionType.UNPLACEABLE),
        ("", "a b", ConditionType.UNREACHABLE),
        ("1=m1?@a 2=m2?@b", "a b partitioned", ConditionType.PARTITION_SUSPECTED),
    ],
)
def test_where_nothing_can_be_made_it_is_said(members: str, silent: str, condition: ConditionType) -> None:
    """W35, W36, W52."""
    assert stated(numbered(2, "ab"), members, "", silent)[condition].status is True


@pytest.mark.parametrize(
    ("members", "silent", "message"),
    [
        ("1=m1@a 2=m2?@b", "b", "b does not answer"),
        ("1=m1@a 2=m2%@b", "b", "b does not answer"),
        ("1=m1?@a 2=m2?@b", "a b", "a, b do not answer"),
        ("1=m1@a 2=m2@a", "z", "z does not answer"),
        ("1=m1@a", "unlisted:b", "b does not answer: what is missed may live on b, which never answered yet"),
    ],
)
def test_a_source_is_named_as_soon_as_it_is_silent(members: str, silent: str, message: str) -> None:
    """W52: also where nothing is to be done about it; else nobody would know what is waited for."""
    found = stated(numbered(2, "ab"), members, "", silent)[ConditionType.UNREACHABLE]
    assert (found.status, found.reason) == (True, "SourceSilent")
    assert found.message == f"waiting for an answer: {message}"


@pytest.mark.parametrize(
    ("silent", "words"),
    [("b", "refused"), ("unlisted:b", "refused; what is missed may live on b, which never answered yet")],
)
def test_why_a_source_is_silent_is_told_with_it(silent: str, words: str) -> None:
    seen = replace(observed("1=m1@a", silent), why="refused")
    made = plan(numbered(2, "ab"), seen, ledger(""), NOW_S)
    assert [n.detail for n in made.notes if n.kind is NoteKind.SOURCE_SILENT] == [f"b does not answer: {words}"]


@pytest.mark.parametrize(
    ("members", "under_way", "silent"),
    [
        ("1=m1?@a 2=m2?@b", "failed start 1 1 90 m9, streak 15", "a b"),
        ("", "", "a unlisted:b"),
        ("", "create 1 @a #r, failed create a 1 90 r", "a b"),
    ],
)
def test_the_silence_of_a_source_is_told_once(members: str, under_way: str, silent: str) -> None:
    made = plan(numbered(3, "ab"), observed(members, silent), ledger(under_way), NOW_S)
    assert [n.kind for n in made.notes].count(NoteKind.SOURCE_SILENT) == 1


def test_a_lost_source_is_replaced_and_not_waited_for() -> None:
    """W35."""
    assert ConditionType.UNREACHABLE not in stated(numbered(2, "ab"), "1=m1@a 2=m2@a", "", "lost:b")


@pytest.mark.parametrize(
    ("members", "silent", "message"),
    [
        ("", "lost:b", "b does not answer: what is left there can't be removed until it is back, or is taken"),
        ("2=m2?@b", "b", "b does not answer: what is left there can't be removed until it is back, or is taken"),
        ("", "a lost:b", "a, b do not answer: what is left there can't be removed until they are back, or are taken"),
    ],
)
def test_a_removal_that_waits_for_a_source_says_so(members: str, silent: str, message: str) -> None:
    """W35, W52: it is not complete, for what is there comes back."""
    found = stated(numbered(0, "ab", removed=True), members, "", silent)
    assert found[ConditionType.UNREACHABLE].message == f"waiting for an answer: {message} out of the settings"
    assert found[ConditionType.PROGRESSING].reason == "Removing"


def test_a_removal_without_a_silent_source_is_complete() -> None:
    found = stated(numbered(0, "ab", removed=True), "")
    assert found[ConditionType.PROGRESSING].reason == "Complete"
    assert ConditionType.UNREACHABLE not in found


def test_a_new_try_is_no_failure_any_more() -> None:
    """W38: after a new generation the slot counts from nothing."""
    assert ConditionType.CRASH_LOOPING not in stated(numbered(1), "1=m1%@a", "failed start 1 0 0 m1")


@pytest.mark.parametrize(
    ("why", "asked_s", "well_s", "under_way", "left_s"),
    [
        ("a moment is not long enough", 2.0, [0.5], "", 1.5),
        ("the youngest decides", 2.0, [60.0, 1.0], "", 1.0),
        ("it was for long enough", 2.0, [2.0], "", 0.0),
        ("what its spec asks for", 20.0, [5.0], "", 15.0),
        ("one before it has ended", 2.0, [2.0], "failed start 1 1 90 m0", 2.0),
        ("so have many", 2.0, [2.0], "failed start 1 900 90 m0", 28.0),
        ("its spec asks for no time", 0.0, [0.0], "failed start 1 9 90 m0", 0.0),
        ("nothing is wanted", 2.0, [], "", 0.0),
    ],
)
def test_what_is_as_wanted_has_to_stay_so_before_anybody_is_told(
    why: str, asked_s: float, well_s: list[float], under_way: str, left_s: float
) -> None:
    """W54: what ends at once runs for a moment, too."""
    there = [replace(member(f"{n}=m{n}@a"), well_s=lived_s) for n, lived_s in enumerate(well_s, 1)]
    desired = numbered(len(there), lasting_s=asked_s)
    assert unproven_s(desired, Observed(tuple(there)), ledger(under_way)) == left_s


def test_a_service_has_to_stay_as_wanted_too_and_for_longer_after_tasks_that_ended() -> None:
    """W54. A job or a group is not held up."""
    one = replace(member("s=s1"), well_s=1.5)
    for detail, asked_s, left_s in (("", 2.0, 0.5), ("task: non-zero exit (3)", 2.0, 2.5), ("", 0.0, 0.0)):
        seen = Observed((replace(one, detail=detail),))
        assert unproven_s(replace(service(), lasting_s=asked_s), seen, ledger("")) == left_s
