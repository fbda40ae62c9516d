"""What happened to a key between two of its records, in words: what failed or ended, and what it is now."""

from collections.abc import Iterator
from dataclasses import dataclass

from skep.model.plan import ActionKind, NoteKind
from skep.model.spec import Kind
from skep.model.state import ConditionType, Failure, Record
from skep.planning.explain import unplaced

_DEEDS = {
    ActionKind.CREATE: "creation",
    ActionKind.ADOPT: "adoption",
    ActionKind.START: "start",
    ActionKind.STOP: "stop",
    ActionKind.UPDATE: "update",
    ActionKind.DRAIN: "removal",
    ActionKind.DESTROY: "removal",
}


@dataclass(frozen=True, slots=True)
class News:
    """One line of the journal: a word (Failed, Ended, Available, ProgressDeadlineExceeded, …) and a sentence."""

    reason: str
    message: str


def news(before: Record, after: Record, *, numbered: bool, now_s: float) -> tuple[News, ...]:
    """Told once: each failure as often as it was counted, Available when it flips, that a roll is late (W46) or
    refused.

    `now_s` is the clock of the ledger.
    """
    return (
        *_failures(before, after, numbered, now_s),
        *_available(before, after),
        *_late(before, after),
        *_refused(before, after),
    )


def _failures(before: Record, after: Record, numbered: bool, now_s: float) -> Iterator[News]:
    counted = {(f.subject, f.kind, f.pull): f.count for f in before.ledger.failures}
    for failure in after.ledger.failures:
        if failure.message and failure.count > counted.get((failure.subject, failure.kind, failure.pull), 0):
            yield _told(after.key.kind, failure, numbered, now_s)


def _told(kind: Kind, failure: Failure, numbered: bool, now_s: float) -> News:
    if failure.pull:
        told = unplaced(failure.subject, failure.message)
        return News("Failed", f"pull on {failure.subject}: {told}; {_next(failure, now_s)}")
    return _ended(failure, now_s) if numbered and failure.counted else _failed(kind, failure, now_s)


def _ended(failure: Failure, now_s: float) -> News:
    if failure.kind is not ActionKind.START:
        return News("Failed", f"creation on {failure.subject}: {failure.message}")
    times = f", {failure.count} times in a row" if failure.count > 1 else ""
    return News("Ended", f"container {failure.subject} ended{times}: {failure.message}; {_next(failure, now_s)}")


def _failed(kind: Kind, failure: Failure, now_s: float) -> News:
    return News("Failed", f"{_DEEDS[failure.kind]}{_of(kind, failure)}: {failure.message}; {_next(failure, now_s)}")


def _of(kind: Kind, failure: Failure) -> str:
    """A container by its short ID; where one was to be made (`ledger.subject`) the engine, by its whole name."""
    if not failure.subject:
        return ""
    if kind is Kind.WORKLOAD and failure.kind is ActionKind.CREATE:
        return f" on {failure.subject}"
    return f" of {failure.subject[:12] if kind is Kind.WORKLOAD else failure.subject}"


def _next(failure: Failure, now_s: float) -> str:
    seconds = failure.retry_s - now_s
    return f"again in {seconds:.0f} s" if seconds >= 1 else "again at once"


def _available(before: Record, after: Record) -> Iterator[News]:
    was = next((c for c in before.conditions if c.type is ConditionType.AVAILABLE), None)
    now = next((c for c in after.conditions if c.type is ConditionType.AVAILABLE), None)
    if was is not None and now is not None and was.status != now.status:
        away = next((c.message for c in after.conditions if c.type is ConditionType.UNREACHABLE and c.status), "")
        yield News("Available" if now.status else "Unavailable", f"{now.message} serve{away and f': {away}'}")


def _late(before: Record, after: Record) -> Iterator[News]:
    reason = NoteKind.PROGRESS_DEADLINE_EXCEEDED.value
    told = {c.reason for c in before.conditions}
    yield from (News(reason, c.message) for c in after.conditions if c.reason == reason and reason not in told)


def _refused(before: Record, after: Record) -> Iterator[News]:
    """Of each generation anew."""
    is_told = any(c.type is ConditionType.ROLL_REFUSED for c in before.conditions)
    if not is_told or before.observed_generation != after.observed_generation:
        refused = (c for c in after.conditions if c.type is ConditionType.ROLL_REFUSED)
        yield from (News(NoteKind.ROLL_REFUSED.value, c.message) for c in refused)
