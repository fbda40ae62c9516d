"""The ledger: what is under way on a key, told from what ended and from what a crash cut off. Pure functions.

An entry is written before its action starts and leaves only when its end is known: by the action's own answer and a
listing begun after it (semantics.md W13-W17), so that nothing is done twice on a stale view.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from skep.control.books import Books, Listing, Outcome, Sight, is_blind, subject
from skep.model.errors import NotReadyError, UnavailableError
from skep.model.plan import REMOVALS, Action, ActionKind
from skep.model.state import Desired, Entry, Ledger, Life, Member, Phase, Role
from skep.planning.census import is_count
from skep.planning.ends import UNSEEN
from skep.planning.restarts import forgiven
from skep.planning.settled import is_settled

LISTING_AGE_S = 10.0
"""W16, W17: plugins may answer from a cache. What was done is waited for so long before a listing that does not show it
is believed; InfraKit polls as often."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The ledger after looking at what ended. `resume`: entries whose action shall run again, with the same request."""

    ledger: Ledger
    resume: tuple[Entry, ...] = ()


def settle(ledger: Ledger, sight: Sight, now_s: float, unit: float) -> Settled:
    """Drop what has ended, remember what failed, and name what must be done again. `unit` is random in [0, 1)."""
    books = Books(sight, ledger, now_s, unit)
    books.listing.active += sum(_is_on_its_way(e, sight, books.listing) for e in ledger.entries)
    entries: list[Entry] = []
    resume: list[Entry] = []
    for entry in ledger.entries:
        outcome = sight.outcomes.get(entry.request)
        if outcome is not None:
            books.remember(entry, outcome)
        done = outcome is not None and outcome.error is None
        if entry.request in sight.running:
            entries.append(entry)
        elif _is_open(entry, outcome, sight, books.listing) and not books.gives_up(entry):
            kept = replace(entry, phase=_phase(entry, outcome))
            entries.append(kept)
            if not done and entry.kind is ActionKind.CREATE and _is_unseen(entry, books.listing):
                books.listing.active += 1
            if not done and _is_due(kept, books, sight):
                resume.append(kept)
        elif done and entry.kind is ActionKind.CREATE:
            books.streak += 1
    return Settled(books.closed(tuple(entries)), tuple(resume))


def _is_on_its_way(entry: Entry, sight: Sight, listing: Listing) -> bool:
    """Whether a creation is being done or was, and no listing shows it yet: it takes room from those that a crash or
    silence cut off (W42)."""
    outcome = sight.outcomes.get(entry.request)
    done = outcome is not None and outcome.error is None
    is_on = entry.request in sight.running or (done and _is_open(entry, outcome, sight, listing))
    return entry.kind is ActionKind.CREATE and is_on and _is_unseen(entry, listing)


def _is_unseen(entry: Entry, listing: Listing) -> bool:
    return entry.request not in listing.requests


def _phase(entry: Entry, outcome: Outcome | None) -> Phase:
    """What had been done, was repeated after a crash, and failed this time, is not awaited any more."""
    if outcome is None:
        return entry.phase
    if outcome.error is None:
        return Phase.AWAITED
    return Phase.BEGUN if entry.phase is Phase.AWAITED else entry.phase


def _is_open(entry: Entry, outcome: Outcome | None, sight: Sight, listing: Listing) -> bool:
    """Whether an action that does not run must stay on the books; nothing has ended while nobody answers."""
    if is_blind(sight):
        return entry.kind is ActionKind.CREATE or entry.kind in REMOVALS
    if outcome is not None and outcome.error is None:
        return sight.began_s < outcome.ended_s + LISTING_AGE_S and not _shows(entry, sight, listing)
    made = listing.made.get(entry.request)
    if entry.kind is ActionKind.CREATE and (outcome is None or _may_have_acted(outcome.error) or made is not None):
        return _is_wanted(entry, made, sight, listing)
    begun = outcome is None or _may_have_acted(outcome.error)
    if sight.desired.numbered and outcome is None and entry.kind is ActionKind.DRAIN and entry.phase is Phase.BEGUN:
        # It was never asked to stop, and others may have ended since it could be spared: that is decided anew (W42).
        return False
    return begun and entry.kind in REMOVALS and entry.member in listing.by_id


def _shows(entry: Entry, sight: Sight, listing: Listing) -> bool:
    """Whether a listing has caught up with what was done. Members that carry no request are known by their slot."""
    if entry.kind in REMOVALS:
        silent = sight.observed.silent
        heard = entry.source not in silent if sight.desired.numbered else not silent
        return heard and entry.member not in listing.by_id
    if entry.kind is ActionKind.CREATE:
        return entry.request in listing.requests or entry.slot in listing.unmarked
    return True


def _may_have_acted(error: Exception | None) -> bool:
    """W26: after silence, a creation is unknown, not failed; it is asked for again under the same request.

    So is a removal: what was begun for its place may be there already.
    """
    return isinstance(error, UnavailableError | NotReadyError)


def _is_wanted(entry: Entry, made: Member | None, sight: Sight, listing: Listing) -> bool:
    """A creation for a spec that has changed, or a slot that is not wanted any more, is not asked for again: what it
    has made so far shows in a listing, and the planner undoes it."""
    desired = sight.desired
    if made is not None and not desired.removed and desired.role is Role.MANAGER:
        # A manager that never joined can't be told from one that does not answer: it is let finish, then undone.
        return True
    if desired.removed or not (entry.fingerprint == desired.fingerprint or is_settled(desired, entry)):
        return False
    if made is not None and (made.life is Life.DEAD or made.sick_s >= desired.limits.startup_s):
        return False
    if desired.numbered and not _has_a_place(entry, sight):
        return False
    if desired.slots is not None:
        return entry.slot in desired.slots
    return entry.request in listing.coming or listing.active < desired.size + desired.max_surge


def _has_a_place(entry: Entry, sight: Sight) -> bool:
    """W35: what was asked of a source that is lost, or is one no more, is made elsewhere."""
    return entry.source in sight.desired.sources and entry.source not in sight.observed.lost


def _is_due(entry: Entry, books: Books, sight: Sight) -> bool:
    if is_blind(sight) or (entry.kind is ActionKind.CREATE and sight.desired.hold):
        return False
    if entry.source and entry.source in sight.observed.silent:
        return False
    failure = books.failures.get((subject(entry, sight.desired), entry.kind))
    return failure is None or failure.retry_s <= books.now_s


def forgive(ledger: Ledger) -> Ledger:
    """A new generation gets its first try at once (semantics.md F5), also of what the cluster has undone before. What
    ended before it is no matter of it (W47)."""
    kept = tuple(forgiven(f) for f in ledger.failures if is_count(f))
    return replace(ledger, failures=kept, applied="", streak=0, setbacks=(), ended=UNSEEN)


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
            fingerprint=a.fingerprint or desired.fingerprint,
            replace_sha="" if a.fingerprint else desired.replace_sha,
            began_s=wall_s,
            source=a.source,
        )
        for a in actions
    )
    return replace(ledger, entries=ledger.entries + entries), entries


def advance(ledger: Ledger, phases: Mapping[str, Phase]) -> Ledger:
    """The ledger with entries, by their requests, moved on to their phases."""
    entries = tuple(replace(e, phase=phases[e.request]) if e.request in phases else e for e in ledger.entries)
    return replace(ledger, entries=entries)
