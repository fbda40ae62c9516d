"""What is on the books of a key: what failed and what went well, after what was seen of it. Pure functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skep.control.error_text import remembered
from skep.model.errors import NoImageError, NotReadyError, UnavailableError
from skep.model.plan import REMOVALS, ActionKind
from skep.model.setbacks import Setbacks
from skep.model.state import EVERYTHING, Desired, Entry, Failure, Ledger, Life, Observed
from skep.planning import jobs, setbacks
from skep.planning.backoff import RESTART_CAP_S, create_delay_s, start_delay_s
from skep.planning.census import ENDED, is_count
from skep.planning.ends import noted
from skep.planning.pace import is_at_rest
from skep.planning.progress import advanced
from skep.planning.restarts import ended, recounted
from skep.planning.settled import is_settled

NOT_READY_RETRY_S = 1.0
"""What only waits for something else is looked at again after a second, without counting as a failure."""

TRIES_MAX = 5
"""W34: a source that left so many tries of one creation without an answer is given up for it, if there are others."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended, on the monotonic clock; `error` is None for success."""

    request: str
    ended_s: float
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """An observation, when it was begun, and what was running or had ended by then."""

    desired: Desired
    observed: Observed
    began_s: float
    running: frozenset[str]
    outcomes: Mapping[str, Outcome]


def is_blind(sight: Sight) -> bool:
    """Whether nobody answers."""
    return EVERYTHING in sight.observed.silent


def subject(entry: Entry, desired: Desired) -> str:
    """What a failure is counted for: the member, the slot to be filled, or all cattle alike.

    A creation of a numbered member fails on its source.
    """
    if desired.numbered and entry.kind is ActionKind.CREATE:
        return entry.source
    return entry.member or entry.slot or ""


class Listing:
    """What was seen, by what it is looked up by."""

    def __init__(self, observed: Observed, ledger: Ledger) -> None:
        leaving = {e.member for e in ledger.entries if e.kind in REMOVALS}
        self.by_id = {m.id: m for m in reversed(observed.members)}
        self.requests = frozenset(m.request for m in observed.members)
        self.unmarked = frozenset(m.slot for m in observed.members if not m.request)
        """Slots of members that carry no request."""
        self.made = {m.request: m for m in reversed(observed.members) if m.request and m.life is not Life.GONE}
        """What a creation has made so far; a machine may be there and its Init not through."""
        staying = [m for m in observed.members if m.life not in ENDED and m.id not in leaving]
        self.active, self.coming = len(staying), frozenset(m.request for m in staying)
        """How many there are, or will be when the creations have ended that stay on the books; and whose."""


_NONE = Failure("", ActionKind.CREATE, 0, 0.0, "")
"""Of what has not failed."""


