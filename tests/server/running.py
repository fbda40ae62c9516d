"""A real server on a real unix socket and on loopback, on a thread of its own, and plain clients for it."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skep.server.api import create_api
from skep.server.front import Front
from skep.server.loopback import LoopbackServer
from skep.server.patient import Patience
from skep.server.serving import ApiServer

DEADLINE_S = 30


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("skep", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A server that runs; `run` puts a coroutine onto its loop and gives the result."""

    def __init__(self, front: Front, path: Path, patience: Patience | None = None) -> None:
        self.path = path
        self._front = front
        self._patience = patience
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        deadline_s = time.monotonic() + DEADLINE_S
        while not self._listens() and self._thread.is_alive():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0 and bool(self.port)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        if self._failed is not None:
            raise self._failed

    def run(self, work: Coroutine[Any, Any, object]) -> object:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    @property
    def port(self) -> int:
        """On loopback."""
        return self._loopback.port

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        app = create_api(self._front)
        self._loopback = LoopbackServer("127.0.0.1:0", app, self._patience)
        self._ready.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ApiServer(self.path, app, self._patience).serve(self._stop))
                tasks.create_task(self._loopback.serve(self._stop))
        except BaseExceptionGroup as group:
            self._failed = group.exceptions[0]

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status and the parsed answer; a body that is no bytes is sent as JSON."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if raw is not None else {}
        answer = self.ask(method, path, raw, headers)
        return answer.status, answer.json()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The whole answer to a request with just these headers."""
        connection = UnixConnection(self.path)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A connection over which a test says what it likes."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        connection.connect(str(self.path))
        return connection

    def connect_tcp(self) -> socket.socket:
        """The same on loopback."""
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)


@contextmanager
def running(front: Front, path: Path, patience: Patience | None = None) -> Iterator[Running]:
    server = Running(front, path, patience)
    server.start()
    try:
        yield server
    finally:
        server.stop()
