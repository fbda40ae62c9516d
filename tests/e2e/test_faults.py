"""The faults of semantics.md 6.2 on real Engines: F1, F3, F4, F6, F8, F9, F10 and F11, and the losses of W35 and W36.

A real `skep serve`, and between it and the Engines proxies that lose, delay, fail, cut and lie. An observer beside them
asks the Engines themselves, all the time: never more containers than there may be (W42), and in the end exactly those
that are wanted, with none that was made and not started. Faults that last are made side by side (`lasting_faults.py`).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil

import pytest

from tests.e2e import lasting_faults
from tests.e2e.cached_faults import lists_are_a_minute_old
from tests.e2e.classic_faults import a_creation_falls_out_of_an_old_list_and_skep_is_killed
from tests.e2e.lasting_faults import Place
from tests.e2e.proxied import CREATE, LIST, ProxiedSkep, asked_blindly, workload
from tests.e2e.swarm_faults import a_worker_of_a_swarm_is_lost
from tests.e2e.waiting import WITHIN_S, eventually, phase
from tests.e2e.watch import Watch
from tests.engines.host import HostEngine
from tests.engines.proxy import Fault, Held, Proxy, delayed, dropped, lost, refused, silent

pytestmark = pytest.mark.docker

Ends = Callable[[], None]
START = "/containers/[^/]+/start"


@dataclass
class Bench:
    """One Engine behind one proxy, for one test after the other."""

    skep: ProxiedSkep
    proxy: Proxy
    watch: Watch

    def ask(self, count: int) -> None:
        """Without waiting."""
        self.skep.changes(web(count))

    def arrives(self, count: int) -> None:
        """Exactly so many run in the end, none was left behind, and there never were too many."""
        self.skep.await_converged()
        eventually(self.watch.states, {"running": count} if count else {})
        assert self.watch.most <= count + ceil(count / 4)
        assert not self.watch.doubles


def web(count: int) -> str:
    return workload("web", "local", count)


@pytest.fixture(scope="module")
def whole(host_engine: HostEngine) -> Iterator[Bench]:
    socket = host_engine.folder / "docker.sock"
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(socket, host_engine.folder / "proxy.sock").running())
        skep = ProxiedSkep(host_engine, "10.31.0", clusters={"local": [proxy.endpoint]})
        stack.callback(skep.remove)
        skep.start()
        skep.run("image", "example")
        yield Bench(skep, proxy, stack.enter_context(Watch([socket], f"skep.controller={skep.controller}")))


@pytest.fixture
def bench(whole: Bench) -> Iterator[Bench]:
    """Nothing is there before each test, and nothing after it."""
    whole.watch.begin()
    yield whole
    whole.proxy.clear()
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
    assert bench.watch.most <= 5 + 2
    assert not bench.watch.doubles


@pytest.mark.parametrize(
    ("path", "number", "answered"),
    [(CREATE, 0, False), (CREATE, 4, True), (START, 0, True), (START, 6, False)],
    ids=["create-0-before", "create-4-after", "start-0-after", "start-6-before"],
)
def test_f3_killed_at_a_call_of_a_scale_from_0_to_10_it_makes_exactly_10(
    bench: Bench, path: str, number: int, answered: bool
) -> None:
    """Every other call is the simulator's (tests/sim/test_containers_sim.py)."""
    held = Held(answer=answered)
    bench.skep.apply(web(0))
    bench.proxy.add(held, "POST", path, skip=number, times=1)
    bench.ask(10)
    assert held.reached.wait(WITHIN_S)
    bench.skep.kill()
    bench.proxy.clear()
    bench.skep.start()
    bench.arrives(10)


