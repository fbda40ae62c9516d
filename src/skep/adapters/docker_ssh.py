"""Engines behind ssh: each connection is an ssh process that runs `docker system dial-stdio` on the other side.

The process gets one end of a socket pair as its input and output; aiohttp gets the other. A connection is handed over
only when the engine has answered on it, so that what ssh says when it fails is told, and in time.
"""

import asyncio
import contextlib
import shlex
import socket
import tempfile
from asyncio.subprocess import Process
from collections.abc import Sequence
from os import SEEK_END
from typing import IO, TYPE_CHECKING

import aiohttp

from skep.adapters.docker_errors import UnreachableError
from skep.specs.endpoints import SshTarget

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

CONNECT_TIMEOUT_S = 6
"""For ssh to connect: below the patience of a probe (10 s), so that it is ssh that says what is wrong."""
GREETING_TIMEOUT_S = 9
"""From the start of ssh to the first answer of the engine: connecting, logging in, starting docker's client."""
ALIVE_INTERVAL_S = 10
"""A link that fell silent is noticed after three of them; a stream of events may be idle for ever."""
HANDSHAKES_MAX = 8
"""Log-ins under way at once; sshd drops some from the tenth on (its MaxStartups)."""
KEEPALIVE_S = 60.0
"""How long an idle connection is kept: a new one costs a log-in."""
ENDING_S = 5.0
"""For ssh to end when it was told to; it is killed then."""
STDERR_BYTES = 2000
"""The tail of what ssh said: the reason comes last, after banners and warnings."""

_GREETING = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
_HEAD_BYTES_MAX = 64 * 1024


def ssh_arguments(target: SshTarget) -> list[str]:
    """What ssh is called with: it never asks, and docker's client on the other side joins its pipes to the engine.

    It may share a connection that is there already and never starts one to be shared, which would outlive it.
    """
    options = {
        "BatchMode": "yes",
        "ControlMaster": "no",
        "ConnectTimeout": CONNECT_TIMEOUT_S,
        "ServerAliveInterval": ALIVE_INTERVAL_S,
        "ServerAliveCountMax": 3,
    }
    named = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    login = [*(("-l", target.user) if target.user else ()), *(("-p", str(target.port)) if target.port else ())]
    engine = f"--host {shlex.quote(f'unix://{target.path}')} " if target.path else ""
    return [*named, "-T", *login, "--", target.host, f"docker {engine}system dial-stdio"]


class _Tunnel:
    """One ssh process, and the file that it says its reasons in.

    A file and no pipe: a child of ssh that lives on (a proxy command) holds a pipe open, and whoever waits for its end.
    """

    def __init__(self, process: Process, stderr: IO[bytes]) -> None:
        self._process, self._said = process, ""
        self.over = asyncio.create_task(self._wait(stderr))

    async def _wait(self, stderr: IO[bytes]) -> None:
        with stderr:
            await self._process.wait()
            stderr.seek(max(0, stderr.seek(0, SEEK_END) - STDERR_BYTES))
            self._said = stderr.read().decode(errors="replace").replace("\r", "")

    async def last_words(self) -> str:
        """What it said, once it has ended; it is made to."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):  # its end comes a moment after the socket's
                await asyncio.shield(self.over)
        await self.end()
        return "; ".join(line.strip() for line in self._said.splitlines() if line.strip())

    async def end(self) -> None:
        self.terminate()
        try:
            async with asyncio.timeout(ENDING_S):
                await asyncio.shield(self.over)
        except TimeoutError:
            self._process.kill()
            await self.over

    def terminate(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()


class SshConnector(aiohttp.BaseConnector):
    """A pool of connections to one engine behind ssh."""

    def __init__(self, target: SshTarget, command: Sequence[str] = ("ssh",)) -> None:
        """`command` is OpenSSH's client, with options of its own where there are any."""
        super().__init__(limit=0, keepalive_timeout=KEEPALIVE_S)
        self._command = (*command, *ssh_arguments(target))
        self._tunnels: set[_Tunnel] = set()
        self._handshakes = asyncio.Semaphore(HANDSHAKES_MAX)

    async def end_tunnels(self) -> None:
        """No process is left; connections that are open break."""
        await asyncio.gather(*(tunnel.end() for tunnel in tuple(self._tunnels)))

    async def _create_connection(
        self, req: "ClientRequest", traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "ResponseHandler":
        async with self._handshakes:
            ours = await self._dial()
        _, protocol = await self._loop.create_connection(self._factory, sock=ours)
        return protocol

    async def _dial(self) -> socket.socket:
        """A socket on which the engine has answered. UnreachableError with ssh's own words."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                tunnel = await self._tunnel(theirs)
            await self._greet(ours, tunnel)
        except BaseException:
            ours.close()
            raise
        return ours

    async def _tunnel(self, theirs: socket.socket) -> _Tunnel:
        """In a session of its own: a Ctrl-C in our terminal is for us to handle."""
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the tunnel
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=stderr.fileno(),
                start_new_session=True,
            )
        except BaseException as error:
            stderr.close()
            if isinstance(error, OSError):
                words = f"can't run {self._command[0]}: {error.strerror}: install OpenSSH's client"
                raise UnreachableError(words) from error
            raise
        tunnel = _Tunnel(process, stderr)
        self._tunnels.add(tunnel)
        tunnel.over.add_done_callback(lambda _: self._tunnels.discard(tunnel))
        return tunnel

    async def _greet(self, ours: socket.socket, tunnel: _Tunnel) -> None:
        try:
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                head = await self._answer(ours)
        except OSError as error:  # and its TimeoutError
            words = await tunnel.last_words()
            late = " in time" if isinstance(error, TimeoutError) else ""
            raise UnreachableError(f"ssh gave no engine{late}: {words or 'it said nothing'}") from error
        except BaseException:
            tunnel.terminate()
            raise
        if not head.startswith(b"HTTP/1."):
            await tunnel.end()
            printed = head[:200].decode(errors="replace").strip()
            raise UnreachableError(
                f"the shell over there printed {printed!r} before docker could answer: keep it silent for commands"
            )

    async def _answer(self, ours: socket.socket) -> bytes:
        """The head of the answer to the greeting; ConnectionError where the other side hung up before its end."""
        await self._loop.sock_sendall(ours, _GREETING)
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES_MAX:
            if not (part := await self._loop.sock_recv(ours, 4096)):
                if head:
                    break
                raise ConnectionError("hung up")
            head += part
        return head
