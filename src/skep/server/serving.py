"""Runs an ASGI application on a socket until told to stop."""

import asyncio
import pwd
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from skep.server.errors import Problem, problem_answer
from skep.server.listen import BACKLOG, listen_unix, peer_of
from skep.server.patient import Patience, PatientConfig, PatientProtocol

SEND_BYTES = 2 * 1024 * 1024
"""What a unix socket may hold of an answer; the kernel doubles it for its own books. A list of ten thousand workloads
is 3 MB: with the kernel's 208 KiB it went in thirty pieces, and a turn of the controller came between each two."""

SO_SNDBUFFORCE = 32
"""asm-generic/socket.h: as SO_SNDBUF, but beyond net.core.wmem_max, for root."""


class PeerProtocol(PatientProtocol):
    """Puts who is at the other end of the socket into the scope's state: `peer` is `uid 0 (root)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        _widen(connection)
        _, uid = peer_of(connection)
        self.app_state = {**self.app_state, "peer": user(uid)}


def _widen(connection: socket.socket) -> None:
    """As far as the kernel lets us."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES)
    except OSError:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)


@lru_cache(maxsize=256)
def user(uid: int) -> str:
    """`uid 0 (root)`, or `uid 4711` where the host has no name for it."""
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"


class ApiServer:
    """One socket, one application; several live side by side in a process, and signals stay their owner's."""

    def __init__(self, socket_path: Path, app: ASGIApp, patience: Patience | None = None) -> None:
        self._path = socket_path
        self._app = app
        self._patience = patience or Patience()

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer until `stop`, then finish what is under way and remove the socket.

        The application finds `stop` in its scope's state. Raises as `listen_unix`.
        """
        with listen_unix(self._path) as listener, removed_at_exit(self._path):
            await serve_on(listener, self._app, PeerProtocol, self._patience, stop)


Admit = Callable[[socket.socket, Callable[[], PatientProtocol]], Coroutine[Any, Any, None]]
"""Accepts connections of a listening socket until cancelled, and gives each a protocol."""


async def serve_on(
    listener: socket.socket,
    app: ASGIApp,
    protocol: type[PatientProtocol],
    patience: Patience,
    stop: asyncio.Event,
    admit: Admit | None = None,
) -> None:
    """Answer on a listening socket until `stop`; the application finds `stop` and `peer` in its scope's state.

    admit: who accepts the connections; all are taken as they come where nobody is named.
    """
    config = _config(app, protocol, patience, stop)
    server = _Server(config, stop)

    def make() -> PatientProtocol:
        return protocol(config=config, server_state=server.server_state, app_state={})

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[] if admit else [listener]))
            admitting = tasks.create_task(admit(listener, make)) if admit else None
            await stop.wait()
            server.should_exit = True
            if admitting:
                admitting.cancel()
    finally:
        server.close_listeners()


def _config(app: ASGIApp, protocol: type[PatientProtocol], patience: Patience, stop: asyncio.Event) -> uvicorn.Config:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["stop"] = stop
        refused: tuple[int, Problem] | None = scope["state"].get("refused")
        asked = app if refused is None else problem_answer(*refused)
        await asked(scope, receive, send)

    config = PatientConfig(
        answer,
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=patience.idle_s,
        timeout_graceful_shutdown=patience.grace_s,
    )
    config.patience = patience
    return config


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def main_loop(self) -> None:
        """Wait to be stopped. uvicorn's own looks ten times a second, most of what an idle skep would burn."""
        await self.on_tick(0)
        await self._stop.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the owner: with two servers in a process the last would keep them."""
        yield

    def close_listeners(self) -> None:
        """Also when it was cancelled, which skips the orderly end."""
        for listener in getattr(self, "servers", ()):
            listener.close()


@contextmanager
def removed_at_exit(path: Path) -> Iterator[None]:
    """Unlinks the socket, unless another one has taken its place."""
    ours = _mark(path)
    try:
        yield
    finally:
        if _mark(path) == ours:
            path.unlink()


def _mark(path: Path) -> tuple[int, ...] | None:
    """Differs for each socket that was ever made there: a new one often gets the inode of the old one, which was
    closed already while requests were finished. None where there is nothing."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
