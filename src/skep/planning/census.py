"""Who is there: members and the ledger told apart by what the planner may do with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from skep.model.plan import REMOVALS, ActionKind
from skep.model.state import HEALTH, Desired, Entry, Failure, Health, Ledger, Life, Member, Observed

_LIVES_BY_WORTH = (Life.GONE, Life.DEAD, Life.STOPPED, Life.PENDING, Life.UNKNOWN, Life.RUNNING)


@dataclass(frozen=True)
class Census:
    """staying: alive and not being removed (unknown ones too). leaving: being removed. gone: only a membership is left.

    creating: creations in flight whose member has not been seen, or vanished meanwhile (a repeat makes it again).
    No member is in two of these.
    """

    desired: Desired
    observed: Observed
    ledger: Ledger
    staying: tuple[Member, ...]
    leaving: tuple[Member, ...]
    gone: tuple[Member, ...]
    creating: tuple[Entry, ...]

    @cached_property
    def busy(self) -> frozenset[str]:
        """IDs of members that an action is under way on."""
        requests = {e.request for e in self.ledger.entries if e.kind is ActionKind.CREATE}
        acted_on = {e.member for e in self.ledger.entries if e.member}
        return frozenset(acted_on | {m.id for m in self.observed.members if m.request in requests})

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
    def free(self) -> tuple[Member, ...]:
        """Members that may be acted on: known, and nothing under way."""
        return tuple(m for m in self.staying if m.life is not Life.UNKNOWN and m.id not in self.busy)

    @property
    def removing(self) -> int:
        return sum(e.kind in REMOVALS for e in self.ledger.entries)

    def failure(self, subject: str, kind: ActionKind) -> Failure | None:
        return next((f for f in self.ledger.failures if f.subject == subject and f.kind is kind), None)


def take(desired: Desired, observed: Observed, ledger: Ledger) -> Census:
    """Sort members by ID, so that no answer depends on the order in which they were listed."""
    members = sorted(observed.members, key=lambda m: m.id)
    leaving_ids = {e.member for e in ledger.entries if e.kind in REMOVALS}
    seen = {m.request for m in members if m.request and m.life is not Life.GONE}
    return Census(
        desired=desired,
        observed=observed,
        ledger=ledger,
        staying=tuple(m for m in members if m.life is not Life.GONE and m.id not in leaving_ids),
        leaving=tuple(m for m in members if m.id in leaving_ids),
        gone=tuple(m for m in members if m.life is Life.GONE and m.id not in leaving_ids),
        creating=tuple(e for e in ledger.entries if e.kind is ActionKind.CREATE and e.request not in seen),
    )


def is_current(desired: Desired, member: Member | Entry) -> bool:
    """OUTDATED only if both the fingerprint and the hash of what needs a new machine differ (architecture.md)."""
    if member.fingerprint == desired.fingerprint:
        return True
    return bool(member.replace_sha) and member.replace_sha == desired.replace_sha


def removal_order(desired: Desired, member: Member) -> tuple[int, bool, bool, bool, float, str]:
    """Sorts whom to remove first (semantics.md 3.4, N34, N8): not running, not healthy, outdated, not leading, newest.

    W18: no healthy member goes while one that is not remains.
    """
    return (
        _LIVES_BY_WORTH.index(member.life),
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
