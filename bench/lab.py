"""An engine and a server of the measurement's own, with images in place, and a look at the truth that asks no skep."""

import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.host import HostEngine, host_engine

ROOT = Path(__file__).parent.parent
SKEP = Path(sys.executable).with_name("skep")
POLL_S = 0.02
"""How often the truth is looked at: short against what is measured, and 1 ms of work each."""
COMMAND_TIMEOUT_S = 180


class MeasurementError(Exception):
    """What was to be measured did not happen."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP to an engine's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def ask(path: Path, url: str) -> Any:
    """The JSON that the engine behind this socket answers; None while it does not, or refuses."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", url)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if response.status == http.client.OK else None


def until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    """Return as soon as it holds; MeasurementError when the time is over."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            raise MeasurementError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(POLL_S)


def run(*command: str | Path, env: dict[str, str] | None = None, text: str | None = None) -> str:
    """A command's output; MeasurementError with what it said when it fails."""
    done = subprocess.run(
        list(map(str, command)),
        check=False,
        env=env,
        input=text,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        cwd=ROOT,
    )
    if done.returncode:
        raise MeasurementError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Swarm:
    """A Swarm as its manager's own engine tells it."""

    manager: Path

    def nodes_ready(self) -> int:
        """How many nodes are Ready."""
        nodes = ask(self.manager, "/nodes") or []
        return sum(node["Status"]["State"] == "ready" for node in nodes)

    def running(self, service: str) -> int:
        """How many tasks of the service run, as they shall."""
        filters = f'{{"service":["{service}"],"desired-state":["running"]}}'
        tasks = ask(self.manager, f"/tasks?filters={filters.replace(chr(34), '%22')}") or []
        return sum(task["Status"]["State"] == "running" for task in tasks)

    def left(self, service: str) -> bool:
        """Whether the service or one of its tasks is still there, or a container of it."""
        services = ask(self.manager, "/services") or []
        tasks = ask(self.manager, "/tasks") or []
        return any(entry["Spec"]["Name"] == service for entry in services) or bool(tasks)


@dataclass(frozen=True)
class Lab:
    """An engine and a `skep serve` on it."""

    engine: HostEngine
    state: Path
    node_image: str
    web_image: str

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {"DOCKER_HOST": self.engine.endpoint, "SKEP_STATE_DIR": str(self.state)}

    def skep(self, *arguments: str | Path, text: str | None = None) -> str:
        """The skep command, as a user would call it."""
        return run(SKEP, *arguments, env=self.env, text=text)

    def manager(self) -> Path | None:
        """The socket of the machine that manages a Swarm; None while there is none."""
        for path in self.state.glob("m/*/e.sock"):
            info = ask(path, "/info")
            if info and info["Swarm"]["ControlAvailable"]:
                return path
        return None

    def until_manager(self) -> Swarm:
        """The Swarm, as soon as it has a manager."""
        until(lambda: self.manager() is not None, "a manager")
        manager = self.manager()
        if manager is None:
            raise MeasurementError("the manager has gone")
        return Swarm(manager)

    def is_empty(self) -> bool:
        """Whether the engine has no container left."""
        return not self.engine.docker("ps", "--all", "--quiet")


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """Both started and both images built; all of it is gone at the end."""
    with host_engine() as engine:
        state = engine.folder / "s"
        with _server(engine, state) as bare:
            node = _name(bare.skep("image", "node", "-o", "json"))
            web = _name(bare.skep("image", "example", "-o", "json"))
            yield Lab(engine, state, node, web)


def _name(answer: str) -> str:
    """The name of the image that was built."""
    return str(json.loads(answer)["image"])


@contextlib.contextmanager
def _server(engine: HostEngine, state: Path) -> Iterator[Lab]:
    bare = Lab(engine, state, "", "")
    state.mkdir(mode=0o700)
    with (state / "serve.log").open("wb") as log:
        process = subprocess.Popen([str(SKEP), "serve"], env=bare.env, stdout=log, stderr=log)
        try:
            until((state / "skep.sock").exists, "skep serve listens", timeout_s=20)
            yield bare
        finally:
            process.terminate()
            process.wait(20)


def privileged_works(lab: Lab) -> bool:
    """Whether the engine grants --privileged: decides how bench/up.sh makes its machines, as it does for skep's."""
    try:
        lab.engine.docker("run", "--rm", "--privileged", "--entrypoint", "true", lab.node_image)
    except subprocess.CalledProcessError:
        return False
    return True


def timed(act: Callable[[], None]) -> float:
    """Seconds that it takes."""
    began_s = time.monotonic()
    act()
    return time.monotonic() - began_s


def compare(name: str, ours: Sequence[float], theirs: Sequence[float], ratio_max: float) -> bool:
    """Print both medians and their ratio; whether it is within the limit."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{name}: skep {_told(ours)}, by hand {_told(theirs)}: ratio {ratio:.2f}, at most {ratio_max:.2f}")
    return ratio <= ratio_max


def _told(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, n = {len(seconds)})"
