"""When to look at a key again by time alone."""

from skep.model.plan import NoteKind
from skep.model.state import Life, Phase
from skep.planning.draft import Draft

CONVERGING_S = 1.0
"""A key that is not where it should be is looked at every second: Swarm has no task events (architecture.md)."""

UNLISTED_S = 5.0
"""What does not show on an engine that answers, or as it was, will show within a minute or so (semantics.md F9)."""

_LASTING = frozenset({NoteKind.PAUSED, NoteKind.ROLL_REFUSED, NoteKind.REVISION_FAILED})
"""What only people change: by a new spec, or by resuming it."""


def after_s(draft: Draft) -> float | None:
    """Seconds; None where only an event can change the answer."""
    waits = [w for w in (draft.wake_s, _poll_s(draft)) if w is not None]
    return max(0.01, min(waits)) if waits else None


def _poll_s(draft: Draft) -> float | None:
    if draft.census.desired.numbered:
        return _poll_numbered_s(draft)
    return None if _is_at_rest(draft) else CONVERGING_S


def _is_at_rest(draft: Draft) -> bool:
    census = draft.census
    size = 0 if census.desired.removed else census.desired.size
    lasting = all(note.kind in _LASTING for note in draft.notes)
    quiet = not census.ledger.entries and not draft.actions and lasting and census.observed.complete
    return quiet and census.available == len(census.staying) == size


def _poll_numbered_s(draft: Draft) -> float | None:
    """Engines tell what happens to containers, and the end of an action wakes its key: what is left to be polled for
    is a source that is silent, and what a listing does not show yet. Acts that failed are done again at their time."""
    ledger = draft.census.ledger
    if draft.census.observed.silent or any(e.phase is Phase.AWAITED for e in ledger.entries):
        return CONVERGING_S
    if not ledger.entries:
        return UNLISTED_S if _is_unsure(draft) else None
    return min((f.retry_s - draft.now_s for f in ledger.failures if f.retry_s > draft.now_s), default=None)


def _is_unsure(draft: Draft) -> bool:
    """Whether some may be there that do not show, or may not be there that showed."""
    return bool(draft.census.observed.unlisted) or any(m.life is Life.UNKNOWN for m in draft.census.staying)
