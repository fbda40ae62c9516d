"""What people are told of what comes next: the same as the planner then does, and when."""

import pytest

from skep.model.plan import ActionKind
from skep.model.state import Desired, Member
from skep.planning.explain import AS_BEFORE
from skep.planning.outlook import LEFT_ALONE, Next, Outlook
from skep.planning.planner import plan
from tests.planning.notation import OLD, cattle, ledger, numbered, observed, pets
from tests.planning.row import NOW_S, Row
from tests.planning.rows import ROWS

LATER_S = NOW_S + 40


def outlook(desired: Desired, members: str, under_way: str = "", silent: str = "", **lost_s: float) -> Outlook:
    seen, books = observed(members, silent), ledger(under_way)
    made = plan(desired, seen, books, NOW_S)
    return Outlook(desired, seen, books, made, NOW_S - 1, NOW_S, lost_s)


def told(look: Outlook) -> dict[str, tuple[str, float, str]]:
    """By member or, of what is missing, by slot: what comes next, in how many seconds, and the last error."""
    there = {_name(m): look.of(m) for m in look.observed.members}
    missing = {o.slot or "any": o.next for o in look.openings if not look.is_told_by_the_dead(o)}
    return {name: _row(coming) for name, coming in (there | missing).items() if coming != Next()}


def _name(member: Member) -> str:
    return member.id


def _row(coming: Next) -> tuple[str, float, str]:
    return (coming.text, coming.at_s - NOW_S if coming.at_s else 0.0, coming.error)


Told = dict[str, tuple[str, float, str]]
DOWN = "no engine can be asked"

NUMBERED: list[tuple[str, Desired, str, str, str, Told]] = [
    ("all is as wanted", numbered(2, "ab"), "1=m1@a 2=m2@b", "", "", {}),
    ("one is missing", numbered(2, "ab"), "1=m1@a", "", "", {"2": ("made next", 0, "")}),
    ("one is being made", numbered(2, "ab"), "1=m1@a", "create 2 @b #r", "", {}),
    (
        "it ended for the third time (W30)",
        numbered(1),
        "1=m1%@a",
        f"failed start 1 3 {LATER_S} m1",
        "",
        {"m1": ("made again", 40, "refused")},
    ),
    (
        "it is made as before a roll of which nothing is available (W42)",
        numbered(2, settled=OLD),
        "1=m1~@a 3=m3.@a",
        "",
        "",
        {
            "m1": ("leaves when another one is available", 0, ""),
            "m3": ("counts as available when its health check passes", 0, ""),
            "2": (f"made next, {AS_BEFORE}", 0, ""),
        },
    ),
    (
        "and waits for its time (W30)",
        numbered(2, settled=OLD),
        "1=m1~@a 2=m2~%@a 3=m3.@a",
        f"failed start 2 2 {LATER_S} m2 ~",
        "",
        {
            "m1": ("leaves when another one is available", 0, ""),
            "m2": (f"made again, {AS_BEFORE}", 40, "refused"),
            "m3": ("counts as available when its health check passes", 0, ""),
        },
    ),
    (
        "and starts",
        numbered(2, settled=OLD),
        "1=m1~@a 2=m2~.@a 3=m3.@a",
        "",
        "",
        {
            "m1": ("leaves when another one is available", 0, ""),
            "m2": (f"waited for, {AS_BEFORE}", 0, ""),
            "m3": ("counts as available when its health check passes", 0, ""),
        },
    ),
    (
        "it ended too often (W38)",
        numbered(1),
        "1=m1%@a",
        f"failed start 1 5 {LATER_S} m1",
        "",
        {"m1": (LEFT_ALONE, 0, "refused")},
    ),
    (
        "what tells why a roll failed is kept",
        numbered(1, undone="it failed"),
        "1=m1@a 2=m2~%@a",
        "",
        "",
        {"m2": ("kept for its logs", 0, "")},
    ),
    ("what ended before is kept", numbered(1), "1=m1%@a 1=m2@a", "", "", {"m1": ("kept for its logs", 0, "")}),
    (
        "of two dead the older one goes",
        numbered(1),
        "1=m1%@a 1=m2%@a",
        f"failed start 1 2 {LATER_S} m2",
        "",
        {"m1": ("removed", 0, ""), "m2": ("made again", 40, "refused")},
    ),
    (
        "a creation was refused (F5)",
        numbered(2, "a"),
        "1=m1@a",
        f"failed create any 2 {LATER_S}",
        "",
        {"2": ("tried again", 40, "refused")},
    ),
    (
        "an image can't be had (W32)",
        numbered(2, "a"),
        "1=m1@a",
        f"failed pull a 2 {LATER_S}",
        "",
        {"2": ("its image asked for again on a", 40, "a: manifest unknown")},
    ),
    (
        "another engine may hold it",
        numbered(2, "ab"),
        "1=m1@a",
        f"failed pull a 2 {LATER_S}",
        "",
        {"2": ("made next", 0, "")},
    ),
    ("nothing may be made", numbered(1, hold=DOWN), "", "", "", {"1": (f"waits: {DOWN}", 0, "")}),
    (
        "there is no engine for it",
        numbered(1, ""),
        "",
        "",
        "",
        {"1": ("made when an engine that it may run on is free", 0, "")},
    ),
    (
        "a port waits for who leaves",
        numbered(1, "a", per_source_max=1),
        "1=m1@a",
        "drain m1",
        "",
        {"2": ("made when another one has left", 0, "")},
    ),
    (
        "its engine is silent (W35)",
        numbered(2, "ab"),
        "1=m1@a 2=m2?@b",
        "",
        "b",
        {"m2": ("counts as lost, and is replaced", 18, "")},
    ),
    (
        "its engine is lost, and it is made elsewhere",
        numbered(2, "ab"),
        "1=m1@a",
        "",
        "lost:b",
        {"2": ("made next", 0, "")},
    ),
    (
        "most are silent (W36)",
        numbered(2, "ab"),
        "1=m1?@a 2=m2?@b",
        "",
        "a b partitioned",
        dict.fromkeys(
            ("m1", "m2"), ("left as it is: so many engines are silent that the fault may be on our side", 0, "")
        ),
    ),
    (
        "nobody knows what lives on a silent engine",
        numbered(2, "ab"),
        "1=m1@a",
        "",
        "unlisted:b",
        {"2": ("waits until b shows what lives there", 0, "")},
    ),
    (
        "the health check has not passed",
        numbered(1),
        "1=m1.@a",
        "",
        "",
        {"m1": ("counts as available when its health check passes", 0, "")},
    ),
    ("it is unhealthy (W37)", numbered(1), "1=m1!!@a", "", "", {"m1": ("stopped, and made again", 0, "")}),
    (
        "stopping it failed",
        numbered(1),
        "1=m1!!@a",
        f"failed stop m1 2 {LATER_S}",
        "",
        {"m1": ("tried again", 40, "refused")},
    ),
    ("it was made and not started (W28)", numbered(1), "1=m1-@a", "", "", {"m1": ("started", 0, "")}),
    (
        "a roll: the new one proves itself (W44)",
        numbered(1),
        "1=m1~@a 2=m2o@a",
        "",
        "",
        {"m1": ("leaves when another one is available", 0, ""), "m2": ("counts as available", 0.5, "")},
    ),
    (
        "a roll: the first new one has no image (F6)",
        numbered(1),
        "1=m1~@a",
        f"failed pull a 1 {LATER_S}",
        "",
        {
            "m1": ("leaves when another one is available", 0, ""),
            "2": ("its image asked for again on a", 40, "a: manifest unknown"),
        },
    ),
    (
        "a roll: paused (W49)",
        numbered(1, paused="by ann"),
        "1=m1~@a",
        "",
        "",
        {"m1": ("left as it is until roll-outs are resumed", 0, "")},
    ),
    (
        "a newer template waits for the end of a pause (W49)",
        numbered(1, paused="by ann", withheld=True),
        "1=m1@a",
        "",
        "",
        {"m1": ("left as it is until roll-outs are resumed", 0, "")},
    ),
    ("all go", numbered(0, "a", removed=True), "1=m1@a", "", "", {"m1": ("removed", 0, "")}),
    ("nothing is known", numbered(2, "a"), "", "", "everything", {}),
]


