"""How many members the log says will come and go."""

from dataclasses import replace

import pytest

from skep.model.plan import Action, ActionKind, Plan, Reason
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Entry, Ledger, Life, Member, Observed
from skep.planning.numbers import coming, going

KEY = Key(Kind.WORKLOAD, "web")
FIVE = Desired(KEY, 1, 5, "f", numbered=True)
CREATE = Action(ActionKind.CREATE, Reason.MISSING)
CREATING = Entry("r", ActionKind.CREATE, Reason.MISSING, 1)


def seen(*lives: Life) -> Observed:
    return Observed(tuple(Member(str(number), life=life) for number, life in enumerate(lives)))


@pytest.mark.parametrize(
    ("observed", "ledger", "actions", "count"),
    [
        (seen(), Ledger(), [CREATE], 5),
        (seen(Life.RUNNING, Life.PENDING, Life.UNKNOWN), Ledger(), [CREATE], 2),
        (seen(Life.RUNNING, Life.DEAD), Ledger(), [CREATE, CREATE], 4),
        (seen(), Ledger(), [], 0),
        (seen(Life.RUNNING), Ledger(streak=1), [CREATE, CREATE], 0),
        (seen(), Ledger((CREATING,)), [CREATE], 0),
        (seen(*[Life.RUNNING] * 5), Ledger(), [CREATE], 1),
    ],
)
def test_a_row_of_creations_is_told_once_and_as_a_whole(
    observed: Observed, ledger: Ledger, actions: list[Action], count: int
) -> None:
    """Its first batch is one (W9); a roll makes one more than there shall be."""
    plan = Plan(KEY, 1, tuple(actions))
    assert coming(FIVE, observed, ledger, plan) == count
    assert coming(replace(FIVE, numbered=False), observed, ledger, plan) == 0


@pytest.mark.parametrize(
    ("kind", "reason", "count"),
    [
        (ActionKind.DRAIN, Reason.SURPLUS, 2),
        (ActionKind.DESTROY, Reason.REMOVED, 2),
        (ActionKind.DESTROY, Reason.DEAD, 0),
        (ActionKind.STOP, Reason.SURPLUS, 0),
    ],
)
def test_removals_are_told_but_for_what_ended_by_itself(kind: ActionKind, reason: Reason, count: int) -> None:
    plan = Plan(KEY, 1, (Action(kind, reason, "1", "a"), Action(kind, reason, "2", "b")))
    assert going(FIVE, plan) == count
    assert going(replace(FIVE, numbered=False), plan) == 0