class Books:
    """What failed and what went well, while a ledger is being settled."""

    def __init__(self, sight: Sight, ledger: Ledger, now_s: float, unit: float) -> None:
        self._sight, self._ledger, self._unit = sight, ledger, unit
        self.now_s = now_s
        self.listing = Listing(sight.observed, ledger)
        self.failures = {(f.subject, f.kind): f for f in ledger.failures}
        self.streak, self._applied = ledger.streak, ledger.applied
        self._refusing: list[str] = []
        """The source of each creation that was refused."""

    def remember(self, entry: Entry, outcome: Outcome) -> None:
        """Note how an action ended."""
        if outcome.error is None and entry.kind in (ActionKind.UPDATE, ActionKind.CREATE, ActionKind.ADOPT):
            self._applied = entry.fingerprint
        key = (subject(entry, self._sight.desired), entry.kind)
        if isinstance(outcome.error, NotReadyError):
            count = self.failures[key].count if key in self.failures else 0
            self.failures[key] = Failure(*key, count, self.now_s + NOT_READY_RETRY_S, remembered(outcome.error))
        elif self._sight.desired.numbered and entry.kind is ActionKind.CREATE:
            self._remember_numbered(entry, outcome.error)
        elif self._sight.desired.numbered and entry.kind is ActionKind.START:
            self._remember_start(entry, outcome.error)
        elif entry.kind is ActionKind.START:
            # W30: a start counts until the member is healthy, so that one that dies again and again is not hammered.
            self._failed(key, start_delay_s, outcome.error)
        elif outcome.error is None:
            self.failures.pop(key, None)
        else:
            self._failed(key, create_delay_s, outcome.error)

    def _failed(
        self,
        key: tuple[str, ActionKind],
        delay_s: Callable[[int, float], float],
        error: Exception | None,
        request: str = "",
    ) -> None:
        count = self.failures[key].count + 1 if key in self.failures else 1
        retry_s = self.now_s + delay_s(count, self._unit)
        self.failures[key] = Failure(*key, count, retry_s, remembered(error), request)

    def _remember_numbered(self, entry: Entry, error: Exception | None) -> None:
        """W10, W33: a refusal holds up the whole key, and puts its source behind the others. Silence says nothing of
        the spec: only its source waits, and `counted` names the request that it left without an answer (W26)."""
        on_key, on_source = ("", ActionKind.CREATE), (entry.source, ActionKind.CREATE)
        is_old = is_settled(self._sight.desired, entry)
        if error is None:
            self._made(on_key, on_source, is_old)
            return
        if isinstance(error, NoImageError):
            self._remember_pull(on_source, error, is_old)
            return
        self.streak = 0
        if self.failures.get(on_source, _NONE).pull:
            del self.failures[on_source]
        if isinstance(error, UnavailableError):
            self._failed(on_source, create_delay_s, error, entry.request)
            return
        self._refusing.append(entry.source)
        was_old = self.failures.get(on_key, _NONE).settled
        self._failed(on_source, start_delay_s, error)
        self._failed(on_key, create_delay_s, error)
        self.failures[on_key] = replace(self.failures[on_key], settled=was_old or is_old)

    def _made(self, on_key: tuple[str, ActionKind], on_source: tuple[str, ActionKind], is_old: bool) -> None:
        """What could be made of the settled template says nothing of the new one, which waits on for its time."""
        for key in (on_key, on_source):
            failure = self.failures.pop(key, None)
            if failure is not None and is_old and (failure.pull or key == on_key):
                self.failures[key] = replace(failure, settled=False)

    def _remember_pull(self, on_source: tuple[str, ActionKind], error: NoImageError, is_old: bool) -> None:
        """W32: the image can't be had on this source, which waits 10, 20, 40, … 300 s; others may hold it. What failed
        beside another try was no try of its own."""
        known = self.failures.pop(on_source, _NONE)
        if not known.pull:
            self.streak, known = 0, _NONE
        is_old = is_old or known.settled
        if known.retry_s > self.now_s:
            self.failures[on_source] = replace(known, settled=is_old)
            return
        retry_s = self.now_s + start_delay_s(known.count + 1, self._unit)
        self.failures[on_source] = Failure(
            *on_source, known.count + 1, retry_s, remembered(error), pull=True, settled=is_old
        )

    def _remember_start(self, entry: Entry, error: Exception | None) -> None:
        """A refused start ends the member as its slot counts it; after silence it is tried again."""
        member = self.listing.by_id.get(entry.member)
        if error is None or isinstance(error, UnavailableError) or member is None or member.slot is None:
            if error is not None:
                self._failed((entry.member, ActionKind.START), create_delay_s, error)
            return
        key = (member.slot, ActionKind.START)
        failure = ended(self.failures.get(key), member.slot, member, remembered(error), self.now_s, self._unit)
        self.failures[key] = replace(failure, settled=is_settled(self._sight.desired, member))

    def gives_up(self, entry: Entry) -> bool:
        """Whether a numbered member shall be made elsewhere: its source answers, only not to this, and shows nothing of
        it. What it may make of it yet nobody starts; a listing will show it."""
        desired, silent = self._sight.desired, self._sight.observed.silent
        if not desired.numbered or entry.kind is not ActionKind.CREATE or entry.request in self.listing.made:
            return False
        failure = self.failures.get((entry.source, ActionKind.CREATE))
        tried = failure is not None and failure.counted == entry.request and failure.count >= TRIES_MAX
        return tried and entry.source not in silent and any(map(self._is_good, desired.sources))

    def _is_good(self, source: str) -> bool:
        """Whether a creation on it would be tried first: it answers, owes nothing, and has room."""
        desired, observed = self._sight.desired, self._sight.observed
        bad = observed.silent | observed.lost | setbacks.failing(self._ledger, self.now_s)
        if source in bad or (source, ActionKind.CREATE) in self.failures:
            return False
        held = sum(m.source == source and m.life not in ENDED for m in observed.members)
        held += sum(e.source == source and e.kind is ActionKind.CREATE for e in self._ledger.entries)
        return not desired.per_source_max or held < desired.per_source_max

    def closed(self, entries: tuple[Entry, ...]) -> Ledger:
        """The ledger with these entries left."""
        desired, observed = self._sight.desired, self._sight.observed
        ledger = replace(self._ledger, entries=entries, applied=self._given())
        if not is_blind(self._sight):
            ledger = jobs.recorded(desired, observed, replace(ledger, entries=self._ledger.entries))
            ledger, desired = replace(ledger, entries=entries), jobs.remaining(desired, observed, ledger)
        if desired.numbered and not is_blind(self._sight):
            self.failures = recounted(desired, observed, self._ledger, self.failures, self.now_s, self._unit)
            ledger = replace(ledger, ended=noted(ledger.ended, observed))
        failures = tuple(f for f in self.failures.values() if self._still_matters(f))
        ledger = replace(ledger, failures=failures)
        ledger = replace(ledger, streak=self.streak) if desired.numbered else replace(ledger, streak=0, ended=())
        ledger = replace(ledger, setbacks=self._setbacks(failures))
        ledger = replace(ledger, progress=advanced(desired, observed, ledger, self.now_s))
        if desired.numbered and not is_blind(self._sight) and is_at_rest(desired, observed, ledger, self.now_s):
            return replace(ledger, streak=0, failures=tuple(f for f in failures if f.subject or is_count(f)))
        return ledger

    def _setbacks(self, failures: tuple[Failure, ...]) -> tuple[Setbacks, ...]:
        """W34. A removed key has no next placement."""
        desired, before = self._sight.desired, self._ledger
        if not desired.numbered or desired.removed:
            return ()
        ended_on = setbacks.ended_on(before.failures, failures, self.listing.by_id)
        return setbacks.noted(before.setbacks, (*self._refusing, *ended_on), desired.sources, self.now_s)

    def _given(self) -> str:
        """What a cluster has, and neither undid nor failed in, it was given, whatever became of the answer: it needs no
        other try, not even when something of it fails later."""
        desired = self._sight.desired
        given = [m for m in self._sight.observed.members if m.fingerprint == desired.fingerprint and not m.foreign]
        is_given = desired.in_place and any(not m.rolled_back and not m.failed for m in given)
        return desired.fingerprint if is_given else self._applied

    def _still_matters(self, failure: Failure) -> bool:
        desired, observed = self._sight.desired, self._sight.observed
        if failure.kind is ActionKind.CREATE:
            return not desired.removed and (not desired.numbered or self._is_of_a_source(failure))
        if desired.numbered and is_count(failure):
            return not desired.removed
        member = self.listing.by_id.get(failure.subject)
        if member is None:
            return not observed.complete
        if failure.kind is ActionKind.STOP and member.life in ENDED:
            return False
        return not (failure.kind in (ActionKind.START, ActionKind.STOP) and member.healthy)

    def _is_of_a_source(self, failure: Failure) -> bool:
        """W34: a source is not held in doubt for ever."""
        if not failure.subject:
            return True
        return failure.subject in self._sight.desired.sources and self.now_s < failure.retry_s + RESTART_CAP_S
