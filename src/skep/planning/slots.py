"""Which numbered slots are to be filled, which dead are kept for their logs, and what is said of those that wait."""

from collections.abc import Iterator
from itertools import count, islice

from skep.model.plan import REMOVALS, ActionKind, NoteKind, Reason
from skep.model.state import Member
from skep.planning import settled
from skep.planning.census import ENDED, Census, is_count, is_current, is_evidence, is_newer, number_of
from skep.planning.draft import Draft
from skep.planning.restarts import CRASH_LOOP_ENDS, is_exhausted


def fill(draft: Draft, room: int, reason: Reason) -> None:
    """Fill so many slots. One that has to wait keeps its place, so that no other number is made in its stead."""
    held, vacated = _taken(draft)
    slots = list(islice(candidates(draft.census, held, vacated), room)) if room > 0 else []
    draft.openings.update(slots)
    if not slots or _is_hindered(draft):
        return
    for slot in slots:
        if slot not in vacated and not _waits(draft, slot):
            draft.create_numbered(slot, reason)


def fill_as_before(draft: Draft) -> None:
    """W42, W45: while a roll has proven nothing, what must serve and doesn't is made of the settled template first."""
    census, desired = draft.census, draft.census.desired
    room = min(settled.short(census, draft.available, draft.now_s), desired.size + desired.max_surge - draft.total)
    if room <= 0 or _is_hindered(draft):
        return
    held, vacated = _taken(draft)
    slots = list(islice(candidates_as_before(census, held, vacated), room))
    draft.hold_as_before(slots)
    for slot in slots:
        if not _waits(draft, slot, kept=True):
            draft.create_numbered(slot, Reason.MISSING, kept=True)


def candidates_as_before(census: Census, held: set[str | None], vacated: set[str | None]) -> Iterator[str]:
    """Slots whose last member was of the settled template and ended, lowest first, then free numbers: none in which
    something new has ended, which waits for its own time (W30)."""
    last = last_dead(census)
    counts = {f.subject: f for f in census.ledger.failures if is_count(f) and f.count}
    ended = {s for s, m in last.items() if settled.is_settled(census.desired, m)}
    ended |= {s for s, f in counts.items() if f.settled}
    ended -= {s for s, f in counts.items() if not f.settled}
    taken = held | vacated
    numbers = {n: slot for slot in ended - taken if (n := number_of(slot)) is not None}
    yield from (slot for _, slot in sorted(numbers.items()) if slot is not None)
    taken = taken | ended | counts.keys()
    yield from (slot for slot in map(str, count(1)) if slot not in taken)


def _taken(draft: Draft) -> tuple[set[str | None], set[str | None]]:
    """Slots that somebody bears or is about to, or that are done; and those that are just being vacated."""
    going = {a.member for a in draft.actions if a.kind in REMOVALS}
    held = {m.slot for m in draft.census.staying if m.id not in going}
    held |= {e.slot for e in draft.census.ledger.entries if e.kind is ActionKind.CREATE}
    held |= draft.census.desired.done
    vacated = {m.slot for m in draft.census.staying if m.id in going}
    vacated |= {m.slot for m in draft.census.leaving if m.life not in ENDED}
    return held | draft.openings, vacated


def candidates(census: Census, held: set[str | None], vacated: set[str | None]) -> Iterator[str]:
    """Slots whose member ended, lowest first, then the lowest numbers that are free and not just being vacated."""
    ended = {m.slot for m in census.dead if m.slot not in vacated and not is_evidence(census.desired, m)}
    ended |= {f.subject for f in census.ledger.failures if is_count(f) and f.count}
    numbers = {n: slot for slot in ended if slot not in held and (n := number_of(slot)) is not None}
    yield from (slot for _, slot in sorted(numbers.items()) if slot is not None)
    taken = held | vacated | ended
    yield from (slot for slot in map(str, count(1)) if slot not in taken)


def _is_hindered(draft: Draft) -> bool:
    """What forbids every creation: a hold, or a source of which nobody knows what lives there, as `tell` has said."""
    hold = draft.census.desired.hold
    if hold:
        draft.note_hold()
    unshown = draft.census.observed.unlisted - draft.census.observed.silent
    if unshown:
        draft.note(NoteKind.HELD, detail=f"what is missed may be on {', '.join(sorted(unshown))} and not show yet")
    return bool(hold or draft.census.observed.unlisted)


