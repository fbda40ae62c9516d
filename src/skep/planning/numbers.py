"""How many numbered members come and go with a plan, for those who follow the log."""

from skep.model.plan import REMOVALS, ActionKind, Plan, Reason
from skep.model.state import Desired, Ledger, Observed
from skep.planning.census import ENDED


def coming(desired: Desired, observed: Observed, ledger: Ledger, plan: Plan) -> int:
    """How many will be made in the row of creations that this plan begins; 0 where it begins none.

    A row is made in batches (planning.pace), and is told once. `ledger` is the one before the plan.
    """
    begun = sum(action.kind is ActionKind.CREATE for action in plan.actions)
    if not desired.numbered or not begun or ledger.streak or any(e.kind is ActionKind.CREATE for e in ledger.entries):
        return 0
    return max(begun, desired.size - sum(m.life not in ENDED for m in observed.members))


def going(desired: Desired, plan: Plan) -> int:
    """How many are removed by this plan. What has ended by itself is only cleaned up, and not counted."""
    if not desired.numbered:
        return 0
    return sum(action.kind in REMOVALS and action.reason is not Reason.DEAD for action in plan.actions)
