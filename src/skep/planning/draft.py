"""A plan while it is being written: what earlier steps decided limits what later ones may."""

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property

from skep.model.plan import REMOVALS, Action, ActionKind, Note, NoteKind, Reason
from skep.model.state import Failure, Life, Member
from skep.planning import managers, pace, settled
from skep.planning.census import ENDED, Census, is_current, is_kept, proven_s
from skep.planning.placement import Places

BURST_MAX = 500
"""semantics.md W8: of one key no more is done at once. All of it is written down before it begins."""


class Young:
    """Numbered members that are well and have not proven it yet (W44), but for those whose removal is drafted.

    `longest_s`: for how long one of them has been well at most; None where there are none.
    """

    def __init__(self, census: Census) -> None:
        desired, least_s = census.desired, proven_s(census.desired)
        young = [m for m in census.staying if m.healthy and m.well_s < least_s] if desired.numbered else []
        self.current = {m.id for m in young if is_current(desired, m)}
        self.outdated = {m.id for m in young} - self.current
        self.longest_s = max((m.well_s for m in young), default=None)

    def leave(self, member: Member) -> None:
        """Its removal was drafted."""
        self.current.discard(member.id)
        self.outdated.discard(member.id)


class Draft:
    """Collects actions and notes; the only mutable value of the planner, and it never leaves it."""

    def __init__(self, census: Census, now_s: float) -> None:
        self.census = census
        self.now_s = now_s
        self.actions: list[Action] = []
        self._notes: dict[Note, None] = {}
        self.wake_s: float | None = None
        self.unwanted: set[str] = set()
        """Surplus members, also those that can't be removed yet: nothing is invested in them."""
        self.openings: set[str] = set()
        """Numbered slots that are to be filled, also those that can't be yet."""
        self.removals = census.removing
        self.creations = 0
        """Drafted ones; `removals` are those under way and drafted."""
        self.kept_openings: set[str] = set()
        """Those of `openings` that are to be filled as before the roll."""
        self.kept_creations = 0
        """Drafted ones of the settled template."""
        self._paced = 0
        """Drafted creations that a batch counts: one on a source that is asked alone is a question of its own."""
        self.total = len(census.staying) + len(census.creating)
        """How many there would be if all that is under way or drafted succeeded."""
        self.going = sum(m.life not in ENDED for m in census.leaving)
        """Those under way out, and those whose removal is drafted: they are still there (W42)."""
        self.young = Young(census)
        self.available = census.available
        """How many would serve if all drafted removals were carried out now."""

    @cached_property
    def places(self) -> Places:
        """Where numbered members may be made."""
        return Places(self.census, self.now_s)

    @cached_property
    def awaited(self) -> frozenset[str]:
        """Members of the settled template that the roll leaves alone, for nothing new is available."""
        return settled.awaited(self.census, self.now_s)

    @property
    def kept_waiting(self) -> int:
        """How many places are held for those that are to be made as before the roll."""
        return len(self.kept_openings) - self.kept_creations

    def hold_as_before(self, slots: Collection[str]) -> None:
        """These are to be filled as before the roll, also if they can't be yet."""
        self.openings.update(slots)
        self.kept_openings.update(slots)

    @cached_property
    def creations_max(self) -> int:
        """How many may be begun in this plan: W9 for numbered members, N39 for all."""
        census = self.census
        if census.desired.numbered:
            return pace.batch(census)
        return census.desired.limits.parallel - census.creations

    @property
    def notes(self) -> tuple[Note, ...]:
        """Each only once."""
        return tuple(self._notes)

    def note(self, kind: NoteKind, subject: str = "", detail: str = "", retry_s: float = 0.0) -> None:
        self._notes[Note(kind, subject, detail, retry_s)] = None

    def note_hold(self) -> None:
        """Why nothing may be made, and whether that is to be waited for."""
        desired = self.census.desired
        self.note(NoteKind.ROLL_REFUSED if desired.refused else NoteKind.HELD, detail=desired.hold)

    def note_silent(self, sources: Collection[str], detail: str = "") -> None:
        """`a, b do not answer`, and what follows from that."""
        told = f"{', '.join(sorted(sources))} {'does' if len(sources) == 1 else 'do'} not answer"
        self.note(NoteKind.SOURCE_SILENT, detail=f"{told}: {detail}" if detail else told)

    def wake_in(self, seconds: float) -> None:
        """Time alone may change the answer this much later."""
        self.wake_s = seconds if self.wake_s is None else min(self.wake_s, seconds)

    def untouched(self) -> tuple[Member, ...]:
        """Free members that no action of this plan names yet."""
        named = {a.member for a in self.actions}
        return tuple(m for m in self.census.free if m.id not in named)

    def try_act(self, action: Action) -> bool:
        """Add the action unless the same on this subject failed a moment ago, or so much is under way already (W8)."""
        if len(self.census.ledger.entries) + len(self.actions) >= BURST_MAX:
            return False
        return not self.backing_off(action.member, action.kind) and self.try_change(action)

    def try_change(self, action: Action) -> bool:
        """Add the action unless it would put a quorum at risk; then the reason is noted."""
        refusal = managers.refusal(self.census, self.actions, action)
        if refusal is not None:
            self._notes[refusal] = None
            return False
        self._count(action)
        return True

    def _count(self, action: Action) -> None:
        numbered = self.census.desired.numbered
        if action.kind is ActionKind.CREATE:
            self.creations += 1
            self.kept_creations += bool(action.fingerprint)
            self.total += 1
            if numbered:
                self.places.add(action.source, bool(action.fingerprint))
                self._paced += action.source not in self._asked_alone(bool(action.fingerprint))
        elif action.kind in REMOVALS:
            member = self.census.by_id[action.member]
            self.removals += 1
            self.total -= member.life not in ENDED
            self.going += member.life not in ENDED
            self.available -= member.healthy
            self.young.leave(member)
            if numbered and member.life not in ENDED:
                self.places.leave(member)
        if numbered and action.member:
            action = replace(action, source=self.census.by_id[action.member].source)
        self.actions.append(action)

    def remove(self, member: Member, reason: Reason, *, limit: int) -> bool:
        """Drain what serves, destroy what does not; at most `limit` removals of this key at a time (N15).

        What was not made by skep is adopted before it is removed, unless its whole key goes.
        """
        not_ours = member.foreign and member.life is not Life.GONE and reason is not Reason.REMOVED
        unheard = member.life is Life.DEAD and member.source in self.census.observed.silent
        if is_kept(self.census.desired, member) and reason is not Reason.REMOVED:
            self.note(NoteKind.HELD, member.id, f"this controller runs on {member.slot}, and leaves it to another one")
            return False
        if not_ours or unheard or member.id in self.census.busy or self.removals >= limit:
            return False
        kind = ActionKind.DRAIN if member.life in (Life.RUNNING, Life.PENDING) else ActionKind.DESTROY
        if any(self.backing_off(member.id, k) for k in REMOVALS):
            return False
        return self.try_change(Action(kind, reason, member.slot, member.id))

    def create(self, slot: str | None, reason: Reason) -> bool:
        """After a failure one creation is tried at a time (W33); never more than the limit are in flight (N39)."""
        failure = self.backing_off(slot or "", ActionKind.CREATE)
        limit = self.creations_max
        if slot is None and self.census.failure("", ActionKind.CREATE):
            limit = 1 - self.census.creations
        if failure or self.creations >= limit:
            return False
        return self.try_change(Action(ActionKind.CREATE, reason, slot))

    def create_numbered(self, slot: str, reason: Reason, *, kept: bool = False) -> bool:
        """One more of a batch (W9), on a source that has a place for it; where none has, that is noted.

        What is being removed serves on while it ends in its own time, and so takes room of the surge (W42).
        `kept`: of the settled template, which no refusal of the new one holds up.
        """
        desired, alone = self.census.desired, self._asked_alone(kept)
        full = self.census.creations + self.creations >= desired.limits.parallel
        full = full or self.total + self.going >= desired.size + desired.max_surge
        over = self._paced >= self.creations_max
        if full or (over and not alone) or self._creation_waits(kept):
            return False
        source = self.places.choose(kept)
        if source is not None:
            fingerprint, paced = desired.settled if kept else "", over and source not in alone
            action = Action(ActionKind.CREATE, reason, slot, source=source, fingerprint=fingerprint)
            return not paced and self.try_change(action)
        if not self.places.will_have_room():
            self._note_nowhere()
        return False

    def _asked_alone(self, kept: bool) -> frozenset[str]:
        return self.census.asked_alone_for_settled if kept else self.census.asked_alone

    def _creation_waits(self, kept: bool) -> bool:
        failure = self.census.failure("", ActionKind.CREATE)
        if kept and failure is not None and not failure.settled:
            return False
        return self.backing_off("", ActionKind.CREATE) is not None

    def _note_nowhere(self) -> None:
        """One that owes an answer to a creation may answer to all else; those that are silent were told of before."""
        mute = set(self.places.silent) - self.census.observed.silent
        if mute:
            self.note_silent(mute)
        elif not self.places.silent and not self.census.pulls:
            self.note(NoteKind.UNPLACEABLE, detail="no engine that it may run on is free")

    def backing_off(self, subject: str, kind: ActionKind) -> Failure | None:
        """The failure that forbids this act for now, noted; None where it may be tried."""
        failure = self.census.failure(subject, kind)
        if failure is None or failure.retry_s <= self.now_s:
            return None
        self.note(NoteKind.BACKING_OFF, subject, failure.message)
        self.wake_in(failure.retry_s - self.now_s)
        return failure
