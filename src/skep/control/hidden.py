"""What may be there and not be shown yet: a classic Swarm manager answers from a memory (semantics.md 5.4, F9)."""

from collections.abc import Callable, Collection

CLASSIC_AGE_S = 75.0
"""Its memory of an engine is filled anew after a minute at most; the rest is for asking the engine."""

REMEMBERED_MAX = 2000
"""So many containers and their requests are remembered: more than are made while a memory lasts."""


class Hidden:
    """The creations of one workload that its listings may not show yet. Times are those of `now_s`.

    `age_s`: so old may a memory be; 0 where engines answer for themselves, and nothing is hidden. `unknown_before`:
    another life of this process may have made some, and nobody knows when.
    """

    def __init__(self, age_s: float, now_s: Callable[[], float], *, unknown_before: bool) -> None:
        self.is_possible = age_s > 0
        self._age_s, self._now_s = age_s, now_s
        self._since_start_s = now_s() + age_s if unknown_before else now_s()
        self._made: dict[str, float] = {}
        self._unanswered: dict[str, float] = {}
        self._missed: dict[str, float] = {}

    def made(self, container: str, request: str) -> None:
        """This creation made it, and a memory that is older does not show it."""
        for name in (container, request) if self.is_possible else ():
            self._made.setdefault(name, self._now_s() + self._age_s)
        while len(self._made) > REMEMBERED_MAX:
            del self._made[next(iter(self._made))]

    def unanswered(self, request: str) -> None:
        """Whether this creation was done is not known (W26), and will show when the memory is new."""
        if self.is_possible:
            self._unanswered[request] = self._now_s() + self._age_s

    def listed(self, requests: Collection[str], containers: Collection[str]) -> None:
        """These creations show, and these containers. What has had its time is forgotten; of a container that is missed
        not before nobody asks for it any more, for each listing does."""
        now_s = self._now_s()
        self._unanswered = {r: s for r, s in self._unanswered.items() if s > now_s and r not in requests}
        self._missed = {c: s for c, s in self._missed.items() if s > now_s - self._age_s and c not in containers}

    def misses(self, container: str) -> bool:
        """Whether one that showed, and of which nobody told that it went, may be there all the same: a manager that was
        restarted, or comes anew to an engine, knows nothing at first."""
        if not self.is_possible:
            return False
        until_s = self._missed.setdefault(container, self._now_s() + self._age_s)
        if until_s <= self._now_s() or len(self._missed) > REMEMBERED_MAX:
            del self._missed[container]
            return False
        return True

    def may_hide(self, container: str) -> bool:
        """Whether it may be there although it is said that it is not."""
        return self._made.get(container, 0.0) > self._now_s()

    def may_be_done(self, request: str) -> bool:
        """Whether a creation may have been done that does not show."""
        until_s = max(self._since_start_s, self._unanswered.get(request, 0.0), self._made.get(request, 0.0))
        return until_s > self._now_s()

    def any(self) -> bool:
        """Whether anything that is missed may be there."""
        return max([self._since_start_s, *self._unanswered.values()]) > self._now_s()