def _waits(draft: Draft, slot: str, *, kept: bool = False) -> bool:
    """W30, W38: its last member ended a moment ago, or too often. A new one does not wait for those before the roll."""
    failure = draft.census.failure(slot, ActionKind.START)
    if failure is None or (failure.settled and not kept):
        return False
    if is_exhausted(draft.census.desired, failure):
        return True
    if failure.retry_s > draft.now_s:
        draft.wake_in(failure.retry_s - draft.now_s)
        return True
    return False


def is_untried(draft: Draft) -> bool:
    """F6: where the surge has room for a first new one, it is made before anything that serves goes, so that an image
    that can't be had takes nothing from anybody. Where a port is fixed, that room may be on an engine that fails."""
    census, desired = draft.census, draft.census.desired
    if not desired.numbered or desired.per_source_max or any(is_current(desired, m) for m in census.observed.members):
        return False
    coming = any(is_current(desired, e) for e in census.creating)
    return coming or draft.total + draft.going < desired.size + desired.max_surge


def tell(draft: Draft) -> None:
    """What has to be known of the whole key: slots that end again and again (W30, W38), and who is silent."""
    census = draft.census
    counts = [f for f in census.ledger.failures if is_count(f) and f.count]
    for failure in sorted(counts, key=lambda f: (number_of(f.subject) or 0, f.subject)):
        if is_exhausted(census.desired, failure):
            kind = NoteKind.JOB_FAILED if census.desired.once else NoteKind.RETRIES_EXHAUSTED
            draft.note(kind, failure.subject, failure.message)
        elif failure.count >= CRASH_LOOP_ENDS:
            draft.note(NoteKind.CRASH_LOOPING, failure.subject, failure.message)
    _tell_of_pulls(draft)
    if census.observed.partitioned:
        silent = ", ".join(sorted(census.observed.silent))
        draft.note(NoteKind.PARTITION_SUSPECTED, detail=f"none of {silent} is replaced")
    if census.observed.silent:
        words = (census.observed.why, _unheard(census))
        draft.note_silent(census.observed.silent, "; ".join(text for text in words if text))


def _tell_of_pulls(draft: Draft) -> None:
    """W32: what each registry said and when it is asked again, the next one first, as long as anything is missing."""
    census = draft.census
    if len(census.current) >= census.desired.size:
        return
    for failure in sorted(census.pulls.values(), key=lambda f: (f.retry_s, f.subject)):
        draft.note(NoteKind.IMAGE_PULL_FAILED, failure.subject, failure.message, failure.retry_s)
        if failure.retry_s > draft.now_s:
            draft.wake_in(failure.retry_s - draft.now_s)


def tell_of_left(draft: Draft) -> None:
    """Why a removed key stays: what lives on a source that is lost or silent comes back with it (W35)."""
    away = draft.census.observed.silent | draft.census.observed.lost
    if away:
        until = "it is back, or is taken" if len(away) == 1 else "they are back, or are taken"
        draft.note_silent(away, f"what is left there can't be removed until {until} out of the settings")


def _unheard(census: Census) -> str:
    """Where nobody knows what lives on a source, anything that is missed may be there."""
    unlisted = ", ".join(sorted(census.observed.unlisted))
    return f"what is missed may live on {unlisted}, which never answered yet" if unlisted else ""


def bury(draft: Draft) -> None:
    """Remove the dead, but for the last one of each slot that is in use or is to be filled: it is kept for its logs.

    So is the last one of any slot while a roll has proven nothing, for it tells why; and after a roll that failed that
    of each slot that the roll used, until the next spec.

    While a slot is being filled its dead lie where they are: the engine has better to do.
    """
    census, last = draft.census, last_dead(draft.census)
    borne = {m.slot for m in (*census.staying, *census.leaving) if m.life not in ENDED}
    coming = {e.slot for e in census.creating} | {a.slot for a in draft.actions if a.kind is ActionKind.CREATE}
    used = borne | coming | draft.openings | census.desired.done
    unproven = settled.applies(census, draft.now_s)
    used |= {m.slot for m in census.dead if unproven or is_evidence(census.desired, m)}
    for member in census.dead:
        if member.slot in coming:
            continue
        is_last = member.slot is not None and last[member.slot] is member
        if not is_last or member.slot not in used:
            draft.remove(member, Reason.DEAD, limit=census.desired.limits.parallel)


def last_dead(census: Census) -> dict[str | None, Member]:
    """The one that ended last of each slot."""
    last: dict[str | None, Member] = {}
    for member in census.dead:
        if member.slot not in last or is_newer(member, last[member.slot]):
            last[member.slot] = member
    return last
