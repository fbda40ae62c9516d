"""How close a key has come to its newest spec, and since when it comes no closer (semantics.md W46)."""

from dataclasses import replace

from skep.model.progress import Progress
from skep.model.state import EVERYTHING, Desired, Ledger, Observed
from skep.planning import settled
from skep.planning.census import Census, proven_s, take
from skep.planning.conditions import is_converged


def advanced(desired: Desired, observed: Observed, ledger: Ledger, now_s: float) -> Progress | None:
    """The progress to be remembered after this look; a new generation begins anew.

    No time passes for what waits for something else, is paused (W49), or goes: it has all of its time after that. What
    has arrived has arrived, also while it waits.
    """
    before, waits = ledger.progress, bool(desired.hold or desired.paused)
    known = before if before is not None and before.generation == desired.generation else None
    if desired.removed or not (desired.limits.progress_s or desired.limits.failure_action):
        return None
    if known is not None and known.complete:
        return known
    if EVERYTHING in observed.silent:
        return None if waits else before
    seen = _counted(take(desired, observed, ledger), now_s)
    seen = replace(seen, complete=is_converged(desired, observed, ledger))
    return None if waits and not seen.complete else _better(seen, known)


def _better(seen: Progress, before: Progress | None) -> Progress:
    """The best counts are kept: what ends again and again, and is made anew each time, comes no closer."""
    if before is None:
        return seen
    if not (seen.complete or _is_closer(seen, before)):
        return before
    return replace(
        seen,
        updated=max(seen.updated, before.updated),
        outdated=min(seen.outdated, before.outdated),
        available=max(seen.available, before.available),
        to_replace=before.to_replace,
    )


def _is_closer(seen: Progress, before: Progress) -> bool:
    more = seen.updated > before.updated or seen.available > before.available
    return more or seen.outdated < before.outdated


def _counted(census: Census, now_s: float) -> Progress:
    """Of a service its tasks count."""
    desired = census.desired
    if desired.in_place:
        updated = sum(m.updated for m in census.current)
        old = sum(m.wanted for m in census.outdated)
        outdated = old + sum(max(0, m.wanted - m.updated) for m in census.current)
        running = sum(m.running for m in census.staying)
        back = sum(m.wanted for m in census.staying) if desired.undone else 0
        return Progress(desired.generation, updated, outdated, running, now_s, to_replace=max(old, back))
    old, current = len(census.outdated), len(census.current)
    to_replace = old
    if desired.undone or desired.settled:
        # What is rolled replaces all that follow another template, also where they ended before this was begun; where
        # nothing is missing either, all that are there have to show that they serve.
        to_replace = max(old, desired.size - current) or desired.size
    # An old one that dies in a roll that has proven nothing is made again: it does not bring that closer.
    owed = settled.lacking(census, _proven(census)) if desired.settled else 0
    return Progress(desired.generation, current, old + owed, len(census.ready), now_s, to_replace=to_replace)


def _proven(census: Census) -> int:
    """Those that serve, but for new ones that may not do so for long (W44)."""
    least_s = proven_s(census.desired)
    new = sum(m.healthy and m.well_s >= least_s for m in census.current)
    return new + sum(m.healthy for m in census.outdated)
