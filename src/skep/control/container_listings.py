"""What the engines of a cluster told of one workload's containers, and how far a listing is believed.

Containers that bear its name and are nobody's are listed with ours.

An engine may be silent, and a listing may be older than one before it (semantics.md F9: classic Swarm answers from a
cache). So what was there is not gone, what is gone not there, and what has ended does not run, until the engine was
asked for it by its ID.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.control.down_nodes import Away, DownNodes
from skep.control.endpoints import PATIENCE_S, EngineBook
from skep.control.hidden import Hidden
from skep.model.cluster import ClusterSight
from skep.model.engine import Container
from skep.model.errors import SkepError, UnavailableError
from skep.model.state import Life
from skep.planning import container as containers
from skep.planning import service as services

LISTING_S = 10.0
"""A listing can hang while one container's lock is held (moby#30883): after so long the engine is doubted."""

ENDED = frozenset({"exited", "dead"})
"""States of containers that ran and do not run any more."""

GONE_MAX = 1000
"""So many removed containers of an engine are remembered: more than are removed while a cache lasts (60 s)."""


@dataclass(slots=True)
class _Shelf:
    """What one engine has, by ID, as it told last or as we know that we made it; `gone` are those that it had."""

    containers: dict[str, Container] = field(default_factory=dict)
    gone: dict[str, None] = field(default_factory=dict)

    def doubts(self, listed: Container) -> bool:
        """Whether we know better: it went, or was further than this. Nobody starts again what has ended."""
        known = self.containers.get(listed.id)
        return listed.id in self.gone or (known is not None and _age(listed) < _age(known))

    def drop(self, container: str) -> None:
        self.containers.pop(container, None)
        self.gone[container] = None
        while len(self.gone) > GONE_MAX:
            del self.gone[next(iter(self.gone))]


@dataclass(frozen=True, slots=True)
class Found:
    """One container. `stale`: its engine is silent, and this is what it told last."""

    source: str
    container: Container
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """All containers of a workload at one moment; the rest is as in model.state.Observed. Of a classic Swarm, its nodes
    are among those that are silent or lost."""

    found: tuple[Found, ...]
    silent: frozenset[str]
    unlisted: frozenset[str]
    lost: frozenset[str]
    partitioned: bool


