"""Whom to remove first, held against the rules of semantics.md 3.4 as they stand there, one by one (W18, W19, W24)."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cmp_to_key, partial
from math import floor, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.model.plan import ActionKind
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Failure, Health, Ledger, Life, Member, Observed
from skep.planning.census import keep_order, take
from skep.planning.victims import first_to_go

EXAMPLES = int(os.environ.get("SKEP_EXAMPLES", "300"))
SOURCES, SLOTS = ("a", "b", "c"), ("1", "2", "3", "4", "5", "6")
DESIRED = Desired(Key(Kind.WORKLOAD, "web"), 1, 0, "new", numbered=True, sources=SOURCES)
LIVES = (Life.STOPPED, Life.PENDING, Life.UNKNOWN, Life.RUNNING)
"""In the order of rule 2: created before unknown before running. All have an engine: rule 1 is true of none."""

Rule = Callable[[Member], float]


def reference(members: Sequence[Member], restarts: dict[str, int]) -> list[str]:
    """One after the other: the first difference decides, and each removal changes who is on the fullest engine."""
    left, gone = list(members), []
    while left:
        rules = rules_among(left, members, restarts)
        first = min(left, key=cmp_to_key(partial(compared, rules)))
        left.remove(first)
        gone.append(first.id)
    return gone


def compared(rules: Sequence[Rule], one: Member, other: Member) -> int:
    """Negative where the one goes before the other; a tie is broken by the order of IDs."""
    for rule in rules:
        if rule(one) != rule(other):
            return -1 if rule(one) < rule(other) else 1
    return -1 if one.id < other.id else 1


def rules_among(left: Sequence[Member], members: Sequence[Member], restarts: dict[str, int]) -> list[Rule]:
    on_source = Counter(m.source for m in left)
    return [
        lambda m: LIVES.index(m.life),
        lambda m: m.health is Health.HEALTHY,
        lambda m: m.fingerprint == "new",
        lambda m: -preferred(m, members),
        lambda m: -on_source[m.source],
        lambda m: 0 if m.well_s < 1 else 1 + floor(log2(m.well_s)),
        lambda m: -restarts.get(m.slot or "", 0),
        lambda m: -m.created_s,
    ]


def preferred(member: Member, members: Sequence[Member]) -> int:
    """How many of its slot are kept rather than it (W24)."""
    keep = keep_order(DESIRED, member)
    return sum(m.slot == member.slot and keep_order(DESIRED, m) < keep for m in members)


@st.composite
def containers(draw: st.DrawFn) -> list[Member]:
    """Mostly running, well and of a slot of their own, so that the last rules decide often."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        life = draw(st.sampled_from([Life.RUNNING] * 6 + list(LIVES)))
        health = draw(st.sampled_from([Health.HEALTHY] * 4 + list(Health))) if life is Life.RUNNING else Health.UNKNOWN
        well_s = draw(st.one_of(st.sampled_from([0.0, 0.9, 1.0, 1.9, 2.0, 3.9, 4.0]), st.floats(0, 100_000)))
        found.append(
            Member(
                f"m{number}",
                slot=draw(st.sampled_from([*[str(number + 1)] * 3, *SLOTS])),
                fingerprint=draw(st.sampled_from(["new", "new", "new", "old"])),
                life=life,
                health=health,
                source=draw(st.sampled_from(SOURCES)),
                created_s=float(draw(st.integers(0, 3))),
                well_s=well_s if health is Health.HEALTHY else 0.0,
            )
        )
    return found


def order(members: Sequence[Member], restarts: dict[str, int]) -> list[str]:
    ended = tuple(Failure(slot, ActionKind.START, count, 0.0, "", "x") for slot, count in restarts.items() if count)
    census = take(DESIRED, Observed(tuple(members)), Ledger((), ended))
    return [m.id for m in first_to_go(census, census.staying)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(members=containers(), restarts=st.dictionaries(st.sampled_from(SLOTS), st.integers(0, 3)))
def test_containers_go_in_the_order_of_the_rules(members: list[Member], restarts: dict[str, int]) -> None:
    assert order(members, restarts) == reference(members, restarts)


@settings(max_examples=EXAMPLES, deadline=None)
@given(members=containers())
def test_no_ready_one_goes_while_one_that_is_not_remains(members: list[Member]) -> None:
    """W18: whatever k of n are removed."""
    ready = {m.id for m in members if m.healthy}
    told = [one in ready for one in order(members, {})]
    assert told == sorted(told)


@pytest.mark.parametrize(("well_s", "first"), [((4.0, 7.9), "m1"), ((7.9, 8.0), "m0"), ((64.0, 127.0), "m1")])
def test_of_about_the_same_age_the_one_that_restarted_more_goes_first(well_s: tuple[float, float], first: str) -> None:
    """W18: ages are compared in powers of two, and only the same power leaves it to the next rule."""
    members = [
        Member(f"m{n}", slot=str(n + 1), fingerprint="new", health=Health.HEALTHY, source="a", well_s=age)
        for n, age in enumerate(well_s)
    ]
    assert order(members, {"2": 3})[0] == first
