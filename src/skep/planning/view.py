"""The world as the linter of plans counts it, apart from the planner."""

from skep.model.plan import REMOVALS, ActionKind, Plan
from skep.model.state import Desired, Entry, Ledger, Life, Member, Observed

ENDED = (Life.GONE, Life.DEAD)


class View:
    """`alive` and not being removed; `promised`: creations under way that nobody has seen; `taken` by this plan, and
    `staying` after it."""

    def __init__(self, plan: Plan, desired: Desired, observed: Observed, ledger: Ledger) -> None:
        self.plan, self.desired, self.observed, self.ledger = plan, desired, observed, ledger
        self.by_id = {m.id: m for m in observed.members}
        self.creating = [e for e in ledger.entries if e.kind is ActionKind.CREATE]
        self.creates = [a for a in plan.actions if a.kind is ActionKind.CREATE]
        self.removals = [a for a in plan.actions if a.kind in REMOVALS]
        self.removing = {e.member for e in ledger.entries if e.kind in REMOVALS}
        self.alive = [m for m in observed.members if m.life not in ENDED and m.id not in self.removing]
        requests = {m.request for m in observed.members if m.life not in ENDED}
        self.promised = [e for e in self.creating if not e.request or e.request not in requests]
        self.failures = {(f.subject, f.kind): f for f in ledger.failures}
        self.taken = [self.by_id[a.member] for a in self.removals if a.member in self.by_id]

        taken = {m.id for m in self.taken}
        self.staying = [m for m in self.alive if m.id not in taken]

    def is_settled(self, member: Member | Entry) -> bool:
        settled, placed = self.desired.settled, member.source in self.desired.sources
        return bool(settled) and placed and member.fingerprint == settled and not self.is_current(member)

    def is_current(self, member: Member | Entry) -> bool:
        misplaced = self.desired.numbered and member.source not in self.desired.sources
        same_template = not misplaced and member.fingerprint == self.desired.fingerprint
        same_machine = not misplaced and member.replace_sha == self.desired.replace_sha != ""
        return same_template or same_machine
