"""Workloads that behave: repair, a rolling update and a failure storm, each against Swarm's own in the same run.

Run with `.venv/bin/python -m bench.workload [repair] [roll] [storm] [status]`; all of them unless some are named. Two
engines of its own: skep keeps containers on a plain one, Swarm keeps them on the other, the two in turn.

- repair: one of five containers is killed; until five run again. p50 and p99 of 50, the latter being the slowest. Swarm
  waits 5 s before it starts a task anew unless told otherwise; what it takes without that delay is told beside it.
- roll: 20 containers with a health check to a new label, 5 at a time; until 20 new ones are healthy and no old one
  runs. Started first (Swarm's `start-first`, skep's MaxSurge) and stopped first (MaxUnavailable), and started first
  through skep on Swarm mode. MinReady is 0s, since Swarm goes on as soon as a task is healthy. The end is what the
  engine lists: the 5 s for which Swarm watches on are not counted, nor is what skep does to tell that it is complete.
  How many healthy ones were missing meanwhile is held against what MaxUnavailable allows.
- storm: an image that exits at once, 20 of it, for three minutes; calls to the engine a minute. Of skep each request
  counts. Swarm's agent lives in the engine and makes none, so that what changed there is counted: containers created,
  started and removed. Its own inspections are not seen, which is in its favour.
- status: `bench.workload_status`.

Exits 1 when a limit is not held.
"""

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.engines.host import HostEngine, host_engine

from bench import workload_status
from bench.containers import copy_image, exchange
from bench.lab import SKEP, MeasurementError, UnixConnection, ask, run, timed, until
from bench.relay import Relay, relay
from bench.table import Row, told
from skep.cli.client import Client

NAME = "bench"
VERSION = "bench.version"

REPAIRED = 5
REPAIRS = 50
REPAIRS_UNDELAYED = 10
REPAIR_RATIO_MAX = 1.0
"""An engine tells of a death and starts a container within half a second: nobody has to wait longer than for Swarm."""

ROLLED = 20
AT_ONCE = 5
ROLLS = 3
ROLL_RATIO_MAX = 1.1
"""Most of a roll are the engine's starts and the interval of health checks, the same for both; the tenth is noise."""
HEALTH_INTERVAL_S = 3
"""Each check is a process that the engine starts: more often, two cores would do little else for 25 containers."""

STORM = 20
STORM_MINUTES = 3
STORM_RATIO_MAX = 1.0
"""A crash loop is told of after few tries; a fixed delay is what back-off is there to beat."""

SETTLE_S = 2.0
"""An engine goes on tidying up for a moment after it has said that a container is gone."""
REST_S = 0.5
"""Between two repairs; the oldest of five is killed, which has run for several rounds."""
POLL_S = 0.05
"""Short against a roll; a list of 25 containers costs the engine 10 ms."""
STORM_EVENTS = ("create", "start", "destroy")


@dataclass(frozen=True)
class Lab:
    """`plain` is the cluster of that name to skep, and once more `counted` through the relay; `swarm` is a Swarm of one
    node."""

    plain: HostEngine
    swarm: HostEngine
    relay: Relay
    image: str
    state: Path

    @property
    def client(self) -> Client:
        return Client(self.state / "skep.sock")

    def submit(self, cluster: str, count: int, **fields: object) -> None:
        """One request to skep's API."""
        spec = {"Name": NAME, "Image": self.image, "Count": count, "Cluster": cluster, **fields}
        self.client.post("/v1/apply", {"files": [{"name": "bench", "text": json.dumps(spec)}]})

    def clear(self, engine: HostEngine) -> None:
        """Remove skep's workload and wait until nothing of it is left."""
        self.client.delete(f"/v1/workloads/{NAME}")
        until(lambda: not containers(engine, every=True), "the workload's containers are removed")
        until(lambda: not self.client.get("/v1/workloads"), "the workload is forgotten")
        time.sleep(SETTLE_S)

    def serve_by_hand(self, count: int, options: Sequence[str] = (), arguments: Sequence[str] = ()) -> None:
        """The service of Swarm's own, made with docker's client, which takes no digest from a registry either."""
        named = ["--detach", "--no-resolve-image", "--name", NAME, "--replicas", str(count)]
        self.swarm.docker("service", "create", *named, *options, self.image, *arguments)

    def clear_by_hand(self) -> None:
        """As `clear`."""
        self.swarm.docker("service", "rm", NAME)
        until(lambda: not containers(self.swarm, every=True), "the service's containers are removed")
        time.sleep(SETTLE_S)


