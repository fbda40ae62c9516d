"""What stays on the books, what leaves them, and what is done again: as tables."""

from dataclasses import dataclass, replace

import pytest

from skep.control.books import Outcome, Sight
from skep.control.ledger import advance, begin, forgive, settle
from skep.model.errors import NotReadyError, RejectedError, UnavailableError
from skep.model.plan import Action, ActionKind, Reason
from skep.model.state import EVERYTHING, Entry, Life, Member, Phase, Role
from skep.planning.ends import UNSEEN
from tests.control.values import act, creation, desired, failure, ledger, member, sight

NOW_S = 100.5
DONE = Outcome("r1", 99.0)
SILENCE = Outcome("r1", 99.0, UnavailableError("no answer"))
NOT_YET = Outcome("r1", 99.0, NotReadyError("no manager"))
REFUSED = Outcome("r1", 99.0, RejectedError("no"))

BLIND = sight(silent=frozenset({EVERYTHING}))


@dataclass(frozen=True)
class Row:
    name: str
    entry: Entry
    sight: Sight
    stays: bool
    again: bool = False
    phase: Phase = Phase.BEGUN


ROWS = (
    Row("W13 a running action stays", creation(), sight(running=frozenset({"r1"})), stays=True),
    Row("W14 a creation that is seen is done", creation(), sight(member(request="r1"), outcomes=(DONE,)), stays=False),
    Row(
        "W17 one that no listing shows yet is waited for",
        creation(),
        sight(outcomes=(DONE,)),
        True,
        False,
        Phase.AWAITED,
    ),
    Row(
        "W16 by a listing that could still be older than it",
        creation(),
        sight(began_s=108.9, outcomes=(DONE,)),
        True,
        False,
        Phase.AWAITED,
    ),
    Row("W16 and not for ever: for ten seconds", creation(), sight(began_s=109.0, outcomes=(DONE,)), stays=False),
    Row(
        "a service carries no request and is known by its slot",
        creation(slot="service"),
        sight(member(slot="service"), outcomes=(DONE,)),
        stays=False,
    ),
    Row(
        "another member in the slot's place is not what was made",
        creation(slot="a"),
        sight(member(slot="b"), outcomes=(DONE,), wanted=desired(slots=("a",))),
        True,
        False,
        Phase.AWAITED,
    ),
    Row("W26 after silence a creation is asked for again later", creation(), sight(outcomes=(SILENCE,)), stays=True),
    Row("one that only waits too", creation(), sight(outcomes=(NOT_YET,)), stays=True),
    Row("a refusal is the end of it", creation(), sight(outcomes=(REFUSED,)), stays=False),
    Row("F3 what a crash cut off is done again", creation(), sight(), stays=True, again=True),
    Row(
        "F3 also where it had been awaited",
        creation(phase=Phase.AWAITED),
        sight(),
        True,
        True,
        Phase.AWAITED,
    ),
    Row("not under a hold", creation(), sight(wanted=desired(hold="no cluster")), stays=True),
    Row("W5 not when the key is removed", creation(), sight(wanted=desired(0, removed=True)), stays=False),
    Row("not for an old spec", creation(fingerprint="f0"), sight(), stays=False),
    Row("not for a slot that is not wanted", creation(slot="a"), sight(wanted=desired(slots=("b",))), stays=False),
    Row("not above size and surge", creation(), sight(member("a"), wanted=desired(1)), stays=False),
    Row(
        "but what it made already is finished",
        creation(),
        sight(member("a", request="r1", healthy=False), wanted=desired(1)),
        stays=True,
        again=True,
    ),
    Row("F3 a removal that was cut off goes on", act(ActionKind.DRAIN), sight(member()), stays=True, again=True),
    Row("unless its member is gone", act(ActionKind.DRAIN), sight(), stays=False),
    Row("W15 a removal is done when its member is not seen", act(ActionKind.DESTROY), sight(outcomes=(DONE,)), False),
    Row(
        "W17 an old listing still shows it",
        act(ActionKind.DESTROY),
        sight(member(), outcomes=(DONE,)),
        True,
        False,
        Phase.AWAITED,
    ),
    Row(
        "after silence a removal goes on later", act(ActionKind.DRAIN), sight(member(), outcomes=(SILENCE,)), stays=True
    ),
    Row(
        "a removal that was refused is planned anew", act(ActionKind.DRAIN), sight(member(), outcomes=(REFUSED,)), False
    ),
    Row(
        "what a refused creation has made is finished later",
        creation(),
        sight(member(request="r1", healthy=False), outcomes=(REFUSED,)),
        stays=True,
    ),
    Row(
        "unless it never comes to serve",
        creation(),
        sight(member(request="r1", healthy=False, sick_s=600.0), outcomes=(REFUSED,)),
        stays=False,
    ),
    Row(
        "half a manager is finished even for an old spec",
        creation(slot="a", fingerprint="f0"),
        sight(member(slot="a", request="r1", healthy=False), wanted=desired(slots=("a",), role=Role.MANAGER)),
        stays=True,
        again=True,
    ),
    Row("a start that was cut off is planned anew", act(ActionKind.START), sight(member()), stays=False),
    Row("an update that ended is done", act(ActionKind.UPDATE), sight(member(), outcomes=(DONE,)), stays=False),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_entry_leaves_only_when_its_end_is_known(row: Row) -> None:
    settled = settle(ledger(row.entry), row.sight, NOW_S, 0.5)
    assert [e.request for e in settled.ledger.entries] == (["r1"] if row.stays else [])
    assert [e.request for e in settled.resume] == (["r1"] if row.again else [])
    assert all(e.phase is row.phase for e in settled.ledger.entries)


def test_what_failed_a_moment_ago_is_not_done_again_yet() -> None:
    early = settle(ledger(creation(), failures=(failure(retry_s=NOW_S + 1),)), sight(), NOW_S, 0.5)
    due = settle(ledger(creation(), failures=(failure(retry_s=NOW_S),)), sight(), NOW_S, 0.5)
    assert (early.resume, len(due.resume)) == ((), 1)


def test_failures_in_a_row_wait_twice_as_long_each_time() -> None:
    """F5: the curve is backoff.create_delay_s; `unit` 0.5 is its middle."""
    waits = []
    books = ledger(creation())
    for _ in range(4):
        books = settle(books, sight(outcomes=(SILENCE,)), NOW_S, 0.5).ledger
        waits.append(books.failures[0].retry_s - NOW_S)
    assert waits == pytest.approx([1.0, 2.0, 4.0, 8.0])
    assert books.failures[0].message == "no answer"


def test_of_a_long_error_its_head_and_its_end_are_remembered() -> None:
    """A program's last words are the reason; what they were of stands first."""
    outcome = replace(SILENCE, error=RejectedError("vagrant up failed: " + "x" * 5000 + " no usable provider"))
    told = settle(ledger(creation()), sight(outcomes=(outcome,)), NOW_S, 0.5).ledger.failures[0].message
    assert (told[:18], told[-18:], len(told)) == ("vagrant up failed:", "no usable provider", 1000)


def test_what_only_waits_does_not_count_as_a_failure() -> None:
    [noted] = settle(ledger(creation()), sight(outcomes=(NOT_YET,)), NOW_S, 0.5).ledger.failures
    assert (noted.count, noted.retry_s) == (0, NOW_S + 1.0)


def test_success_ends_a_row_of_failures() -> None:
    books = ledger(creation(), failures=(failure(count=7),))
    assert settle(books, sight(member(request="r1"), outcomes=(DONE,)), NOW_S, 0.5).ledger.failures == ()


def test_a_start_counts_until_its_member_is_healthy() -> None:
    """W30: the first restart is immediate, the second after 10 s, then 20, 40."""
    books = ledger(act(ActionKind.START), failures=(failure(ActionKind.START, "m1", 1),))
    sick = settle(books, sight(member(healthy=False), outcomes=(DONE,)), NOW_S, 0.5).ledger
    assert (sick.failures[0].count, sick.failures[0].retry_s) == (2, NOW_S + 20.0)
    well = settle(sick, sight(member()), NOW_S, 0.5).ledger
    assert well.failures == ()


def test_failures_of_a_member_go_with_it() -> None:
    books = ledger(failures=(failure(ActionKind.DRAIN, "m1"),))
    assert settle(books, sight(), NOW_S, 0.5).ledger.failures == ()
    assert settle(books, sight(silent=frozenset({EVERYTHING})), NOW_S, 0.5).ledger.failures == books.failures


def test_a_key_that_is_removed_forgets_failed_creations() -> None:
    books = ledger(failures=(failure(),))
    assert settle(books, sight(wanted=desired(0, removed=True)), NOW_S, 0.5).ledger.failures == ()


def test_what_was_applied_in_place_is_remembered_from_its_success_on() -> None:
    entry = act(ActionKind.UPDATE)
    assert settle(ledger(entry), sight(member(), outcomes=(SILENCE,)), NOW_S, 0.5).ledger.applied == ""
    assert settle(ledger(entry), sight(member(), outcomes=(DONE,)), NOW_S, 0.5).ledger.applied == "f1"


@pytest.mark.parametrize(
    ("holds", "seen", "applied"),
    [
        ("it has it", member(), "f1"),
        ("a job whose parts run or completed", member(wanted=3, completed=1), "f1"),
        ("it has another", replace(member(), fingerprint="f0"), ""),
        ("the cluster undid it", member(rolled_back=True), ""),
        ("a part of it failed, and may be what is to be tried again", member(wanted=3, completed=2, failed=1), ""),
        ("others made it", member(foreign=True), ""),
    ],
)
def test_w54_what_a_cluster_has_was_given_to_it_also_where_a_crash_or_silence_took_the_answer(
    holds: str, seen: Member, applied: str
) -> None:
    """Else a job of which a part fails later is run again as a whole, with all that has completed."""
    for outcomes in ((), (SILENCE,)):
        look = sight(seen, outcomes=outcomes, wanted=desired(1, in_place=True))
        settled = settle(ledger(act(ActionKind.UPDATE)), look, NOW_S, 0.5).ledger
        assert settled.applied == applied, holds


def test_w54_a_retry_of_what_has_not_failed_lets_nothing_be_tried_again_when_it_fails() -> None:
    wanted, books = desired(1, in_place=True), replace(ledger(), applied="f1")
    for seen in (member(wanted=3, completed=2), member(wanted=3, completed=2, failed=1)):
        books = settle(forgive(books) if not seen.failed else books, sight(seen, wanted=wanted), NOW_S, 0.5).ledger
    assert books.applied == "f1"


def test_a_creation_beside_one_that_is_leaving_is_still_wanted() -> None:
    books = ledger(creation("r1"), act(ActionKind.DRAIN, "old", "r2"))
    seen = sight(member("old"), running=frozenset({"r2"}), wanted=desired(1))
    assert [e.request for e in settle(books, seen, NOW_S, 0.5).resume] == ["r1"]


def test_a_machine_that_is_gone_takes_no_place() -> None:
    seen = sight(member("node:x", life=Life.GONE), wanted=desired(1))
    assert len(settle(ledger(creation()), seen, NOW_S, 0.5).resume) == 1


def test_actions_are_written_down_with_what_they_act_for() -> None:
    actions = [Action(ActionKind.CREATE, Reason.MISSING, "a"), Action(ActionKind.DRAIN, Reason.SURPLUS, None, "m1")]
    requests = iter(("r1", "r2"))
    books, begun = begin(ledger(act(ActionKind.START, request="r0")), actions, desired(), lambda: next(requests), 5.0)
    assert [e.request for e in books.entries] == ["r0", "r1", "r2"]
    assert [(e.slot, e.member, e.fingerprint, e.began_s) for e in begun] == [
        ("a", "", "f1", 5.0),
        (None, "m1", "f1", 5.0),
    ]


def test_a_new_spec_gets_its_first_try_at_once() -> None:
    """F5."""
    assert forgive(ledger(creation(), failures=(failure(),))) == replace(ledger(creation()), ended=UNSEEN)


def test_what_was_awaited_and_fails_when_it_is_repeated_is_awaited_no_more() -> None:
    """F3: else its failure would be counted again in every turn."""
    [entry] = settle(ledger(creation(phase=Phase.AWAITED)), sight(outcomes=(SILENCE,)), NOW_S, 0.5).ledger.entries
    assert entry.phase is Phase.BEGUN


def test_only_the_entry_that_is_named_moves_on() -> None:
    books = advance(ledger(creation("r1"), creation("r2")), {"r2": Phase.PREPARE})
    assert [e.phase for e in books.entries] == [Phase.BEGUN, Phase.PREPARE]
