"""A real server over TLS, on a thread of its own, and clients with and without certificates."""

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skep.server.api import create_api
from skep.server.front import Front
from skep.server.tls import TlsServer
from skep.server.tls_files import Certificates, ServerFiles
from tests.server.running import DEADLINE_S, Answer
from tests.server.tls_certificates import CLIENT, SERVER, Pair, Subject, TestAuthority


@dataclass
class TlsRunning:
    """A server that runs, with the CA that its clients' certificates come from."""

    authority: TestAuthority
    own: Pair
    server: TlsServer

    @property
    def port(self) -> int:
        return self.server.port

    def context(self, pair: Pair | None) -> ssl.SSLContext:
        """A client's, that trusts the server."""
        context = ssl.create_default_context(cafile=self.authority.ca)
        if pair:
            context.load_cert_chain(pair.cert, pair.key)
        return context

    def ask(self, pair: Pair | None, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """With a certificate, if there is one. `headers` are written with _ for -."""
        context = self.context(pair)
        sent = {"Content-Type": "application/json"} if body else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE_S, context=context)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)


@contextmanager
def tls_running(
    front: Front, folder: Path, look_every_s: float = 0.0, handshake_s: float = DEADLINE_S
) -> Iterator[TlsRunning]:
    """Served until the block ends; certificates are looked at with each connection unless told otherwise."""
    authority = TestAuthority(folder / "ca")
    own = authority.issue(Subject("server", usages=(SERVER, CLIENT)))
    certificates = Certificates(ServerFiles(own.cert, own.key, authority.ca), look_every_s)
    server = TlsServer("127.0.0.1:0", create_api(front), certificates, handshake_s=handshake_s)
    begun, stops = threading.Event(), []

    async def serve() -> None:
        stop = asyncio.Event()
        stops.append((asyncio.get_running_loop(), stop))
        begun.set()
        await server.serve(stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert begun.wait(DEADLINE_S)
        deadline_s = time.monotonic() + DEADLINE_S
        while not server.port:
            assert time.monotonic() < deadline_s
            assert thread.is_alive()
            time.sleep(0.01)
        yield TlsRunning(authority, own, server)
    finally:
        loop, stop = stops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
