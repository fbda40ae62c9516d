"""The ledger of numbered members: ends that are counted, batches that went well, sources that refuse or are silent."""

from dataclasses import replace

import pytest

from skep.control.books import Outcome, Sight
from skep.control.documents import decode_record, encode_record
from skep.control.ledger import forgive, settle
from skep.model.errors import NoImageError, RejectedError, UnavailableError
from skep.model.plan import ActionKind
from skep.model.setbacks import Setbacks
from skep.model.state import EVERYTHING, Desired, Entry, Failure, Ledger, Life, Limits, Member, Phase, Record
from skep.planning.backoff import RESTART_CAP_S
from tests.control.values import act, creation, member, sight
from tests.control.values import desired as wanted

NOW_S = 100.5
CREATE, START = ActionKind.CREATE, ActionKind.START
WEB = wanted(3, numbered=True, sources=("a", "b"), limits=Limits(restart_window_s=60.0))
REFUSED = RejectedError("no such network")
SILENT = UnavailableError("no answer")


def made(number: str, source: str = "a", **more: object) -> Entry:
    return creation(f"r{number}", number, source=source, **more)


def there(number: str, **more: object) -> Member:
    given = {"id": f"m{number}", "slot": number, "source": "a", "request": f"r{number}", **more}
    return member(**given)  # type: ignore[arg-type]


def dead(number: str, id: str = "", **more: object) -> Member:
    gone = {"life": Life.DEAD, "healthy": False, "detail": "exited with code 1", "request": "", **more}
    return there(number, **{**gone, "id": id or f"d{number}"})


def ends(number: str, count: int = 1, retry_s: float = 50.0, counted: str = "") -> Failure:
    return Failure(number, START, count, retry_s, "exited with code 1", counted or f"d{number}")


def books(*entries: Entry, failures: tuple[Failure, ...] = (), streak: int = 0) -> Ledger:
    return Ledger(entries, failures, "", streak)


def look(*members: Member, outcomes: tuple[Outcome, ...] = (), desired: Desired = WEB, **seen: object) -> Sight:
    found = sight(*members, wanted=desired, outcomes=outcomes)
    return replace(found, observed=replace(found.observed, **seen))  # type: ignore[arg-type]


def after(before: Ledger, seen: Sight, now_s: float = NOW_S) -> Ledger:
    return settle(before, seen, now_s, 0.5).ledger


def by_subject(ledger: Ledger) -> dict[tuple[str, ActionKind], tuple[int, float]]:
    return {(f.subject, f.kind): (f.count, f.retry_s - NOW_S) for f in ledger.failures}


@pytest.mark.parametrize(("count", "wait_s"), [(0, 0.0), (1, 10.0), (2, 20.0), (5, 160.0), (6, 300.0), (60, 300.0)])
def test_an_end_is_counted_once_and_the_next_waits_longer(count: int, wait_s: float) -> None:
    """W30, F7."""
    known = (ends("1", count, counted="d0"),) if count else ()
    first = after(books(failures=known), look(dead("1")))
    assert by_subject(first) == {("1", START): (count + 1, wait_s)}
    assert (first.failures[0].counted, first.failures[0].message) == ("d1", "exited with code 1")
    assert after(first, look(dead("1")), NOW_S + 5).failures == first.failures


@pytest.mark.parametrize(
    ("why", "seen", "entries"),
    [
        ("its slot has a member", (dead("1"), there("1")), ()),
        ("a newer one of its slot was counted", (dead("1", "d0", created_s=1.0), dead("1", created_s=2.0)), ()),
        ("it was made for an older spec", (replace(dead("2"), fingerprint="f0"),), ()),
        ("we are removing it", (dead("2"),), (act(ActionKind.DRAIN, "d2"),)),
    ],
)
def test_other_ends_are_not_counted(why: str, seen: tuple[Member, ...], entries: tuple[Entry, ...]) -> None:
    settled = after(books(*entries, failures=(ends("1"),)), look(*seen))
    assert by_subject(settled) == {("1", START): (1, 50.0 - NOW_S)}


