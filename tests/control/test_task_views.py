"""What people are shown of a Swarm service: one row for each replica, what befell it and what the Swarm does next."""

from dataclasses import replace
from random import Random

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.moment import Now
from skep.control.service_tasks import STOPPED
from skep.control.services import ServiceActuator, Workload
from skep.control.task_views import with_tasks
from skep.model.engine import Task
from skep.model.spec import Restart, WorkloadSpec
from skep.model.view import MemberView
from skep.planning.outlook import LEFT_ALONE
from tests.control.lab import Lab
from tests.fakes.engine import FakeEngines
from tests.server.front_double import WORKLOAD
from tests.sim.loop import run

NOW_S = 1000.0
WEB = WorkloadSpec("web", "skep/web:1", 3, "lab")


def task(id: str, state: str = "running", slot: int = 1, desired: str = "running", **more: object) -> Task:
    """Of `node-1`, in its state since ten seconds."""
    made = Task(id, "s1", "node-1", slot, state, desired, "", "", "", 0, since_s=NOW_S - 10, created_s=NOW_S - 20)
    return replace(made, **more)  # type: ignore[arg-type]


def rows(*tasks: Task, spec: WorkloadSpec = WEB, removed: bool = False) -> list[MemberView]:
    found: list[MemberView] = []

    async def main() -> None:
        lab = Lab("alpha")
        engines, told = FakeEngines(lab), list[str]()
        book = ClusterBook(
            MemoryStore(), engines, lab.clock, told.append, EngineBook([], engines, lab.clock, told.append)
        )
        workload = Workload(spec, "lab", "u1", frozenset(), None, {}, adopt=False, gone=False, formed=True)
        actuator = ServiceActuator(workload, book, lab.clock, Random(1), "skep")
        actuator.tasks = tasks
        view = await with_tasks(replace(WORKLOAD, removed=removed), actuator, Now(5.0, NOW_S))
        found.extend(view.members)

    run(main)
    return found


def test_one_that_runs_has_nothing_next_and_tells_how_those_before_it_ended() -> None:
    ended = [
        task("a1", "failed", desired="shutdown", error="task: non-zero exit (1)", created_s=1.0),
        task("a2", "rejected", desired="shutdown", error="No such image: web:9", created_s=2.0),
        task("a3", "shutdown", desired="shutdown", created_s=3.0),
    ]
    (row,) = rows(*ended, task("a4"))
    assert (row.id, row.slot, row.node, row.life, row.running) == ("a4", "web.1", "node-1", "running", 1)
    assert (row.restarts, row.last_error, row.next) == (2, "No such image: web:9", "")


def test_between_two_tries_the_next_one_is_shown_with_its_time() -> None:
    """semantics.md W31: Swarm waits five seconds."""
    failed = task("a1", "failed", desired="shutdown", error="task: non-zero exit (1)", since_s=NOW_S - 2)
    (row,) = rows(failed, task("a2", "ready", desired="ready", created_s=NOW_S))
    assert (row.id, row.life, row.restarts, row.last_error) == ("a2", "ready", 1, "task: non-zero exit (1)")
    assert (row.next, row.next_in_s, row.next_at_s) == ("started by the Swarm", 3.0, NOW_S + 3)


def test_one_that_has_no_place_says_why() -> None:
    (row,) = rows(task("a1", "pending", error="no suitable node (scheduling constraints not satisfied on 3 nodes)"))
    assert (row.next, row.next_in_s) == ("placed when a node fits", -1.0)
    assert row.last_error.startswith("no suitable node")


def test_one_that_starts_says_what_it_waits_for() -> None:
    shown = rows(task("a1", "preparing"), task("a2", "starting", 2))
    assert [r.next for r in shown] == [
        "started when its node has the image",
        "counts as available when its health check passes",
    ]


def test_one_that_is_not_tried_again_stays_on_the_page() -> None:
    """W38: without it, nobody would see why a replica is missing."""
    failed = task("a1", "failed", desired="shutdown", error="task: non-zero exit (1)")
    assert rows(failed)[0].next == "made again by the Swarm"
    completed = task("a1", "complete", desired="shutdown")
    for restart, then in ((Restart(attempts_max=3), LEFT_ALONE), (Restart(policy="never"), "")):
        (row,) = rows(failed, spec=replace(WEB, restart=restart))
        assert (row.life, row.next, row.last_error) == ("failed", LEFT_ALONE, "task: non-zero exit (1)")
        (row,) = rows(completed, spec=replace(WEB, restart=restart))
        assert (row.life, row.next) == ("complete", then)


@pytest.mark.parametrize("state", ["shutdown", "orphaned"])
def test_a_part_of_a_job_that_the_swarm_stopped_stays_on_the_page(state: str) -> None:
    """W38: it has failed."""
    (row,) = rows(task("a1", state, desired="shutdown"), spec=replace(WEB, restart=Restart(policy="never")))
    assert (row.life, row.detail, row.next) == (state, STOPPED, LEFT_ALONE)


def test_what_scaling_down_or_a_roll_took_away_is_not_shown() -> None:
    gone = [
        task("a1", "failed", 4, "remove"),
        task("a2", "failed", 9, "shutdown"),
        task("a3", "shutdown", 2, "shutdown"),
    ]
    assert [r.id for r in rows(*gone, *(task(f"b{slot}", "running", slot) for slot in (1, 2, 3)))] == ["b1", "b2", "b3"]


def test_what_is_missing_is_shown_whatever_its_slot() -> None:
    """A Swarm that scales down takes any of them."""
    ended = [task(f"a{slot}", "failed", slot, "shutdown") for slot in (6, 7, 8)]
    assert [r.id for r in rows(task("b2", "running", 2), *ended)] == ["b2", "a6", "a7"]


@pytest.mark.parametrize("state", ["shutdown", "orphaned"])
def test_what_was_moved_as_often_as_it_may_end_stays_on_the_page(state: str) -> None:
    (row,) = rows(task("a1", state, desired="shutdown"), spec=replace(WEB, restart=Restart(attempts_max=3)))
    assert (row.life, row.detail, row.next) == (state, STOPPED, "made again, with all others")


def test_replicas_are_in_order_and_those_of_a_global_service_go_by_node() -> None:
    assert [r.slot for r in rows(task("a10", slot=10), task("a9", slot=9))] == ["web.9", "web.10"]
    by_node = rows(task("b", slot=0, node_id="n2"), task("a", slot=0, node_id="n1"))
    assert [(r.slot, r.node) for r in by_node] == [("web", "n1"), ("web", "n2")]


def test_of_a_service_that_goes_all_tasks_go() -> None:
    assert [r.next for r in rows(task("a1"), removed=True)] == ["removed"]
