"""A plan that is only shown."""

from dataclasses import replace

from skep.model.plan import ActionKind
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Failure, Ledger, Limits, Observed
from skep.planning.dry_run import unhurried
from skep.planning.planner import plan

NINE = Desired(Key(Kind.WORKLOAD, "web"), 1, 9, "f1", numbered=True, sources=("a", "b"), limits=Limits(parallel=4))
FAILED = Failure("", ActionKind.CREATE, 3, 100.0, "no such image")


def test_all_that_is_missing_is_shown_with_where_it_would_be_made() -> None:
    """W9 says how it is done: one first."""
    begun = plan(NINE, Observed(), Ledger(failures=(FAILED,)), 0.0).actions
    shown = plan(*_with(Observed(), *unhurried(NINE, Ledger(failures=(FAILED,)))), 0.0).actions
    assert len(begun) <= 1
    assert [(a.slot, a.source) for a in shown] == [(str(n), "ab"[(n - 1) % 2]) for n in range(1, 10)]


def _with(observed: Observed, desired: Desired, ledger: Ledger) -> tuple[Desired, Observed, Ledger]:
    return desired, observed, ledger


def test_a_slot_that_was_given_up_is_not_shown_as_made() -> None:
    """W38."""
    ended = Failure("1", ActionKind.START, 3, 0.0, "exited with code 1", "m1")
    bounded = replace(NINE, size=1, limits=Limits(restarts_max=3))
    assert plan(*_with(Observed(), *unhurried(bounded, Ledger(failures=(ended,)))), 0.0).actions == ()


def test_machines_are_shown_at_the_pace_they_are_made_at() -> None:
    cattle = replace(NINE, numbered=False, sources=())
    assert unhurried(cattle, Ledger(failures=(FAILED,))) == (cattle, Ledger(failures=(FAILED,)))
