"""The server's API over its unix socket. HTTP by hand: http.client would take longer to load than all of a command."""

from __future__ import annotations

from _socket import AF_UNIX, SOCK_STREAM, socket

from skep.cli.exchange import AnswerError, read_answer, write_request
from skep.cli.failures import BrokenOff, Failure, NoServer, Refusal
from skep.cli.json_text import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

TIMEOUT_S = 30.0
"""A request only stores or reads; the work comes after it."""


class Client:
    """One request per connection; answers are parsed JSON."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path

    def get(self, path: str, timeout_s: float = TIMEOUT_S) -> Any:
        return self._call("GET", path, None, timeout_s)

    def post(self, path: str, body: object = None, timeout_s: float = TIMEOUT_S) -> Any:
        return self._call("POST", path, body, timeout_s)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path, None, TIMEOUT_S)

    def _call(self, method: str, path: str, body: object, timeout_s: float) -> Any:
        """NoServer: nobody listens. Refusal: the server's own words. BrokenOff: it went away. Failure: it was slow."""
        connection = socket(AF_UNIX, SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            self._connect(connection)
            _send(connection, write_request(method, path, body))
            status, text = read_answer(connection.recv)
        except TimeoutError as error:
            raise Failure(f"the server at {self.path} gave no answer within {timeout_s:g} s") from error
        except OSError as error:
            raise BrokenOff(f"the server at {self.path} broke off: {error or type(error).__name__}") from error
        except AnswerError as error:
            raise Failure(f"what answers at {self.path} is no skep server: {error}") from error
        finally:
            connection.close()
        return self._read(status, text)

    def _connect(self, connection: socket) -> None:
        try:
            connection.connect(str(self.path))
        except PermissionError as error:
            raise Failure(f"you may not use {self.path}: run this as the user that runs the server") from error
        except TimeoutError:
            raise
        except OSError as error:
            raise NoServer(
                f"no server answers at {self.path} ({error.strerror or error}): start one with `skep serve`, "
                "or name its socket with --socket or SKEP_SOCKET"
            ) from error

    def _read(self, status: int, text: bytes) -> Any:
        try:
            answer = read_json(text)
        except ValueError as error:
            raise Failure(f"what answers at {self.path} is no skep server (status {status})") from error
        if status >= 400:
            raise Refusal(status, answer if isinstance(answer, dict) else {})
        return answer


def _send(connection: socket, request: bytes) -> None:
    """A server that refuses what it has not read yet hangs up on it: why, stands in its answer."""
    try:
        connection.sendall(request)
    except (BrokenPipeError, ConnectionResetError):
        return
