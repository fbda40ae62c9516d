"""The API with 10,000 workloads: how long the lists of them take, and a submit while all converge.

Run with `.venv/bin/python -m bench.workload_status`, or as a part of `bench.workload`. A skep of its own over 100
simulated engines (`bench.simulated`): a real store on the disk, a real API on its socket, and 10,000 containers that
take no time.

- submit while converging: workloads of one container each are submitted one after the other, while the controller works
  on those before. Each submit is a new connection, as curl's.
- the lists, when all have converged: from the connection to the last byte of the answer, of 200 that are spread over
  36 s, so that a resync, which looks at all 10,000, is among them. `skep status` reads `/v1/status?fresh=true`, which
  looks at all itself before it answers: of 20, one after the other, and without a limit.

Exits 1 when a limit is not held.
"""

import contextlib
import http.client
import json
import math
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.lab import UnixConnection, until
from bench.simulated import IMAGE, SOCKET
from bench.table import Row, told

CLUSTERS = 100
WORKLOADS = 10_000
READS = {"/status": 200, "/v1/workloads": 200, "/v1/status": 200, "/v1/status?fresh=true": 20}
EVERY_S = 0.18
"""Between two reads: 200 take longer than the 33 s at most from one resync to the next (`Options.resync_s`)."""

CONVERGED_WITHIN_S = 600
P99_MAX_MS = 50.0
"""A person does not notice it, and a script that polls each second costs 5 % of a core."""


def measure() -> Sequence[Row]:
    """Figures in ms, with their limits; takes some minutes."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder, _serving(Path(folder)) as path:
        submits = [timed_ms(path, "POST", "/submit", _spec(number)) for number in range(WORKLOADS)]
        until(lambda: _are_there(path), "10,000 workloads have converged", CONVERGED_WITHIN_S)
        reads = read(path)
    return [
        _row(f"submit while {WORKLOADS} converge", submits, P99_MAX_MS),
        *reads,
    ]


def read(path: Path) -> Sequence[Row]:
    """Of each list; what asks the engines first has no limit."""
    times = {url: _times(path, url, count) for url, count in READS.items()}
    return [
        _row(f"GET {url} of {WORKLOADS}", found, None if "fresh" in url else P99_MAX_MS) for url, found in times.items()
    ]


def _times(path: Path, url: str, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(timed_ms(path, "GET", url))
        if "fresh" not in url:
            time.sleep(EVERY_S)
    return found


def timed_ms(path: Path, method: str, url: str, body: bytes | None = None) -> float:
    """One request on a connection of its own, until the answer's last byte."""
    began_s = time.monotonic()
    connection = UnixConnection(path)
    try:
        connection.request(method, url, body)
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    assert response.status in (http.client.OK, http.client.CREATED), response.status
    return (time.monotonic() - began_s) * 1000


def _spec(number: int) -> bytes:
    return json.dumps(
        {"Name": f"w{number:05}", "Image": IMAGE, "Count": 1, "Cluster": f"c{number % CLUSTERS + 1}"}
    ).encode()


def _row(what: str, times_ms: list[float], limit: float | None) -> Row:
    times_ms.sort()
    return Row(f"{what}, p99", "ms", times_ms[math.ceil(len(times_ms) * 0.99) - 1], limit=limit)


def _are_there(path: Path) -> bool:
    """Asked once a second, so that the asking is no load."""
    time.sleep(1)
    connection = UnixConnection(path)
    try:
        connection.request("GET", "/v1/workloads")
        views = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return len(views) == WORKLOADS and all(view["converged"] for view in views)


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[Path]:
    path = folder / SOCKET
    command = [sys.executable, "-m", "bench.simulated", str(folder), str(CLUSTERS)]
    with (folder / "skep.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log)
    try:
        until(lambda: _answers(path), "the server answers")
        yield path
    finally:
        server.terminate()
        server.wait(60)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


if __name__ == "__main__":
    rows = measure()
    print(told(rows))
    raise SystemExit(0 if all(row.held for row in rows) else 1)