@pytest.mark.parametrize(
    ("why", "seen", "stays"),
    [
        ("well for a moment", look(there("1", well_s=59.0)), True),
        ("well for the window (W30)", look(there("1", well_s=60.0)), False),
        ("up for long and never well", look(there("1", healthy=False, well_s=0.0)), True),
        ("nobody bears a number that is wanted", look(), True),
        ("nobody bears one that is not", look(desired=replace(WEB, size=0)), False),
        ("nobody answers for it", look(desired=replace(WEB, size=0), silent=frozenset({"b"})), True),
        ("it may come back with its source", look(desired=replace(WEB, size=0), lost=frozenset({"b"})), True),
        ("its key is removed", look(dead("1"), desired=replace(WEB, removed=True)), False),
    ],
)
def test_a_count_ends_when_its_slot_has_proven_itself_or_is_gone(why: str, seen: Sight, stays: bool) -> None:
    assert bool(after(books(failures=(ends("1"),)), seen).failures) is stays


def test_a_new_generation_counts_from_nothing_and_not_the_same_end_again() -> None:
    """W38: a slot that was given up gets all its tries again."""
    fresh = forgive(books(failures=(ends("1", 5), Failure("", CREATE, 3, 200.0, "no")), streak=9))
    assert by_subject(fresh) == {("1", START): (0, -NOW_S)}
    assert (fresh.streak, after(fresh, look(dead("1"))).failures) == (0, fresh.failures)


NO_IMAGE = NoImageError("manifest unknown")


def pulls(count: int, retry_s: float, source: str = "a") -> Failure:
    return Failure(source, CREATE, count, retry_s, "manifest unknown", pull=True)


@pytest.mark.parametrize(("count", "wait_s"), [(0, 10.0), (1, 20.0), (2, 40.0), (4, 160.0), (5, 300.0), (60, 300.0)])
def test_w32_an_image_that_can_not_be_had_holds_up_its_source_alone_and_ever_longer(count: int, wait_s: float) -> None:
    """F6; the entry goes, so that another source makes what is missing."""
    known = (pulls(count, 50.0),) if count else ()
    settled = after(books(made("1"), failures=known, streak=3), look(outcomes=(Outcome("r1", 100.0, NO_IMAGE),)))
    assert settled.failures == (pulls(count + 1, NOW_S + wait_s),)
    assert (settled.entries, settled.streak) == ((), 3 if count else 0)


def test_w32_two_that_failed_beside_each_other_were_one_try() -> None:
    both = tuple(Outcome(request, 100.0, NO_IMAGE) for request in ("r1", "r2"))
    first = after(books(made("1"), made("2")), look(outcomes=both))
    assert first.failures == (pulls(1, NOW_S + 10),)
    assert after(replace(first, entries=(made("3"),)), look(outcomes=(Outcome("r3", 101.0, NO_IMAGE),)), 101.0) == first


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (None, {}),
        (SILENT, {("a", CREATE): (1, 1.0)}),
        (REFUSED, {("a", CREATE): (1, 10.0), ("", CREATE): (1, 1.0)}),
    ],
    ids=["made", "silent", "refused"],
)
def test_w32_an_image_that_was_had_at_last_is_forgotten(error: Exception | None, left: object) -> None:
    """Whatever became of it then is counted from one."""
    known = books(made("1"), failures=(pulls(6, 50.0),))
    settled = after(known, look(*([] if error else [there("1")]), outcomes=(Outcome("r1", 100.0, error),)))
    assert by_subject(settled) == left
    assert not any(f.pull for f in settled.failures)


def test_w32_a_new_generation_asks_for_its_image_at_once() -> None:
    assert forgive(books(failures=(pulls(6, 400.0),))).failures == ()


def test_w32_how_often_a_pull_failed_survives_the_end_of_skep() -> None:
    record = Record(WEB.key, ledger=books(failures=(pulls(3, 140.0),)))
    again = decode_record(encode_record(record, 100.0, 5000.0), 7.0, 5010.0, RESTART_CAP_S)
    assert again.ledger.failures == (pulls(3, 37.0),)


def test_creations_that_went_well_in_a_row_are_counted() -> None:
    """W9: each once, and only when a listing shows it."""
    done = (Outcome("r1", 99.0), Outcome("r2", 99.0))
    begun = books(made("1"), made("2"), made("3"), streak=1)
    half = after(begun, look(there("1"), outcomes=done))
    assert (half.streak, [e.request for e in half.entries]) == (2, ["r2", "r3"])
    assert after(half, look(there("1"), there("2"), outcomes=done[1:])).streak == 3


