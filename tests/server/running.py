"""A real server on a real unix socket, on a thread of its own, and a plain client for it."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skep.server.api import create_api
from skep.server.front import Front
from skep.server.serving import ApiServer

DEADLINE_S = 10


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("skep", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(self._path))


class Running:
    """A server that runs; `run` puts a coroutine onto its loop and gives the result."""

    def __init__(self, front: Front, path: Path) -> None:
        self.path = path
        self._front = front
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
            return probe.connect_ex(str(self.path)) == 0

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        if self._failed is not None:
            raise self._failed

    def run(self, work: Coroutine[Any, Any, object]) -> object:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ready.set()
        try:
            await ApiServer(self.path, create_api(self._front)).serve(self._stop)
        except BaseException as error:
            self._failed = error

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status and the parsed answer; a body that is no bytes is sent as JSON."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = UnixConnection(self.path)
        try:
            connection.request(method, path, raw, {"Content-Type": "application/json"} if raw is not None else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@contextmanager
def running(front: Front, path: Path) -> Iterator[Running]:
    server = Running(front, path)
    server.start()
    try:
        yield server
    finally:
        server.stop()
