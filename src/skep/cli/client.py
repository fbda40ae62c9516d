"""The server's API over its unix socket, with nothing but the standard library."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from skep.cli.failures import Failure, NoServer, Refusal

TIMEOUT_S = 30.0
"""A request only stores or reads; the work comes after it."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("skep", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """One request per connection; answers are parsed JSON."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, path: str, timeout_s: float = TIMEOUT_S) -> Any:
        return self._call("GET", path, None, timeout_s)

    def post(self, path: str, body: object = None, timeout_s: float = TIMEOUT_S) -> Any:
        return self._call("POST", path, body, timeout_s)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path, None, TIMEOUT_S)

    def _call(self, method: str, path: str, body: object, timeout_s: float) -> Any:
        """NoServer: nobody listens. Refusal: the server's own words. Failure: it broke off or took too long."""
        connection = _UnixConnection(self.path, timeout_s)
        try:
            self._connect(connection)
            status, text = _exchange(connection, method, path, body)
        except TimeoutError as error:
            raise Failure(f"the server at {self.path} gave no answer within {timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"the server at {self.path} broke off: {error or type(error).__name__}") from error
        finally:
            connection.close()
        return self._read(status, text)

    def _connect(self, connection: _UnixConnection) -> None:
        try:
            connection.connect()
        except PermissionError as error:
            raise Failure(f"you may not use {self.path}: run this as the user that runs the server") from error
        except OSError as error:
            raise NoServer(
                f"no server answers at {self.path} ({error.strerror or error}): start one with `skep serve`, "
                "or name its socket with --socket or SKEP_SOCKET"
            ) from error

    def _read(self, status: int, text: bytes) -> Any:
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise Failure(f"what answers at {self.path} is no skep server (status {status})") from error
        if status >= 400:
            raise Refusal(status, answer if isinstance(answer, dict) else {})
        return answer


def _exchange(connection: _UnixConnection, method: str, path: str, body: object) -> tuple[int, bytes]:
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    return response.status, response.read()
