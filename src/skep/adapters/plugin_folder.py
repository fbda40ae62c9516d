"""Plugins by the name of their socket in a folder, as InfraKit finds them (infrakit-compat.md 2.1, 2.6)."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from skep.adapters.rpc import DEADLINES, Address, Deadline, RpcClient
from skep.adapters.rpc_handshake import Peer
from skep.adapters.rpc_plugins import RemoteFlavor, RemoteGroup, RemoteInstance
from skep.model.errors import NotFoundError

log = structlog.get_logger()

SCHEMES = {"tcp": "http", "http": "http", "https": "https"}
"""What a `.listen` file may say, and what is spoken there."""

LISTEN_BYTES_MAX = 4096
"""An address; a longer file is something else."""


class PluginFolder:
    """Implements ports.Plugins, and `group` beside. Nothing is read before a plugin is called.

    A name is that of a socket, or of a file `NAME.listen` with `tcp://HOST:PORT` in it; `NAME/TYPE` is one of several
    objects that a plugin of a later generation has. A plugin may come, go and come back at any time.
    """

    def __init__(self, folder: Path, hint: str = "", deadlines: Mapping[str, Deadline] = DEADLINES) -> None:
        """`hint` follows InfraKit's words for a plugin that is not there."""
        self._folder, self._hint, self._deadlines = folder, hint, deadlines
        self._clients: dict[str, RpcClient] = {}
        self._peers: dict[str, Peer] = {}
        self._warned: set[Path] = set()

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.close()

    def instance(self, name: str) -> RemoteInstance:
        return RemoteInstance(self._peer(name))

    def flavor(self, name: str) -> RemoteFlavor:
        return RemoteFlavor(self._peer(name))

    def group(self, name: str) -> RemoteGroup:
        return RemoteGroup(self._peer(name))

    def socket_of(self, name: str) -> str:
        """Where a plugin of this name is, or was; empty where there is none."""
        try:
            return self._address(name).shown
        except NotFoundError:
            return ""

    def _peer(self, name: str) -> Peer:
        if name not in self._peers:
            lookup, _, kind = name.partition("/")
            if lookup not in self._clients:
                self._clients[lookup] = RpcClient(lookup, lambda: self._address(lookup), self._deadlines)
            self._peers[name] = Peer(self._clients[lookup], kind)
        return self._peers[name]

    def _address(self, name: str) -> Address:
        """NotFoundError in InfraKit's words where there is neither a socket nor a file that leads elsewhere."""
        try:
            return (self._socket(name) if name else None) or self._listening(name)
        except (OSError, ValueError) as error:  # nothing there, or no name that a file can have
            raise NotFoundError(f"Plugin not found: {name}{self._hint}") from error

    def _socket(self, name: str) -> Address | None:
        """None for what is no socket; links to one are passed over, as InfraKit does."""
        path = self._folder / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISSOCK(status.st_mode):
            return Address(str(path), str(path), mark=(status.st_dev, status.st_ino, status.st_ctime_ns))
        self._warn(path, "it is no socket")
        return None

    def _listening(self, name: str) -> Address:
        path = self._folder / f"{name}.listen"
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(LISTEN_BYTES_MAX).decode().strip()
            mark = os.fstat(descriptor).st_mtime_ns
        parts = urlsplit(text)
        scheme = SCHEMES.get(parts.scheme)
        if scheme is None or not parts.hostname or not parts.port:
            self._warn(path, "it does not say tcp://HOST:PORT")
            raise ValueError(text)
        return Address(text, url=f"{scheme}://{parts.netloc}/", mark=(mark,))

    def _warn(self, path: Path, why: str) -> None:
        """Once for each file, for plugins are looked for before every call."""
        if path not in self._warned:
            self._warned.add(path)
            log.warning("a file among the plugins is none", file=str(path), reason=why)
