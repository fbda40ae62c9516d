"""Looking into engines through their sockets: what really is there, whatever skep says."""

import http.client
import json
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

ANSWER_S = 30.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket instead of a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(str(self._path))


def ask(path: Path, url: str, filters: Mapping[str, list[str]] | None = None) -> Any:
    """The parsed answer of a GET; None when nobody answers or the answer is an error."""
    connection = UnixConnection(path)
    query = f"?all=1&filters={quote(json.dumps(filters))}" if filters is not None else ""
    try:
        connection.request("GET", url + query)
        response = connection.getresponse()
        return json.loads(response.read()) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def docker(path: Path, *arguments: str) -> str:
    """What docker's own client answers of the engine on this socket; CalledProcessError when it fails."""
    command = ["docker", "-H", f"unix://{path}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()
