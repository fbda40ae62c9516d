"""A plugin on a real socket, on a thread of its own, and a plain client that says byte for byte what it is told."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from skep.server.patient import Patience
from skep.server.plugin_socket import PATIENCE, serve_plugin

DEADLINE_S = 30
NAME = "instance-double"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> tuple[int, str]:
        told = json.loads(self.body)["error"]
        return told["code"], told["message"]


class PluginServer:
    """Runs until `stop`; it raises what made it fail."""

    def __init__(self, app: ASGIApp, folder: Path, patience: Patience = PATIENCE) -> None:
        self.path = folder / NAME
        self._app, self._folder, self._patience = app, folder, patience
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await serve_plugin(NAME, self._app, self._folder, self._stop, self._patience)
        except BaseException as error:
            self._failed = error

    def start(self) -> None:
        self._thread.start()
        deadline_s = time.monotonic() + DEADLINE_S
        while not self.listens() and self._thread.is_alive():
            assert time.monotonic() < deadline_s
            time.sleep(0.005)

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self.join()

    def soon(self, act: Callable[[], object]) -> None:
        """On its loop."""
        self._loop.call_soon_threadsafe(act)

    def join(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        if self._failed is not None:
            raise self._failed

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection

    def say(self, request: bytes) -> Answer:
        """What comes back to these bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            return answer_of(connection)

    def post(self, body: bytes, **headers: str) -> Answer:
        return self.say(request_of(body, **headers))

    def call(self, method: str, params: object = None, id: object = 1) -> Answer:
        return self.post(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": id}).encode())

    def result(self, method: str, params: object = None) -> Any:
        answer = self.call(method, params)
        return json.loads(answer.body)["result"]


def request_of(body: bytes, path: str = "/", **headers: str) -> bytes:
    """As Go's client sends it; an underscore in a header's name stands for a hyphen."""
    given = {"Host": "a", "Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def answer_of(connection: socket.socket) -> Answer:
    """One whole answer; an error where there is none."""
    response = HTTPResponse(connection)
    try:
        response.begin()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        response.close()


@contextmanager
def plugin_running(app: ASGIApp, folder: Path, patience: Patience = PATIENCE) -> Iterator[PluginServer]:
    server = PluginServer(app, folder, patience)
    server.start()
    try:
        yield server
    finally:
        server.stop()
