"""A server in a process of its own, so that its memory can be measured: `python -m tests.server.process SOCKET`."""

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from skep.model.request import ApplyOptions
from skep.model.view import ChangeView
from skep.server.api import create_api
from skep.server.serving import ApiServer
from skep.server.tls import TlsServer
from skep.server.tls_files import Certificates, ServerFiles
from skep.specs.source import SourceFile, parse
from tests.server.front_double import WORKLOAD, FrontDouble
from tests.server.running import DEADLINE_S
from tests.server.tls_certificates import CLIENT, SERVER, Subject, TestAuthority


class ParsingFront(FrontDouble):
    """Finds the faults that a core would find before it stores anything."""

    async def apply(self, files: Sequence[SourceFile], who: str, options: ApplyOptions) -> tuple[ChangeView, ...]:
        return tuple(ChangeView(str(parsed.spec.key), "created", 1) for parsed in parse(files))


class Process:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = subprocess.Popen([sys.executable, "-m", "tests.server.process", str(path)])

    def wait(self) -> None:
        deadline_s = time.monotonic() + 20
        while not self.path.exists():
            assert self._process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)

    def connect_tls(self) -> socket.socket:
        """A connection of somebody who shows a certificate."""
        face = json.loads((self.path.parent / "face.json").read_text())
        context = ssl.create_default_context(cafile=face["ca"])
        context.load_cert_chain(face["cert"], face["key"])
        plain = socket.create_connection(("127.0.0.1", face["port"]), DEADLINE_S)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def connect(self) -> socket.socket:
        """A connection to the socket."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        connection.connect(str(self.path))
        return connection

    def forget_peak(self) -> None:
        """From here on `peak_bytes` counts anew."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The most that was resident at once."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
        return int(kilobytes) * 1024

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(10)


@contextmanager
def process(path: Path) -> Iterator[Process]:
    made = Process(path)
    try:
        made.wait()
        yield made
    finally:
        made.stop()


async def _serve(path: Path) -> None:
    """On the socket, and over TLS once that is there; `tls_face` reads what is left beside the socket."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    authority = TestAuthority(path.parent / "ca")
    own, client = authority.issue(Subject("server", usages=(SERVER, CLIENT))), authority.issue(Subject("ann"))
    app = create_api(ParsingFront([WORKLOAD]))
    files = ServerFiles(own.cert, own.key, authority.ca)
    over_tls = TlsServer("127.0.0.1:0", app, Certificates(files, 60.0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(over_tls.serve(stop))
        while not over_tls.port:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        face = {"port": over_tls.port, "ca": str(authority.ca), "cert": client.cert, "key": client.key}
        (path.parent / "face.json").write_text(json.dumps(face))
        tasks.create_task(ApiServer(path, app).serve(stop))


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
