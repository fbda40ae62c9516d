"""Jobs: members that are to end by themselves, and are not made again once they did as they should (semantics.md W54).

What completed is counted for one template. It is remembered in the ledger, for its container may be removed or its
engine be lost.
"""

from dataclasses import replace

from skep.model.plan import REMOVALS
from skep.model.state import Desired, Ledger, Observed
from skep.planning.census import ENDED, is_current, number_of


def recorded(desired: Desired, observed: Observed, ledger: Ledger) -> Ledger:
    """The ledger with every new completion. What we stopped ourselves has not completed.

    Nothing is forgotten while nothing may be made: a refusal that comes and goes with an engine is in the fingerprint.
    """
    if not desired.once:
        return replace(ledger, completed=(), completed_of="")
    if desired.hold and ledger.completed_of not in ("", desired.fingerprint):
        return ledger
    leaving = {e.member for e in ledger.entries if e.kind in REMOVALS}
    ended = {
        m.slot
        for m in observed.members
        if m.completed and m.slot and m.id not in leaving and is_current(desired, m) and number_of(m.slot)
    }
    known = set(ledger.completed) if ledger.completed_of == desired.fingerprint else set()
    slots = sorted(known | {slot for slot in ended if slot}, key=int)
    return replace(ledger, completed=tuple(slots), completed_of=desired.fingerprint)


def remaining(desired: Desired, observed: Observed, ledger: Ledger) -> Desired:
    """What is left to be done: as many fewer as have completed, and none in their slots.

    A slot that somebody still bears is not done: a list may be older than what is remembered, and whoever runs a second
    time after an engine was lost is let end too.
    """
    if not desired.once or desired.removed or ledger.completed_of != desired.fingerprint:
        return desired
    borne = {m.slot for m in observed.members if m.life not in ENDED and is_current(desired, m)}
    done = frozenset([slot for slot in ledger.completed if slot not in borne][: desired.size])
    return replace(desired, size=desired.size - len(done), done=done)
