"""For each promise of numbered members one plan that breaks it and is found out, and one like it that keeps it."""

from dataclasses import dataclass, replace

import pytest

from skep.model.plan import Action, ActionKind, Plan, Reason
from skep.model.state import Desired
from skep.planning.check import check_plan
from tests.planning.notation import OLD, cattle, ledger, numbered, observed


@dataclass(frozen=True)
class Case:
    """`good` and `bad` are plans for one world; `fault` is part of what is said of the bad one."""

    promise: str
    desired: Desired
    members: str
    good: str
    bad: str
    fault: str
    under_way: str = ""
    silent: str = ""

    def __str__(self) -> str:
        return self.promise


def made(desired: Desired, text: str) -> Plan:
    lines = [line.split() for line in text.split(",") if line]
    return Plan(desired.key, desired.generation, tuple(_action(words) for words in lines))


def _action(words: list[str]) -> Action:
    """`create 3 a Missing`, `create 3 a old Missing` for one of a template of this fingerprint, `drain m1 Surplus`."""
    kind, reason = ActionKind(words[0]), Reason(words[-1])
    if kind is ActionKind.CREATE:
        return Action(kind, reason, words[1], source=words[2], fingerprint="".join(words[3:-1]))
    return Action(kind, reason, None, words[1])


FULL = "streak 15"

ROLL = numbered(3, settled=OLD)

AS_BEFORE = [
    Case(
        "nothing is made of a template that not all followed",
        ROLL,
        "1=m1~@a 2=m2~@a",
        "create 3 a old Missing",
        "create 3 a older Missing",
        "that nobody asked for",
    ),
    Case(
        "no more are made as before than must serve (W42)",
        ROLL,
        "1=m1~@a 2=m2~@a",
        "create 3 a old Missing, create 4 a Outdated",
        "create 3 a old Missing, create 4 a old Missing",
        "2 are to be made as before the roll, and 1 are missing",
        FULL,
    ),
    Case(
        "nor any once new ones are available (W45)",
        ROLL,
        "1=m1~@a 2=m2@a",
        "create 3 a Missing",
        "create 3 a old Missing",
        "1 are to be made as before the roll, and 0 are missing",
    ),
    Case(
        "new ones leave them their room (W42)",
        ROLL,
        "1=m1~@a 2=m2~@a 4=m4.@a",
        "create 3 a old Missing",
        "create 3 a Missing",
        "new ones would take their room",
    ),
    Case(
        "a new image that can't be had holds up no old one (W32)",
        ROLL,
        "1=m1~@a",
        "create 2 a old Missing, create 3 a old Missing",
        "create 2 a old Missing, create 3 a Missing, create 4 a Outdated",
        "could not get the image",
        f"failed pull a 3 90, {FULL}",
    ),
]

