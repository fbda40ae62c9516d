"""Who is there: members and the ledger told apart by what the planner may do with them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from skep.model.plan import REMOVALS, ActionKind
from skep.model.state import EVERYTHING, HEALTH, Desired, Entry, Failure, Health, Ledger, Life, Member, Observed

_WORTH = (Life.GONE, Life.DEAD, Life.STOPPED, Life.PENDING, Life.UNKNOWN, Life.RUNNING)
LIVES_BY_WORTH = {life: worth for worth, life in enumerate(_WORTH)}
"""What a life is worth when somebody has to go: the least worth first (semantics.md 3.4)."""

NUMBER_DIGITS_MAX = 9
"""Labels are text of anybody's; no workload has a billion members."""

ENDED = frozenset({Life.GONE, Life.DEAD})
"""Lives that count for nothing any more (W7)."""


PATIENCE_S = 60.0
"""W46: for how long a roll is watched, beside its MinReady, before it may be late: skep was not there before, or nobody
answered, and nothing could bring it closer."""

PROVEN_S = 2.0
"""W44: a numbered member that nothing else was said of takes the place of an old one after it was well for so long.
What can't run at all mostly ends within a second, and Docker calls a container without a health check well from the
first moment on."""


LASTING_MAX_S = 30.0
"""However often others ended, what lives for so long without a word of its spec is told to serve."""


@dataclass(frozen=True)
class Census:
    """staying: alive and not being removed (unknown ones too). leaving: being removed. gone: only a membership is left.

    dead: numbered ones that have ended, some of which are kept for their logs. creating: creations in flight whose
    member has not been seen, or ended meanwhile (a repeat makes it again). No member is in two of these.
    """

    desired: Desired
    observed: Observed
    ledger: Ledger
    staying: tuple[Member, ...]
    leaving: tuple[Member, ...]
    gone: tuple[Member, ...]
    dead: tuple[Member, ...]
    creating: tuple[Entry, ...]

    @cached_property
    def busy(self) -> frozenset[str]:
        """IDs of members that an action is under way on."""
        requests = {e.request for e in self.ledger.entries if e.kind is ActionKind.CREATE}
        acted_on = {e.member for e in self.ledger.entries if e.member}
        return frozenset(acted_on | {m.id for m in self.observed.members if m.request in requests})

    @cached_property
    def late_at_s(self) -> float:
        """When (monotonic) a roll that nothing comes of until then is late; never where none is under way (W46)."""
        progress, limit_s = self.ledger.progress, self.desired.limits.progress_s
        if not limit_s or progress is None or progress.complete or progress.generation != self.desired.generation:
            return math.inf
        return progress.since_s + limit_s

    @cached_property
    def unwatched_s(self) -> float:
        """For how much longer a roll is not late, whatever its deadline, for nobody brought it on in the last time."""
        limits = self.desired.limits
        return max(0.0, min(limits.progress_s, PATIENCE_S + (limits.min_ready_s or 0.0)) - self.observed.heard_s)

    def late_in_s(self, now_s: float) -> float:
        """For how much longer a roll that nothing comes of is not late; 0 once it is (W46)."""
        return max(0.0, self.late_at_s - now_s, self.unwatched_s)

    @cached_property
    def by_id(self) -> Mapping[str, Member]:
        return {m.id: m for m in self.observed.members}

    @cached_property
    def current(self) -> tuple[Member, ...]:
        return tuple(m for m in self.staying if is_current(self.desired, m))

    @cached_property
    def outdated(self) -> tuple[Member, ...]:
        return tuple(m for m in self.staying if not is_current(self.desired, m))

    @cached_property
    def available(self) -> int:
        return sum(m.healthy for m in self.staying)

    @cached_property
    def ready(self) -> tuple[Member, ...]:
        """W44: those that count as available, for they have been well for long enough."""
        least_s = self.desired.limits.min_ready_s or 0.0
        return tuple(m for m in self.staying if m.healthy and m.well_s >= least_s)

    @cached_property
    def free(self) -> tuple[Member, ...]:
        """Members that may be acted on: known, and nothing under way."""
        return tuple(m for m in self.staying if m.life is not Life.UNKNOWN and m.id not in self.busy)

    @property
    def removing(self) -> int:
        return sum(e.kind in REMOVALS for e in self.ledger.entries)

    @cached_property
    def creations(self) -> int:
        return sum(e.kind is ActionKind.CREATE for e in self.ledger.entries)

    @cached_property
    def mute(self) -> frozenset[str]:
        """Sources that left a creation without an answer, and have answered to none since (W26)."""
        return frozenset(f.subject for f in self.ledger.failures if f.kind is ActionKind.CREATE and f.counted)

    @cached_property
    def pulls(self) -> Mapping[str, Failure]:
        """By source: the image could not be had there (W32)."""
        return {f.subject: f for f in self.ledger.failures if f.pull}

    @cached_property
    def asked_alone(self) -> frozenset[str]:
        """Sources of which one creation at a time is asked, beside the batches of all others."""
        return self.mute.union(self.pulls)

    @cached_property
    def asked_alone_for_settled(self) -> frozenset[str]:
        """The same for the settled template, whose image is another one."""
        return self.mute.union(source for source, failure in self.pulls.items() if failure.settled)

    def start_was_refused(self, member: Member) -> bool:
        """The slot counts it as ended: another one is made in its place, when its time has come (W30)."""
        failure = self.failure(member.slot or "", ActionKind.START)
        return failure is not None and failure.counted == member.id

    @cached_property
    def _failures(self) -> Mapping[tuple[str, ActionKind], Failure]:
        return {(f.subject, f.kind): f for f in reversed(self.ledger.failures)}

    def failure(self, subject: str, kind: ActionKind) -> Failure | None:
        return self._failures.get((subject, kind))


