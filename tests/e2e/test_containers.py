"""A real `skep serve` over a real Engine, and a proxy between them that loses, delays, fails, cuts and lies.

An observer beside them asks the Engine itself, all the time: never more containers than there may be (W42), and in the
end exactly those that are wanted, with none that was made and not started (semantics.md F1, F3, F4, F8, F9).
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import ask
from tests.e2e.skep import Skep
from tests.e2e.waiting import WITHIN_S, eventually, phase
from tests.engines.host import HostEngine
from tests.engines.proxy import Fault, Held, Proxy, cached, delayed, dropped, lost, refused, silent

pytestmark = pytest.mark.docker

CREATE = "/containers/create"
START = "/containers/[^/]+/start"
LIST = "/containers/json"
LOOK_S = 0.02


@dataclass
class ContainerSkep(Skep):
    """A skep whose only cluster is the Engine behind the proxy."""

    proxy: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"SKEP_CLUSTER": f"local={self.proxy}"}


class Watch:
    """Looks at the Engine itself, on a thread of its own. `ids` are all containers that there ever were."""

    def __init__(self, socket: Path, controller: str) -> None:
        self._socket, self._filters = socket, {"label": [f"skep.controller={controller}"]}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch")
        self.most = 0
        self.doubles: set[str] = set()
        self.ids: set[str] = set()

    def containers(self) -> list[dict[str, Any]]:
        """What is there now, in any state."""
        return ask(self._socket, LIST, self._filters) or []

    def states(self) -> dict[str, int]:
        return dict(Counter(c["State"] for c in self.containers()))

    def running(self) -> list[str]:
        return [c["Id"] for c in self.containers() if c["State"] == "running"]

    def begin(self) -> None:
        """From now on, only what is there now counts."""
        self.most, self.doubles, self.ids = 0, set(), set()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            active = [c for c in self.containers() if c["State"] in ("created", "running", "paused", "restarting")]
            slots = Counter(c["Labels"]["skep.slot"] for c in active)
            self.most = max(self.most, len(active))
            self.doubles |= {slot for slot, number in slots.items() if number > 1}
            self.ids |= {c["Id"] for c in active}

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@dataclass
class Bench:
    """All of it, for one test after the other."""

    skep: ContainerSkep
    proxy: Proxy
    watch: Watch

    def ask(self, count: int) -> None:
        """Without waiting."""
        self.skep.changes(web(count))

    def arrives(self, count: int, seen_most: int = 0) -> None:
        """Exactly so many run in the end, none was left behind, and there never were too many."""
        self.skep.await_converged()
        eventually(self.watch.states, {"running": count} if count else {})
        assert self.watch.most <= max(count + ceil(count / 4), seen_most)
        assert not self.watch.doubles


def web(count: int) -> str:
    return f"Name: web\nImage: skep/web:1\nCount: {count}\nCluster: local\n"


@pytest.fixture(scope="module")
def whole(host_engine: HostEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    socket = host_engine.folder / "docker.sock"
    with Proxy(socket, host_engine.folder / "proxy.sock").running() as proxy:
        skep = ContainerSkep(host_engine, "10.31.0", proxy=proxy.endpoint)
        try:
            skep.start()
            skep.run("image", "example")
            with Watch(socket, skep.controller) as watch:
                yield Bench(skep, proxy, watch)
        finally:
            skep.remove()


@pytest.fixture
def bench(whole: Bench) -> Iterator[Bench]:
    """Nothing is there before each test, and nothing after it."""
    whole.watch.begin()
    yield whole
    whole.proxy.clear()
    whole.proxy.cut_streams(0)
    if whole.skep.server is None:
        whole.skep.start()
    whole.skep.run("delete", "-f", "-", "--wait", text=web(0))
    assert whole.watch.containers() == []


def test_f1_one_of_five_that_is_killed_is_made_anew_and_only_that_one(bench: Bench) -> None:
    bench.skep.apply(web(5))
    before = set(bench.watch.running())
    with phase("F1: docker kill of one of five to five running"):
        bench.skep.engine.docker("kill", min(before))
        eventually(lambda: len(set(bench.watch.running()) - {min(before)}), 5, poll_s=0.02)
    assert len(bench.watch.ids - before) <= 1
    assert len(set(bench.watch.running()) - before) == 1
    bench.skep.await_converged()
    assert not bench.watch.doubles


@pytest.mark.parametrize("side", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("path", "number"), [(CREATE, 0), (CREATE, 4), (START, 0), (START, 6)], ids=str)
def test_f3_killed_at_a_call_of_a_scale_from_0_to_10_it_makes_exactly_10(
    bench: Bench, path: str, number: int, side: bool
) -> None:
    held = Held(answer=side)
    bench.skep.apply(web(0))
    bench.proxy.add(held, "POST", path, skip=number, times=1)
    bench.ask(10)
    assert held.reached.wait(WITHIN_S)
    bench.skep.kill()
    bench.proxy.clear()
    bench.skep.start()
    bench.arrives(10)


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        (lost, CREATE),
        (lost, START),
        (dropped, CREATE),
        (delayed(1.0), CREATE),
        (refused(500, "no space left on device"), CREATE),
        (refused(500, "no space left on device"), START),
    ],
    ids=["lost-create", "lost-start", "dropped-create", "slow-create", "500-create", "500-start"],
)
def test_f4_a_creation_that_nobody_knows_the_end_of_is_looked_for_before_it_is_asked_again(
    bench: Bench, fault: Fault, path: str
) -> None:
    met = bench.proxy.add(fault, "POST", path, times=3).met
    began = len(bench.proxy.calls)
    bench.ask(8)
    bench.arrives(8)
    assert len(met) == 3
    assert asked_blindly(bench.proxy, began) == []


def asked_blindly(proxy: Proxy, since: int) -> list[str]:
    """Names that were asked for twice without a look for them in between (W26)."""
    asked: set[str] = set()
    blind = []
    for call in proxy.calls[since:]:
        name = re.match(r"name=([^&]+)", call.query)
        if call.method == "POST" and call.path == CREATE and name:
            blind += [name[1]] if name[1] in asked else []
            asked.add(name[1])
        elif call.method == "GET" and call.path == LIST:
            asked.clear()
        elif call.method == "GET":
            asked.discard(call.path.removeprefix("/containers/").removesuffix("/json"))
    return blind


def test_f8_deaths_while_no_events_come_are_found_without_them(bench: Bench) -> None:
    bench.skep.apply(web(6))
    before = bench.watch.running()
    bench.proxy.cut_streams(10)
    with phase("F8: three killed while the stream of events is cut, to six running"):
        bench.skep.engine.docker("kill", *before[:3])
        eventually(lambda: len(set(bench.watch.running()) - set(before[:3])), 6)
    assert len(set(bench.watch.running()) - set(before)) == 3
    bench.skep.await_converged()
    assert not bench.watch.doubles


def test_f9_lists_out_of_a_cache_make_nothing_double(bench: Bench) -> None:
    bench.proxy.add(cached(8.0), "GET", LIST)
    bench.skep.apply(web(5))
    victim = bench.watch.running()[0]
    bench.skep.engine.docker("kill", victim)
    eventually(lambda: len(set(bench.watch.running()) - {victim}), 5)
    bench.skep.apply(web(2))
    eventually(lambda: len(bench.watch.running()), 2)
    assert bench.watch.most <= 5 + 2
    assert not bench.watch.doubles


def test_w35_an_engine_that_says_nothing_for_a_while_makes_no_doubles(bench: Bench) -> None:
    bench.skep.apply(web(4))
    before = set(bench.watch.running())
    bench.proxy.add(silent, "GET", LIST, times=1)
    bench.proxy.go_away()
    bench.skep.engine.docker("kill", min(before))
    bench.proxy.come_back()
    eventually(lambda: len(set(bench.watch.running()) - {min(before)}), 4)
    assert before - {min(before)} <= set(bench.watch.running())
    assert not bench.watch.doubles
