"""What a plan is asked about when it is only to be shown."""

from dataclasses import replace

from skep.model.plan import ActionKind
from skep.model.state import Desired, Ledger
from skep.planning.pace import STREAK_FULL


def unhurried(desired: Desired, ledger: Ledger) -> tuple[Desired, Ledger]:
    """The same without a pace for numbered members: all that are missing are made in one plan, and no creation waits
    because the last one failed. Beginning slowly is how it is done, not what (semantics.md W9)."""
    if not desired.numbered:
        return desired, ledger
    limits = replace(desired.limits, parallel=max(desired.limits.parallel, desired.size + desired.max_surge))
    failures = tuple(f for f in ledger.failures if f.kind is not ActionKind.CREATE)
    return replace(desired, limits=limits), replace(ledger, failures=failures, streak=STREAK_FULL)
