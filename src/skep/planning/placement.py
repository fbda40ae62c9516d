"""On which source a numbered member is made: the one with the fewest of its key (semantics.md W34, N36)."""

from collections import Counter

from skep.model.plan import ActionKind
from skep.model.state import Entry, Member
from skep.planning.census import Census, is_current
from skep.planning.setbacks import failing


class Places:
    """The sources of one key while a plan is being written; what is drafted counts like what is under way."""

    def __init__(self, census: Census, now_s: float) -> None:
        self._desired, self._now_s = census.desired, now_s
        self._order = {source: place for place, source in enumerate(census.desired.sources)}
        self._load = Counter([*(m.source for m in census.staying), *(e.source for e in census.creating)])
        """Members that will be there when all that is under way has ended."""
        self._held = self._load + Counter(m.source for m in census.leaving)
        """Also those that are on their way out: until they are gone they hold their ports."""
        there: tuple[Member | Entry, ...] = (*census.staying, *census.creating)
        self._last = Counter(one.source for one in there if self._lasts(one))
        """Of those the ones that no roll replaces: it ends as evenly spread as what is made afresh."""
        self._doubted = {s: f for s in self._order if (f := census.failure(s, ActionKind.CREATE)) is not None}
        self._failing = failing(census.ledger, now_s)
        self._alone, self._mute = census.asked_alone, census.mute
        self._alone_for_settled = census.asked_alone_for_settled
        trying = {e.source for e in census.ledger.entries if e.kind is ActionKind.CREATE}
        self.silent = [s for s in self._order if s in census.observed.silent or s in census.mute & trying]
        waiting = {s for s, failure in census.pulls.items() if failure.retry_s > now_s or s in trying}
        """Where the image could not be had, and is not asked for again yet (W32), or is just now (W33)."""
        answering = [s for s in self._order if s not in census.observed.lost.union(self.silent)]
        self._open = [s for s in answering if s not in waiting]
        self._open_for_settled = [s for s in answering if s not in waiting or not census.pulls[s].settled]
        """Also where only the new image could not be had."""

    def choose(self, kept: bool = False) -> str | None:
        """Where to make the next one, `kept`: of the settled template; None where there is no place for it."""
        places = self._open_for_settled if kept else self._open
        return min((s for s in places if self._has_room(self._held[s])), key=self._worth, default=None)

    def will_have_room(self) -> bool:
        """Whether it is only waited for those that are on their way out."""
        return any(self._has_room(self._load[s]) for s in self._open)

    def _has_room(self, there: int) -> bool:
        return not self._desired.per_source_max or there < self._desired.per_source_max

    def _worth(self, source: str) -> tuple[bool, bool, int, int, int]:
        """One on which members fail again and again comes last, and before it one whose last creation failed a moment
        ago: else they would be tried first for being empty."""
        doubt = self._doubted.get(source)
        is_doubted = doubt is not None and doubt.retry_s > self._now_s
        return (source in self._failing, is_doubted, self._last[source], self._load[source], self._order[source])

    def add(self, source: str, kept: bool = False) -> None:
        """A creation was drafted."""
        self._load[source] += 1
        self._held[source] += 1
        self._last[source] += not kept
        if source in self._alone and source in self._open:
            self._open.remove(source)
        if source in self._alone_for_settled:
            self._open_for_settled.remove(source)
        if source in self._mute:
            self.silent.append(source)

    def leave(self, member: Member) -> None:
        """A removal was drafted."""
        self._load[member.source] -= 1
        self._last[member.source] -= self._lasts(member)

    def _lasts(self, one: Member | Entry) -> bool:
        return bool(self._desired.paused) or is_current(self._desired, one)
