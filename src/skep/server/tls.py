"""HTTPS for those who show a certificate: other hosts may come, and none without a certificate of our CA of clients."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog
from starlette.types import ASGIApp

from skep.server.errors import Problem
from skep.server.listen import listen_tcp, shown_address
from skep.server.pages import foreign_page
from skep.server.patient import Patience, PatientProtocol
from skep.server.serving import serve_on
from skep.server.tls_files import Certificates
from skep.server.tls_handshake import HandshakeError, handshake_fault
from skep.server.tls_peer import Role, tls_peer
from skep.server.tls_refusals import Refusals
from skep.specs.endpoints import listen_address

log = structlog.get_logger()

FLAG = "--tls-listen"

HANDSHAKE_S = 10.0
"""For a handshake; a second is much, and strangers may hold a place for so long."""

HANDSHAKES_MAX = 256
"""At once: whoever comes then waits in the backlog. Each holds a file and some 300 kB."""

CROWDED_S = 2.0
"""For a handshake while more than half of the places are taken: who says nothing keeps nobody else out for long.
Measured: 600 who said nothing held up the next for 20 s before, and the half that they may keep is enough for all."""

CLOSING_S = 5
"""How long the other side may take to say goodbye as well."""

LINGER_S = 1.0
LINGER_BYTES_MAX = 64 * 1024
"""What a refused client may still send while it reads why: a close with unread data would take the reason from it."""

_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OVER = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)
"""The listening socket is no more. All else that accept says is about a connection that was lost on its way."""


class TlsProtocol(PatientProtocol):
    """Puts the certificate's name into the scope's state as `peer`, and lets it do what its role may.

    `tell` logs who asks for more: those who may do nothing as they come, a viewer once it would change something.
    """

    tell: Callable[[str], None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.tls_peer = tls_peer(transport.get_extra_info("ssl_object").getpeercert())
        self.app_state = {**self.app_state, "peer": self.tls_peer.name}
        if self.tls_peer.role is Role.NONE:
            self.tell(self.tls_peer.bounds())

    def on_headers_complete(self) -> None:
        words, page = self.tls_peer.objection(self.parser.get_method().decode("ascii", "replace")), ""
        if words and self.tls_peer.role is Role.VIEWER:
            self.tell(self.tls_peer.bounds())
        elif not words and (page := foreign_page(self.headers)):
            self.tell(f"{self.tls_peer.name}: {page}")
        if words or page:
            self.scope["state"]["refused"] = (403, Problem(words or page, "Forbidden"))
        super().on_headers_complete()


class TlsServer:
    """The application on `address`, HOST:PORT, over TLS. It may be served on a unix socket as well.

    `port` is the one it listens on, 0 before.
    """

    def __init__(
        self,
        address: str,
        app: ASGIApp,
        certificates: Certificates,
        patience: Patience | None = None,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        """ValueError where `address` is none."""
        self._host, self._wanted = listen_address(address)
        self._app, self._patience = app, patience or Patience()
        self._door = Door(certificates, Refusals(), handshake_s)
        self.port = 0

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer until `stop`. UnavailableError where the address is taken."""
        with listen_tcp(self._host, self._wanted, FLAG) as listener:
            self.port = listener.getsockname()[1]
            log.info("serving HTTPS", address=shown_address(self._host, self.port))
            await serve_on(listener, self._app, TlsProtocol, self._patience, stop, self._door.admit)


class Door:
    """Accepts connections and makes the handshake of each. asyncio's own servers tell nobody of those that fail."""

    def __init__(self, certificates: Certificates, refusals: Refusals, handshake_s: float) -> None:
        self._certificates, self._refusals, self._handshake_s = certificates, refusals, handshake_s
        self._greeted: set[asyncio.Task[None]] = set()

    async def admit(self, listener: socket.socket, make: Callable[[], PatientProtocol]) -> None:
        """Until cancelled; nothing that a client does ends it."""
        room = asyncio.Semaphore(HANDSHAKES_MAX)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                connection, address = await _accepted(listener)
                task = tasks.create_task(self._greet(connection, address, make))
                self._greeted.add(task)
                task.add_done_callback(self._greeted.discard)
                task.add_done_callback(partial(_leave, room, connection))

    async def _greet(
        self, connection: socket.socket, address: tuple[str, int], make: Callable[[], PatientProtocol]
    ) -> None:
        """The spare is the same connection: asyncio closes its own as soon as a handshake fails."""
        tell = partial(self._refusals.tell, address[0], shown_address(*address))
        try:
            spare = connection.dup()
        except OSError as error:
            connection.close()
            tell(handshake_fault(error))
            return
        with spare:
            try:
                await self._handshake(connection, partial(_telling, tell, make))
            except Exception as error:  # whatever a stranger sends ends nothing but his own connection
                tell(handshake_fault(error))
                if isinstance(error, HandshakeError):
                    await _say_and_close(spare, error.last_words())

    async def _handshake(self, connection: socket.socket, make: Callable[[], PatientProtocol]) -> None:
        loop = asyncio.get_running_loop()
        crowded = len(self._greeted) > HANDSHAKES_MAX // 2
        await loop.connect_accepted_socket(
            make,
            connection,
            ssl=self._certificates.context(),
            ssl_handshake_timeout=min(self._handshake_s, CROWDED_S) if crowded else self._handshake_s,
            ssl_shutdown_timeout=CLOSING_S,
        )


def _telling(tell: Callable[[str], None], make: Callable[[], PatientProtocol]) -> PatientProtocol:
    """A protocol that can tell of its peer from its first moment on."""
    protocol = make()
    if isinstance(protocol, TlsProtocol):
        protocol.tell = tell
    return protocol


async def _accepted(listener: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
    """The next connection and its peer. asyncio's own sock_accept loses the one that comes as it is cancelled."""
    while True:
        await _readable(listener)
        try:
            connection, address = listener.accept()
            return connection, (address[0], address[1])
        except OSError as error:
            if error.errno in _OVER:
                raise
            if error.errno in _FULL:
                log.error("can't accept connections, trying again in a second", reason=error.strerror)
                await asyncio.sleep(1)


async def _readable(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(listener, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(listener)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _leave(room: asyncio.Semaphore, connection: socket.socket, greeting: "asyncio.Task[None]") -> None:
    """Whoever was not greeted to the end, or not at all, when the server stopped is not left hanging."""
    room.release()
    if greeting.cancelled():
        connection.close()


async def _say_and_close(spare: socket.socket, words: bytes) -> None:
    """Whoever does not listen is not waited for."""
    spare.setblocking(False)
    loop = asyncio.get_running_loop()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINGER_S):
            await loop.sock_sendall(spare, words)
            spare.shutdown(socket.SHUT_WR)
            left = LINGER_BYTES_MAX
            while left > 0 and (got := await loop.sock_recv(spare, left)):
                left -= len(got)
