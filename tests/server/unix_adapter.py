"""requests over a unix socket, for tools that know nothing else."""

from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from tests.server.running import UnixConnection


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("skep")
        self._unix = path

    def connect(self) -> None:
        reached = UnixConnection(self._unix)
        reached.connect()
        self.sock = reached.sock


class _Pool(HTTPConnectionPool):
    def __init__(self, path: Path) -> None:
        super().__init__("skep")
        self._unix = path

    def _new_conn(self) -> _Connection:
        return _Connection(self._unix)


class UnixAdapter(HTTPAdapter):
    """Everything that it is asked for is asked of one socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._pool = _Pool(path)

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> _Pool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
