"""For how long members have been well or unwell, and were heard of: what can't be observed in a single look."""

from dataclasses import dataclass, replace

from skep.model.spec import Key
from skep.model.state import EVERYTHING, HEALTH, Desired, Life, Member, Observed
from skep.planning.census import is_unheard

SILENCE_S = 30.0
"""A shorter one holds nothing up (semantics.md W35)."""

_OUT_OF_SIGHT = frozenset({Life.GONE, Life.UNKNOWN})


@dataclass(frozen=True, slots=True)
class _Since:
    """Since when a member has been as it is now, on the monotonic clock."""

    well: bool
    dead: bool
    at_s: float


class Sickness:
    """Counted on the monotonic clock while the key is watched; a restart begins anew, which only makes it patient."""

    def __init__(self) -> None:
        self._since: dict[Key, dict[str, _Since]] = {}
        self._last_look: dict[Key, float] = {}
        self._heard_since: dict[Key, float] = {}
        self._silent_since: dict[Key, float] = {}

    def timed(self, desired: Desired, observed: Observed, now_s: float) -> Observed:
        """The same with `heard_s`, and members with `sick_s` and `well_s`. While nobody can say how they are, no time
        passes for them."""
        key = desired.key
        since = self._since.setdefault(key, {})
        told = HEALTH not in observed.silent
        if not told:
            gap_s = now_s - self._last_look.get(key, now_s)
            since.update({m: replace(s, at_s=s.at_s + gap_s) for m, s in since.items()})
        self._last_look[key] = now_s
        members = tuple(_timed(since, m, now_s, told) for m in observed.members)
        present = {m.id for m in members}
        if EVERYTHING not in observed.silent:
            self._since[key] = {m: s for m, s in since.items() if m in present}
        return replace(observed, members=members, heard_s=self._heard_s(desired, observed, now_s))

    def _heard_s(self, desired: Desired, observed: Observed, now_s: float) -> float:
        """What is silent for a moment and heard again was heard all the time."""
        key = desired.key
        if is_unheard(desired, observed):
            self._silent_since.setdefault(key, now_s)
            return 0.0
        if now_s - self._silent_since.pop(key, now_s) >= SILENCE_S:
            self._heard_since.pop(key, None)
        return now_s - self._heard_since.setdefault(key, now_s)

    def unchanged(self, key: Key, now_s: float) -> None:
        """A look that saw every member as the last one did."""
        self._last_look[key] = now_s

    def forget(self, key: Key) -> None:
        self._since.pop(key, None)
        self._last_look.pop(key, None)
        self._heard_since.pop(key, None)
        self._silent_since.pop(key, None)


def _timed(since: dict[str, _Since], member: Member, now_s: float, told: bool) -> Member:
    """For how long one has been dead orders the dead of a slot: clocks of engines differ, and are set back."""
    known, dead = since.get(member.id), member.life is Life.DEAD
    if member.life in _OUT_OF_SIGHT:
        if known is not None and not known.dead:
            del since[member.id]
        return member
    if known is None or dead != known.dead or (told and known.well != member.healthy):
        known = since[member.id] = _Since(member.healthy, dead, now_s)
    passed_s = now_s - known.at_s
    return replace(member, well_s=passed_s) if known.well else replace(member, sick_s=passed_s)
