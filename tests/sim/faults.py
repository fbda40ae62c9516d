"""What befalls a controller itself: it is killed between any two of its calls, or sleeps through its term.

Every port of one controller's life goes through its `Gate`. Real crashes say nothing and finish nothing, so a dead
life's calls never return, and those that were not sent yet are never sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from skep.adapters.store_memory import MemoryStore
from skep.ports import Versioned
from tests.fakes.engine import FakeEngine, FakeEngines
from tests.fakes.instances import SimInstances
from tests.sim.container_hosts import AloneEngine
from tests.sim.loop import SimClock
from tests.sim.world import World

T = TypeVar("T")


class Gate:
    """One life's way to the outside. `crash_at`: it dies before its 7th act (7), or after it (-7)."""

    def __init__(self, world: World, crash_at: int = 0) -> None:
        self._world, self._crash_at = world, crash_at
        self._open = asyncio.Event()
        self._open.set()
        self._spent: WeakKeyDictionary[asyncio.Task[object], str] = WeakKeyDictionary()
        self.dead = asyncio.Event()
        self.superseded = False
        self.acts = 0

    def pause(self) -> None:
        """SIGSTOP: calls on their way arrive, nothing else goes on."""
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    def die(self) -> None:
        self.dead.set()
        self._open.set()

    def disarm(self) -> None:
        self._crash_at = 0

    async def through(self, name: str, call: Callable[[], Awaitable[T]], *, act: bool) -> T:
        await self._pass()
        number = 0
        if act:
            self.acts += 1
            number = self.acts
            self._may_act(name)
        if number and number == self._crash_at:
            self.die()
        await self._pass()
        try:
            return await call()
        finally:
            if number and -number == self._crash_at:
                self.die()
            await self._pass()

    async def sleep(self, clock: SimClock, seconds: float) -> None:
        await self._pass()
        await clock.sleep(seconds)
        await self._pass()

    async def _pass(self) -> None:
        await self._open.wait()
        if self.dead.is_set():
            raise asyncio.CancelledError

    def _may_act(self, name: str) -> None:
        """Each act has a fenced write of its own before it, the first of a task that of its turn. What was allowed
        just before the term ended may still happen, and nothing else: the write and the act are two calls."""
        before = self._spent.get(_task())
        if self.superseded and before and name not in ("write", "term") and (before, name) not in _COMPLETING:
            self._world.violations.append(f"{name} by a controller whose term is over, after {before}")
        if name == "term":
            self._spent.pop(_task(), None)
        elif name != "write":
            self._spent[_task()] = name


_COMPLETING = frozenset(
    {
        ("create_container", "start_container"),
        ("create_container", "fetch_image"),
        ("fetch_image", "create_container"),
        ("start_container", "remove_container"),
        ("stop_container", "remove_container"),
    }
)
"""Acts that end what another began on the very same container: whoever takes over does the same, and twice is once."""


def _task() -> asyncio.Task[object]:
    return cast(asyncio.Task[object], asyncio.current_task())


class GatedStore:
    """ports.Store of one life over the store that all of them share."""

    def __init__(self, store: MemoryStore, gate: Gate) -> None:
        self._store, self._gate = store, gate

    async def acquire(self, holder: str) -> int:
        return await self._gate.through("acquire", lambda: self._store.acquire(holder), act=False)

    async def get(self, key: str) -> Versioned | None:
        return await self._gate.through("get", lambda: self._store.get(key), act=False)

    async def list(self, prefix: str) -> Sequence[Versioned]:
        return await self._gate.through("list", lambda: self._store.list(prefix), act=False)

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        name = "write" if term is None else "term"
        return await self._gate.through(name, lambda: self._store.put(key, value, version=version, term=term), act=True)

    async def delete(self, key: str, *, version: int | None = None, term: int | None = None) -> None:
        name = "write" if term is None else "term"
        await self._gate.through(name, lambda: self._store.delete(key, version=version, term=term), act=True)

    async def close(self) -> None:
        return None


class GatedClock:
    """ports.Clock whose sleeps end only while the gate is open."""

    def __init__(self, clock: SimClock, gate: Gate) -> None:
        self._clock, self._gate = clock, gate

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def wall_s(self) -> float:
        return self._clock.wall_s()

    async def sleep(self, seconds: float) -> None:
        await self._gate.sleep(self._clock, seconds)


def _gated(kind: type[Any], acts: str, reads: str) -> type[Any]:
    """A subclass whose methods of these names go through `self.gate`."""

    def through(name: str, act: bool) -> Callable[..., Awaitable[object]]:
        method = getattr(kind, name)

        async def call(self: Any, *args: object, **words: object) -> object:
            return await self.gate.through(name, lambda: method(self, *args, **words), act=act)

        return call

    methods = {name: through(name, True) for name in acts.split()} | {n: through(n, False) for n in reads.split()}
    return type(f"Gated{kind.__name__}", (kind,), methods)


_Engine = _gated(
    AloneEngine,
    acts="update_node remove_node create_service update_service remove_service"
    " create_container start_container stop_container remove_container fetch_image",
    reads="info join_tokens nodes services tasks resolve_digest containers container image",
)
_Instances = _gated(
    SimInstances, acts="provision boot destroy start load_images", reads="describe outdated_images endpoint"
)


class GatedEngines(FakeEngines):
    def __init__(self, world: World, gate: Gate) -> None:
        super().__init__(world)
        self._gate = gate

    def engine(self, endpoint: str) -> FakeEngine:
        engine = _Engine(self._net, super().engine(endpoint).endpoint)
        engine.gate = self._gate
        return cast(FakeEngine, engine)


def gated_instances(world: World, gate: Gate) -> SimInstances:
    instances = _Instances(world.instances._machines)
    instances.gate = gate
    return cast(SimInstances, instances)
