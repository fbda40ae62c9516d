"""Faults that take half a minute or more in real time, each of a workload and a cluster of its own, so that they can be
made side by side: on one Engine behind a proxy for each, on six Engines, and on a real Swarm."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from skep.adapters.node_image import EXAMPLE_IMAGE
from tests.e2e.proxied import CREATE, ProxiedSkep, asked_blindly, workload
from tests.e2e.waiting import WITHIN_S, eventually, phase
from tests.e2e.watch import Watch
from tests.engines import registry
from tests.engines.host import HostEngine
from tests.engines.machines import Machines, open_machines
from tests.engines.proxy import Held, Proxy, deaf

LOOK_S = 0.1
"""Many are watched at once."""

ALONE = ("hang", "registry", "cut", "deaf", "bad", "cached")
"""The clusters of one Engine."""

REGISTRY_PORT = 5010
"""In the Engine's own network. Another one than those of the tests of registries."""

PULL = "/images/create"
NEVER_WELL = {"Test": ["CMD", "false"], "Interval": "1s", "Timeout": "5s", "Retries": 1}


@dataclass
class Place:
    """What the faults are made on; what one alone needs is made when it asks for it."""

    host: HostEngine
    node_image: str
    stack: ExitStack
    skep: ProxiedSkep
    proxies: dict[str, Proxy]
    making: threading.Lock = field(default_factory=threading.Lock)
    """Held while machines are made: two at once could choose the same subnet for their networks."""

    @property
    def socket(self) -> Path:
        """The one Engine itself."""
        return self.host.folder / "docker.sock"

    def watch(self, name: str) -> Watch:
        """Of a workload on the one Engine."""
        labels = f"skep.controller={self.skep.controller}", f"skep.workload={name}"
        return Watch([self.socket], *labels, look_s=LOOK_S)

    def lab(self) -> "Lab":
        """Six Engines, made once."""
        with self.making:
            return self._lab

    @cached_property
    def _lab(self) -> "Lab":
        return self.stack.enter_context(lab(self.host, self.node_image))


@contextmanager
def place(host: HostEngine, node_image: str) -> Iterator[Place]:
    """With a skep that serves the clusters of one Engine."""
    with ExitStack() as stack:
        socket = host.folder / "docker.sock"
        proxies = {n: stack.enter_context(Proxy(socket, socket.with_name(f"{n}.sock")).running()) for n in ALONE}
        skep = ProxiedSkep(host, "10.30.0", clusters={name: [proxy.endpoint] for name, proxy in proxies.items()})
        stack.callback(skep.remove)
        skep.start()
        skep.run("image", "example")
        yield Place(host, node_image, stack, skep, proxies)


# --- on one Engine --------------------------------------------------------------------------------------------------


def a_creation_is_made_and_never_answered(place: Place) -> None:
    """F4: until skep gives up, after a minute."""
    skep, proxy = place.skep, place.proxies["hang"]
    proxy.add(Held(answer=True), "POST", CREATE, times=1)
    with place.watch("hang") as watch:
        skep.changes(workload("hang", "hang", 3))
        eventually(watch.states, {"running": 3})
        eventually(lambda: skep.workload("hang")["converged"], True)
        assert len(watch.ids) == 3
        assert not watch.doubles
    assert asked_blindly(proxy, 0) == []


def a_registry_is_down(place: Place) -> None:
    """F6, W32: pulls after 0, 10 and 20 s and so on, never sooner but for a tenth; the one after it is up finds it."""
    skep, proxy = place.skep, place.proxies["registry"]
    image = f"127.0.0.1:{REGISTRY_PORT}/{registry.REPOSITORY}:{registry.TAG}"

    def pulls() -> list[float]:
        return [call.at_s for call in proxy.calls if call.path == PULL]

    with place.watch("pulled") as watch:
        skep.apply(workload("pulled", "registry", 2))
        before = set(watch.running())
        watch.begin()
        skep.changes(workload("pulled", "registry", 2, Image=image))
        eventually(lambda: len(pulls()), 2)
        told = skep.condition("pulled", "ImagePullFailed")
        assert "connection refused" in told["message"]
        assert "; next try at " in told["message"]
        assert (set(watch.running()), watch.ids) == (before, before)
        with serving_images(place.host):
            eventually(lambda: len(set(watch.running()) - before), 2)
            eventually(lambda: skep.workload("pulled")["converged"], True)
        assert watch.least >= 2
        assert watch.most <= 3
    skep.run("delete", "-f", "-", "--wait", text=workload("pulled", "registry", 2))
    place.host.docker("rmi", "-f", *place.host.docker("images", "-aq", image.rpartition(":")[0]).split())
    waits = [later - sooner for sooner, later in pairwise(pulls())]
    assert len(waits) >= 2
    assert [wait for number, wait in enumerate(waits) if wait < 9 * 2**number] == []


