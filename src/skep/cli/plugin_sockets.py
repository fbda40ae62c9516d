"""Plugins that are programs of their own: where they listen, and who answers there (infrakit-compat.md 2.1, 2.3)."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH100, PTH111, PTH118, PTH123, PTH208

from __future__ import annotations

import os
import sys
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, getaddrinfo, socket
from stat import S_ISSOCK

from skep.cli.exchange import AnswerError, read_answer, write_request
from skep.cli.failures import Failure
from skep.cli.json_text import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LISTEN = ".listen"
"""A file of this kind holds where a plugin of another host listens: `tcp://HOST:PORT`."""

ASK_S = 2.0
"""A plugin tells from memory what it is."""

HANDSHAKES = ("Plugin.Implements", "Handshake.Implements", "Handshake.Hello")
"""One for each generation of InfraKit, the oldest first."""

ANSWERING, SILENT, STALE = "answering", "silent", "stale"
"""It tells what it is; it may be there and does not; nobody listens."""


class Plugin:
    """One plugin, and how it is. `pid` is 0 where that can't be known; `kinds` are as `Instance 0.1.0`."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.state, self.pid, self.detail = SILENT, 0, ""
        self.kinds: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it listens on a socket of this host."""
        return self.address[:1] == "/"

    def ask(self) -> Plugin:
        """Find out how it is, within ASK_S for each question."""
        try:
            self._ask()
        except (ConnectionRefusedError, FileNotFoundError):
            self.state, self.detail = STALE, "nobody listens there"
        except TimeoutError:
            self.detail = f"no answer within {ASK_S:g} s"
        except (OSError, AnswerError, ValueError) as error:
            self.detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return self

    def _ask(self) -> None:
        for method in HANDSHAKES:
            connection = self._connected()
            try:
                self.pid = _peer(connection)
                body = {"jsonrpc": "2.0", "method": method, "params": {}, "id": 1}
                connection.sendall(write_request("POST", "/", body))
                kinds = _kinds(read_json(read_answer(connection.recv)[1]))
            finally:
                connection.close()
            if kinds is not None:
                self.state, self.kinds = ANSWERING, kinds
                return
        self.detail = "what answers is no plugin"

    def _connected(self) -> socket:
        family, where = self._where()
        connection = socket(family, SOCK_STREAM)
        try:
            connection.settimeout(ASK_S)
            connection.connect(where)
        except BaseException:
            connection.close()
            raise
        return connection

    def _where(self) -> tuple[int, Any]:
        """Family and address, of a name the first that it stands for."""
        if self.is_local:
            return AF_UNIX, self.address
        host, _, port = self.address.rpartition("/")[2].rpartition(":")
        found = getaddrinfo(host.strip("[]"), port, 0, SOCK_STREAM)[0]
        return found[0], found[4]


def _peer(connection: socket) -> int:
    """The process at the other end, as the kernel tells it; 0 where it is on another host."""
    if connection.family != AF_UNIX:
        return 0
    return int.from_bytes(connection.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[:4], sys.byteorder)


def _kinds(answer: Any) -> tuple[str, ...] | None:
    """What a plugin says it is; None for an error, and for what makes no sense."""
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        return None
    if isinstance(result.get("Objects"), dict):
        return tuple(sorted(name.replace("/", " ") for name in result["Objects"]))
    found = result.get("APIs")
    if not isinstance(found, list):
        return None
    return tuple(f"{one.get('Name')} {one.get('Version')}" for one in found if isinstance(one, dict))


def plugins_folder(environ: Mapping[str, str] = os.environ) -> str:
    """`$INFRAKIT_PLUGINS_DIR`, else `~/.infrakit/plugins`."""
    return os.path.abspath(environ.get("INFRAKIT_PLUGINS_DIR") or os.path.expanduser("~/.infrakit/plugins"))


def every(folder: str) -> list[Plugin]:
    """All plugins there, by name; what is neither a socket nor leads elsewhere is passed over."""
    try:
        files = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Failure(f"can't read {folder}: {error.strerror}") from error
    found = {file.removesuffix(LISTEN): _address(os.path.join(folder, file)) for file in reversed(files)}
    return [Plugin(name, found[name]) for name in sorted(found) if found[name]]


def socket_at(folder: str, name: str) -> Plugin | None:
    """The plugin with this socket; None where there is none."""
    path = os.path.join(folder, name)
    return Plugin(name, path) if not path.endswith(LISTEN) and _address(path) else None


def _address(path: str) -> str:
    """Empty where no plugin listens by this file."""
    try:
        if S_ISSOCK(os.lstat(path).st_mode):
            return path
        if not path.endswith(LISTEN):
            return ""
        with open(path, encoding="ascii") as file:
            text = file.read(4096).strip()
    except (OSError, ValueError):
        return ""
    return text if "://" in text else ""
