"""A plan while it is being written: what earlier steps decided limits what later ones may."""

from skep.model.plan import REMOVALS, Action, ActionKind, Note, NoteKind, Reason
from skep.model.state import Failure, Life, Member
from skep.planning import managers
from skep.planning.census import Census


class Draft:
    """Collects actions and notes; the only mutable value of the planner, and it never leaves it."""

    def __init__(self, census: Census, now_s: float) -> None:
        self.census = census
        self.now_s = now_s
        self.actions: list[Action] = []
        self.notes: list[Note] = []
        self.wake_s: float | None = None
        self.unwanted: set[str] = set()
        """Surplus members, also those that can't be removed yet: nothing is invested in them."""
        self.removals = census.removing
        self.creations = 0
        """Drafted ones; `removals` are those under way and drafted."""
        self.total = len(census.staying) + len(census.creating)
        """How many there would be if all that is under way or drafted succeeded."""
        self.available = census.available
        """How many would serve if all drafted removals were carried out now."""

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

    def try_act(self, action: Action) -> bool:
        """Add the action unless the same on this subject failed a moment ago."""
        return not self.backing_off(action.member, action.kind) and self.try_change(action)

    def try_change(self, action: Action) -> bool:
        """Add the action unless it would put a quorum at risk; then the reason is noted."""
        refusal = managers.refusal(self.census, self.actions, action)
        if refusal:
            self.note(NoteKind.WAITING_FOR_QUORUM, action.member or action.slot or "", refusal)
            return False
        self.actions.append(action)
        self._count(action)
        return True

    def _count(self, action: Action) -> None:
        if action.kind is ActionKind.CREATE:
            self.creations += 1
            self.total += 1
        elif action.kind in REMOVALS:
            member = self.census.by_id[action.member]
            self.removals += 1
            self.total -= member.life is not Life.GONE
            self.available -= member.healthy

    def remove(self, member: Member, reason: Reason, *, limit: int) -> bool:
        """Drain what serves, destroy what does not; at most `limit` removals of this key at a time (N15).

        What was not made by skep is adopted before it is removed, unless its whole key goes.
        """
        not_ours = member.foreign and member.life is not Life.GONE and reason is not Reason.REMOVED
        if not_ours or member.id in self.census.busy or self.removals >= limit:
            return False
        kind = ActionKind.DRAIN if member.life in (Life.RUNNING, Life.PENDING) else ActionKind.DESTROY
        if any(self.backing_off(member.id, k) for k in REMOVALS):
            return False
        return self.try_change(Action(kind, reason, member.slot, member.id))

    def create(self, slot: str | None, reason: Reason) -> bool:
        """After a failure one creation is tried at a time (W33); never more than the limit are in flight (N39)."""
        failure = self.backing_off(slot or "", ActionKind.CREATE)
        under_way = sum(e.kind is ActionKind.CREATE for e in self.census.ledger.entries)
        limit = self.census.desired.limits.parallel
        if slot is None and self.census.failure("", ActionKind.CREATE):
            limit = 1
        if failure or under_way + self.creations >= limit:
            return False
        return self.try_change(Action(ActionKind.CREATE, reason, slot))

    def backing_off(self, subject: str, kind: ActionKind) -> Failure | None:
        """The failure that forbids this act for now, noted; None where it may be tried."""
        failure = self.census.failure(subject, kind)
        if failure is None or failure.retry_s <= self.now_s:
            return None
        self.note(NoteKind.BACKING_OFF, subject, failure.message)
        self.wake_in(failure.retry_s - self.now_s)
        return failure