def containers(engine: HostEngine, *, every: bool = False) -> list[dict[str, Any]]:
    """Those that run, or all; the newest first. The engines have no others than the workload's or the service's."""
    return ask(engine.folder / "docker.sock", f"/containers/json?all={int(every)}") or []


# --- repair ---------------------------------------------------------------------------------------------------------


def measure_repair(lab: Lab) -> list[Row]:
    """Both run all the while; one is killed here, one there. What was well for a second (Window) counts as new to skep,
    so that no repair is put off for the one before; Swarm knows no back-off."""
    lab.submit("plain", REPAIRED, Restart={"Window": "1s"})
    lab.serve_by_hand(REPAIRED)
    for engine in (lab.plain, lab.swarm):
        until(lambda engine=engine: len(containers(engine)) == REPAIRED, "five run")  # type: ignore[misc]
    time.sleep(SETTLE_S)
    ours, theirs = in_turn(REPAIRS, "repair", partial(repair, lab.plain), partial(repair, lab.swarm))
    lab.swarm.docker("service", "update", "--detach", "--restart-delay", "0s", NAME)
    until(lambda: is_updated(lab.swarm), "the tasks have the other delay")
    time.sleep(SETTLE_S)
    undelayed_ours, undelayed = in_turn(
        REPAIRS_UNDELAYED, "repair without delay", partial(repair, lab.plain), partial(repair, lab.swarm)
    )
    lab.clear(lab.plain)
    lab.clear_by_hand()
    return [
        Row("repair of one of 5, p50", "s", statistics.median(ours), statistics.median(theirs), REPAIR_RATIO_MAX),
        Row("repair of one of 5, p99", "s", percentile(ours, 99), percentile(theirs, 99), REPAIR_RATIO_MAX),
        Row("same, Swarm's restart delay 0, p50", "s", statistics.median(undelayed_ours), statistics.median(undelayed)),
    ]


def is_updated(engine: HostEngine) -> bool:
    """Whether Swarm has brought its last update to an end: another delay of restarts replaces all tasks."""
    service = ask(engine.folder / "docker.sock", f"/services/{NAME}") or {}
    return bool(service.get("UpdateStatus", {}).get("State") == "completed")


def repair(engine: HostEngine) -> None:
    """Kill the oldest, and wait until another one runs in its place."""
    victim = containers(engine)[-1]["Id"]
    exchange(UnixConnection(engine.folder / "docker.sock"), f"/containers/{victim}/kill", None)

    def back() -> bool:
        now = [container["Id"] for container in containers(engine)]
        return len(now) == REPAIRED and victim not in now

    until(back, "the killed container is replaced")


def percentile(seconds: Sequence[float], percent: int) -> float:
    """The nearest rank."""
    return sorted(seconds)[math.ceil(len(seconds) * percent / 100) - 1]


