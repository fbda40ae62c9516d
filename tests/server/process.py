"""A server in a process of its own, so that its memory can be measured: `python -m tests.server.process SOCKET`."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from skep.model.spec import Kind
from skep.model.view import ChangeView
from skep.server.api import create_api
from skep.server.serving import ApiServer
from skep.specs.source import SourceFile, parse
from tests.server.front_double import WORKLOAD, FrontDouble


class ParsingFront(FrontDouble):
    """Finds the faults that a core would find before it stores anything."""

    async def apply(
        self, files: Sequence[SourceFile], who: str, adopt: bool, kind: Kind | None = None, why: str = ""
    ) -> tuple[ChangeView, ...]:
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
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await ApiServer(path, create_api(ParsingFront([WORKLOAD]))).serve(stop)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
