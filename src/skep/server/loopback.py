"""Plain HTTP on this host's loopback, for those who ask for it: everybody on the host may use it, no web page may."""

import asyncio
from collections.abc import Sequence

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from skep.server.errors import Problem, problem_answer
from skep.server.listen import listen_tcp
from skep.server.pages import FETCH_SITE, ORIGIN
from skep.server.patient import Patience, PatientProtocol
from skep.server.serving import serve_on
from skep.specs.endpoints import loopback_address

log = structlog.get_logger()

FLAG = "--insecure-http"

_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""What a client of this host calls it. Any other name is that of a web page whose DNS points here."""


class LoopbackProtocol(PatientProtocol):
    """Who is at the other end is any user of this host: `peer` is `127.0.0.1 (insecure HTTP)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        host = transport.get_extra_info("peername")[0]
        self.app_state = {**self.app_state, "peer": f"{host} (insecure HTTP)"}


class LoopbackServer:
    """The application on `address`, as `loopback_address` takes it. It may be served on a unix socket as well.

    `port` is the one it listens on, 0 before.
    """

    def __init__(self, address: str, app: ASGIApp, patience: Patience | None = None) -> None:
        self._host, self._wanted = loopback_address(address)
        self._app, self._patience = app, patience or Patience()
        self.port = 0

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer until `stop`. UnavailableError where the address is taken."""
        with listen_tcp(self._host, self._wanted, FLAG) as listener:
            self.port = listener.getsockname()[1]
            shown = f"[{self._host}]" if ":" in self._host else self._host
            log.warning("insecure HTTP: everybody on this host may use it", address=f"{shown}:{self.port}")
            guard = PageGuard(self._app, (*_HOSTS, shown), self.port)
            await serve_on(listener, guard, LoopbackProtocol, self._patience, stop)


class PageGuard:
    """Lets only those through who are no web page: 403 for a foreign Host and for what only browsers send."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str], port: int) -> None:
        self._app = app
        self._hosts = {f"{host}:{port}".encode() for host in hosts}
        if port == 80:
            self._hosts |= {host.encode() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        words = self.objection(scope["headers"])
        asked = problem_answer(403, Problem(words, "Forbidden")) if words else self._app
        await asked(scope, receive, send)

    def objection(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """Why a request is refused; empty when it is not."""
        page = next((name.decode() for name, _ in headers if name in (ORIGIN, FETCH_SITE)), "")
        if page:
            return f"a request with the header {page} comes from a web page; this is for programs of this host alone"
        hosts = [value.lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return f"the header host must be one of {b', '.join(sorted(self._hosts)).decode()}"
        return ""
