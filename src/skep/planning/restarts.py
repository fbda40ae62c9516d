"""Members that ended, counted for each slot: when the next one may be made, and when none is any more.

Semantics.md W30 and W38. A count is a failure that names the member that was `counted` last, so that no end counts
twice, not even after a restart of skep; nor does any that is no news (`ends.py`). What was made for an older spec is
not counted: its successor is another thing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from skep.model.plan import REMOVALS, ActionKind
from skep.model.state import Desired, Failure, Ledger, Life, Member, Observed
from skep.planning.backoff import start_delay_s
from skep.planning.census import ENDED, is_count, is_current, is_newer, number_of
from skep.planning.ends import is_news
from skep.planning.settled import is_settled

Failures = Mapping[tuple[str, ActionKind], Failure]

COUNTS_MAX = 1000
"""Slots of one key that are counted: about 200 bytes each in a record of 512 KiB. Of more, those that ended the least
often begin anew, which is what a slot does that was never counted."""

CRASH_LOOP_ENDS = 2
"""One end is an accident; W30 lets it be mended at once."""


def recounted(
    desired: Desired, observed: Observed, ledger: Ledger, failures: Failures, now_s: float, unit: float
) -> dict[tuple[str, ActionKind], Failure]:
    """The failures with every new end counted, and without the counts that are over. `unit` is random in [0, 1).

    What a job has done is over, however often it had failed before.
    """
    active = [m for m in observed.members if m.life not in ENDED]
    taken = {m.slot for m in active}
    counts = dict(failures)
    for slot, member in _last_dead(desired, observed, ledger).items():
        known, is_old = counts.get((slot, ActionKind.START)), is_settled(desired, member)
        if slot not in taken | desired.done and (known is None or known.counted != member.id):
            # What is new counts from nothing: those that its slot bore before are another thing.
            row = None if known is not None and known.settled and not is_old else known
            failure = ended(row, slot, member, member.detail, now_s, unit)
            counts[slot, ActionKind.START] = replace(failure, settled=is_old)
    over = _well(desired, active) | desired.done | _forgotten(desired, observed, ledger, counts)
    kept = {key: f for key, f in counts.items() if not (is_count(f) and f.subject in over)}
    return _bounded(kept)


def ended(known: Failure | None, slot: str, member: Member, why: str, now_s: float, unit: float) -> Failure:
    """The count of a slot whose member has just ended, or could not even be started: at once, then 10 s, 20 s, …"""
    count = known.count + 1 if known else 1
    delay_s = start_delay_s(count - 1, unit) if count > 1 else 0.0
    return Failure(slot, ActionKind.START, count, now_s + delay_s, why, member.id)


def forgiven(failure: Failure) -> Failure:
    """A new generation counts from nothing, and what ended before it is not counted again (W38)."""
    return replace(failure, count=0, retry_s=0.0, message="")


def is_exhausted(desired: Desired, failure: Failure) -> bool:
    """W38: the slot stays empty until the spec changes."""
    return 0 < desired.limits.restarts_max <= failure.count


def _last_dead(desired: Desired, observed: Observed, ledger: Ledger) -> dict[str, Member]:
    """The newest of each slot that ended by itself, of those that are news: what is being removed was stopped by us."""
    leaving = {e.member for e in ledger.entries if e.kind in REMOVALS}
    dead = [m for m in observed.members if m.life is Life.DEAD and m.id not in leaving and not m.completed]
    return {s: m for s, m in _newest(m for m in dead if is_news(ledger.ended, m)).items() if _is_counted(desired, m)}


def _is_counted(desired: Desired, member: Member) -> bool:
    """What was made before a roll may be made again in it, and counts for its slot as well."""
    return is_current(desired, member) or is_settled(desired, member)


def _newest(members: Iterable[Member]) -> dict[str, Member]:
    """The last dead of each slot."""
    last: dict[str, Member] = {}
    for member in members:
        if member.life is not Life.DEAD or member.slot is None:
            continue
        if member.slot not in last or is_newer(member, last[member.slot]):
            last[member.slot] = member
    return last


def _well(desired: Desired, active: list[Member]) -> set[str]:
    """W30: slots whose member has been well for long enough."""
    window_s = desired.limits.restart_window_s
    return {m.slot for m in active if m.slot is not None and m.healthy and m.well_s >= window_s}


def _forgotten(desired: Desired, observed: Observed, ledger: Ledger, counts: Failures) -> set[str]:
    """Slots that nobody bears, fills or wants; of whom nobody answers for, none is forgotten.

    None is wanted whose place others have taken: after a roll the numbers may have gaps.
    """
    if not observed.complete or observed.lost:
        return set()
    is_full = sum(m.life not in ENDED and is_current(desired, m) for m in observed.members) >= desired.size
    used = {m.slot for m in observed.members} | {e.slot for e in ledger.entries}
    counted = {f.subject for f in counts.values() if is_count(f)}
    return {slot for slot in counted - used if is_full or not _is_wanted(desired, slot)}


def _is_wanted(desired: Desired, slot: str) -> bool:
    number = number_of(slot)
    return number is not None and number <= desired.size + len(desired.done)


def _bounded(counts: dict[tuple[str, ActionKind], Failure]) -> dict[tuple[str, ActionKind], Failure]:
    slots = sorted((f for f in counts.values() if is_count(f)), key=lambda f: (-f.count, -f.retry_s, f.subject))
    surplus = {f.subject for f in slots[COUNTS_MAX:]}
    return {key: f for key, f in counts.items() if not (is_count(f) and f.subject in surplus)} if surplus else counts
