"""How many creations are asked for again: never more than there is room for, with what is under way (W41, W42)."""

from dataclasses import replace

import pytest

from skep.control.books import Outcome, Sight
from skep.control.ledger import settle
from skep.model.state import Entry
from tests.control.test_ledger_of_containers import NOW_S, SILENT, WEB, books, dead, look, made, there
from tests.control.values import creation, desired

THREE = (made("1"), made("2"), made("3"))
ONE = replace(WEB, size=1)
FAILED = tuple(Outcome(f"r{n}", 99.0, SILENT) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("why", "entries", "seen", "kept"),
    [
        ("room for all", THREE, look(), ["r1", "r2", "r3"]),
        ("room for one", THREE, look(desired=ONE), ["r1"]),
        ("and one above it", THREE, look(desired=replace(ONE, max_surge=1)), ["r1", "r2"]),
        ("one is there", THREE, look(there("7"), desired=replace(ONE, max_surge=1)), ["r1"]),
        ("the first was made", THREE, look(there("1"), desired=replace(ONE, max_surge=1)), ["r1", "r2"]),
        ("what one made has ended", THREE, look(dead("1", request="r1"), desired=ONE), ["r2"]),
        ("the last one runs", THREE, replace(look(desired=ONE), running=frozenset({"r3"})), ["r3"]),
        ("the last one is done, and not listed", THREE, look(outcomes=(Outcome("r3", 99.0),), desired=ONE), ["r3"]),
        ("none was answered", THREE, look(outcomes=FAILED, desired=ONE), ["r1"]),
        (
            "machines, too",
            (creation("r1"), creation("r2")),
            replace(look(), desired=desired(1, slots=None)),
            ["r1"],
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_no_more_creations_are_carried_on_than_there_is_room_for(
    why: str, entries: tuple[Entry, ...], seen: Sight, kept: list[str]
) -> None:
    assert [e.request for e in settle(books(*entries), seen, NOW_S, 0.5).ledger.entries] == kept, why
