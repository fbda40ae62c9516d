"""Ask a Docker Engine on a unix socket: ask_engine.py SOCKET PATH FIELD prints that field of the JSON answer.

Standard library only, for it runs before anything is installed. Exits 3 when this user may not open the socket, 1 when
nobody answers.
"""

import http.client
import json
import socket
import sys

TIMEOUT_S = 10.0  # an Engine under load answers /info in well under a second


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket instead of a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def ask(path: str, url: str, field: str) -> str:
    """The field as text, empty when the answer has none; OSError or HTTPException when there is no answer."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", url)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return str(answer.get(field, ""))


def main() -> int:
    """Print the field, or exit as the module's docstring says."""
    try:
        print(ask(*sys.argv[1:4]))
    except PermissionError:
        return 3
    except (OSError, http.client.HTTPException, ValueError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