@pytest.mark.parametrize(
    ("desired", "members", "under_way", "silent", "expected"),
    [row[1:] for row in NUMBERED],
    ids=[row[0] for row in NUMBERED],
)
def test_what_comes_next_for_containers(
    desired: Desired, members: str, under_way: str, silent: str, expected: Told
) -> None:
    look = outlook(
        desired, members, under_way, silent, **dict.fromkeys(silent.split() if silent == "b" else (), NOW_S + 18.0)
    )
    assert told(look) == expected


MACHINES: list[tuple[str, Desired, str, str, Told]] = [
    ("all is as wanted", cattle(2), "m1 m2", "", {}),
    (
        "two are missing, and the first was refused",
        cattle(2),
        "",
        f"failed create any 1 {LATER_S}",
        {"any": ("tried again", 40, "refused")},
    ),
    ("a slot is empty", pets("ab"), "a=m1", "", {"b": ("made next", 0, "")}),
    ("it stopped", pets("a"), "a=m1-", "", {"m1": ("started", 0, "")}),
    (
        "it did not start",
        pets("a"),
        "a=m1-",
        f"failed start m1 2 {LATER_S}",
        {"m1": ("tried again", 40, "refused")},
    ),
    ("it is unwell (N27)", cattle(2), "m1 m2!", "", {"m2": ("replaced unless it gets well", 298, "")}),
    (
        "too many are (N28)",
        cattle(3),
        "m1 m2!! m3!!",
        "",
        dict.fromkeys(("m2", "m3"), ("left as it is: too many are unhealthy at once", 0, "")),
    ),
    ("it is of an older spec", cattle(2), "m1 m2~", "", {"m2": ("replaced in its turn", 0, "")}),
]


@pytest.mark.parametrize(
    ("desired", "members", "under_way", "expected"), [row[1:] for row in MACHINES], ids=[row[0] for row in MACHINES]
)
def test_what_comes_next_for_machines(desired: Desired, members: str, under_way: str, expected: Told) -> None:
    assert told(outlook(desired, members, under_way)) == expected


def test_what_is_under_way_is_not_next_but_its_next_try_is() -> None:
    """W26."""
    entry = "create 1 @a #r"
    assert told(outlook(numbered(1), "", entry)) == {}
    assert told(outlook(numbered(1), "", f"{entry}, failed create a 2 {LATER_S} r")) == {
        "1": ("tried again", 40, "refused")
    }


@pytest.mark.parametrize("row", [r for r in ROWS if r.desired.numbered], ids=str)
def test_whatever_the_planner_makes_was_told_to_be_missing(row: Row) -> None:
    seen, books = observed(row.members, row.silent), ledger(row.under_way, row.applied)
    made = plan(row.desired, seen, books, NOW_S)
    created = [a.slot or "" for a in made.actions if a.kind is ActionKind.CREATE and a.member == ""]
    look = Outlook(row.desired, seen, books, made, NOW_S, NOW_S, {})
    assert set(created) <= {o.slot for o in look.openings if o.entry is None}
