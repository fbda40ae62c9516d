"""What a command of skep costs, against a bare start of Python and one round trip to the same server.

Run with `.venv/bin/python -m bench.cli [ROUNDS]`. A server answers on a socket of its own, in another process; all
commands alternate with the yardstick: `python -c pass` with the same interpreter, plus the time in which a plain socket
connects, asks for the status and has the answer. Exits 1 when a ratio of the medians is above 2.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server.front_double import GROUP, WORKLOAD, FrontDouble

from skep.server.api import create_api
from skep.server.serving import ApiServer

ROUNDS = 31
RATIO_MAX = 2.0
SKEP = Path(sys.executable).with_name("skep")
SPEC = '{"Name": "web", "Count": 3}'
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "-o", "json"),
    ("status", "-o", "yaml"),
    ("status", "-ojson"),
    ("group", "ls"),
    ("workload", "describe", "web"),
    ("workload", "inspect", "web"),
    ("workload", "scale", "web", "3"),
    ("workload", "submit", "web.json"),
    ("apply", "-f", "web.json"),
    ("apply", "--file=web.json"),
    ("events",),
    ("logs", "web"),
    ("cluster", "ls"),
    ("version",),
)
"""All of them ask the server, and none waits."""
REQUEST = b"GET /v1/status HTTP/1.1\r\nHost: skep\r\nConnection: close\r\n\r\n"


def serve(path: Path) -> None:
    """A server without a world, until it is killed."""
    asyncio.run(ApiServer(path, create_api(FrontDouble([GROUP, WORKLOAD]))).serve(asyncio.Event()))


@contextmanager
def served(path: Path) -> Iterator[None]:
    """`serve` in another process."""
    process = subprocess.Popen([sys.executable, "-m", "bench.cli", "--serve", str(path)])
    try:
        deadline_s = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline_s, "the server did not start"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


def round_trip(path: Path) -> float:
    """Seconds from connecting until the whole answer is there."""
    began_s = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(REQUEST)
        while connection.recv(1 << 16):
            pass
    return time.perf_counter() - began_s


def run(folder: Path, *command: str | Path) -> float:
    """Seconds that a process takes from its start to its end."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["SKEP_SOCKET"] = str(folder / "s")
    began_s = time.perf_counter()
    subprocess.run(list(map(str, command)), cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began_s


def measure(folder: Path, rounds: int) -> bool:
    """Alternate all, and print the medians; whether every command is within the limit.

    A first round is not counted: it compiles the modules, as installing does.
    """
    for command in COMMANDS:
        run(folder, SKEP, *command)
    bare: list[float] = []
    trips: list[float] = []
    times: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    for _ in range(rounds):
        bare.append(run(folder, sys.executable, "-c", "pass"))
        trips.append(round_trip(folder / "s"))
        for command, taken in times.items():
            taken.append(run(folder, SKEP, *command))
    yardstick = statistics.median(bare) + statistics.median(trips)
    print(f"bare Python {statistics.median(bare) * 1e3:.1f} ms, round trip {statistics.median(trips) * 1e3:.1f} ms")
    ratios = {command: statistics.median(taken) / yardstick for command, taken in times.items()}
    for command, ratio in ratios.items():
        print(f"skep {' '.join(command):28} {statistics.median(times[command]) * 1e3:6.1f} ms  {ratio:.2f} ×")
    return max(ratios.values()) <= RATIO_MAX


def main() -> int:
    """Measure, and say whether it holds."""
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
        return 0
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "web.json").write_text(SPEC)
        with served(folder / "s"):
            held = measure(folder, rounds)
    print(f"{'within' if held else 'ABOVE'} {RATIO_MAX:g} ×")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