def take(desired: Desired, observed: Observed, ledger: Ledger) -> Census:
    """Sort members by ID, so that no answer depends on the order in which they were listed."""
    members = sorted(observed.members, key=lambda m: m.id)
    leaving_ids = {e.member for e in ledger.entries if e.kind in REMOVALS}
    seen = {m.request for m in members if m.request and m.life not in ENDED}
    others = [m for m in members if m.id not in leaving_ids]
    ended = [m for m in others if m.life in ENDED]
    return Census(
        desired=desired,
        observed=observed,
        ledger=ledger,
        staying=tuple(m for m in others if m.life not in ENDED),
        leaving=tuple(m for m in members if m.id in leaving_ids),
        gone=tuple(m for m in ended if not _is_kept(desired, m)),
        dead=tuple(m for m in ended if _is_kept(desired, m)),
        creating=tuple(e for e in ledger.entries if e.kind is ActionKind.CREATE and e.request not in seen),
    )


def _is_kept(desired: Desired, member: Member) -> bool:
    """Whether what has ended may still be of use, for its logs."""
    return desired.numbered and member.life is Life.DEAD


def is_current(desired: Desired, member: Member | Entry) -> bool:
    """OUTDATED only if both the fingerprint and the hash of what needs a new machine differ (architecture.md).

    A numbered member also has to be where it may be; one that still is stays as it is when that changes (W39).
    """
    if desired.numbered and member.source not in desired.sources:
        return False
    if member.fingerprint == desired.fingerprint:
        return True
    return bool(member.replace_sha) and member.replace_sha == desired.replace_sha


def proven_s(desired: Desired) -> float:
    """For how long a numbered member has to be well before an old one may leave for it."""
    return lasting_s(desired.limits.min_ready_s)


def lasting_s(min_ready_s: float | None) -> float:
    """For how long a workload has to be as wanted until somebody who waits is told so (W54): as long as in a roll."""
    return PROVEN_S if min_ready_s is None else min_ready_s


def is_evidence(desired: Desired, member: Member) -> bool:
    """Whether a dead one may tell why a roll failed: what was rolled out then is not what is followed now (W47)."""
    return bool(desired.undone or desired.given_up) and not is_current(desired, member)


def follows_newest(desired: Desired, member: Member) -> bool:
    """Whether it follows the newest template of all, which may be withheld: those that don't follow the one from before
    then follow what was being rolled out."""
    return is_current(desired, member) != desired.withheld


def removal_order(desired: Desired, member: Member) -> tuple[int, bool, bool, bool, float, str]:
    """Sorts whom to remove first (semantics.md 3.4, N34, N8): not running, not healthy, outdated, not leading, newest.

    W18: no healthy member goes while one that is not remains.
    """
    return (
        LIVES_BY_WORTH[member.life],
        member.health is Health.HEALTHY,
        is_current(desired, member),
        member.leader,
        -member.created_s,
        member.id,
    )


def keep_order(desired: Desired, member: Member) -> tuple[bool, int, bool, float, str]:
    """Sorts duplicates of one slot, the one to keep first (W24): healthy, then current, then longest there.

    One whose source is silent goes before all: it can't be removed.
    """
    return (
        member.life is not Life.UNKNOWN,
        -2 * member.healthy - (member.life in (Life.RUNNING, Life.PENDING)),
        not is_current(desired, member),
        member.created_s,
        member.id,
    )


def health_known(observed: Observed) -> bool:
    """Whether anybody could say how the members are."""
    return HEALTH not in observed.silent


def is_unheard(desired: Desired, observed: Observed) -> bool:
    """Whether nobody answers who could bring anything closer: no source at all, or, of numbered members, none of those
    where they may be made, lost or not (W46)."""
    away = observed.silent | observed.lost
    return EVERYTHING in away or observed.partitioned or (bool(desired.sources) and away.issuperset(desired.sources))


def number_of(slot: str | None) -> int | None:
    """The number that a numbered member bears; None where its label says none."""
    plain = slot is not None and slot.isascii() and slot.isdecimal() and len(slot) <= NUMBER_DIGITS_MAX
    return int(slot) if slot is not None and plain and int(slot) else None


def is_newer(one: Member, other: Member) -> bool:
    """Of two dead of a slot, which one ended last, as we saw it: the clocks of their engines need not agree."""
    return (-one.sick_s, one.created_s, one.id) > (-other.sick_s, other.created_s, other.id)


def is_kept(desired: Desired, member: Member) -> bool:
    """Whether our own machine: who removes what he runs on ends in the middle of it (infrakit-compat.md 7, #838)."""
    return bool(desired.own) and member.slot == desired.own and member.life is Life.RUNNING


def is_count(failure: Failure) -> bool:
    """Whether it counts the members of a numbered slot that ended, rather than an act that failed."""
    return failure.kind is ActionKind.START and bool(failure.counted)
