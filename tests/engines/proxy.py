"""Faults in front of a real engine: a unix socket that passes every request on, unless a rule says otherwise.

It runs on a thread of its own, so that tests of any kind can use it, and goes on while they wait. One request for each
connection (`Connection: close` is put into each), so that nothing but the head of a request needs to be understood.
"""

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

HEAD_BYTES_MAX = 64 * 1024
CHUNK_BYTES = 64 * 1024
WITHIN_S = 60.0
"""Only a deadline, for what a test waits for on the proxy's thread."""

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_REQUEST = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.[01]\r\n")


@dataclass(frozen=True)
class Call:
    """A request as it arrived. `path` has no API version; `at_s` is monotonic."""

    method: str
    path: str
    query: str
    at_s: float


class Exchange:
    """One request and what becomes of it. A fault calls some of these, in its own order."""

    def __init__(self, call: Call, head: bytes, client: "_Stream", target: Path) -> None:
        self.call = call
        self._head, self._client, self._target = head, client, target

    async def passed(self) -> None:
        """To the engine and back, as it comes, streams too; over when one of them hangs up."""
        async with self._engine() as engine:
            pumps = [
                asyncio.ensure_future(_pump(self._client, engine)),
                asyncio.ensure_future(_pump(engine, self._client)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(pumps)

    async def answered(self) -> bytes:
        """What the engine answers, whole and with its head; nothing of it has been given to the client yet."""
        async with self._engine() as engine:
            sending = asyncio.ensure_future(_pump(self._client, engine))
            try:
                return await engine.reader.read()
            finally:
                await _end([sending])

    async def opened(self) -> bytes:
        """The head of the engine's answer; the rest of it nobody hears."""
        async with self._engine() as engine:
            return await engine.reader.readuntil(b"\r\n\r\n")

    async def give(self, answer: bytes) -> None:
        """Answer the client with this, head and all."""
        self._client.writer.write(answer)
        await self._client.writer.drain()

    async def client_gone(self) -> None:
        """Until the client has hung up; what else it says is thrown away."""
        while await self._client.reader.read(CHUNK_BYTES):
            pass

    def drop(self) -> None:
        """Break the connection: the client reads no end, it finds the line dead."""
        self._client.writer.transport.abort()

    @contextlib.asynccontextmanager
    async def _engine(self) -> AsyncIterator["_Stream"]:
        reader, writer = await asyncio.open_unix_connection(self._target)
        try:
            writer.write(self._head)
            yield _Stream(reader, writer)
        finally:
            writer.close()


Fault = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True)
class _Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _pump(source: _Stream, sink: _Stream) -> None:
    while part := await source.reader.read(CHUNK_BYTES):
        sink.writer.write(part)
        await sink.writer.drain()


async def _end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# --- faults ---------------------------------------------------------------------------------------------------------


async def lost(exchange: Exchange) -> None:
    """The engine does it, and its answer is lost (semantics.md F4)."""
    await exchange.answered()
    exchange.drop()


async def silent(exchange: Exchange) -> None:
    """Nothing reaches the engine, and nothing is said until the client gives up."""
    await exchange.client_gone()


async def deaf(exchange: Exchange) -> None:
    """A stream that is there and never says anything (semantics.md F8: events that are dropped)."""
    await exchange.give(await exchange.opened())
    await exchange.client_gone()


async def dropped(exchange: Exchange) -> None:
    """Nothing reaches the engine, and the connection breaks."""
    exchange.drop()


def delayed(seconds: float) -> Fault:
    """The engine gets it later."""

    async def fault(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await exchange.passed()

    return fault


def refused(status: int, message: str) -> Fault:
    """The engine gets nothing, and the client this error in the engine's form."""

    async def fault(exchange: Exchange) -> None:
        body = b'{"message":"%s"}' % message.encode()
        head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nConnection: close\r\n"
        await exchange.give(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return fault


def cached(refresh_s: float) -> Fault:
    """Lists out of a cache that is filled anew when it is older than this, as classic Swarm's (semantics.md 5.4)."""
    kept: dict[tuple[str, str], tuple[float, bytes]] = {}

    async def fault(exchange: Exchange) -> None:
        place = exchange.call.path, exchange.call.query
        if place not in kept or time.monotonic() - kept[place][0] >= refresh_s:
            kept[place] = time.monotonic(), await exchange.answered()
        await exchange.give(kept[place][1])

    return fault


class Held:
    """Stops a request before the engine gets it, or its answer before the client does, so that the client can be
    killed at that very point. What is held is dropped in the end: the one that waited for it is dead."""

    def __init__(self, *, answer: bool) -> None:
        self._answer = answer
        self.reached = threading.Event()

    async def __call__(self, exchange: Exchange) -> None:
        """The fault itself."""
        if self._answer:
            await exchange.answered()
        self.reached.set()
        await exchange.client_gone()


@dataclass
class Rule:
    """What befalls requests of this method whose path matches in full: the next `times` of them after `skip`.

    `met` are those that it befell.
    """

    fault: Fault
    method: str = "GET"
    path: str = ".*"
    times: int = 1_000_000
    skip: int = 0
    met: list[Call] = field(default_factory=list)

    def takes(self, call: Call) -> bool:
        """Whether this call is one of them; it is counted then."""
        if call.method != self.method or not re.fullmatch(self.path, call.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if len(self.met) >= self.times:
            return False
        self.met.append(call)
        return True


# --- the proxy ------------------------------------------------------------------------------------------------------


class Proxy:
    """Listens at `path` for the engine at `target`. `calls` are all that came; the first rule that takes one has it."""

    def __init__(self, target: Path, path: Path) -> None:
        self.path = path
        self.calls: list[Call] = []
        self.rules: list[Rule] = []
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.AbstractServer | None = None
        self._open: dict[Exchange, asyncio.Task[None]] = {}
        self._no_streams_until_s = 0.0

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"unix://{self.path}"

    def add(
        self, fault: Fault, method: str = "GET", path: str = ".*", *, times: int = 1_000_000, skip: int = 0
    ) -> Rule:
        """A rule after those that there are."""
        rule = Rule(fault, method, path, times, skip)
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """From now on everything is passed on."""
        self.rules.clear()

    def count(self, method: str, path: str) -> int:
        """How many such requests came."""
        return sum(call.method == method and bool(re.fullmatch(path, call.path)) for call in list(self.calls))

    def cut_streams(self, seconds: float) -> None:
        """Break all streams of events, and each new one for so long (semantics.md F8)."""
        self._no_streams_until_s = time.monotonic() + seconds
        self._do(self._break(lambda call: call.path == "/events"))

    def go_away(self) -> None:
        """Nobody listens any more, and what was open breaks."""
        self._do(self._close())

    def come_back(self) -> None:
        """Listen again."""
        self._do(self._listen())

    def _do(self, work: Awaitable[T]) -> T:
        """Done on the proxy's own thread."""

        async def whole() -> T:
            return await work

        done: Future[T] = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        return done.result(WITHIN_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=HEAD_BYTES_MAX)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.path.unlink(missing_ok=True)
        await self._break(lambda call: True)

    async def _break(self, which: Callable[[Call], bool]) -> None:
        chosen = {exchange: task for exchange, task in self._open.items() if which(exchange.call)}
        for exchange, task in chosen.items():
            exchange.drop()
            task.cancel()
        await asyncio.gather(*chosen.values(), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            exchange = self._exchange(head, _Stream(reader, writer))
            task = asyncio.current_task()
            assert task is not None
            self._open[exchange] = task
            try:
                await self._fault_of(exchange.call)(exchange)
            finally:
                del self._open[exchange]
        writer.close()

    def _exchange(self, head: bytes, client: _Stream) -> Exchange:
        match = _REQUEST.match(head)
        assert match is not None, head
        path, _, query = match[2].decode().partition("?")
        call = Call(match[1].decode(), _VERSION.sub("", path), query, time.monotonic())
        self.calls.append(call)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        return Exchange(call, b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]), client, self._target)

    def _fault_of(self, call: Call) -> Fault:
        if call.path == "/events" and time.monotonic() < self._no_streams_until_s:
            return dropped
        rule = next((rule for rule in list(self.rules) if rule.takes(call)), None)
        return rule.fault if rule else Exchange.passed

    @contextlib.contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Listens inside the block."""
        thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        thread.start()
        try:
            self._do(self._listen())
            yield self
        finally:
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(WITHIN_S)
            self._loop.close()
