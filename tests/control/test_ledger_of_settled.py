"""Books on what is made of the template from before a roll."""

from dataclasses import replace

import pytest

from skep.control.books import Outcome
from skep.control.documents import decode_record, encode_record
from skep.control.ledger import forgive, settle
from skep.model.ended import Ended
from skep.model.errors import NoImageError
from skep.model.state import Entry, Record
from skep.planning.backoff import RESTART_CAP_S
from tests.control.test_ledger_of_containers import NOW_S, REFUSED, WEB, after, books, dead, look, made, there

ROLL = replace(WEB, fingerprint="f2", settled="f1")
"""Members and entries of these tests are of `f1`."""


def new(number: str, **more: object) -> Entry:
    return made(number, fingerprint="f2", **more)


def test_w26_what_was_begun_as_before_is_carried_on_after_a_crash_under_its_own_template() -> None:
    crashed = settle(books(made("1"), new("2")), look(desired=ROLL), NOW_S, 0.5)
    assert [(e.request, e.fingerprint) for e in crashed.resume] == [("r1", "f1"), ("r2", "f2")]
    assert settle(books(made("1")), look(desired=replace(ROLL, settled="")), NOW_S, 0.5).resume == ()


def test_w30_the_end_of_an_old_one_counts_for_its_slot_and_a_new_one_begins_anew() -> None:
    first = after(books(), look(dead("1"), desired=ROLL))
    assert [(f.subject, f.count, f.settled) for f in first.failures] == [("1", 1, True)]
    second = after(first, look(dead("1", "e1"), desired=ROLL))
    assert [(f.count, f.settled) for f in second.failures] == [(2, True)]
    newly = replace(dead("1", "e2"), fingerprint="f2")
    assert [(f.count, f.settled) for f in after(second, look(newly, desired=ROLL)).failures] == [(1, False)]


def test_what_ended_long_before_a_roll_is_no_news_of_it() -> None:
    """Kept for its logs, in a slot that the roll has vacated; what ends in the roll is."""
    first = after(forgive(books()), look(dead("1"), there("2"), desired=ROLL))
    assert first.failures == ()
    later = after(first, look(dead("1"), dead("2"), desired=ROLL))
    assert [(f.subject, f.count) for f in later.failures] == [("2", 1)]


def test_w38_an_end_that_is_counted_no_more_is_no_news_when_its_slot_is_vacated() -> None:
    """Its slot was well for the whole window; also after a restart of skep, which knows its record alone."""
    counted = after(books(), look(dead("1")))
    well = after(counted, look(dead("1"), there("1", well_s=60.0)))
    assert (well.failures, well.ended) == ((), (Ended("a", ("d1",)),))
    again = decode_record(encode_record(Record(WEB.key, ledger=well), 100.0, 5000.0), 7.0, 5010.0, RESTART_CAP_S)
    assert after(again.ledger, look(dead("1"))).failures == ()


def test_w47_what_is_seen_first_of_a_silent_source_ended_before_the_generation() -> None:
    seen = after(forgive(books()), look(there("2"), silent=frozenset({"b"})))
    back = after(seen, look(there("2"), dead("1", source="b")))
    assert back.failures == ()
    assert [f.subject for f in after(back, look(dead("2"), dead("1", source="b"))).failures] == ["2"]


def test_what_has_ended_of_ten_thousand_fits_into_a_record() -> None:
    many = [dead(str(n), id=f"{n:012d}" + "c0ffee" * 8) for n in range(1, 10_001)]
    seen = after(forgive(books()), look(*many, desired=replace(WEB, size=10_000)))
    assert len(encode_record(Record(WEB.key, ledger=seen), 0.0, 0.0)) < 200 * 1024


@pytest.mark.parametrize("error", [REFUSED, NoImageError("manifest unknown")])
def test_what_could_be_made_as_before_does_not_excuse_the_new_template(error: Exception) -> None:
    """W32, W33: its back-off goes on; where not even the old one could be made, both wait."""
    failed = after(books(new("1")), look(outcomes=(Outcome("r1", 99.0, error),), desired=ROLL))
    worst = [f for f in failed.failures if f.pull or not f.subject]
    assert [f.settled for f in worst] == [False]
    both = after(replace(failed, entries=(made("2"),)), look(outcomes=(Outcome("r2", 99.0, error),), desired=ROLL))
    assert [f.settled for f in both.failures if f.pull or not f.subject] == [True]
    well = look(there("3"), outcomes=(Outcome("r3", 99.0),), desired=ROLL)
    again = after(replace(both, entries=(made("3"),)), well)
    left = [f for f in again.failures if f.pull or not f.subject]
    assert [(f.settled, f.count) for f in left] == [(False, f.count) for f in both.failures if f.pull or not f.subject]
    newly = look(replace(there("4"), fingerprint="f2"), outcomes=(Outcome("r4", 99.0),), desired=ROLL)
    assert after(replace(again, entries=(new("4"),)), newly).failures == ()
