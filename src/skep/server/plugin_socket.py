"""A plugin's socket: its name is the plugin's, its folder is where plugins are found (infrakit-compat.md 1.5, 2.1)."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from skep.model.errors import RefusedError, UnavailableError
from skep.server.errors import Problem
from skep.server.listen import listen_unix
from skep.server.patient import Patience
from skep.server.serving import PeerProtocol, removed_at_exit, serve_on

PATIENCE = Patience(idle_s=3600, grace_s=10)
"""Go's clients keep connections for as long as they live and poll over them; ten seconds is InfraKit's own grace."""


class PluginProtocol(PeerProtocol):
    """Lets a connection wait for its first request as long as for any later one: Go's clients open some to keep."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stop_clock()

    def on_headers_complete(self) -> None:
        """An upgrade is refused: the parser takes what follows for another protocol, and the body would be lost."""
        upgrade = self.parser.should_upgrade()
        if upgrade:
            words = "this server speaks HTTP/1.1 alone: leave the header upgrade out"
            self.scope["state"]["refused"] = (501, Problem(words, "Invalid"))
        super().on_headers_complete()
        if upgrade:
            self.cycle.keep_alive = False

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whoever has said all and listens still gets the answer; half a request is told to be one."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not self._in_body:
            cycle.keep_alive = False
            return True
        if self._deadline is not None:
            self._refuse(400, Problem("the request ended before it was whole", "Invalid"))
        return False


@contextmanager
def plugin_socket(name: str, folder: Path) -> Iterator[socket.socket]:
    """The listening socket of the plugin `name`, removed at the end; the folder is made where it is not there.

    Whoever connects waits until it is served. RefusedError: the name is held, by which process it says (G16), or is
    no name.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise RefusedError(f"a plugin's name is the name of a file, and {name!r} is none: set --name")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"can't make the folder of plugins {folder}: {error.strerror}") from error
    with listen_unix(folder / name, "--name") as listener, removed_at_exit(folder / name):
        yield listener


async def answer_on(listener: socket.socket, app: ASGIApp, stop: asyncio.Event, patience: Patience = PATIENCE) -> None:
    """Answer until `stop`; what is under way then has ten seconds."""
    await serve_on(listener, app, PluginProtocol, patience, stop)


async def serve_plugin(
    name: str, app: ASGIApp, folder: Path, stop: asyncio.Event, patience: Patience = PATIENCE
) -> None:
    """Both: the plugin `name` until `stop`."""
    with plugin_socket(name, folder) as listener:
        await answer_on(listener, app, stop, patience)
