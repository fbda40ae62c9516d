"""Clusters: what is known of each Swarm, and the way to a manager of it.

The document `cluster/NAME` is written by the turns of its manager group and read by all keys of the cluster. Swarms of
the settings have none: what their engines say is all there is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

import structlog

from skep.control.documents import cluster_path, decode, encode
from skep.control.endpoints import EngineBook
from skep.model.cluster import ClusterKind, ClusterSight
from skep.model.errors import ConflictError, NotReadyError, SkepError
from skep.model.state import ClusterManager, ClusterState
from skep.ports import Clock, Engine, Engines, Store

log = structlog.get_logger()


TRUST_S = 35.0
"""A manager that had a quorum is not asked again for so long, a little more than a resync, unless a call of it fails:
GET /info runs three programs on the engine's host, and a workload that converges is looked at every second."""

NO_SWARM = {
    ClusterKind.ENGINE: "its engines stand alone (docker swarm init makes a Swarm of one)",
    ClusterKind.WORKER: "the settings name a worker of a Swarm; name its managers",
    ClusterKind.CLASSIC: "it is a classic Swarm, which machines can't join",
    ClusterKind.MIXED: "its engines don't belong together; name the managers of one Swarm",
}

Formers = Callable[[], Awaitable[Collection[str]]]
JoinedBy = Callable[[str], str]


def _nothing(group: str) -> str:
    return ""


class ClusterBook:
    """Implements ports.Clusters. `changed` is called with a cluster's name when its document has changed."""

    def __init__(
        self, store: Store, engines: Engines, clock: Clock, changed: Callable[[str], None], static: EngineBook
    ) -> None:
        self._store, self._engines, self._clock, self._changed = store, engines, clock, changed
        self._static = static
        self._last_good: dict[str, tuple[str, float]] = {}
        self._term: int | None = None
        self._formers: Formers = _nobody
        self._joined_by: JoinedBy = _nothing
        self._standing: set[str] = set()

    def attach(self, formers: Formers, joined_by: JoinedBy = _nothing) -> None:
        """`formers` tells the clusters that the manager groups of now form: a group that was just applied counts
        before it has a document, so that nobody who names no cluster is led to another one meanwhile. `joined_by` tells
        the cluster that a group's machines have joined: those stay whatever other clusters there come to be."""
        self._formers, self._joined_by = formers, joined_by

    async def begin(self, term: int) -> None:
        """From now on documents are written under this term only."""
        self._term = term
        self._standing = {decode(ClusterState, s.value).name for s in await self._store.list("cluster/")}

    def standing(self) -> frozenset[str]:
        """Those of the settings, and those with a document, which outlives the freeing of its manager group."""
        return frozenset(self._static.names()) | self._standing

    async def names(self) -> tuple[str, ...]:
        """All of them, those of the settings first."""
        others = self._standing | set(await self._formers())
        return tuple(dict.fromkeys((*self._static.names(), *sorted(others))))

    async def state(self, name: str) -> ClusterState:
        if not name:
            return await self.state(await self._only())
        if self._static.has(name):
            return _state_of(await self._static.sight(name))
        stored = await self._store.get(cluster_path(name))
        if stored is not None:
            return decode(ClusterState, stored.value)
        names = await self.names()
        raise NotReadyError(unplaced(name, names) or f"cluster {name} has no managers yet")

    def joined_by(self, group: str) -> str:
        return self._joined_by(group)

    async def _only(self) -> str:
        names = await self.names()
        if why := unplaced("", names):
            raise NotReadyError(why)
        return names[0]

    async def manager(self, name: str) -> Engine:
        """Ask all known managers at once and take the first that has a quorum; the last good one is asked first."""
        state = await self.state(name)
        if not state.id and not self._static.has(state.name):
            raise NotReadyError(f"cluster {state.name} is not formed yet")
        endpoints = [m.endpoint for m in state.managers]
        last, asked_s = self._last_good.get(state.name, ("", 0.0))
        if last in endpoints and self._clock.monotonic_s() - asked_s < TRUST_S:
            return self._engines.engine(last)
        good = await self._first_good(last, endpoints, state.id)
        if not good:
            self._last_good.pop(state.name, None)
            raise NotReadyError(f"no manager of cluster {state.name} answers with a quorum")
        self._last_good[state.name] = (good, self._clock.monotonic_s())
        return self._engines.engine(good)

    async def _first_good(self, last: str, endpoints: Sequence[str], cluster_id: str) -> str:
        if last in endpoints and await self._answers(last, cluster_id):
            return last
        answers = await asyncio.gather(*(self._answers(e, cluster_id) for e in endpoints))
        return next((e for e, ok in zip(endpoints, answers, strict=True) if ok), "")

    def doubt(self, name: str) -> None:
        """A call of the manager of this cluster failed: ask all of them before the next."""
        endpoint, _ = self._last_good.pop(name, ("", 0.0))
        if self._static.has(name):
            for engine in self._static.known(name).engines:
                if engine.endpoint == endpoint:
                    self._static.doubt(name, engine.source, "a call of it failed")

    async def _answers(self, endpoint: str, cluster_id: str) -> bool:
        try:
            info = await self._engines.engine(endpoint).info()
        except SkepError:
            return False
        return info.control and info.cluster_id == cluster_id

    async def claim_bootstrap(self, name: str, member: str, lapsed: str = "") -> ClusterState:
        """Name the only member that may init this cluster; the first call wins for good (semantics.md N9).

        But for `lapsed`: who was named and neither is there nor will be, as the caller has seen, is named no more.
        """

        def named(state: ClusterState) -> ClusterState:
            is_open = not state.id and state.bootstrap in ("", lapsed)
            return replace(state, bootstrap=member) if is_open else state

        return await self._update(name, named)

    async def learn(self, name: str, managers: tuple[ClusterManager, ...]) -> ClusterState:
        """Write down the managers that machines were seen for, and the cluster's ID once one of them has formed it.

        In the order of their names: listings come in any order, and another order is no change.
        """
        in_order = tuple(sorted(managers, key=lambda m: (m.name, m.endpoint)))
        state = await self._update(name, lambda s: replace(s, managers=in_order))
        if state.id or not state.bootstrap:
            return state
        cluster_id = await self._formed_by(state)
        return await self._update(name, lambda s: replace(s, id=s.id or cluster_id)) if cluster_id else state

    async def _formed_by(self, state: ClusterState) -> str:
        """The ID that the bootstrapping member's engine reports; empty until it has formed the Swarm."""
        endpoint = next((m.endpoint for m in state.managers if m.name == state.bootstrap), None)
        if endpoint is None:
            return ""
        try:
            info = await self._engines.engine(endpoint).info()
        except SkepError:
            return ""
        return info.cluster_id if info.control else ""

    async def forget(self, name: str) -> None:
        """The cluster's last manager is gone."""
        await self._store.delete(cluster_path(name), term=self._term)
        self._standing.discard(name)
        self._last_good.pop(name, None)
        self._changed(name)

    async def _update(self, name: str, change: Callable[[ClusterState], ClusterState]) -> ClusterState:
        while True:
            stored = await self._store.get(cluster_path(name))
            before = decode(ClusterState, stored.value) if stored else ClusterState(name)
            after = change(before)
            if stored is not None and after == before:
                return after
            try:
                version = stored.version if stored else 0
                await self._store.put(cluster_path(name), encode(after), version=version, term=self._term)
            except ConflictError:
                continue
            self._standing.add(name)
            self._changed(name)
            log.info("cluster changed", cluster=name, id=after.id, managers=[m.name for m in after.managers])
            return after


