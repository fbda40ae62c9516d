"""Which ends of numbered members are news: each is looked at once, and none of those from before this generation.

Those that have ended are kept for their logs, often for long, and their slots are counted no more once they are well
(semantics.md W30). So it is written down what had ended at the last look: whatever is among it fails no roll (W47) and
uses up no try (W38), also after a restart of skep, and what ended meanwhile does.
"""

from collections.abc import Iterable

from skep.model.ended import Ended
from skep.model.state import EVERYTHING, HEALTH, Life, Member, Observed

ID_CHARS = 12
"""As much as Docker shows of an ID. 10,000 slots with a dead one each take 150 KiB of a record of 512 KiB."""

UNSEEN = (Ended(EVERYTHING, heard=False),)
"""What is known of a generation that nobody has looked at."""


def is_news(known: Iterable[Ended], member: Member) -> bool:
    """Whether one that has ended was not seen so before, and did so in this generation."""
    by_source = {e.source: e for e in known}
    before = by_source.get(member.source)
    if before is None:
        return EVERYTHING not in by_source
    return before.heard and member.id[:ID_CHARS] not in before.members


def noted(known: Iterable[Ended], observed: Observed) -> tuple[Ended, ...]:
    """What is known after a look that saw anything. A source that does not answer keeps what is known of it."""
    by_source = {e.source: e for e in known}
    is_new = by_source.pop(EVERYTHING, None) is not None
    away = (observed.silent | observed.lost | observed.unlisted) - {HEALTH}
    dead = _dead(observed)
    found = []
    for source in sorted(dead.keys() | by_source.keys() | (away if is_new else frozenset())):
        members = dead.get(source, set())
        if source not in away:
            found.append(Ended(source, tuple(sorted(members))))
            continue
        before = by_source.get(source, Ended(source, heard=not is_new))
        found.append(Ended(source, tuple(sorted(members.union(before.members))), before.heard))
    return tuple(e for e in found if e.members or not e.heard)


def _dead(observed: Observed) -> dict[str, set[str]]:
    dead: dict[str, set[str]] = {}
    for member in observed.members:
        if member.life is Life.DEAD:
            dead.setdefault(member.source, set()).add(member.id[:ID_CHARS])
    return dead
