"""Containers on plain Engines: as fast as the engine lets, back at once when one dies, and silent when all is well.

Run with `.venv/bin/python -m bench.containers [ROUNDS]`. In one run, alternating, on three engines of its own:

- 10 and 30 containers on one engine and on three, from one request to skep's API to running, against a bare loop that
  creates and starts as many with as many calls at once (the limit): at most 1.25 and 1.15 times as long.
- Killing one of five containers to five running again, against one bare create and start: at most 1.5 times as long;
  what Swarm's own repair takes is told beside it, and `docker compose up --scale` where it is installed.
- 100 replicas at rest: requests to the engine between two looks (none), CPU (under 0.5 % of a core) and memory
  (under 100 MB).

Exits 1 when a limit is not held.
"""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.engines.host import HostEngine, host_engine

from bench.lab import ROOT, SKEP, MeasurementError, UnixConnection, ask, compare, run, timed, until
from bench.relay import Relay, relay
from skep.cli.client import Client

ROUNDS = 5
RATIOS_MAX = {10: 1.25, 30: 1.15}
REPAIR_RATIO_MAX = 1.5
REPLICAS_AT_REST = 100
REST_S = 70.0
"""Two looks, whose distance is 30 s and a tenth, fall into it, and one whole pause between them."""
CPU_PERCENT_MAX = 0.5
MEMORY_MB_MAX = 100
LIMIT = 2 * (os.cpu_count() or 1)
"""Calls at once to one engine: skep's own default."""
SETTLE_S = 1.0
"""An engine goes on tidying up for a moment after it has said that a container is gone."""
NAME = "bench"
MARK = "bench.bare"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Lab:
    """Three engines and a `skep serve` that knows the first as `one`, all as `three`, and the first again through a
    relay that counts as `watched`."""

    engines: Sequence[HostEngine]
    relay: Relay
    image: str
    state: Path
    pid: int

    @property
    def client(self) -> Client:
        return Client(self.state / "skep.sock")

    def sockets(self, cluster: str) -> list[Path]:
        """The engines of a cluster."""
        return [engine.folder / "docker.sock" for engine in self.engines[: 3 if cluster == "three" else 1]]

    def submit(self, cluster: str, count: int) -> None:
        """One request to the API."""
        spec = {"Name": NAME, "Image": self.image, "Count": count, "Cluster": cluster, "StopGrace": 0}
        self.client.post("/v1/apply", {"files": [{"name": "bench", "text": json.dumps(spec)}]})

    def running(self, cluster: str, label: str) -> int:
        """How many containers with this label run, as the engines tell."""
        return sum(len(listed(socket, label)) for socket in self.sockets(cluster))

    def until_running(self, cluster: str, label: str, count: int) -> None:
        """Wait for exactly so many."""
        until(lambda: self.running(cluster, label) == count, f"{count} containers of {label} run")

    def clear(self, cluster: str) -> None:
        """Remove the workload and wait until nothing of it is left."""
        self.client.delete(f"/v1/workloads/{NAME}")
        until(lambda: not any(listed(s, f"skep.workload={NAME}", every=True) for s in self.sockets(cluster)), "removal")
        until(lambda: not self.client.get("/v1/workloads"), "the workload is forgotten")


def listed(socket: Path, label: str, *, every: bool = False) -> list[str]:
    """IDs of the containers with this label that run, or of all of them."""
    filters = {"label": [label]} | ({} if every else {"status": ["running"]})
    url = f"/containers/json?all={int(every)}&filters={quote(json.dumps(filters))}"
    return [container["Id"] for container in ask(socket, url) or []]


class Bare:
    """The loop that does no more than it must: create and start, with so many connections as the limit allows."""

    def __init__(self, sockets: Sequence[Path], image: str) -> None:
        self._sockets, self._image = sockets, image
        self._kept = threading.local()

    def make(self, count: int) -> None:
        """So many containers, in turn on each engine."""
        with ThreadPoolExecutor(LIMIT * len(self._sockets)) as pool:
            list(pool.map(lambda number: self._one(self._sockets[number % len(self._sockets)]), range(count)))

    def _one(self, socket: Path) -> None:
        connection = self._connection(socket)
        body = {"Image": self._image, "Labels": {MARK: "1"}}
        created = exchange(connection, f"/containers/create?name=bare.{secrets.token_hex(4)}", body)
        exchange(connection, f"/containers/{json.loads(created)['Id']}/start", None)

    def _connection(self, socket: Path) -> UnixConnection:
        kept: dict[Path, UnixConnection] = self._kept.__dict__.setdefault("connections", {})
        if socket not in kept:
            kept[socket] = UnixConnection(socket)
        return kept[socket]

    def clear(self) -> None:
        """Remove all that was made."""
        for socket in self._sockets:
            containers = listed(socket, MARK, every=True)
            if containers:
                run("docker", "-H", f"unix://{socket}", "rm", "-f", *containers)