def in_turn(rounds: int, what: str, ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[list[float], ...]:
    """Seconds that each took, one after the other."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(1, rounds + 1):
        for kept, act in zip(times, (ours, theirs), strict=True):
            kept.append(timed(act))
            time.sleep(REST_S)
        print(f"{what}, {number} of {rounds}: skep {times[0][-1]:.2f} s, Swarm {times[1][-1]:.2f} s", flush=True)
    return times


# --- roll -----------------------------------------------------------------------------------------------------------


@dataclass
class Roll:
    """One way to replace containers, in the words of skep and of Swarm. `missing` is by who rolled: the most that were
    not there and healthy at a time."""

    title: str
    surge: int
    unavailable: int
    order: str
    cluster: str = "plain"
    missing: dict[str, int] = field(default_factory=dict)

    def by_skep(self, lab: Lab) -> float:
        """From the request to the end of the roll."""
        engine = lab.swarm if self.cluster == "swarm" else lab.plain
        updating = {"MaxSurge": self.surge, "MaxUnavailable": self.unavailable, "MinReady": "0s"}
        submit = partial(lab.submit, self.cluster, ROLLED, Updating=updating, HealthCheck=HEALTH_CHECK)
        submit(Labels={VERSION: "1"})
        until_rolled(engine, "1")
        until(lambda: lab.client.get(f"/v1/workloads/{NAME}")["converged"], "rest before the roll")
        time.sleep(SETTLE_S)
        seconds = self._timed("skep", engine, partial(submit, Labels={VERSION: "2"}))
        lab.clear(engine)
        return seconds

    def by_hand(self, lab: Lab) -> float:
        """The same with docker's client, which takes 0.05 s to start."""
        update = ["--update-parallelism", str(AT_ONCE), "--update-order", self.order, "--update-delay", "0s"]
        check = ["--health-cmd", HEALTH, "--health-interval", f"{HEALTH_INTERVAL_S}s", "--health-timeout", "5s"]
        label = ["--container-label", f"{VERSION}=1"]
        lab.serve_by_hand(ROLLED, [*update, *check, "--health-retries", "3", *label])
        until_rolled(lab.swarm, "1")
        time.sleep(SETTLE_S)
        change = ["service", "update", "--detach", "--no-resolve-image", "--container-label-add", f"{VERSION}=2", NAME]
        seconds = self._timed("Swarm", lab.swarm, lambda: lab.swarm.docker(*change))
        lab.clear_by_hand()
        return seconds

    def _timed(self, who: str, engine: HostEngine, change: Callable[[], object]) -> float:
        began_s = time.monotonic()
        change()
        missing = ROLLED - until_rolled(engine, "2")
        self.missing[who] = max(self.missing.get(who, 0), missing)
        return time.monotonic() - began_s


HEALTH = "test -e /www/index.html"
HEALTH_CHECK = {"Test": ["CMD-SHELL", HEALTH], "Interval": f"{HEALTH_INTERVAL_S}s", "Timeout": "5s", "Retries": 3}
"""As the options that Swarm gets; the rest is Docker's default for both."""
ROLLINGS = (
    Roll("started first", AT_ONCE, 0, "start-first"),
    Roll("stopped first", 0, AT_ONCE, "stop-first"),
    Roll("started first, skep on Swarm mode", AT_ONCE, 0, "start-first", "swarm"),
)


def until_rolled(engine: HostEngine, version: str) -> int:
    """Wait until all are healthy and of this version, and nothing else runs; the fewest that were healthy meanwhile."""
    least = sys.maxsize
    end_s = time.monotonic() + 300
    while time.monotonic() < end_s:
        listed = containers(engine)
        healthy = [container for container in listed if "(healthy)" in container["Status"]]
        least = min(least, len(healthy))
        if len(listed) == ROLLED and sum(c["Labels"].get(VERSION) == version for c in healthy) == ROLLED:
            return least
        time.sleep(POLL_S)
    raise MeasurementError(f"{ROLLED} of version {version} were not healthy within 300 s")


def measure_roll(lab: Lab) -> list[Row]:
    """Each way in turn with Swarm's."""
    return [row for rolling in ROLLINGS for row in measure_rolling(lab, rolling)]


def measure_rolling(lab: Lab, rolling: Roll) -> list[Row]:
    """The medians of a few rolls, and what was missing in the worst of them."""
    ours, theirs = [], []
    for number in range(1, ROLLS + 1):
        ours.append(rolling.by_skep(lab))
        theirs.append(rolling.by_hand(lab))
        print(f"{rolling.title}, {number} of {ROLLS}: skep {ours[-1]:.2f} s, Swarm {theirs[-1]:.2f} s", flush=True)
    print(f"{rolling.title}, missing at most: {rolling.missing}", flush=True)
    what = f"roll of {ROLLED}, {AT_ONCE} at a time, {rolling.title}"
    return [
        Row(what, "s", statistics.median(ours), statistics.median(theirs), ROLL_RATIO_MAX),
        Row("- missing at a time", "containers", rolling.missing["skep"], limit=rolling.unavailable),
    ]


# --- storm ----------------------------------------------------------------------------------------------------------


def measure_storm(lab: Lab) -> list[Row]:
    """Skep's, then Swarm's: both at once would slow each other down."""
    command = ["sh", "-c", "exit 1"]
    lab.relay.moments.clear()
    made = storm(lab.plain, partial(lab.submit, "counted", STORM, Command=command))
    calls = len(lab.relay.moments)
    lab.clear(lab.plain)
    changed = storm(lab.swarm, lambda: lab.serve_by_hand(STORM, ["--entrypoint", "sh"], ["-c", "exit 1"]))
    lab.clear_by_hand()
    print(f"storm of {STORM_MINUTES} min: skep {calls} calls, of which {made}; Swarm {changed}", flush=True)
    minute = 1 / STORM_MINUTES
    return [
        Row("storm of 20, calls", "a minute", calls * minute, sum(changed.values()) * minute, STORM_RATIO_MAX),
        Row("storm of 20, containers made", "a minute", made["create"] * minute, changed["create"] * minute, 1.0),
    ]


def storm(engine: HostEngine, begin: Callable[[], object]) -> dict[str, int]:
    """How often each of these events befell a container from the beginning on."""
    since_s = time.time()
    until_s = since_s + 60 * STORM_MINUTES
    wanted = [f"--filter=event={event}" for event in STORM_EVENTS]
    command = ["docker", "-H", engine.endpoint, "events", f"--since={since_s:.3f}", f"--until={until_s:.3f}"]
    command += ["--filter=type=container", "--format={{.Action}}", *wanted]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        begin()
        events = listening.communicate(timeout=60 * STORM_MINUTES + 60)[0].split()
    return {event: events.count(event) for event in STORM_EVENTS}


# --- all ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """All of it started, with the image on both engines, and gone at the end."""
    with contextlib.ExitStack() as stack:
        plain, swarm = (stack.enter_context(host_engine()) for _ in range(2))
        swarm.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1")
        state = plain.folder / "s"
        state.mkdir(mode=0o700)
        counting = stack.enter_context(relay(plain.folder / "docker.sock", state / "relay.sock"))
        clusters = {"plain": plain.endpoint, "counted": f"unix://{state}/relay.sock", "swarm": swarm.endpoint}
        flags = [f"--cluster={name}={endpoint}" for name, endpoint in clusters.items()]
        env = os.environ | {"DOCKER_HOST": plain.endpoint, "SKEP_STATE_DIR": str(state)}
        log = stack.enter_context((state / "serve.log").open("wb"))
        process = subprocess.Popen([str(SKEP), "serve", *flags], env=env, stdout=log, stderr=log)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        until((state / "skep.sock").exists, "skep serve listens", 20)
        image = json.loads(run(SKEP, "image", "example", "-o", "json", env=env))["image"]
        copy_image(plain, swarm, image)
        yield Lab(plain, swarm, counting, image, state)


PARTS: dict[str, Callable[[Lab], Sequence[Row]]] = {
    "repair": measure_repair,
    "roll": measure_roll,
    "storm": measure_storm,
}


def main() -> int:
    """Measure all, or what was named, and say whether it holds."""
    every = [*PARTS, "status"]
    wanted = sys.argv[1:] or every
    if unknown := set(wanted).difference(every):
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
        return 2
    rows: list[Row] = []
    if set(wanted) & set(PARTS):
        with lab() as place:
            rows += [row for name in PARTS if name in wanted for row in PARTS[name](place)]
    if "status" in wanted:
        rows += workload_status.measure()
    print(told(rows))
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
