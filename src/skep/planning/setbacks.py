"""Sources on which members of a key failed again and again: others are asked before them (semantics.md W34).

A member failed if it ended by itself, was stopped as unhealthy, or if its creation or start was refused. Silence is not
counted, for nothing is known then (W26), nor is an image that can't be had, which has a wait of its own (W32).
"""

from collections.abc import Iterable, Mapping

from skep.model.setbacks import Setbacks
from skep.model.state import Failure, Ledger, Member
from skep.planning.census import is_count

TIMES_MAX = 5
"""W34: so many of them …"""

WITHIN_S = 300.0
"""… within five minutes put a source behind the others."""

SOURCES_MAX = 500
"""Sources of one key that are remembered: 150 bytes each in a record of 512 KiB. Of more, those that failed last."""


def failing(ledger: Ledger, now_s: float) -> frozenset[str]:
    """The sources that are asked last for now: until the first of the last five is older than five minutes."""
    return frozenset(s.source for s in ledger.setbacks if len(s.at_s) == TIMES_MAX and now_s < s.at_s[0] + WITHIN_S)


def ended_on(before: Iterable[Failure], after: Iterable[Failure], by_id: Mapping[str, Member]) -> list[str]:
    """The source of each member that was counted as ended between the two."""
    known = {f.subject: f.counted for f in before if is_count(f)}
    new = [f.counted for f in after if is_count(f) and f.count and known.get(f.subject) != f.counted]
    return [by_id[member].source for member in new if member in by_id]


def noted(
    known: Iterable[Setbacks], failed: Iterable[str], sources: Iterable[str], now_s: float
) -> tuple[Setbacks, ...]:
    """What is known, with one more now for each that `failed`, of those of `sources` that failed of late."""
    times = {s.source: s.at_s for s in known}
    for source in failed:
        times[source] = (*times.get(source, ()), now_s)[-TIMES_MAX:]
    places = frozenset(sources)
    kept = [Setbacks(s, at_s) for s, at_s in times.items() if s in places and now_s < at_s[-1] + WITHIN_S]
    return tuple(sorted(kept, key=lambda s: (-s.at_s[-1], s.source))[:SOURCES_MAX])
