"""What comes next for each member of a key, and when, in words: for people, from what the planner decides on.

It decides nothing. What is under way is told by the ledger's entry; here stands what follows by itself or by time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from skep.model.plan import ActionKind, NoteKind, Plan
from skep.model.state import EVERYTHING, Desired, Entry, Failure, Health, Ledger, Life, Member, Observed
from skep.planning import settled
from skep.planning.census import ENDED, Census, is_count, is_current, is_evidence, is_newer, proven_s, take
from skep.planning.explain import AS_BEFORE, of_source
from skep.planning.placement import Places
from skep.planning.remedy import is_sick, patience_left_s
from skep.planning.restarts import is_exhausted
from skep.planning.slots import candidates, candidates_as_before

LEFT_ALONE = "not made again until the spec changes, or retry"
UNTIL_RESUMED = "left as it is until roll-outs are resumed"
KEPT = "kept for its logs"


@dataclass(frozen=True, slots=True)
class Next:
    """`text` goes on without a subject: `made again`; empty when nothing is to be expected of it.

    `at_s` is on the planner's clock, 0 where no time but an event decides. `error`: what went wrong last.
    """

    text: str = ""
    at_s: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """A member that is wanted and not there. `entry` makes it just now; without one, nothing has begun yet."""

    slot: str
    next: Next
    entry: Entry | None = None


@dataclass(frozen=True)
class Outlook:
    """What comes next after one look. `look_s` is when that was, `now_s` the moment of asking, both on the planner's
    clock. `lost_s`: when each source that does not answer is to count as lost."""

    desired: Desired
    observed: Observed
    ledger: Ledger
    plan: Plan
    look_s: float
    now_s: float
    lost_s: Mapping[str, float]

    def of(self, member: Member) -> Next:
        """What comes next for a member; nothing where what is under way says it all."""
        entry = self.entry_of(member)
        if entry is not None:
            return self._again(entry)
        failed = self._failures.get(member.id)
        if failed is not None:
            return Next("tried again", failed.retry_s, failed.message)
        held = self._held(member)
        if held:
            return Next(f"waits: {held}")
        if member.life is Life.UNKNOWN:
            return self._unheard(member)
        if member.life is Life.STOPPED:
            return Next("started")
        return self._of_numbered(member) if self.desired.numbered else self._of_machine(member)

    def entry_of(self, member: Member) -> Entry | None:
        """What is under way on it, its creation included."""
        return self._entries.get(member.id) or self._entries.get(member.request)

    @cached_property
    def openings(self) -> tuple[Opening, ...]:
        """Those that are wanted and not there, and those above the size that a roll makes next; empty where nobody
        knows who is there. Of cattle, which have no names, each has an empty slot."""
        if EVERYTHING in self.observed.silent or self.desired.in_place:
            return ()
        begun = [Opening(e.slot or "", self._again(e), e) for e in self._census.creating]
        return (*begun, *(Opening(slot, self._opened(slot)) for slot in self._empty()))

    def restarts(self, slot: str | None) -> Failure | None:
        """How often those of a numbered slot ended in a row (W30), and how the last one did."""
        failure = self._census.failure(slot or "", ActionKind.START)
        return failure if failure is not None and is_count(failure) and failure.count else None

    # --- what both kinds have in common ------------------------------------------------------------------------------

    @cached_property
    def _census(self) -> Census:
        return take(self.desired, self.observed, self.ledger)

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        """By the member that they are acted on, or the request that it was made under."""
        entries = self.ledger.entries
        return {e.request: e for e in entries} | {e.member: e for e in entries if e.member}

    @cached_property
    def _failures(self) -> Mapping[str, Failure]:
        """By subject, those that wait to be tried again."""
        return {f.subject: f for f in self.ledger.failures if f.subject and f.retry_s > self.now_s}

    def _again(self, entry: Entry) -> Next:
        """After a failure it is carried on later: a creation of a numbered member as its source, or the key, may."""
        subjects = [entry.member or entry.slot or ""]
        if entry.kind is ActionKind.CREATE:
            subjects = [entry.source, ""] if self.desired.numbered else [entry.slot or ""]
        failures = [f for s in subjects if (f := self._census.failure(s, entry.kind)) is not None and f.message]
        due = max(failures, key=lambda f: f.retry_s, default=None)
        if due is None:
            return Next()
        return Next("tried again", due.retry_s, due.message) if due.retry_s > self.now_s else Next(error=due.message)

    def _held(self, member: Member) -> str:
        """What the planner noted of this very member, or of all that are to go."""
        if self.desired.removed and self.desired.hold_removal:
            return self.desired.hold_removal
        noted = {NoteKind.WAITING_FOR_QUORUM, NoteKind.HELD, NoteKind.ROLL_REFUSED}
        names = {member.id, member.slot} - {"", None}
        return next((n.detail for n in self.plan.notes if n.kind in noted and n.subject in names), "")

    def _unheard(self, member: Member) -> Next:
        """W35, W36."""
        if self.observed.partitioned:
            return Next("left as it is: so many engines are silent that the fault may be on our side")
        if self.desired.removed or not self.desired.numbered:
            return Next(f"waits until {member.source or 'its source'} answers")
        lost_s = self.lost_s.get(member.source)
        return Next("counts as lost, and is replaced", 0.0 if lost_s is None else max(self.now_s, lost_s))

    def _opened(self, slot: str) -> Next:
        if self.desired.hold:
            return Next(f"waits: {self.desired.hold}")
        if slot in self._kept_numbers:
            coming = self._of_number(slot)
            return replace(coming, text=f"{coming.text}, {AS_BEFORE}")
        return self._of_number(slot) if self.desired.numbered else self._of_slot(slot)

    def _empty(self) -> Sequence[str]:
        desired, census = self.desired, self._census
        room = desired.size - len(census.staying) - len(census.creating)
        if desired.removed:
            return ()
        if desired.numbered:
            kept = len(self._kept_numbers)
            return (*self._kept_numbers, *self._empty_numbers(max(room, self._room_to_roll()) - kept))
        if desired.slots is None:
            return [""] * max(0, room)
        holders = (*census.staying, *census.leaving, *census.gone)
        taken = {m.slot for m in holders} | {e.slot for e in census.creating}
        return [slot for slot in desired.slots if slot not in taken]

    # --- numbered ones -----------------------------------------------------------------------------------------------

    @cached_property
    def _kept_numbers(self) -> Sequence[str]:
        """Which ones `slots.fill_as_before` would take."""
        census, desired = self._census, self.desired
        room = desired.size + desired.max_surge - len(census.staying) - len(census.creating)
        room = min(room, settled.short(census, census.available, self.now_s))
        return list(islice(candidates_as_before(census, *self._taken_numbers), max(0, room)))

    @cached_property
    def _awaited(self) -> frozenset[str]:
        return settled.awaited(self._census, self.now_s)

    @cached_property
    def _is_unproven(self) -> bool:
        return settled.applies(self._census, self.now_s)

    def _empty_numbers(self, room: int) -> Sequence[str]:
        """Which ones `slots.fill` would take then."""
        held, vacated = self._taken_numbers
        return list(islice(candidates(self._census, held.union(self._kept_numbers), vacated), max(0, room)))

    @cached_property
    def _taken_numbers(self) -> tuple[set[str | None], set[str | None]]:
        census = self._census
        held = {m.slot for m in census.staying} | self.desired.done
        held |= {e.slot for e in self.ledger.entries if e.kind is ActionKind.CREATE}
        return held, {m.slot for m in census.leaving if m.life not in ENDED}

    def _room_to_roll(self) -> int:
        desired, census = self.desired, self._census
        if not census.outdated or desired.paused or desired.hold:
            return 0
        total = len(census.staying) + len(census.creating)
        new = len(census.current) + sum(is_current(desired, e) for e in census.creating)
        return min(desired.size + desired.max_surge - total, desired.size - new + len(self._kept_numbers))

    def _of_number(self, slot: str) -> Next:
        kept = slot in self._kept_numbers
        ended, refused = self.restarts(slot), self._census.failure("", ActionKind.CREATE)
        ended = None if ended is not None and ended.settled and not kept else ended
        why = ended.message if ended else ""
        if self.observed.unlisted:
            return Next(f"waits until {_names(self.observed.unlisted)} shows what lives there", error=why)
        if ended is not None and is_exhausted(self.desired, ended):
            return Next(LEFT_ALONE, error=why)
        if ended is not None and ended.retry_s > self.now_s:
            return Next("made again", ended.retry_s, why)
        if refused is not None and refused.retry_s > self.now_s and (refused.settled or not kept):
            return Next("tried again", refused.retry_s, refused.message)
        return self._placed(why, kept)

    def _placed(self, why: str, kept: bool) -> Next:
        """What is waited for to find it a place (W32, W34)."""
        places, pulls = Places(self._census, self.now_s), self._census.pulls
        if places.choose(kept) is not None:
            return Next("made next", error=why)
        if pulls:
            due = min(pulls.values(), key=lambda f: (f.retry_s, f.subject))
            asked = Next(
                f"its image asked for again on {due.subject}", due.retry_s, of_source(due.subject, due.message)
            )
            return asked if due.retry_s > self.now_s else Next("made next", error=asked.error)
        if places.will_have_room():
            return Next("made when another one has left", error=why)
        if places.silent:
            return Next(f"made when {_names(places.silent)} answers", error=why)
        return Next("made when an engine that it may run on is free", error=why)

    def _of_numbered(self, member: Member) -> Next:
        if member.life in ENDED:
            return self._of_dead(member)
        if self.desired.removed:
            return Next("removed")
        if not is_current(self.desired, member):
            return self._of_old(member)
        coming = Next() if self.desired.once else self._of_new(member)
        return Next(UNTIL_RESUMED) if coming == Next() and self.desired.withheld else coming

    def _of_new(self, member: Member) -> Next:
        """W37, W44."""
        if member.health is Health.UNHEALTHY:
            held = self.desired.hold
            return Next(f"left as it is: {held}") if held else Next("stopped, and made again")
        if member.life is Life.RUNNING and member.health is Health.UNKNOWN:
            return Next("counts as available when its health check passes")
        least_s = proven_s(self.desired) if self._census.outdated else self.desired.limits.min_ready_s or 0.0
        if member.healthy and member.well_s < least_s:
            return Next("counts as available", self.look_s + least_s - member.well_s)
        return Next()

    def _of_dead(self, member: Member) -> Next:
        if member.completed or member.slot in self.desired.done:
            return Next(KEPT)
        if self.desired.removed:
            return Next("removed")
        if self._last_dead.get(member.slot) != member:
            return Next("removed")
        successor = self._successors.get(member.slot or "")
        if successor is not None:
            return successor
        kept = member.slot in self._borne or self._is_unproven or is_evidence(self.desired, member)
        return Next(KEPT) if kept else Next("removed")

    @cached_property
    def _last_dead(self) -> Mapping[str | None, Member]:
        """The newest of each slot, which stands for it until the next one is begun."""
        last: dict[str | None, Member] = {}
        for member in self._census.dead:
            if member.slot not in last or is_newer(member, last[member.slot]):
                last[member.slot] = member
        return last

    @cached_property
    def _successors(self) -> Mapping[str, Next]:
        return {o.slot: o.next for o in self.openings if o.entry is None}

    @cached_property
    def _borne(self) -> frozenset[str | None]:
        return frozenset({m.slot for m in self._census.staying} | {e.slot for e in self._census.creating})

    def is_told_by_the_dead(self, opening: Opening) -> bool:
        """Whether the last one that ended in its slot says already what comes next there."""
        return opening.entry is None and bool(opening.slot) and opening.slot in self._last_dead

    def _of_old(self, member: Member) -> Next:
        if self.desired.paused:
            return Next(UNTIL_RESUMED)
        if self.desired.hold:
            return Next(f"left as it is: {self.desired.hold}")
        if member.id in self._awaited:
            return Next(f"waited for, {AS_BEFORE}")
        return Next("leaves when another one is available" if member.healthy else "leaves")

    # --- machines ----------------------------------------------------------------------------------------------------

    def _of_slot(self, slot: str) -> Next:
        failure = self._census.failure(slot, ActionKind.CREATE)
        if failure is None:
            return Next("made next")
        if failure.retry_s > self.now_s:
            return Next("tried again", failure.retry_s, failure.message)
        return Next("tried again next", error=failure.message)

    def _of_machine(self, member: Member) -> Next:
        desired, kinds = self.desired, {n.kind for n in self.plan.notes}
        if desired.removed or member.life in ENDED:
            return Next("removed")
        if is_sick(desired, member):
            restricted = NoteKind.REMEDIATION_RESTRICTED in kinds
            return Next("left as it is: too many are unhealthy at once") if restricted else Next("replaced in its turn")
        if not is_current(desired, member):
            return self._of_old_machine(kinds)
        if member.drift:
            return Next("mended in place")
        if member.sick_s > 0:
            at_s = self.look_s + patience_left_s(desired, member)
            return Next("replaced unless it gets well", at_s)
        return Next()

    def _of_old_machine(self, kinds: set[NoteKind]) -> Next:
        if self.desired.in_place:
            return Next("changed in place")
        if self.desired.paused:
            return Next(UNTIL_RESUMED)
        if NoteKind.ROLL_REFUSED in kinds:
            return Next("left as it is: the new spec is refused")
        return Next("replaced in its turn")


def _names(sources: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(sources))
