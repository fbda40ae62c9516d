"""Who is there: members and ledger told apart."""

from dataclasses import replace

import pytest

from skep.planning.census import Census, is_current, keep_order, removal_order, take
from tests.planning.notation import cattle, ledger, member, observed, pets


def census(members: str, under_way: str = "") -> Census:
    return take(cattle(3), observed(members), ledger(under_way))


def ids(members: object) -> str:
    return " ".join(m.id for m in members)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("members", "under_way", "staying", "leaving", "gone", "creating"),
    [
        ("m1 m2- m3+ m4?", "", "m1 m2 m3 m4", "", "", 0),
        ("m1 m2x", "", "m1", "", "m2", 0),
        ("m1 m2x", "destroy m2", "m1", "m2", "", 0),
        ("m1 m2", "drain m2", "m1", "m2", "", 0),
        ("m1 m2", "update m2", "m1 m2", "", "", 0),
        ("m1", "create #r, create #s", "m1", "", "", 2),
        ("m1+#r", "create #r, create #s", "m1", "", "", 1),
    ],
)
def test_everyone_is_counted_once(
    members: str, under_way: str, staying: str, leaving: str, gone: str, creating: int
) -> None:
    counted = census(members, under_way)
    assert (ids(counted.staying), ids(counted.leaving), ids(counted.gone)) == (staying, leaving, gone)
    assert len(counted.creating) == creating


@pytest.mark.parametrize(
    ("members", "under_way", "free"),
    [
        ("m1 m2-", "", "m1 m2"),
        ("m1 m2?", "", "m1"),
        ("m1 m2", "start m2", "m1"),
        ("m1 m2#r", "create #r", "m1"),
    ],
)
def test_only_the_known_with_nothing_under_way_may_be_acted_on(members: str, under_way: str, free: str) -> None:
    assert ids(census(members, under_way).free) == free


@pytest.mark.parametrize(("text", "current"), [("m1", True), ("m1~", False), ("m1^", True)])
def test_outdated_is_what_differs_in_both_hashes(text: str, current: bool) -> None:
    assert is_current(cattle(1), member(text)) is current


def test_without_a_second_hash_the_first_decides() -> None:
    desired = replace(cattle(1), replace_sha="")
    assert not is_current(desired, member("m1~"))
    assert is_current(desired, member("m1"))


def test_the_order_of_removal_is_that_of_the_rules() -> None:
    """W18, W19, N34, N8: stopped, pending, unhealthy, outdated, current and young, old, and the leader last."""
    members = observed("m1- m2+ m3? m4~! m5! m6~ m7~* m8 m9 m10*").members
    sorted_ids = [m.id for m in sorted(members, key=lambda m: removal_order(cattle(1), m))]
    assert sorted_ids == ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m9", "m8", "m10"]


def test_of_duplicates_the_healthy_then_the_current_then_the_oldest_is_kept() -> None:
    """W24; what nobody answers for goes before all, for it can't be removed."""
    members = observed("m1- m2! m3~ m4 m5 m6?").members
    kept = [m.id for m in sorted(members, key=lambda m: keep_order(pets("a"), m))]
    assert kept == ["m6", "m4", "m5", "m3", "m2", "m1"]