def _state_of(sight: ClusterSight) -> ClusterState:
    """A Swarm of the settings; NotReadyError with the reason where it is none, or nobody has answered yet."""
    if sight.kind is ClusterKind.UNKNOWN:
        errors = "; ".join(e.error for e in sight.engines if e.error)
        raise NotReadyError(f"no engine of cluster {sight.name} has answered yet{f': {errors}' if errors else ''}")
    if sight.kind is not ClusterKind.SWARM:
        raise NotReadyError(f"cluster {sight.name} is no Swarm: {NO_SWARM[sight.kind]}")
    managers = [e for e in sight.engines if e.kind is ClusterKind.SWARM and e.answers]
    cluster_id = next((e.cluster_id for e in sight.engines if e.cluster_id), "")
    return ClusterState(sight.name, cluster_id, managers=tuple(ClusterManager(e.source, e.endpoint) for e in managers))


def unplaced(name: str, names: Sequence[str]) -> str:
    """Why nothing can be on the cluster of this name, of the only one where it is empty, when these are all; empty
    where it can."""
    if name:
        return "" if name in names else f"there is no cluster {name}; {_in_words(names)}"
    if not names:
        return f"there is no cluster yet: {_in_words(names)}"
    return f"there are several clusters ({', '.join(names)}): say which with Cluster" if len(names) > 1 else ""


def _in_words(names: Sequence[str]) -> str:
    """Which clusters there are."""
    if names:
        return f"there {'are' if len(names) > 1 else 'is'} {', '.join(names)}"
    return "no manager group has been applied, and the settings name none (--cluster)"


async def _nobody() -> Collection[str]:
    return ()
