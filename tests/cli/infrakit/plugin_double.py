"""A plugin on a unix socket, of the standard library alone: it answers by a table and keeps what it was asked."""

import http.server
import json
import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ID = re.compile(rb'"id":(\d+)\}$')


class RpcFault(str):
    """An answer that is an error, with this message."""


class Raw(bytes):
    """The whole body of an answer."""


Answers = Mapping[str, str | Raw]


def implements(interface: str, version: str = "0.1.0") -> Answers:
    """The handshake of InfraKit v0.1.0 (infrakit-compat.md 2.3)."""
    return {"Plugin.Implements": json.dumps({"APIs": [{"Name": interface, "Version": version}]})}


@dataclass
class PluginDouble:
    """answers: methods to results as JSON; others are not there (infrakit-compat.md 2.2).

    bodies: what came, without the IDs.
    """

    path: Path
    answers: dict[str, str | Raw]
    status: int = 200
    bodies: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)

    def answer(self, body: bytes) -> bytes:
        found = ID.search(body)
        assert found, body
        self.ids.append(int(found[1]))
        self.bodies.append(ID.sub(b"}", body).decode().replace(",}", "}"))
        method = json.loads(body)["method"]
        given = self.answers.get(method, RpcFault(f'rpc: can\'t find service "{method}"'))
        if isinstance(given, Raw):
            return given
        if isinstance(given, RpcFault):
            error = json.dumps({"code": -32000, "message": given, "data": None})
            return b'{"jsonrpc":"2.0","error":%s,"id":%s}\n' % (error.encode(), found[1])
        return b'{"jsonrpc":"2.0","result":%s,"id":%s}\n' % (given.encode(), found[1])

    def params(self) -> str:
        """Of the last call, as they came."""
        return self.bodies[-1].partition('"params":')[2][:-1]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    plugin: PluginDouble


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.plugin.heads.append({"path": self.path, **dict(self.headers.items())})
        body = server.plugin.answer(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(server.plugin.status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is the command's."""


@contextmanager
def served(path: Path, answers: Answers) -> Iterator[PluginDouble]:
    """The double, listening until the end of the block."""
    plugin = PluginDouble(path, dict(answers))
    with _Server(str(path), _Handler) as server:
        server.plugin = plugin
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield plugin
        finally:
            server.shutdown()
            thread.join()
            path.unlink(missing_ok=True)