def test_the_row_ends_when_nothing_is_missing() -> None:
    full = [there("1"), there("2"), there("3")]
    failed = (Failure("", CREATE, 1, 90.0, "no"), Failure("a", CREATE, 1, 90.0, "no"))
    settled = after(books(streak=9, failures=failed), look(*full))
    assert (settled.streak, by_subject(settled).keys()) == (0, {("a", CREATE)})
    assert after(books(streak=9), look(*full[:2])).streak == 9
    assert after(books(streak=9, failures=(ends("3", 4, 999.0),)), look(*full[:2], dead("3"))).streak == 0


def test_a_refusal_holds_up_the_whole_key_and_doubts_its_source() -> None:
    """W10, W33, W34, F5."""
    settled = after(books(made("1"), streak=5), look(outcomes=(Outcome("r1", 99.0, REFUSED),)))
    assert by_subject(settled) == {("", CREATE): (1, 1.0), ("a", CREATE): (1, 10.0)}
    assert (settled.streak, settled.entries) == (0, ())


def test_silence_holds_up_only_its_source_and_is_asked_again() -> None:
    """W26: nothing is known against the spec, and what was begun may be there."""
    silence = settle(books(made("1"), streak=5), look(outcomes=(Outcome("r1", 99.0, SILENT),)), NOW_S, 0.5)
    assert by_subject(silence.ledger) == {("a", CREATE): (1, 1.0)}
    assert (silence.ledger.failures[0].counted, silence.ledger.streak, silence.resume) == ("r1", 0, ())
    again = settle(silence.ledger, look(), NOW_S + 1.0, 0.5)
    assert [e.request for e in again.resume] == ["r1"]
    assert settle(silence.ledger, look(silent=frozenset({"a"})), NOW_S + 1.0, 0.5).resume == ()


def test_success_ends_what_was_held_against_a_source() -> None:
    failed = (
        Failure("", CREATE, 4, 90.0, "no"),
        Failure("a", CREATE, 4, 90.0, "no"),
        Failure("b", CREATE, 1, 90.0, "no"),
    )
    settled = after(books(made("1"), failures=failed), look(there("1"), outcomes=(Outcome("r1", 99.0),)))
    assert by_subject(settled).keys() == {("b", CREATE)}


def test_a_source_is_not_doubted_for_ever() -> None:
    failed = books(failures=(Failure("a", CREATE, 4, NOW_S - RESTART_CAP_S, "no"),))
    assert (len(after(failed, look(), NOW_S - 1).failures), after(failed, look()).failures) == (1, ())


@pytest.mark.parametrize(
    ("why", "entry", "seen", "stays"),
    [
        ("its source is lost (W35)", made("1"), look(lost=frozenset({"a"})), False),
        ("its source is one no more", made("1", "c"), look(), False),
        ("its source is only silent", made("1"), look(silent=frozenset({"a"})), True),
        ("what it made has ended", made("1"), look(dead("1", request="r1")), False),
        ("what it made is there and was not told", made("1"), look(there("1")), True),
    ],
)
def test_a_creation_that_was_cut_off(why: str, entry: Entry, seen: Sight, stays: bool) -> None:
    """W26, W28, F3."""
    assert bool(after(books(entry), seen).entries) is stays


FIVE_TRIES = Failure("a", CREATE, 5, 200.0, "no space left on device", "r1")


