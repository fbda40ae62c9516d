"""For each promise one plan that breaks it and is found out, and one like it that keeps it."""

from dataclasses import dataclass

import pytest

from skep.model.plan import Action, ActionKind, Plan, Reason
from skep.model.spec import Key, Kind
from skep.model.state import Desired
from skep.planning.check import check_plan
from tests.planning.notation import cattle, ledger, manager_cattle, managers, observed, pets, service


@dataclass(frozen=True)
class Case:
    """`good` and `bad` are plans as in rows.py, for one world; `fault` is part of what is said of the bad one."""

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
    return Plan(
        desired.key, desired.generation, tuple(_action(desired, line.split()) for line in text.split(",") if line)
    )


def _action(desired: Desired, words: list[str]) -> Action:
    kind, reason = ActionKind(words[0]), Reason(words[-1])
    subject = words[1] if len(words) == 3 else ""
    if kind is ActionKind.CREATE:
        return Action(kind, reason, subject or None)
    return Action(kind, reason, None, subject)


HOLD = "no cluster yet"

CASES = [
    Case(
        "what the controller runs on stays",
        pets("abc", own="a"),
        "a=m1~ b=m2~ c=m3",
        "drain m2 Outdated",
        "drain m1 Outdated",
        "this controller runs on it",
    ),
    Case("what is acted on was seen", cattle(1), "m1 m2", "drain m2 Surplus", "drain m9 Surplus", "m9 was not seen"),
    Case(
        "nobody is acted on twice",
        cattle(1),
        "m1 m2 m3",
        "drain m3 Surplus",
        "drain m3 Surplus,destroy m3 Surplus",
        "acted on 2 times",
    ),
    Case(
        "what is under way is left alone",
        cattle(1),
        "m1 m2 m3",
        "drain m2 Surplus",
        "drain m3 Surplus",
        "under way on m3",
        "update m3",
    ),
    Case(
        "what is being made is left alone",
        cattle(1),
        "m1 m2#r m3",
        "drain m3 Surplus",
        "drain m2 Surplus",
        "under way on m2",
        "create #r",
    ),
    Case(
        "every act but a creation names a member", cattle(2), "m1", "create Missing", "start Missing", "names no member"
    ),
    Case(
        "nothing is done where nothing is known",
        cattle(2),
        "",
        "",
        "create Missing",
        "nothing is known",
        silent="everything",
    ),
    Case(
        "the unknown are left alone",
        cattle(1),
        "m1 m2? m3",
        "drain m3 Surplus",
        "drain m2 Surplus",
        "its source is silent",
        silent="box",
    ),
    Case(
        "what may serve is not removed",
        cattle(1),
        "m1. m2-",
        "destroy m2 Surplus",
        "drain m1 Surplus",
        "nobody can say how it is",
        silent="health",
    ),
    Case(
        "never more than the size and the surge (W42)",
        cattle(2),
        "m1~ m2~",
        "create Outdated",
        "create Outdated,create Outdated",
        "there would be 4",
    ),
    Case(
        "the unknown count as there",
        cattle(2),
        "m1?",
        "create Missing",
        "create Missing,create Missing",
        "there would be 3",
        silent="box",
    ),
    Case(
        "creations under way count",
        cattle(2),
        "",
        "create Missing",
        "create Missing,create Missing",
        "there would be 3",
        "create #r",
    ),
    Case(
        "no surge without a roll",
        cattle(2),
        "m1",
        "create Missing",
        "create Missing,create Outdated",
        "nothing to roll",
    ),
    Case(
        "not too many creations at once (N39)",
        cattle(12),
        "",
        "create Missing",
        ",".join(["create Missing"] * 11),
        "more than 10",
    ),
    Case(
        "never fewer than can be spared (W42)",
        cattle(3),
        "m1~ m2~! m3~",
        "drain m2 Outdated",
        "drain m1 Outdated",
        "1 would be available",
    ),
    Case(
        "the sick go before the healthy (W18)",
        cattle(2),
        "m1 m2! m3",
        "drain m2 Surplus",
        "drain m3 Surplus",
        "would go before m2",
    ),
    Case(
        "no more are surplus than there are too many",
        cattle(1),
        "m1 m2- m3-",
        "destroy m2 Surplus,destroy m3 Surplus",
        "destroy m2 Surplus,destroy m3 Surplus,drain m1 Surplus",
        "too many",
    ),
    Case(
        "a healthy one is not replaced as unhealthy",
        cattle(2),
        "m1! m2 m3",
        "drain m1 Unhealthy",
        "drain m2 Unhealthy",
        "it is healthy",
    ),
    Case(
        "one remedy at a time (N29)",
        cattle(6),
        "m1!! m2!!",
        "drain m1 Unhealthy",
        "drain m1 Unhealthy,drain m2 Unhealthy",
        "more than one",
    ),
    Case(
        "a current one is not outdated", cattle(1, 1), "m1 m2~", "drain m2 Outdated", "drain m1 Outdated", "it is not"
    ),
    Case(
        "what stopped is started before it is given up",
        cattle(2),
        "m1 m2-",
        "start m2 Stopped",
        "destroy m2 Dead",
        "might be started",
        "failed start m2 2 0",
    ),
    Case(
        "what can't be started is given up",
        cattle(2),
        "m1- m2-",
        "destroy m2 Dead",
        "destroy m1 Dead",
        "might be started",
        "failed start m2 3 0",
    ),
    Case(
        "what is not ours is not removed",
        cattle(1),
        "m1 m2f m3",
        "drain m3 Surplus",
        "drain m2 Surplus",
        "not made by skep",
    ),
    Case(
        "a removed key only loses (W5)",
        cattle(2, removed=True),
        "m1",
        "drain m1 Removed",
        "create Missing",
        "being removed",
    ),
    Case(
        "a kept key does not lose as a removed one",
        cattle(1),
        "m1 m2",
        "drain m2 Surplus",
        "drain m2 Removed",
        "which stays",
    ),
    Case(
        "nothing is made in a hold",
        cattle(2, hold=HOLD),
        "m1 m2d",
        "update m2 Drifted",
        "create Outdated",
        "in spite of a hold",
    ),
    Case(
        "nothing is replaced in a hold",
        cattle(2, hold=HOLD),
        "m1 m2!! m3",
        "drain m2 Surplus",
        "drain m2 Unhealthy",
        "nothing may be created",
    ),
    Case(
        "no service is updated in a hold", service(hold=HOLD), "s=s1~", "", "update s1 Outdated", "in spite of a hold"
    ),
    Case(
        "nothing is removed while its removal is held",
        cattle(2, removed=True, hold_removal="workers"),
        "m1",
        "",
        "drain m1 Removed",
        "in spite of a hold",
    ),
    Case("cattle have no slots", cattle(2), "m1", "create Missing", "create a Missing", "no slots"),
    Case("only wanted slots are filled", pets("ab"), "a=m1", "create b Missing", "create c Missing", "not wanted"),
    Case(
        "a slot is filled once (N6)", pets("abc"), "a=m1 b=m2x", "create c Missing", "create b Missing", "filled twice"
    ),
    Case(
        "a slot under way is not filled",
        pets("abc"),
        "a=m1",
        "create c Missing",
        "create b Missing",
        "filled twice",
        "create b #r",
    ),
    Case(
        "one change to the managers at a time (N2)",
        managers("abc"),
        "",
        "create a Missing",
        "create a Missing,create b Missing",
        "more than one change",
    ),
    Case(
        "none while one is under way (N2)",
        managers("abc"),
        "a=m1 b=m2d",
        "update m2 Drifted",
        "create c Missing",
        "more than one change",
        "drain m9",
    ),
    Case(
        "the majority stays (4.1)",
        managers("abc"),
        "a=m1 b=m2x c=m3-",
        "start m3 Stopped",
        "destroy m2 Dead",
        "no majority",
    ),
    Case(
        "the only manager stays (N30)",
        managers("a"),
        "a=m1!!d",
        "update m1 Drifted",
        "drain m1 Unhealthy",
        "no majority",
    ),
    Case(
        "the dead leave before others join (N6)",
        managers("abcd"),
        "a=m1 b=m2 c=m3x",
        "destroy m3 Dead",
        "create d Missing",
        "another does not answer",
    ),
    Case(
        "no manager leaves while another is silent (N3)",
        manager_cattle(3),
        "m1 m2 m3 m4 m5!",
        "drain m5 Surplus",
        "drain m4 Surplus",
        "while m5 does not",
    ),
    Case(
        "a current manager is not rolled",
        managers("abcde"),
        "a=m1 b=m2 c=m3 d=m4~ e=m5",
        "drain m4 Outdated",
        "drain m5 Outdated",
        "it is not",
    ),
    Case(
        "nothing is rolled while that is paused (W49)",
        cattle(2, paused="by ann"),
        "m1~ m2 m3",
        "drain m1 Surplus",
        "drain m1 Outdated",
        "that is paused",
    ),
    Case(
        "nor made for it",
        cattle(2, paused="by ann"),
        "m1~",
        "create Missing",
        "create Missing,create Outdated",
        "that is paused",
    ),
    Case(
        "stopped managers are never given up",
        managers("abc"),
        "a=m1 b=m2 c=m3-",
        "start m3 Stopped",
        "destroy m3 Dead",
        "might be started",
        "failed start m3 9 0",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_plan_that_keeps_the_promise_passes(case: Case) -> None:
    assert verdict(case, case.good) == ()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_plan_that_breaks_the_promise_is_found_out(case: Case) -> None:
    assert any(case.fault in fault for fault in verdict(case, case.bad)), verdict(case, case.bad)


def verdict(case: Case, plan: str) -> tuple[str, ...]:
    seen, under_way = observed(case.members, case.silent), ledger(case.under_way)
    return check_plan(made(case.desired, plan), case.desired, seen, under_way)


def test_three_named_managers_keep_their_spare_unless_the_user_takes_the_risk() -> None:
    seen, plan = observed("a=m1 b=m2~ c=m3"), "drain m2 Outdated"
    careful, bold = managers("abc"), managers("abc", 1)
    assert check_plan(made(careful, plan), careful, seen, ledger("")) == ("without m2, 2 managers would have no spare",)
    assert check_plan(made(bold, plan), bold, seen, ledger("")) == ()


def test_a_plan_for_another_key_or_generation_is_found_out() -> None:
    desired = cattle(1)
    for stray in (Plan(Key(Kind.GROUP, "other"), 1), Plan(desired.key, 2)):
        assert check_plan(stray, desired, observed(""), ledger("")) == ("the plan is for another key or generation",)