@contextmanager
def serving_images(host: HostEngine) -> Iterator[None]:
    """The registry is up inside the block."""
    program = [sys.executable, registry.__file__, str(REGISTRY_PORT), "", ""]
    command = ["nsenter", "--net", f"--target={host.pid}", *program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.terminate()


def the_stream_of_events_is_cut(place: Place) -> None:
    """F8: until they are found."""
    proxy = place.proxies["cut"]
    die_unheard(place, "cut", lambda: proxy.cut_streams(2 * WITHIN_S))
    proxy.cut_streams(0)


def no_event_arrives(place: Place) -> None:
    """F8: the stream is there, and what happens is not in it."""
    place.proxies["deaf"].add(deaf, "GET", "/events")
    place.proxies["deaf"].cut_streams(0)
    die_unheard(place, "deaf", lambda: None)


def die_unheard(place: Place, name: str, harm: Callable[[], None]) -> None:
    with place.watch(name) as watch:
        place.skep.apply(workload(name, name, 6))
        before = watch.running()
        harm()
        with phase(f"F8: three killed while nothing is heard of them ({name}), to six running"):
            place.host.docker("kill", *before[:3])
            eventually(lambda: len(set(watch.running()) - set(before[:3])), 6)
        eventually(lambda: place.skep.workload(name)["converged"], True)
        assert len(watch.ids) == 9
        assert watch.most <= 6 + 2
        assert not watch.doubles


def a_roll_never_gets_well(place: Place) -> None:
    """F11: its deadline is told, nothing that serves goes for it but the one that may be missing, and the old spec ends
    it with those that never left."""
    skep = place.skep
    with place.watch("bad") as watch:
        skep.apply(workload("bad", "bad", 4))
        before = set(watch.running())
        watch.begin()
        skep.changes(workload("bad", "bad", 4, HealthCheck=NEVER_WELL, Updating={"ProgressDeadline": "10s"}))
        eventually(lambda: skep.condition("bad", "Progressing")["reason"], "ProgressDeadlineExceeded")
        serving = set(watch.serving())
        assert serving <= before
        skep.apply(workload("bad", "bad", 4))
        assert serving <= set(watch.running())
        assert watch.least >= 3
        assert watch.most <= 5


def a_roll_fails_and_is_undone(place: Place) -> None:
    """F11, W47, W54: as soon as more failed than may. A new revision has the old template, and who waits is told."""
    skep, rolls = place.skep, {"Updating": {"FailureAction": "rollback"}}
    with place.watch("undone") as watch:
        skep.apply(workload("undone", "bad", 4, **rolls))
        before = set(watch.running())
        watch.begin()
        failing = workload("undone", "bad", 4, HealthCheck=NEVER_WELL, **rolls)
        done = skep.call("apply", "-f", "-", "--wait", text=failing)
        assert (done.returncode, "RolledBack" in done.stdout + done.stderr) == (1, True)
        eventually(lambda: skep.workload("undone")["converged"], True)
        assert [(r["generation"], r["automatic"]) for r in revisions(skep, "undone")] == [
            (3, True),
            (2, False),
            (1, False),
        ]
        assert len(before & set(watch.running())) >= 3
        assert watch.least >= 3
        assert watch.most <= 5


def a_rollback_fails(place: Place) -> None:
    """F11: the old template gets well no more either. Nothing goes to and fro, and `resume` ends the pause."""
    skep, folder = place.skep, place.host.folder / "flag"
    folder.mkdir()
    (folder / "well").touch()
    rolls = {"Updating": {"FailureAction": "rollback", "MaxUnavailable": 0}, "Mounts": [f"{folder}:/flag:ro"]}
    asks = NEVER_WELL | {"Test": ["CMD", "test", "-e", "/flag/well"]}
    skep.apply(workload("stuck", "bad", 2, HealthCheck=asks, **rolls))
    never = NEVER_WELL | {"Retries": 15}
    skep.changes(workload("stuck", "bad", 2, HealthCheck=never, **rolls))
    eventually(lambda: skep.workload("stuck")["observedGeneration"], 2)
    (folder / "well").unlink()  # long before the new ones have failed
    eventually(lambda: skep.condition("stuck", "Progressing")["reason"], "Paused")
    assert [r["automatic"] for r in revisions(skep, "stuck")] == [True, False, False]
    (folder / "well").touch()
    skep.run("workload", "resume", "stuck", "--wait")
    assert [r["automatic"] for r in revisions(skep, "stuck")] == [False, True, False, False]
    assert revisions(skep, "stuck")[0]["why"] == "resumed"


def revisions(skep: ProxiedSkep, name: str) -> list[dict[str, Any]]:
    """The newest first."""
    found: list[dict[str, Any]] = skep.read("workload", "history", name)
    return found


# --- on six Engines -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lab:
    """`sockets` are the Engines' own. The proxies of cluster lab are all of them, of cluster brake the first three."""

    machines: Machines
    names: Sequence[str]
    sockets: Sequence[Path]
    lab: Sequence[Proxy]
    brake: Sequence[Proxy]
    skep: ProxiedSkep

    def watch(self, name: str) -> Watch:
        labels = f"skep.controller={self.skep.controller}", f"skep.workload={name}"
        return Watch(self.sockets, *labels, look_s=LOOK_S)

    def daemon(self, number: int, signal: str) -> None:
        """Send a signal to the daemon of an Engine, and to nothing else on it."""
        send_to_daemon(self.machines.host, self.names[number], signal)

    def states(self, cluster: str) -> list[str]:
        """Of its engines, as people are shown them."""
        [found] = [c for c in self.skep.read("cluster", "ls") if c["name"] == cluster]
        return [engine["state"] for engine in found["engines"]]


def send_to_daemon(host: HostEngine, machine: str, signal: str) -> None:
    for line in host.docker("top", machine, "-eo", "pid,comm").splitlines():
        pid, command = line.split()
        if command == "dockerd":
            subprocess.run(["kill", f"-{signal}", pid], check=True)


@contextmanager
def made_machines(host: HostEngine, image: str) -> Iterator[tuple[asyncio.Runner, Machines]]:
    """Machines, and what runs the coroutines that make them."""
    with asyncio.Runner() as runner:
        context = open_machines(host, image)
        machines = runner.run(context.__aenter__())
        try:
            yield runner, machines
        finally:
            runner.run(context.__aexit__(None, None, None))


@contextmanager
def lab(host: HostEngine, image: str) -> Iterator[Lab]:
    with ExitStack() as stack:
        runner, machines = stack.enter_context(made_machines(host, image))
        sockets = runner.run(machines.alone(6, EXAMPLE_IMAGE))
        items = runner.run(machines.plugin.describe({}))
        names = [item.id for socket in sockets for item in items if machines.folder(item.id) == socket.parent]
        proxies = [
            [
                stack.enter_context(Proxy(socket, socket.with_name(f"{cluster}.sock")).running())
                for socket in sockets[:count]
            ]
            for cluster, count in (("lab", 6), ("brake", 3))
        ]
        urls = {name: [p.endpoint for p in each] for name, each in zip(("lab", "brake"), proxies, strict=True)}
        skep = ProxiedSkep(host, "10.29.0", clusters=urls)
        stack.callback(skep.remove)
        skep.start()
        yield Lab(machines, names, sockets, proxies[0], proxies[1], skep)


def half_of_the_engines_are_lost(place: Place) -> None:
    """F10, W35: one can't be reached and its containers run on; one hangs; and one is killed with all that is on it,
    and is started. Of what comes back, old versions go, and what took their place stays."""
    lab = place.lab()
    skep, survivors = lab.skep, lab.sockets[:3]
    with lab.watch("web") as web, lab.watch("api") as api:
        skep.apply(workload("web", "lab", 6) + "\n" + workload("api", "lab", 6))
        assert [len(web.running(s)) for s in lab.sockets] == [1] * 6
        for watch in (web, api):
            watch.leave_out(*lab.sockets[4:])
        with phase("F10: three of six engines are lost, to all running on the others"):
            lab.lab[3].go_away()
            lab.daemon(4, "STOP")
            lab.machines.host.docker("kill", lab.names[5])
            eventually(lambda: [len(w.running(*survivors)) for w in (web, api)], [6, 6])
        skep.apply(workload("web", "lab", 6, Env={"VERSION": "2"}))
        newest = set(web.running(*survivors))
        assert len(newest) == 6
        for watch in (web, api):
            watch.begin()
            watch.take_back()
        lab.lab[3].come_back()
        lab.daemon(4, "CONT")
        lab.machines.host.docker("start", lab.names[5])
        eventually(lambda: [len(w.running()) for w in (web, api)], [6, 6])
        eventually(lambda: lab.states("lab"), ["answering"] * 6)
        eventually(lambda: [skep.workload(name)["converged"] for name in ("web", "api")], [True, True])
        assert set(web.running()) == newest
        assert [len(w.running()) for w in (web, api)] == [6, 6]
        assert [w.least for w in (web, api)] == [6, 6]


def most_of_the_engines_fall_silent_at_once(place: Place) -> None:
    """W36, F14: two of three; nothing is replaced, and when they are back, one after the other, nothing was."""
    lab = place.lab()

    def answering() -> int:
        return lab.states("brake").count("answering")

    with lab.watch("calm") as watch:
        lab.skep.apply(workload("calm", "brake", 3))
        before = set(watch.running())
        for proxy in lab.brake[1:]:
            proxy.go_away()
        eventually(lambda: bool(lab.skep.condition("calm", "PartitionSuspected")), True)
        for number, proxy in enumerate(lab.brake[1:], start=2):
            proxy.come_back()
            eventually(answering, number)
        eventually(lambda: lab.skep.workload("calm")["converged"], True)
        assert lab.skep.condition("calm", "PartitionSuspected") == {}
        assert (set(watch.running()), watch.ids) == (before, before)