def exchange(connection: UnixConnection, url: str, body: object) -> bytes:
    """POST, and the answer; MeasurementError when it is refused."""
    text = None if body is None else json.dumps(body)
    connection.request("POST", url, text, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status >= http.client.BAD_REQUEST:
        raise MeasurementError(f"{url}: {response.status} {answer.decode()}")
    return answer


def measure_creation(lab: Lab, cluster: str, count: int, rounds: int) -> bool:
    """From nothing to all running, alternating; whether skep is within its limit."""
    ours, theirs = [], []
    bare = Bare(lab.sockets(cluster), lab.image)
    for number in range(rounds):
        ours.append(timed(lambda: _submitted(lab, cluster, count)))
        lab.clear(cluster)
        time.sleep(SETTLE_S)
        theirs.append(timed(lambda: _made(lab, cluster, bare, count)))
        bare.clear()
        time.sleep(SETTLE_S)
        print(f"{count} on {cluster}, round {number + 1}: {ours[-1]:.2f} s, bare {theirs[-1]:.2f} s", flush=True)
    return compare(f"create {count} on {cluster}", ours, theirs, RATIOS_MAX[count])


def _submitted(lab: Lab, cluster: str, count: int) -> None:
    lab.submit(cluster, count)
    lab.until_running(cluster, f"skep.workload={NAME}", count)


def _made(lab: Lab, cluster: str, bare: Bare, count: int) -> None:
    """Looked at all the while, as skep's are: a look costs the engine some milliseconds."""
    with ThreadPoolExecutor(1) as beside:
        making = beside.submit(bare.make, count)
        lab.until_running(cluster, MARK, count)
        making.result()


def measure_repair(lab: Lab, rounds: int) -> bool:
    """From a kill to as many running as before, against one bare create and start."""
    label, (socket,) = f"skep.workload={NAME}", lab.sockets("one")
    bare = Bare([socket], lab.image)
    ours, theirs = [], []
    _submitted(lab, "one", 5)
    for _ in range(rounds):
        ours.append(timed(lambda: _repaired(lab, socket, label, 5)))
        theirs.append(timed(lambda: _made(lab, "one", bare, 1)))
        bare.clear()
        time.sleep(1)
        lab.client.post(f"/v1/workloads/{NAME}/retry", {})  # else the crash-loop back-off would be measured
        until(lambda: lab.client.get(f"/v1/workloads/{NAME}")["converged"], "rest after the repair")
    lab.clear("one")
    print(f"Swarm's own repair, for comparison: {statistics.median(swarm_repairs(lab, rounds)):.2f} s")
    return compare("repair one of 5", ours, theirs, REPAIR_RATIO_MAX)


def _repaired(lab: Lab, socket: Path, label: str, count: int) -> None:
    """Until another one runs in the place of the one that was killed."""
    victim = listed(socket, label)[0]
    exchange(UnixConnection(socket), f"/containers/{victim}/kill", None)

    def back() -> bool:
        now = listed(socket, label)
        return len(now) == count and victim not in now

    until(back, "the killed container is replaced")


def swarm_repairs(lab: Lab, rounds: int) -> list[float]:
    """What a service of five takes to replace a task that was killed."""
    engine, (socket,) = lab.engines[0], lab.sockets("one")
    engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1")
    try:
        name = ["--detach", "--no-resolve-image", "--name", NAME, "--replicas", "5"]
        engine.docker("service", "create", *name, lab.image)
        label = f"com.docker.swarm.service.name={NAME}"
        until(lambda: len(listed(socket, label)) == 5, "the service runs")
        return [timed(lambda: _repaired(lab, socket, label, 5)) for _ in range(rounds)]
    finally:
        engine.docker("service", "rm", NAME)
        engine.docker("swarm", "leave", "--force")


def measure_rest(lab: Lab) -> bool:
    """A hundred replicas and nothing to do: what skep asks, burns and holds."""
    lab.submit("watched", REPLICAS_AT_REST)
    until(lambda: lab.client.get(f"/v1/workloads/{NAME}")["converged"], "100 replicas run", 300)
    time.sleep(5)
    lab.relay.moments.clear()
    before_s, began_s = cpu_s(lab.pid), time.monotonic()
    time.sleep(REST_S)
    percent = 100 * (cpu_s(lab.pid) - before_s) / (time.monotonic() - began_s)
    bursts = looks(lab.relay.moments)
    memory_mb = resident_mb(lab.pid)
    print(
        f"100 replicas at rest for {REST_S:.0f} s: {len(lab.relay.moments)} requests in {len(bursts)} looks that are "
        f"{', '.join(f'{gap:.0f}' for gap in bursts)} s apart, {percent:.2f} % of a core, {memory_mb:.0f} MB resident"
    )
    lab.clear("watched")
    quiet = all(gap > 20 for gap in bursts[1:])
    return quiet and percent < CPU_PERCENT_MAX and memory_mb < MEMORY_MB_MAX


def looks(moments: Sequence[float]) -> list[float]:
    """Seconds since the look before, for each run of requests that are less than two seconds apart; 0 for the first."""
    gaps: list[float] = []
    last_s = 0.0
    for moment_s in moments:
        if not last_s or moment_s - last_s > 2:
            gaps.append(moment_s - last_s if last_s else 0.0)
        last_s = moment_s
    return gaps


def cpu_s(pid: int) -> float:
    """CPU time of a process, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def compare_compose(lab: Lab) -> None:
    """`docker compose up --scale` from nothing, where it is installed."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        print("docker compose is not installed: not compared")
        return
    folder = lab.state / "compose"
    folder.mkdir()
    (folder / "compose.yaml").write_text(json.dumps({"services": {NAME: {"image": lab.image}}}))
    host = {**os.environ, "DOCKER_HOST": lab.engines[0].endpoint}
    up = ["docker", "compose", "-f", folder / "compose.yaml", "up", "-d", "--scale"]
    for count in RATIOS_MAX:
        seconds = timed(lambda count=count: run(*up, f"{NAME}={count}", env=host) and None)  # type: ignore[misc]
        print(f"docker compose up --scale {count}, for comparison: {seconds:.2f} s")
        run("docker", "compose", "-f", folder / "compose.yaml", "down", "-t", "0", env=host)


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """All of it started, with the image on every engine, and gone at the end."""
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(host_engine()) for _ in range(3)]
        state = engines[0].folder / "s"
        state.mkdir(mode=0o700)
        counting = stack.enter_context(relay(engines[0].folder / "docker.sock", state / "relay.sock"))
        three = ",".join(engine.endpoint for engine in engines)
        flags = [
            f"--cluster=one={engines[0].endpoint}",
            f"--cluster=three={three}",
            f"--cluster=watched=unix://{state}/relay.sock",
        ]
        env = os.environ | {"DOCKER_HOST": engines[0].endpoint, "SKEP_STATE_DIR": str(state)}
        log = stack.enter_context((state / "serve.log").open("wb"))
        process = subprocess.Popen([str(SKEP), "serve", *flags], env=env, stdout=log, stderr=log)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        until((state / "skep.sock").exists, "skep serve listens", 20)
        image = json.loads(run(SKEP, "image", "example", "-o", "json", env=env))["image"]
        for engine in engines[1:]:
            copy_image(engines[0], engine, image)
        yield Lab(engines, counting, image, state, process.pid)


def copy_image(here: HostEngine, there: HostEngine, image: str) -> None:
    """As `docker save | docker load`."""
    saved = subprocess.run(["docker", "-H", here.endpoint, "save", image], capture_output=True, check=True)
    subprocess.run(["docker", "-H", there.endpoint, "load"], input=saved.stdout, capture_output=True, check=True)


def main() -> int:
    """Measure all and say whether it holds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    assert shutil.which("docker"), f"docker's client is needed: {ROOT / 'scripts' / 'setup'} installs it"
    with lab() as place:
        held = [measure_creation(place, cluster, count, rounds) for cluster in ("one", "three") for count in RATIOS_MAX]
        held.append(measure_repair(place, rounds))
        compare_compose(place)
        held.append(measure_rest(place))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