class Listings:
    """The containers of one workload on one cluster. Lives as long as the workload does, in memory alone."""

    def __init__(
        self, book: EngineBook, cluster: str, workload: str, labels: Mapping[str, str], hidden: Hidden
    ) -> None:
        """`labels`: those by which ours are told from others' that bear the workload's name."""
        self.cluster, self.hidden = cluster, hidden
        self._book, self._workload, self._labels = book, workload, labels
        self._down = DownNodes(book.now_s)
        self._shelves: dict[str, _Shelf] = {}
        self._late: dict[str, asyncio.Task[bool]] = {}
        self._slow: set[str] = set()
        """Engines whose last list was not there within PATIENCE_S."""

    async def take(self, sight: ClusterSight) -> Listing:
        """Ask all engines that answer, at once; those that are silent are told as they were seen last.

        So are those that are late, and nobody asks them again meanwhile. One that came late with its list is waited for
        from then on: it is slow, and else would be silent for ever.
        """
        asked = [e.source for e in sight.engines if e.answers]
        answers = dict(zip(asked, await asyncio.gather(*map(self._answers, asked)), strict=True))
        lost = frozenset(e.source for e in sight.engines if e.lost)
        silent = frozenset(e.source for e in sight.engines if not answers.get(e.source) and e.source not in lost)
        found = self._found([e.source for e in sight.engines if e.source not in lost], silent)
        unlisted = set(asked) if self.hidden.any() else {s for s in silent if s not in self._shelves}
        away = self._away(sight)
        there = tuple(f for f in found if f.container.node not in away.lost)
        partitioned = sight.partitioned or away.partitioned
        return Listing(there, silent | away.silent, frozenset(unlisted), lost | away.lost, partitioned)

    def _away(self, sight: ClusterSight) -> Away:
        """Nodes behind a classic Swarm manager. How many others it does not reach, it is asked again before any of
        them is given up."""
        if not self.hidden.is_possible:
            return Away()
        away = self._down.judged({node: reached for e in sight.engines for node, reached in e.nodes})
        for engine in sight.engines if away.silent else ():
            self._book.suspect(self.cluster, engine.source)
        return away

    def _found(self, sources: Sequence[str], silent: Collection[str]) -> tuple[Found, ...]:
        """Each once: people may name an engine twice, by its socket and by its address. Who answers is believed."""
        found: dict[str, Found] = {}
        for source in sorted(sources, key=lambda s: s in silent):
            for container in self._shelf(source).containers.values():
                found.setdefault(container.id, Found(source, container, stale=source in silent))
        return tuple(found.values())

    def made(self, source: str, container: Container) -> None:
        """It exists and is this far, whatever the next listing says. Where nothing was ever listed, that will tell."""
        self.hidden.made(container.id, container.labels.get(containers.REQUEST_LABEL, ""))
        shelf = self._shelves.get(source)
        if shelf is not None and not shelf.doubts(container):
            shelf.containers[container.id] = container

    def started(self, source: str, container: str) -> None:
        """It ran from then on, whatever the next listing says. How it is only the engine can tell (W42): until it has,
        one that has a health check must not pass for one that has none."""
        shelf = self._shelf(source)
        if container in shelf.containers:
            self.made(source, replace(shelf.containers[container], state="running", health="starting"))

    def removed(self, source: str, container: str) -> None:
        """It is gone, whatever the next listing says."""
        if source in self._shelves:
            self._shelves[source].drop(container)

    def _shelf(self, source: str) -> _Shelf:
        return self._shelves.get(source) or _Shelf()

    async def _answers(self, source: str) -> bool:
        """Whether it told its list to us: one asked for earlier may be older than what was done since (W17)."""
        if source in self._late:
            return False
        asking = asyncio.create_task(self._ask(source), name=f"list {self.cluster} {source}")
        try:
            await asyncio.wait({asking}, timeout=LISTING_S if source in self._slow else PATIENCE_S)
        except asyncio.CancelledError:
            asking.cancel()
            raise
        if asking.done():
            return asking.result()
        self._slow.add(source)
        self._late[source] = asking
        asking.add_done_callback(lambda _: self._late.pop(source))
        return False

    async def _ask(self, source: str) -> bool:
        try:
            async with asyncio.timeout(LISTING_S):
                await self._list(source)
        except (SkepError, TimeoutError) as error:
            self._slow.discard(source)
            reason = str(error) or f"no list of containers within {LISTING_S:.0f} s"
            self._book.doubt(self.cluster, source, reason)
            return False
        self._book.heard(self.cluster, source)
        return True

    async def _list(self, source: str) -> None:
        engine = self._book.engine(self.cluster, source)
        answer = await engine.containers({services.STATE_LABEL: self._workload})
        # Read after the answer came: what was made or removed while it was on its way is known here already.
        shelf = self._shelves.get(source, _Shelf())
        listed = {c.id: c for c in answer if _counts(c) and self._concerns(c)}
        self.hidden.listed({c.labels.get(containers.REQUEST_LABEL, "") for c in listed.values()}, listed)
        self._down.listed({c.node for c in listed.values() if not _is_told(c)})
        doubted = [id for id in shelf.containers if id not in listed]
        late = {*self._book.take_befallen(self.cluster, source, listed), *_revived(shelf, listed)}
        late |= self._first_seen(shelf, listed)
        doubted += [id for id, c in listed.items() if _is_told(c) and (id in late or shelf.doubts(c))]
        looks = await asyncio.gather(*(self._look(source, shelf.containers.get(id) or listed[id]) for id in doubted))
        self._shelves[source] = shelf
        _believe(shelf, listed, dict(zip(doubted, looks, strict=True)))

    def _concerns(self, container: Container) -> bool:
        """Ours, and what is nobody's; not what another skep has made."""
        ours = all(container.labels.get(name) == value for name, value in self._labels.items())
        return ours or containers.is_unowned(container)

    def _first_seen(self, shelf: _Shelf, listed: Mapping[str, Container]) -> set[str]:
        """A classic Swarm manager may list them as they were a minute ago, and asks their engine for one by its ID."""
        return set(listed) - set(shelf.containers) if self.hidden.is_possible else set()

    async def _look(self, source: str, known: Container) -> Container | None:
        """What it is now. A classic Swarm manager can't ask an engine that is away, and says of what it does not know
        yet that it is not there."""
        try:
            found = await self._book.engine(self.cluster, source).container(known.id)
        except UnavailableError:
            if not self.hidden.is_possible:
                raise
            return _unsure_of(known)
        if found is not None or self._book.is_destroyed(self.cluster, source, known.id):
            return found
        if self.hidden.misses(known.id):
            return known if self.hidden.may_hide(known.id) else _unsure_of(known)
        return None


def _unsure_of(known: Container) -> Container:
    """It was there, and may be. What has ended is so for good."""
    return known if known.state in ENDED else replace(known, state="unknown")


def _is_told(listed: Container) -> bool:
    """A classic Swarm manager lists what is on an engine that is away, and can't be asked for it."""
    return listed.state != "unknown"


def _revived(shelf: _Shelf, listed: Mapping[str, Container]) -> Iterator[str]:
    """What had ended and runs again: somebody has started it by hand, or the listing is an old one."""
    for id, container in listed.items():
        before = shelf.containers.get(id)
        if before is not None and before.state in ENDED and container.state not in ENDED:
            yield id


def _believe(shelf: _Shelf, listed: Mapping[str, Container], looks: Mapping[str, Container | None]) -> None:
    """What was asked for by ID is as that answer says, all else as listed; what we did meanwhile holds."""
    for id, container in listed.items():
        if not shelf.doubts(container) and shelf.containers.get(id) != container:
            shelf.containers[id] = container
    for id, found in looks.items():
        if found is None or not _counts(found):
            shelf.drop(id)
        else:
            shelf.containers[id] = found
            shelf.gone.pop(id, None)


def _age(container: Container) -> int:
    """How far its life is: containers are created, run, and end."""
    return _AGES.get(containers.life_of(container), 1)


_AGES = {Life.STOPPED: 0, Life.RUNNING: 1, Life.DEAD: 2}


def _counts(container: Container) -> bool:
    """Tasks of a Swarm are nobody else's business; what is being removed is as good as gone (W29)."""
    return container.state != "removing" and not containers.is_task(container)