CASES = [
    *AS_BEFORE,
    Case(
        "only the unhealthy are stopped",
        numbered(2),
        "1=m1@a 2=m2!@a",
        "stop m2 Unhealthy",
        "stop m1 Unhealthy",
        "nothing says that it must be",
    ),
    Case(
        "what is nobody's is not stopped",
        numbered(1),
        "1=m1f!@a",
        "adopt m1 Drifted",
        "stop m1 Unhealthy",
        "not made by",
    ),
    Case("what only starts is not stopped", numbered(1), "1=m1.@a", "", "stop m1 Unhealthy", "nothing says"),
    Case("machines are not stopped", cattle(1), "m1!!", "drain m1 Unhealthy", "stop m1 Unhealthy", "nothing says"),
    Case(
        "what has ended is let lie while its source is silent",
        numbered(1, "a b"),
        "1=m1%@b 1=m2%@b 1=m3@a",
        "",
        "destroy m1 Dead",
        "its source is silent",
        silent="b",
    ),
    Case("a slot has a number", numbered(2), "", "create 1 a Missing", "create x a Missing", "x is no number"),
    Case(
        "a number is not taken twice", numbered(2), "1=m1@a", "create 2 a Missing", "create 1 a Missing", "filled twice"
    ),
    Case(
        "nor while it is being vacated",
        numbered(2),
        "1=m1@a 2=m2@a",
        "create 3 a Missing",
        "create 2 a Missing",
        "filled twice",
        "drain m2",
    ),
    Case(
        "nor while it is being made",
        numbered(3),
        "",
        "create 2 a Missing",
        "create 1 a Missing",
        "filled twice",
        f"create 1 @a #r, {FULL}",
    ),
    Case(
        "a slot that ended too often is left alone (W38)",
        numbered(2),
        "1=m1%@a",
        "create 2 a Missing",
        "create 1 a Missing",
        "ended too often",
        "failed start 1 5 0 m1",
    ),
    Case(
        "the dead count for nothing (W7)", numbered(1), "1=m1%@a", "create 1 a Missing", "start m1 Stopped", "has ended"
    ),
    Case("a place is one of the sources", numbered(1), "", "create 1 a Missing", "create 1 z Missing", "z is no place"),
    Case(
        "not where nobody answers",
        numbered(1, "ab"),
        "",
        "create 1 a Missing",
        "create 1 b Missing",
        "b does not",
        "",
        "b",
    ),
    Case(
        "not where all is lost",
        numbered(1, "ab"),
        "",
        "create 1 a Missing",
        "create 1 b Missing",
        "b does not",
        "",
        "lost:b",
    ),
    Case(
        "not where there is no room",
        numbered(2, "ab", per_source_max=1),
        "1=m1@a",
        "create 2 b Missing",
        "create 2 a Missing",
        "at most 1 have room",
    ),
    Case(
        "not while what is missed may live unseen",
        numbered(1, "ab"),
        "",
        "",
        "create 1 a Missing",
        "nobody knows what lives",
        "",
        "unlisted:b",
    ),
    Case(
        "one first (W9)",
        numbered(3),
        "",
        "create 1 a Missing",
        "create 1 a Missing,create 2 a Missing",
        "2 would be made at once after 0",
    ),
    Case(
        "one after a failure (W10)",
        numbered(3),
        "",
        "create 1 a Missing",
        "create 1 a Missing,create 2 a Missing",
        "2 would be made at once after 0",
        f"failed create any 1 0, {FULL}",
    ),
    Case(
        "a batch ends before the next one begins (W10)",
        numbered(3),
        "1=m1@a",
        "",
        "create 3 a Missing",
        "before the last one has ended",
        "create 2 @a #r, streak 1",
    ),
    Case(
        "what is made and starts yet has been a success, and no more than one (W10)",
        numbered(9),
        "",
        "create 3 a Missing,create 4 a Missing",
        "create 3 a Missing,create 4 a Missing,create 5 a Missing",
        "3 would be made at once after 2",
        "create 2 @a #r =created, streak 1",
    ),
    Case(
        "one at a time is made where the image could not be had (W32, W33)",
        numbered(4, "ab"),
        "",
        "create 1 a Missing,create 2 b Missing,create 3 b Missing",
        "create 1 a Missing,create 2 a Missing,create 3 b Missing",
        "could not get the image",
        "failed pull a 1 0, streak 1",
    ),
    Case(
        "also while one is under way",
        numbered(4, "ab"),
        "",
        "create 2 b Missing,create 3 b Missing",
        "create 2 a Missing,create 3 b Missing",
        "could not get the image",
        "failed pull a 1 0, create 1 @a #r, streak 1",
    ),
    Case(
        "the last dead of a slot in use is kept",
        numbered(1),
        "1=m1%@a 1=m2%@a 1=m3@a",
        "destroy m1 Dead",
        "destroy m2 Dead",
        "the last that ended of slot 1",
    ),
    Case(
        "the last dead of a slot that is to be filled is kept",
        numbered(2),
        "1=m1@a 2=m2%@a 3=m3%@a",
        "destroy m3 Dead",
        "destroy m2 Dead",
        "the last that ended of slot 2",
    ),
    Case(
        "what was created is given up when its start was refused",
        numbered(1),
        "1=m1-@a",
        "destroy m1 Dead",
        "destroy m1 Dead,create 1 a Missing",
        "filled twice",
        "failed start 1 1 0 m1",
    ),
    Case("and not before", numbered(1), "1=m1-@a", "start m1 Stopped", "destroy m1 Dead", "might be started"),
    Case(
        "what is not where it may be is outdated",
        numbered(1, "a"),
        "1=m1!@b",
        "drain m1 Outdated",
        "drain m1 Surplus",
        "0 too many",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_good_plan_of_containers_passes(case: Case) -> None:
    seen, under_way = observed(case.members, case.silent), ledger(case.under_way)
    assert check_plan(made(case.desired, case.good), case.desired, seen, under_way) == ()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_broken_promise_to_containers_is_found(case: Case) -> None:
    seen, under_way = observed(case.members, case.silent), ledger(case.under_way)
    faults = check_plan(made(case.desired, case.bad), case.desired, seen, under_way)
    assert any(case.fault in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("ready_s", "members", "fault"),
    [
        (None, "1=m1~@a 2=m2@a 3=m3@a", ""),
        (None, "1=m1~@a 2=m2@a 3=m3o@a", "only 1 have proven"),
        (0.0, "1=m1~@a 2=m2@a 3=m3o@a", ""),
        (90.0, "1=m1~@a 2=m2@a 3=m3@a", "only 0 have proven"),
        (None, "1=m1~o@a 2=m2~o@a 3=m3~@a", ""),
        (None, "1=m1~o@a 2=m2@a 3=m3o@a", "only 1 have proven"),
    ],
)
@pytest.mark.parametrize("reason", ["Outdated", "Surplus"])
def test_for_old_ones_make_up_those_that_have_proven_themselves(
    reason: str, ready_s: float | None, members: str, fault: str
) -> None:
    """W42, W44."""
    base = numbered(2)
    desired = replace(base, limits=replace(base.limits, min_ready_s=ready_s))
    found = [
        f
        for f in check_plan(made(desired, f"drain m1 {reason}"), desired, observed(members), ledger(""))
        if "proven" in f
    ]
    assert [fault in f for f in found] == ([True] if fault else [])
