"""The ledger: what is under way on a key, told from what ended and from what a crash cut off. Pure functions.

An entry is written before its action starts and leaves only when its end is known: by the action's own answer and a
listing begun after it (semantics.md W13-W17), so that nothing is done twice on a stale view.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from skep.model.errors import NotReadyError, UnavailableError
from skep.model.plan import REMOVALS, Action, ActionKind
from skep.model.state import EVERYTHING, Desired, Entry, Failure, Ledger, Life, Member, Observed, Phase, Role
from skep.planning.backoff import create_delay_s, start_delay_s

NOT_READY_RETRY_S = 1.0
"""What only waits for something else is looked at again after a second, without counting as a failure."""

LISTING_AGE_S = 10.0
"""W16, W17: plugins may answer from a cache. What was done is waited for so long before a listing that does not show it
is believed; InfraKit polls as often."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended, on the monotonic clock; `error` is None for success."""

    request: str
    ended_s: float
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The ledger after looking at what ended. `resume`: entries whose action shall run again, with the same request."""

    ledger: Ledger
    resume: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """An observation, when it was begun, and what was running or had ended by then."""

    desired: Desired
    observed: Observed
    began_s: float
    running: frozenset[str]
    outcomes: Mapping[str, Outcome]


def settle(ledger: Ledger, sight: Sight, now_s: float, unit: float) -> Settled:
    """Drop what has ended, remember what failed, and name what must be done again. `unit` is random in [0, 1)."""
    entries: list[Entry] = []
    failures = {(f.subject, f.kind): f for f in ledger.failures}
    resume: list[Entry] = []
    applied = ledger.applied
    for entry in ledger.entries:
        outcome = sight.outcomes.get(entry.request)
        if outcome is not None:
            _remember(failures, entry, outcome, now_s, unit)
            if outcome.error is None and entry.kind in (ActionKind.UPDATE, ActionKind.CREATE):
                applied = entry.fingerprint
        if entry.request in sight.running:
            entries.append(entry)
        elif _is_open(entry, outcome, sight, ledger):
            done = outcome is not None and outcome.error is None
            kept = replace(entry, phase=Phase.AWAITED) if done else entry
            entries.append(kept)
            if not done and _is_due(kept, failures, sight, now_s):
                resume.append(kept)
    kept_failures = tuple(f for f in failures.values() if _still_matters(f, sight))
    settled = replace(ledger, entries=tuple(entries), failures=kept_failures, applied=applied)
    return Settled(settled, tuple(resume))


def _is_open(entry: Entry, outcome: Outcome | None, sight: Sight, ledger: Ledger) -> bool:
    """Whether an action that does not run must stay on the books; nothing has ended while nobody answers."""
    if _is_blind(sight):
        return entry.kind is ActionKind.CREATE or entry.kind in REMOVALS
    if outcome is not None and outcome.error is None:
        return sight.began_s < outcome.ended_s + LISTING_AGE_S and not _shows(entry, sight)
    if entry.kind is ActionKind.CREATE and (outcome is None or _may_have_acted(outcome.error) or _made(entry, sight)):
        return _is_wanted(entry, sight, ledger)
    begun = outcome is None or _may_have_acted(outcome.error)
    return begun and entry.kind in REMOVALS and _is_seen(entry.member, sight)


def _is_blind(sight: Sight) -> bool:
    return EVERYTHING in sight.observed.silent


def _shows(entry: Entry, sight: Sight) -> bool:
    """Whether a listing has caught up with what was done. Members that carry no request are known by their slot."""
    members = sight.observed.members
    if entry.kind in REMOVALS:
        return sight.observed.complete and not _is_seen(entry.member, sight)
    if entry.kind is ActionKind.CREATE:
        return any(m.request == entry.request or (not m.request and m.slot == entry.slot) for m in members)
    return True


def _may_have_acted(error: Exception | None) -> bool:
    """W26: after silence, a creation is unknown, not failed; it is asked for again under the same request.

    So is a removal: what was begun for its place may be there already.
    """
    return isinstance(error, UnavailableError | NotReadyError)


def _is_wanted(entry: Entry, sight: Sight, ledger: Ledger) -> bool:
    """A creation for a spec that has changed, or a slot that is not wanted any more, is not asked for again: what it
    has made so far shows in a listing, and the planner undoes it."""
    desired, made = sight.desired, _made(entry, sight)
    if made is not None and not desired.removed and desired.role is Role.MANAGER:
        # A manager that never joined can't be told from one that does not answer: it is let finish, then undone.
        return True
    if desired.removed or entry.fingerprint != desired.fingerprint:
        return False
    if made is not None and made.sick_s >= desired.limits.startup_s:
        return False
    if desired.slots is not None:
        return entry.slot in desired.slots
    leaving = {e.member for e in ledger.entries if e.kind in REMOVALS}
    alive = [m for m in sight.observed.members if m.life is not Life.GONE and m.id not in leaving]
    return any(m.request == entry.request for m in alive) or len(alive) < desired.size + desired.max_surge


def _made(entry: Entry, sight: Sight) -> Member | None:
    """What a creation has made so far; a machine may be there and its Init not through."""
    alive = (m for m in sight.observed.members if m.life is not Life.GONE)
    return next((m for m in alive if m.request and m.request == entry.request), None)


def _is_seen(member: str, sight: Sight) -> bool:
    return any(m.id == member for m in sight.observed.members)


def _is_due(entry: Entry, failures: Mapping[tuple[str, ActionKind], Failure], sight: Sight, now_s: float) -> bool:
    if _is_blind(sight) or (entry.kind is ActionKind.CREATE and sight.desired.hold):
        return False
    failure = failures.get((subject(entry), entry.kind))
    return failure is None or failure.retry_s <= now_s


def _remember(
    failures: dict[tuple[str, ActionKind], Failure], entry: Entry, outcome: Outcome, now_s: float, unit: float
) -> None:
    key = (subject(entry), entry.kind)
    count = failures[key].count if key in failures else 0
    message = str(outcome.error or "")
    if isinstance(outcome.error, NotReadyError):
        failures[key] = Failure(*key, count, now_s + NOT_READY_RETRY_S, message)
    elif entry.kind is ActionKind.START:
        # W30: a start counts until the member is healthy, so that one that dies again and again is not hammered.
        failures[key] = Failure(*key, count + 1, now_s + start_delay_s(count + 1, unit), message)
    elif outcome.error is None:
        failures.pop(key, None)
    else:
        failures[key] = Failure(*key, count + 1, now_s + create_delay_s(count + 1, unit), message)


def subject(entry: Entry) -> str:
    """What a failure is counted for: the member, the slot to be filled, or all cattle alike."""
    return entry.member or entry.slot or ""


def _still_matters(failure: Failure, sight: Sight) -> bool:
    if failure.kind is ActionKind.CREATE:
        return not sight.desired.removed
    member = next((m for m in sight.observed.members if m.id == failure.subject), None)
    if member is None:
        return not sight.observed.complete
    return not (failure.kind is ActionKind.START and member.healthy)


def forgive(ledger: Ledger) -> Ledger:
    """A new generation gets its first try at once (semantics.md F5), also of what the cluster has undone before."""
    return replace(ledger, failures=(), applied="")


def begin(
    ledger: Ledger, actions: Iterable[Action], desired: Desired, request: Callable[[], str], wall_s: float
) -> tuple[Ledger, tuple[Entry, ...]]:
    """The ledger with the actions written down, and their entries."""
    entries = tuple(
        Entry(
            request=request(),
            kind=a.kind,
            reason=a.reason,
            generation=desired.generation,
            slot=a.slot,
            member=a.member,
            fingerprint=desired.fingerprint,
            replace_sha=desired.replace_sha,
            began_s=wall_s,
        )
        for a in actions
    )
    return replace(ledger, entries=ledger.entries + entries), entries


def advance(ledger: Ledger, phases: Mapping[str, Phase]) -> Ledger:
    """The ledger with entries, by their requests, moved on to their phases."""
    entries = tuple(replace(e, phase=phases[e.request]) if e.request in phases else e for e in ledger.entries)
    return replace(ledger, entries=entries)
