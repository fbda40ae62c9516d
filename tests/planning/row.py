"""One row of the planner's tables, and how a planner is asked it.

Rows are data, so that the mutants of tests/sim can be run against them as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from skep.model.plan import NoteKind, Plan
from skep.model.state import Desired, Ledger, Observed
from tests.planning.notation import action_text, ledger, observed

Planner = Callable[[Desired, Observed, Ledger, float], Plan]
NOW_S = 100.0


@dataclass(frozen=True)
class Row:
    """`expect` and `notes` are separated by commas; `holds` says why in the words of a rule.

    `then`: when there is a turn by time alone, `in 30 s` or `no turn`; where it is empty, it does not matter.
    """

    holds: str
    desired: Desired
    members: str
    expect: str
    notes: tuple[NoteKind, ...] = ()
    under_way: str = ""
    silent: str = ""
    applied: str = ""
    then: str = ""

    def __str__(self) -> str:
        return self.holds


@dataclass(frozen=True)
class Answer:
    actions: list[str] = field(default_factory=list)
    notes: list[NoteKind] = field(default_factory=list)
    then: str = ""


def wanted(row: Row) -> Answer:
    return Answer([part.strip() for part in row.expect.split(",") if part.strip()], sorted(set(row.notes)), row.then)


def answer(plan: Planner, row: Row) -> Answer:
    made = plan(row.desired, observed(row.members, row.silent), ledger(row.under_way, row.applied), NOW_S)
    after_s = made.recheck_after_s
    then = "no turn" if after_s is None else f"in {after_s:g} s"
    return Answer([action_text(a) for a in made.actions], sorted({n.kind for n in made.notes}), row.then and then)