@pytest.mark.parametrize(
    ("fault", "path", "made"),
    [
        (lost, CREATE, 8),
        (lost, START, 8),
        (dropped, CREATE, 8),
        (delayed(1.0), CREATE, 8),
        (refused(500, "no space left on device"), CREATE, 8),
        (refused(500, "no space left on device"), START, 11),
    ],
    ids=["lost-create", "lost-start", "dropped-create", "slow-create", "500-create", "500-start"],
)
def test_f4_a_creation_that_nobody_knows_the_end_of_is_looked_for_before_it_is_asked_again(
    bench: Bench, fault: Fault, path: str, made: int
) -> None:
    """What was made without our knowing is adopted: no more are made than are wanted and were refused to start."""
    met = bench.proxy.add(fault, "POST", path, times=3).met
    began = len(bench.proxy.calls)
    bench.ask(8)
    bench.arrives(8)
    assert len(met) == 3
    assert len(bench.watch.ids) <= made
    assert asked_blindly(bench.proxy, began) == []


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


# --- what lasts -----------------------------------------------------------------------------------------------------

Lasting = Callable[[Place], None]


def lasting(fault: Lasting) -> pytest.MarkDecorator:
    """The test waits for the end of this fault, which begins with the first test of this file."""
    return pytest.mark.parametrize("lasts", [fault], ids=[fault.__name__], indirect=True)


@pytest.fixture(scope="module", autouse=True)
def ends(request: pytest.FixtureRequest, host_engine: HostEngine, node_image: str) -> Iterator[dict[Lasting, Ends]]:
    """Of each fault that was chosen."""
    marks = [mark for item in request.session.items for mark in item.iter_markers("parametrize")]
    chosen = {fault for mark in marks if mark.args[0] == "lasts" for fault in mark.args[1]}
    with ExitStack() as stack:
        place = stack.enter_context(lasting_faults.place(host_engine, node_image))
        pool = stack.enter_context(ThreadPoolExecutor(max(1, len(chosen))))
        yield {fault: pool.submit(fault, place).result for fault in chosen}


@pytest.fixture
def lasts(request: pytest.FixtureRequest, ends: dict[Lasting, Ends]) -> Ends:
    """Returns when it has ended, or raises what it has found."""
    return ends[request.param]


@lasting(lasting_faults.a_creation_is_made_and_never_answered)
def test_f4_a_creation_that_is_never_answered_is_looked_for_and_adopted(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.a_registry_is_down)
def test_f6_a_registry_that_is_down_is_asked_ever_more_seldom_and_takes_nothing(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.the_stream_of_events_is_cut)
def test_f8_deaths_while_the_stream_of_events_is_cut_are_found_without_it(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.no_event_arrives)
def test_f8_deaths_that_no_event_tells_of_are_found_by_looking(lasts: Ends) -> None:
    lasts()


@lasting(lists_are_a_minute_old)
def test_f9_lists_of_a_minute_ago_make_nothing_double_and_leave_nothing(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.half_of_the_engines_are_lost)
def test_f10_lost_engines_are_made_up_for_and_what_is_too_much_goes_when_they_are_back(lasts: Ends) -> None:
    lasts()


@lasting(a_worker_of_a_swarm_is_lost)
def test_f10_a_lost_worker_of_a_swarm_is_made_up_for_and_its_return_takes_nothing(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.a_roll_never_gets_well)
def test_f11_a_roll_that_never_gets_well_is_told_and_spares_what_serves(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.a_roll_fails_and_is_undone)
def test_f11_a_roll_that_fails_is_undone_by_a_new_revision(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.a_rollback_fails)
def test_f11_a_rollback_that_fails_stays_paused(lasts: Ends) -> None:
    lasts()


@lasting(lasting_faults.most_of_the_engines_fall_silent_at_once)
def test_w36_where_most_engines_fall_silent_at_once_nothing_is_replaced(lasts: Ends) -> None:
    lasts()


@lasting(a_creation_falls_out_of_an_old_list_and_skep_is_killed)
def test_f9_a_new_life_waits_for_lists_as_old_as_a_classic_swarm_managers(lasts: Ends) -> None:
    lasts()
