"""A plan while it is being written: what earlier steps decided limits what later ones may."""

from skep.model.plan import REMOVALS, Action, ActionKind, Note, NoteKind, Reason
from skep.model.state import Failure, Life, Member
from skep.planning.census import Census


class Draft:
    """Collects actions and notes; the only mutable value of the planner, and it never leaves it."""

    def __init__(self, census: Census, now_s: float) -> None:
        self.census = census
        self.now_s = now_s
        self.actions: list[Action] = []
        self.notes: list[Note] = []
        self.wake_s: float | None = None

    def note(self, kind: NoteKind, subject: str = "", detail: str = "") -> None:
        note = Note(kind, subject, detail)
        if note not in self.notes:
            self.notes.append(note)

    def wake_in(self, seconds: float) -> None:
        """Time alone may change the answer this much later."""
        self.wake_s = seconds if self.wake_s is None else min(self.wake_s, seconds)

    def untouched(self) -> tuple[Member, ...]:
        """Free members that no action of this plan names yet."""
        named = {a.member for a in self.actions}
        return tuple(m for m in self.census.free if m.id not in named)

    def act(self, action: Action) -> None:
        self.actions.append(action)

    def try_act(self, action: Action) -> bool:
        """Add the action unless the same on this subject failed a moment ago."""
        if self.backing_off(action.member, action.kind):
            return False
        self.act(action)
        return True

    def remove(self, member: Member, reason: Reason, *, limit: int) -> bool:
        """Drain what serves, destroy what does not; at most `limit` removals of this key at a time (N15)."""
        under_way = self.census.removing + sum(a.kind in REMOVALS for a in self.actions)
        if under_way >= limit:
            return False
        kind = ActionKind.DRAIN if member.life in (Life.RUNNING, Life.PENDING) else ActionKind.DESTROY
        if any(self.backing_off(member.id, k) for k in REMOVALS):
            return False
        self.act(Action(kind, reason, member.slot, member.id))
        return True

    def create(self, slot: str | None, reason: Reason) -> bool:
        """After a failure one creation is tried at a time (W33); never more than the limit are in flight (N39)."""
        failure = self.backing_off(slot or "", ActionKind.CREATE)
        under_way = sum(e.kind is ActionKind.CREATE for e in self.census.ledger.entries)
        drafted = [a for a in self.actions if a.kind is ActionKind.CREATE]
        limit = self.census.desired.limits.parallel
        if slot is None and self.census.failure("", ActionKind.CREATE):
            limit = 1
        if failure or under_way + len(drafted) >= limit:
            return False
        self.act(Action(ActionKind.CREATE, reason, slot))
        return True

    def backing_off(self, subject: str, kind: ActionKind) -> Failure | None:
        """The failure that forbids this act for now, noted; None where it may be tried."""
        failure = self.census.failure(subject, kind)
        if failure is None or failure.retry_s <= self.now_s:
            return None
        self.note(NoteKind.BACKING_OFF, subject, failure.message)
        self.wake_in(failure.retry_s - self.now_s)
        return failure
