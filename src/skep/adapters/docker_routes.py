"""From an endpoint to a pool of connections: unix sockets, TCP with and without TLS, ssh, docker's contexts."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import AddrInfoType
from aiohttp.client_exceptions import UnixClientConnectorError

from skep.adapters.docker_contexts import read_context
from skep.adapters.docker_errors import UnreachableError
from skep.adapters.docker_ssh import ALIVE_INTERVAL_S, SshConnector
from skep.adapters.docker_tls import RenewingContext, hung_up_fault, tls_fault
from skep.model.cluster import TlsFiles
from skep.model.errors import Fault, InvalidError
from skep.specs.endpoints import endpoint_fault, ssh_target, without_password

PLAIN_PORT, TLS_PORT = 2375, 2376
"""What docker's own client takes where an endpoint names none."""


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to reach engines beyond their URLs.

    tls: files by endpoint. docker_config: the folder of docker's own client with its contexts and its credentials for
    registries; None uses neither. ssh: how OpenSSH's client is called.
    """

    tls: Mapping[str, TlsFiles] = field(default_factory=dict)
    docker_config: Path | None = None
    ssh: tuple[str, ...] = ("ssh",)


@dataclass(frozen=True, slots=True)
class Route:
    """An open way to an engine: `url` is where requests go, in the pool of `connector`. `tls` is None in the clear."""

    url: str
    connector: aiohttp.BaseConnector
    tls: TlsFiles | None = None

    async def close(self) -> None:
        await self.connector.close()
        if isinstance(self.connector, SshConnector):
            await self.connector.end_tunnels()

    def fault(self, error: BaseException, *, fresh: bool) -> str:
        """Why a connection failed, where its own words don't say it; empty where they do.

        `fresh`: nothing has been heard yet.
        """
        causes = tuple(_causes(error))
        said = [str(cause) for cause in causes if isinstance(cause, UnreachableError)]
        said += [_no_connection(cause) for cause in causes if type(cause) in _NO_CONNECTION]
        if said or self.tls is None:
            return said[0] if said else ""
        # aiohttp's own errors of TLS are only wrapped around ssl's.
        faults = [one for one in causes if isinstance(one, ssl.SSLError) and not isinstance(one, aiohttp.ClientError)]
        if not faults and not (fresh and any(isinstance(cause, _HUNG_UP) for cause in causes)):
            return ""
        return tls_fault(faults[0], self.tls) if faults else hung_up_fault(self.tls)


_NO_CONNECTION = (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError, UnixClientConnectorError)
_REASONS = {
    errno.ECONNREFUSED: "nobody listens there",
    errno.ENOENT: "there is no such socket",
    errno.EACCES: "this user may not open it: is it in the group docker?",
}


def _no_connection(error: BaseException) -> str:
    assert isinstance(error, aiohttp.ClientConnectorError)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} is not known ({error.os_error.strerror})"
    number = error.os_error.errno
    if number is None:  # several addresses, each with its own reason
        return f"no connection: {error.os_error}"
    return _REASONS.get(number) or f"no connection: {os.strerror(number)}"


_HUNG_UP = (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def check_endpoint(endpoint: str) -> None:
    """InvalidError where an endpoint is not spoken; whether anybody is there is another question."""
    if fault := endpoint_fault(endpoint):
        raise InvalidError([Fault(f"engine {without_password(endpoint)!r}: {fault}")])


def open_route(endpoint: str, access: Access) -> Route:
    """The way to an endpoint that check_endpoint let through; UnreachableError where there is none.

    Pools belong to the event loop that runs.
    """
    scheme, _, rest = endpoint.partition("://")
    if scheme == "context":
        return _by_context(rest, access)
    if scheme == "unix":
        return Route("http://localhost", aiohttp.UnixConnector(rest, limit=0))
    if scheme == "ssh":
        return Route("http://docker", SshConnector(ssh_target(endpoint), access.ssh))
    return _by_address(endpoint, access.tls.get(endpoint))


def _by_context(name: str, access: Access) -> Route:
    if access.docker_config is None:
        raise UnreachableError(f"docker's contexts are not used here: there is no folder to find {name!r} in")
    context = read_context(access.docker_config, name)
    if context.host.startswith("context://"):
        raise UnreachableError(f"the docker context {name!r} leads to another one, {context.host}")
    try:
        check_endpoint(context.host)
    except InvalidError as error:
        raise UnreachableError(f"the docker context {name!r} can't be used: {error}") from error
    return open_route(context.host, Access({context.host: context.tls} if context.tls else {}, None, access.ssh))


def alive_socket(address: AddrInfoType) -> socket.socket:
    """A socket that notices within half a minute when the other side has gone without a word: a stream of events is
    idle for hours, and would wait for ever."""
    family, type_, protocol, *_ = address
    made = socket.socket(family, type_, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, ALIVE_INTERVAL_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, ALIVE_INTERVAL_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
    return made


def _by_address(endpoint: str, files: TlsFiles | None) -> Route:
    parts = urlsplit(endpoint)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if parts.scheme == "http" or (parts.scheme == "tcp" and files is None):
        return Route(
            f"http://{host}:{parts.port or PLAIN_PORT}", aiohttp.TCPConnector(limit=0, socket_factory=alive_socket)
        )
    files = files or TlsFiles()
    return Route(
        f"https://{host}:{parts.port or TLS_PORT}",
        aiohttp.TCPConnector(limit=0, ssl=RenewingContext(files), socket_factory=alive_socket),
        files,
    )
