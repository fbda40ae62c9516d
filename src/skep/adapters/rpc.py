"""A client of one plugin: JSON-RPC over HTTP on its unix socket, or where its `.listen` file says.

infrakit-compat.md 2.

Nothing here waits for a lock: a plugin that hangs keeps only those waiting who ask that plugin.
"""

import asyncio
import errno
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler

from skep.model.errors import UnavailableError
from skep.model.json import RawJson
from skep.wire.envelope import decode_answer, encode_request

CONNECT_S = 5.0
"""A plugin on this host takes a connection at once, and one elsewhere within a lost packet or two (#599: a client hung
for ever on a host that was gone)."""

KNOCK_S = 0.005
"""How long until a plugin is tried again whose backlog is full. Python's servers let 5 wait, and those that were turned
away are lost calls to InfraKit's client (infrakit-compat.md 2.1)."""

IDLE_S = 4.0
"""How long a connection is kept for the next call: shorter than any server keeps it (uvicorn: 5 s), so that no call
meets a server that is hanging up."""

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""A listing of 50,000 machines with a kilobyte of tags each; what is larger is no listing."""

ACTS_MAX, READS_MAX = 128, 64
"""Calls of one plugin at once. Acts may take half an hour each, so reads have places of their own: a plugin that is
busy making machines still says which there are. InfraKit v0.1.0 has no limit and calls all at once (G12)."""

TEXT_MAX = 200
"""How much of an answer that is none is shown."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long a method may take. `act`: it waits for the world, and is not known to have failed when it is over."""

    seconds: float
    act: bool = False


READ = Deadline(60)
"""A listing or a check: a cloud's API that is asked page by page, or a flavor that asks a busy Engine."""
MACHINE = Deadline(30 * 60, act=True)
"""A box is downloaded, a machine boots, tasks move elsewhere: `vagrant up` on a slow line (#603, #858, #910: one short
deadline for all broke just these)."""
HANDSHAKE = Deadline(15)
"""It is answered from memory."""

DEADLINES = {
    "Plugin.Implements": HANDSHAKE,
    "Handshake.Implements": HANDSHAKE,
    "Handshake.Hello": HANDSHAKE,
    "Instance.Validate": READ,
    "Instance.DescribeInstances": READ,
    "Instance.Provision": MACHINE,
    "Instance.Destroy": MACHINE,
    "Flavor.Validate": READ,
    # It makes nothing, and asks an Engine for three things at most.
    "Flavor.Prepare": READ,
    # One question for each machine: one that hangs must not hide the health of all others for long.
    "Flavor.Healthy": Deadline(20),
    "Flavor.Drain": MACHINE,
    # Its plugins are asked in turn: flavor, instance, and the listing for the plan.
    "Group.CommitGroup": Deadline(5 * 60, act=True),
    # InfraKit's waits for a tick of the running update.
    "Group.FreeGroup": READ,
    "Group.DescribeGroup": READ,
    "Group.InspectGroups": READ,
    # InfraKit's drains and destroys one machine after the other and answers at the end.
    "Group.DestroyGroup": Deadline(4 * 60 * 60, act=True),
}
"""How long each method may take, and whose places its calls take."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a plugin is. `mark` differs for every socket that was ever made there: another one is another process."""

    shown: str
    socket: str = ""
    url: str = "http://a/"
    mark: tuple[int, ...] = ()


