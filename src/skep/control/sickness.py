"""For how long members have been unwell: the one thing of health that can't be observed in a single look."""

from dataclasses import replace

from skep.model.spec import Key
from skep.model.state import HEALTH, Life, Member, Observed


class Sickness:
    """Counted on the monotonic clock while the key is watched; a restart begins anew, which only makes it patient."""

    def __init__(self) -> None:
        self._since: dict[Key, dict[str, float]] = {}
        self._last_look: dict[Key, float] = {}

    def timed(self, key: Key, observed: Observed, now_s: float) -> Observed:
        """The same members with `sick_s`. While nobody can say how they are, no time passes for them."""
        since = self._since.setdefault(key, {})
        if HEALTH in observed.silent:
            gap_s = now_s - self._last_look.get(key, now_s)
            since.update({member: at_s + gap_s for member, at_s in since.items()})
        self._last_look[key] = now_s
        members = tuple(self._timed(since, m, now_s) for m in observed.members)
        present = {m.id for m in members}
        if observed.complete:
            self._since[key] = {m: at_s for m, at_s in since.items() if m in present}
        return replace(observed, members=members)

    def forget(self, key: Key) -> None:
        self._since.pop(key, None)
        self._last_look.pop(key, None)

    def _timed(self, since: dict[str, float], member: Member, now_s: float) -> Member:
        if member.healthy or member.life in (Life.GONE, Life.UNKNOWN):
            since.pop(member.id, None)
            return member
        return replace(member, sick_s=now_s - since.setdefault(member.id, now_s))