@pytest.mark.parametrize(
    ("why", "failures", "seen", "stays"),
    [
        ("another has room", (FIVE_TRIES,), look(), False),
        ("it was tried four times", (replace(FIVE_TRIES, count=4),), look(), True),
        ("it was another that was tried", (replace(FIVE_TRIES, counted="r0"),), look(), True),
        ("its source shows it", (FIVE_TRIES,), look(there("1")), True),
        ("its source is silent, and may have it", (FIVE_TRIES,), look(silent=frozenset({"a"})), True),
        ("the other is silent", (FIVE_TRIES,), look(silent=frozenset({"b"})), True),
        ("the other is lost", (FIVE_TRIES,), look(lost=frozenset({"b"})), True),
        ("the other failed too", (FIVE_TRIES, Failure("b", CREATE, 1, 90.0, "no")), look(), True),
        (
            "the other is full",
            (FIVE_TRIES,),
            look(there("2", source="b"), desired=replace(WEB, per_source_max=1)),
            True,
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_w34_a_source_is_given_up_for_a_creation_that_it_never_answers(
    why: str, failures: tuple[Failure, ...], seen: Sight, stays: bool
) -> None:
    """Its disk may be full: it answers 500, and lists well."""
    assert bool(after(books(made("1"), failures=failures), seen).entries) is stays


def test_the_dead_take_no_place() -> None:
    """W7."""
    seen = look(dead("1"), dead("2"), dead("3"), desired=replace(WEB, max_surge=0))
    assert [e.request for e in after(books(made("4")), seen).entries] == ["r4"]


def test_a_removal_is_over_when_its_own_source_shows_it() -> None:
    """Others may be silent meanwhile."""
    removal = act(ActionKind.DRAIN, "m1", source="a")
    done = (Outcome("r1", 99.0),)
    assert after(books(removal), look(outcomes=done, silent=frozenset({"b"}))).entries == ()
    assert len(after(books(removal), look(outcomes=done, silent=frozenset({"a"}))).entries) == 1


@pytest.mark.parametrize(
    ("kind", "phase", "again"),
    [
        (ActionKind.DRAIN, Phase.BEGUN, False),
        (ActionKind.DRAIN, Phase.DRAIN, True),
        (ActionKind.DRAIN, Phase.DESTROYED, True),
        (ActionKind.DESTROY, Phase.BEGUN, True),
    ],
)
def test_w42_one_that_was_not_asked_to_stop_before_a_crash_is_not_removed_unless_that_is_decided_anew(
    kind: ActionKind, phase: Phase, again: bool
) -> None:
    """It may be the last one that serves by now."""
    removal = replace(act(kind, "m1", source="a"), phase=phase)
    cut_off = settle(books(removal), look(there("1")), NOW_S, 0.5)
    assert (bool(cut_off.ledger.entries), bool(cut_off.resume)) == (again, again)
    unheard = settle(books(removal), look(silent=frozenset({EVERYTHING})), NOW_S, 0.5)
    assert (unheard.ledger.entries, unheard.resume) == ((removal,), ())


def test_a_refused_start_counts_for_its_slot() -> None:
    """W28, W30."""
    start = act(START, "m1", slot="1")
    created = there("1", life=Life.STOPPED, healthy=False)
    refused = after(books(start), look(created, outcomes=(Outcome("r1", 99.0, REFUSED),)))
    assert by_subject(refused) == {("1", START): (1, 0.0)}
    assert refused.failures[0].counted == "m1"
    silent = after(books(start), look(created, outcomes=(Outcome("r1", 99.0, SILENT),)))
    assert by_subject(silent) == {("m1", START): (1, 1.0)}
    assert after(books(start), look(there("1"), outcomes=(Outcome("r1", 99.0),))).failures == ()


def test_of_a_long_error_as_much_is_remembered_as_people_read() -> None:
    """Whoever answers on an engine's port may answer with a book, and a record has a limit."""
    book = RejectedError("no " * 1_000_000)
    settled = after(books(made("1")), look(outcomes=(Outcome("r1", 99.0, book),)))
    assert {len(f.message) for f in settled.failures} == {1000}
    assert all(f.message.startswith("no no") and "…" in f.message for f in settled.failures)


def test_no_more_slots_are_counted_than_a_record_holds() -> None:
    many = [dead(str(n), id="c0ffee" * 10 + f"{n:04d}") for n in range(1, 1201)]
    counted = after(books(failures=(ends("1200", 7, counted="old"),)), look(*many, desired=replace(WEB, size=1200)))
    assert (len(counted.failures), max(f.count for f in counted.failures)) == (1000, 8)


def test_an_end_is_forgotten_where_others_have_taken_the_place() -> None:
    """After a roll the numbers may have gaps: 2 is not needed any more, and nobody waits for it."""
    full = [there(n) for n in ("1", "3", "4")]
    assert after(books(failures=(ends("2", 3),)), look(*full)).failures == ()
    assert len(after(books(failures=(ends("2", 3),)), look(*full[:2])).failures) == 1


@pytest.mark.parametrize(
    ("seen", "stays"),
    [(there("1", healthy=False), True), (there("1"), False), (dead("1", id="m1"), False)],
    ids=["is still unhealthy", "got well", "has ended"],
)
def test_a_stop_that_failed_matters_while_there_is_something_to_stop(seen: Member, stays: bool) -> None:
    failed = Failure("m1", ActionKind.STOP, 1, 90.0, "no answer")
    settled = after(books(failures=(failed,)), look(seen))
    assert (("m1", ActionKind.STOP) in by_subject(settled)) is stays


def test_an_end_is_counted_although_the_clock_of_its_engine_is_behind() -> None:
    """A crash loop must not run hot because the one counted before seems to be the newer one (semantics.md 5.3)."""
    before = dead("1", id="before", created_s=9000.0, sick_s=50.0)
    now = dead("1", id="now", created_s=10.0, sick_s=0.0, source="b")
    settled = after(books(failures=(ends("1", 3, counted="before"),)), look(before, now))
    assert [(f.count, f.counted) for f in settled.failures] == [(4, "now")]


# --- W34: where they failed ------------------------------------------------------------------------------------------


START_OF_1 = act(START, "m1", slot="1", source="a")
CREATED = there("1", life=Life.STOPPED, healthy=False)


@pytest.mark.parametrize(
    ("what", "before", "seen", "counted"),
    [
        ("one ended", books(), look(dead("1")), ["a"]),
        ("one on each ended", books(), look(dead("1"), dead("2", source="b")), ["a", "b"]),
        ("an end was counted before", books(failures=(ends("1"),)), look(dead("1")), []),
        ("it was made for an older spec", books(), look(replace(dead("1"), fingerprint="f0")), []),
        ("we were removing it", books(act(ActionKind.DRAIN, "d1")), look(dead("1")), []),
        ("a job ended well", books(), look(dead("1", completed=1), desired=replace(WEB, once=True)), []),
        ("it is no place any more", books(), look(dead("1", source="z")), []),
        ("a start was refused", books(START_OF_1), look(CREATED, outcomes=(Outcome("r1", 99.0, REFUSED),)), ["a"]),
        ("a start got no answer", books(START_OF_1), look(CREATED, outcomes=(Outcome("r1", 99.0, SILENT),)), []),
        ("a creation was refused", books(made("1")), look(outcomes=(Outcome("r1", 99.0, REFUSED),)), ["a"]),
        ("a creation got no answer (W26)", books(made("1")), look(outcomes=(Outcome("r1", 99.0, SILENT),)), []),
        ("its image can't be had (W32)", books(made("1")), look(outcomes=(Outcome("r1", 99.0, NO_IMAGE),)), []),
        ("a creation went well", books(made("1")), look(there("1"), outcomes=(Outcome("r1", 99.0),)), []),
        ("its key is removed", books(), look(dead("1"), desired=replace(WEB, removed=True)), []),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_w34_what_is_held_against_a_source(what: str, before: Ledger, seen: Sight, counted: list[str]) -> None:
    settled = after(before, seen)
    assert settled.setbacks == tuple(Setbacks(source, (NOW_S,)) for source in counted)
    assert after(settled, replace(seen, outcomes={}), NOW_S + 1).setbacks == settled.setbacks


def test_w34_the_last_five_are_remembered_and_nothing_that_is_older_than_five_minutes() -> None:
    known = replace(books(), setbacks=(Setbacks("a", (1.0, 2.0, 3.0, 4.0, 5.0)), Setbacks("b", (-199.6, -199.5))))
    seen = after(known, look(dead("1")))
    assert seen.setbacks == (Setbacks("a", (2.0, 3.0, 4.0, 5.0, NOW_S)),)
    assert after(known, look(), NOW_S - 1).setbacks == known.setbacks


def test_w34_a_new_generation_has_failed_nowhere() -> None:
    """F5: what is wrong there may be mended by it, and the same ends are not counted again."""
    ended = after(books(), look(dead("1")))
    assert after(forgive(ended), look(dead("1"))).setbacks == ()


def test_w34_no_more_sources_are_remembered_than_a_record_holds() -> None:
    many = tuple(f"e{n}" for n in range(600))
    known = tuple(Setbacks(source, (float(n) / 10,)) for n, source in enumerate(many))
    kept = after(replace(books(), setbacks=known), look(desired=replace(WEB, sources=many))).setbacks
    assert kept == known[:99:-1]


def test_w34_a_source_on_which_members_fail_is_no_better_for_a_creation_that_is_never_answered() -> None:
    known = replace(
        books(made("1"), failures=(FIVE_TRIES,)), setbacks=(Setbacks("b", (96.0, 97.0, 98.0, 99.0, 100.0)),)
    )
    assert len(after(known, look()).entries) == 1