class RpcClient:
    """Calls of one plugin. `locate` says where it is now; UnavailableError when it is nowhere.

    It is asked before each call, so that a plugin that came back is found at its new socket. Connections to the old
    one end with the calls that they carry.
    """

    def __init__(self, name: str, locate: Callable[[], Address], deadlines: Mapping[str, Deadline] = DEADLINES) -> None:
        self.name, self._locate, self._deadlines = name, locate, deadlines
        self._line: _Line | None = None
        self._ids = itertools.count(1)
        self._places = {True: asyncio.Semaphore(ACTS_MAX), False: asyncio.Semaphore(READS_MAX)}

    @property
    def address(self) -> Address:
        """Where the plugin is now."""
        return self._locate()

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.session.close()

    async def call(self, method: str, params: RawJson) -> RawJson:
        """The result. RpcError: the plugin's own word; UnavailableError: there was none within the method's time."""
        deadline = self._deadlines[method]
        body = encode_request(method, params, next(self._ids))
        async with self._places[deadline.act]:
            return decoded(self.name, method, await self._posted(method, body, deadline.seconds))

    async def _posted(self, method: str, body: bytes, seconds: float) -> bytes:
        address = self._locate()
        try:
            async with asyncio.timeout(seconds), self._post(address, body) as response:
                return await _read(response)
        except TimeoutError as error:
            raise self._silent(method, address, f"no answer within {seconds:g} s") from error
        except (aiohttp.ClientConnectorError, OSError) as error:
            raise self._silent(method, address, _reason(error)) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise self._silent(method, address, f"it broke off ({_reason(error)})") from error

    def _silent(self, method: str, address: Address, reason: str) -> UnavailableError:
        return UnavailableError(f"could not call {method} of plugin {self.name} at {address.shown}: {reason}")

    @asynccontextmanager
    async def _post(self, address: Address, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        before, line = self._line, self._line_to(address)
        line.users += 1
        try:
            if before is not None and before is not line and not before.users:
                await before.session.close()
            async with line.session.post(address.url, data=body) as response:
                yield response
        finally:
            line.users -= 1
            if line is not self._line and not line.users:
                await line.session.close()

    def _line_to(self, address: Address) -> "_Line":
        if self._line is None or self._line.address != address:
            self._line = _Line(address, _session(address))
        return self._line


class _Line:
    """The connections to one socket."""

    def __init__(self, address: Address, session: aiohttp.ClientSession) -> None:
        self.address, self.session, self.users = address, session, 0


class _PatientConnector(aiohttp.UnixConnector):
    """Waits where the backlog is full. The loop's own connect takes that for a connection, and the call is lost."""

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        connected = await _connected(self.path)
        _, protocol = await self._loop.create_unix_connection(self._factory, sock=connected)
        return protocol


async def _connected(path: str) -> socket.socket:
    """A connection to the socket there; OSError tells why there is none."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + CONNECT_S
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        while True:
            try:
                connection.connect(path)
                return connection
            except BlockingIOError as error:
                if loop.time() >= end_s:
                    raise OSError(errno.EAGAIN, f"it took no connection within {CONNECT_S:g} s") from error
            await asyncio.sleep(KNOCK_S)
    except BaseException:
        connection.close()
        raise


def _session(address: Address) -> aiohttp.ClientSession:
    """Its connections are as many as `_places` let through."""
    connector = (
        _PatientConnector(address.socket, limit=0, keepalive_timeout=IDLE_S)
        if address.socket
        else aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "User-Agent"),
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, whatever its status and type (infrakit-compat.md 2.1). ValueError: it is too long, or HTTP's own
    refusal, told with its status."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            raise ValueError(f"its answer is longer than {ANSWER_BYTES_MAX} bytes")
    body = b"".join(pieces)
    if response.status != 200 and not body.lstrip().startswith(b"{"):
        raise ValueError(f"status {response.status}: {_shown(body)}")
    return body


def decoded(name: str, method: str, body: bytes) -> RawJson:
    """The result in an answer. RpcError: its error; UnavailableError: it is no answer. Init may be in it: not shown."""
    try:
        return decode_answer(body)
    except ValueError as error:
        raise UnavailableError(
            f"plugin {name} answered {method} with {len(body)} bytes that are no JSON-RPC"
        ) from error


def _shown(body: bytes) -> str:
    return body[:TEXT_MAX].decode(errors="replace").strip()


def _reason(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__
