"""Streams of changes: who is woken by what, and that nothing else is asked of anybody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.control.watch import Watch
from skep.model.cluster import StaticCluster
from skep.model.engine import EngineEvent, EngineInfo
from skep.model.errors import UnavailableError
from skep.model.spec import Key, Kind
from tests.sim.loop import SimClock, run

PLAIN = EngineInfo("id", "host", "1", "1.41", "Linux", "inactive", "", "", False, "", "", "2", "overlay2")
MANAGER = EngineInfo("id", "host", "1", "1.41", "Linux", "active", "n", "", True, "swarm-1", "", "2", "overlay2")
OURS = {"swarm.cluster.state": "web", "skep.controller": "us", "skep.workload": "web"}
WEB, DB = Key(Kind.WORKLOAD, "web"), Key(Kind.WORKLOAD, "db")


@dataclass
class Source:
    """An engine whose events are put into `events`; None breaks the stream. `calls` counts everything asked of it."""

    info_answer: EngineInfo
    answers: bool = True
    calls: list[str] = field(default_factory=list)
    filters: list[Mapping[str, Sequence[str]]] = field(default_factory=list)
    streams: list[asyncio.Queue[EngineEvent | None]] = field(default_factory=list)
    endpoint: str = ""

    async def info(self) -> EngineInfo:
        self.calls.append("info")
        if not self.answers:
            raise UnavailableError("connection refused")
        return self.info_answer

    async def events(self, filters: Mapping[str, Sequence[str]]) -> AsyncIterator[EngineEvent]:
        self.calls.append("events")
        if not self.answers:
            raise UnavailableError("connection refused")
        self.filters.append(filters)
        queue: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self.streams.append(queue)
        try:
            yield EngineEvent("skep", "subscribed", "", {})
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.streams.remove(queue)
        raise UnavailableError("the stream broke")

    def tell(self, *events: EngineEvent | None) -> None:
        for queue in list(self.streams):
            for event in events:
                queue.put_nowait(event)


class Tower:
    """A watch over the cluster `lab`, on which `web` and `db` live. `woken` are the keys, in order."""

    def __init__(self, *sources: Source) -> None:
        self.clock, self.hub, self.woken = SimClock(), Hub(), list[Key]()
        self.sources = {f"tcp://e{n}:1": source for n, source in enumerate(sources)}
        static = [StaticCluster("lab", tuple(self.sources))]
        self.book = EngineBook(static, self, self.clock, self.hub.cluster_changed)  # type: ignore[arg-type]
        clusters = ClusterBook(MemoryStore(), self, self.clock, self.hub.cluster_changed, self.book)  # type: ignore[arg-type]
        self.watch = Watch(self.hub, clusters, self.book, self.clock, "us")
        self.hub.attach(self.woken.append, lambda cluster: (WEB, DB) if cluster == "lab" else ())

    def engine(self, endpoint: str) -> Source:
        self.sources[endpoint].endpoint = endpoint
        return self.sources[endpoint]

    async def settle(self) -> list[Key]:
        """Who was woken since the last time."""
        await self.clock.sleep(0.01)
        woken, self.woken[:] = list(self.woken), []
        return woken


def on_a_tower(body: Callable[[Tower], Awaitable[None]], *infos: EngineInfo) -> None:
    async def main() -> None:
        tower = Tower(*map(Source, infos))
        watching = asyncio.create_task(tower.watch.run({}, lambda: None))
        await tower.settle()
        await body(tower)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching

    run(main)


def event(action: str, type: str = "container", **attributes: str) -> EngineEvent:
    return EngineEvent(type, action, "id", attributes or OURS)


def test_nobody_is_asked_until_somebody_wants_to_know_and_then_nobody_twice() -> None:
    async def body(tower: Tower) -> None:
        first, second = tower.sources.values()
        await tower.clock.sleep(1000.0)
        assert first.calls == second.calls == []
        await tower.book.sight("lab")
        await tower.clock.sleep(1000.0)
        assert first.calls == second.calls == ["info", "events"]

    on_a_tower(body, PLAIN, PLAIN)


def test_every_key_of_the_cluster_is_woken_once_a_stream_is_open() -> None:
    """List after subscribing: what happened before is in no stream (semantics.md 5.3)."""

    async def body(tower: Tower) -> None:
        await tower.book.sight("lab")
        await tower.settle()
        [source] = tower.sources.values()
        source.tell(None)
        await tower.settle()
        await tower.clock.sleep(5.0)
        tower.woken.clear()
        await tower.book.sight("lab")
        assert set(await tower.settle()) == {WEB, DB}
        assert source.filters[-1]["label"] == ["swarm.cluster.state"]

    on_a_tower(body, PLAIN)


@pytest.mark.parametrize(
    ("told", "woken"),
    [
        (event("die"), [WEB]),
        (event("health_status: unhealthy"), [WEB]),
        (event("start", **OURS | {"swarm.cluster.state": "other"}), [Key(Kind.WORKLOAD, "other")]),
        (event("die", **{"swarm.cluster.state": "web"}), [WEB]),
        (event("die", **{"swarm.cluster.state": "web", "skep.workload": "web"}), []),
        (event("exec_create: true"), []),
        (event("exec_die"), []),
        (event("create"), []),
        (event("die", **OURS | {"skep.controller": "another"}), []),
        (event("die", **{"swarm.cluster.state": "web", "skep.controller": "us"}), []),
        (event("die", image="redis"), []),
        (event("start", type="network"), []),
    ],
)
def test_of_all_that_an_engine_tells_only_changes_of_our_containers_wake_their_key(
    told: EngineEvent, woken: list[Key]
) -> None:
    """A classic Swarm manager ignores filters (semantics.md 5.4)."""

    async def body(tower: Tower) -> None:
        await tower.book.sight("lab")
        await tower.settle()
        [source] = tower.sources.values()
        source.tell(told)
        assert await tower.settle() == woken

    on_a_tower(body, PLAIN)


def test_an_engine_whose_stream_broke_is_doubted_and_gets_a_fresh_one_when_it_is_back() -> None:
    """F8."""

    async def body(tower: Tower) -> None:
        await tower.book.sight("lab")
        await tower.settle()
        first, second = tower.sources.values()
        first.answers = False
        first.tell(None)
        assert set(await tower.settle()) == {WEB, DB}
        assert [e.answers for e in tower.book.known("lab").engines] == [False, True]
        await tower.clock.sleep(20.0)
        await tower.book.sight("lab")
        await tower.settle()
        assert (first.streams, len(second.streams)) == ([], 1)
        first.answers = True
        await tower.clock.sleep(5.0)
        await tower.book.sight("lab")
        assert set(await tower.settle()) == {WEB, DB}
        assert len(first.streams) == 1

    on_a_tower(body, PLAIN, PLAIN)


def test_a_stream_on_a_connection_that_died_unnoticed_is_opened_anew() -> None:
    """A call noticed that the engine was away: whatever its old stream still is, it is not trusted."""

    async def body(tower: Tower) -> None:
        await tower.book.sight("lab")
        await tower.settle()
        [source] = tower.sources.values()
        before = source.streams[0]
        tower.book.doubt("lab", "e0", "list containers: timed out")
        await tower.clock.sleep(5.0)
        await tower.book.sight("lab")
        await tower.settle()
        assert len(source.streams) == 1
        assert source.streams[0] is not before

    on_a_tower(body, PLAIN)


def test_of_a_swarm_one_manager_tells_of_services_and_nodes() -> None:
    async def body(tower: Tower) -> None:
        await tower.book.sight("lab")
        assert set(await tower.settle()) == {WEB, DB}
        first, second = tower.sources.values()
        assert (len(first.streams), second.streams) == (1, [])
        assert first.filters == [{"type": ["node", "service"]}]
        first.tell(event("update", type="service", name="web"))
        assert await tower.settle() == [WEB]
        first.tell(event("update", type="node", name="n1"))
        assert set(await tower.settle()) == {WEB, DB}
        first.answers = False
        first.tell(None)
        await tower.clock.sleep(2.0)
        assert (first.streams, len(second.streams)) == ([], 1)

    on_a_tower(body, MANAGER, MANAGER)


def test_an_engine_that_becomes_a_swarm_is_followed_as_one() -> None:
    async def body(tower: Tower) -> None:
        await tower.book.sight("lab")
        await tower.settle()
        [source] = tower.sources.values()
        source.info_answer = MANAGER
        await tower.clock.sleep(40.0)
        await tower.book.sight("lab")
        await tower.settle()
        assert source.filters[-1] == {"type": ["node", "service"]}
        assert len(source.streams) == 1

    on_a_tower(body, PLAIN)
