"""A unix socket that passes everything on to an engine's, and notes when a request was made."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REQUEST = b" HTTP/1.1\r\n"
"""Ends the first line of every request, and stands in no body that skep sends."""
CHUNK = 65536


@dataclass
class Relay:
    """`moments` are those of the requests that came through, on the monotonic clock."""

    engine: Path
    moments: list[float] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        """Until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(str(self.engine))
            for source, sink, counts in ((client, engine, True), (engine, client, False)):
                threading.Thread(target=self._pass_on, args=(source, sink, counts), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                if counts:
                    self.moments += [time.monotonic()] * chunk.count(REQUEST)
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay(engine: Path, path: Path) -> Iterator[Relay]:
    """Listens at `path` until the end."""
    counting = Relay(engine)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        threading.Thread(target=counting.serve, args=(listener,), daemon=True).start()
        yield counting
