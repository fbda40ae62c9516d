"""When a Swarm service counts as rolled out: only what runs the newest template does (semantics.md W50)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import cast

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.service_doubles import Doubles
from skep.control.services import SLOT, ServiceActuator, Workload
from skep.model.engine import Node, Service, Task
from skep.model.spec import Key, Kind, Restart, WorkloadSpec
from skep.model.state import Desired, Member
from skep.planning.service import DOUBLED, INTERRUPTED, MOVED
from skep.ports import Engine
from tests.control.lab import Lab
from tests.fakes.engine import FakeEngines
from tests.sim.loop import run

WEB = WorkloadSpec("web", "skep/web:2", 2, "lab")
LABELS = {"skep.controller": "skep", "skep.workload": "web", "skep.fingerprint": "f2"}
GLOBAL = replace(WEB, mode="global", count=0)
NODE = Node("n1", 1, "box", "10.0.0.9", "worker", "active", "ready", "", "", False, "", {"zone": "a"}, {})
SERVICE = Service("s1", 1, "web", LABELS, {}, "", "", 1.0, template="new")


class OneService:
    """The part of an engine that observing a service asks."""

    def __init__(self, service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> None:
        self._service, self._tasks, self._nodes = service, tasks, nodes

    async def services(self, filters: Mapping[str, Sequence[str]]) -> Sequence[Service]:
        return [self._service]

    async def tasks(self, filters: Mapping[str, Sequence[str]]) -> Sequence[Task]:
        return self._tasks

    async def nodes(self) -> Sequence[Node]:
        return self._nodes


def tasks(*templates: str, state: str = "running", desired: str = "running") -> list[Task]:
    return [
        Task(f"t{n}", "s1", "n1", n, state, desired, "", "", "", 0, template=template)
        for n, template in enumerate(templates, 1)
    ]


def made(created_s: float, *templates: str) -> list[Task]:
    return [replace(task, created_s=created_s) for task in tasks(*templates)]


def ended(*templates: str, state: str = "complete") -> list[Task]:
    return tasks(*templates, state=state, desired="shutdown")


def member(
    service: Service,
    shown: Sequence[Task],
    spec: WorkloadSpec = WEB,
    nodes: Sequence[Node] = (),
    doubles: Doubles | None = None,
    at_s: float = 0.0,
) -> Member:
    async def main() -> Member:
        lab = Lab("alpha")
        await lab.clock.sleep(at_s)
        engines, told = FakeEngines(lab), list[str]()
        static = EngineBook([], engines, lab.clock, told.append)
        book = ClusterBook(MemoryStore(), engines, lab.clock, told.append, static)
        engine = cast("Engine", OneService(service, shown, nodes))
        workload = Workload(spec, "lab", "u1", frozenset(), engine, {}, adopt=False, gone=False, formed=True)
        actuator = ServiceActuator(workload, book, lab.clock, Random(1), "skep", doubles)
        observed = await actuator.observe(Desired(Key(Kind.WORKLOAD, "web"), 1, 1, "f2", slots=(SLOT,)))
        (found,) = observed.members
        return found

    return run(main)


@pytest.mark.parametrize(
    ("why", "update_state", "shown", "healthy"),
    [
        ("all run the newest", "", tasks("new", "new"), True),
        ("the update is accepted, and nothing tells that it is to begin", "", tasks("old", "old"), False),
        ("half of it", "", tasks("new", "old"), False),
        ("it has begun", "updating", tasks("new", "old"), False),
        ("an old one is on its way out", "", [*tasks("new", "new"), *tasks("old", desired="shutdown")], True),
        ("the Swarm says that it is through", "completed", tasks("new", "old"), True),
        ("a Swarm that tells no templates", "", tasks("", ""), True),
        ("one is missing", "", tasks("new"), False),
        ("one that scaling down takes is still there", "", tasks("new", "new", "new"), False),
    ],
)
def test_a_service_is_well_when_all_its_tasks_are_of_the_newest_template(
    why: str, update_state: str, shown: list[Task], healthy: bool
) -> None:
    """W50."""
    assert member(replace(SERVICE, update_state=update_state), shown).healthy is healthy


@pytest.mark.parametrize(
    ("why", "update_state", "shown", "completed", "failed"),
    [
        ("all have", "", ended("new", "new"), 2, 0),
        ("the update is accepted, and nothing tells that it is to begin", "", ended("old", "old"), 0, 0),
        ("one is done anew", "", ended("new", "old"), 1, 0),
        ("what failed before is not tried again twice", "", ended("old", "old", state="failed"), 0, 0),
        ("what failed since", "", ended("new", "old", state="failed"), 0, 1),
        ("the Swarm says that it is through", "completed", ended("old", "old"), 2, 0),
        ("a Swarm that tells no templates", "", ended("", ""), 2, 0),
    ],
)
def test_a_job_has_ended_when_tasks_of_the_newest_template_have(
    why: str, update_state: str, shown: list[Task], completed: int, failed: int
) -> None:
    """W50, W54."""
    found = member(replace(SERVICE, update_state=update_state), shown, replace(WEB, restart=Restart(policy="never")))
    assert (found.completed, found.failed, found.healthy) == (completed, failed, completed == 2)


@pytest.mark.parametrize(
    ("why", "update_state", "began_s", "shown", "updated"),
    [
        ("it was never updated", "", 0.0, tasks("new", "new"), 2),
        ("the update is accepted, and nothing tells that it is to begin", "", 0.0, tasks("old", "old"), 0),
        ("it has begun", "updating", 5.0, [*made(6.0, "new"), *tasks("old")], 1),
        ("other ports are asked for, of the same template", "updating", 5.0, [*made(6.0, "new"), *tasks("new")], 1),
        ("a Swarm that tells no templates", "updating", 5.0, [*made(6.0, ""), *tasks("")], 1),
    ],
)
def test_tasks_are_updated_that_an_update_has_made_of_the_newest_template(
    why: str, update_state: str, began_s: float, shown: list[Task], updated: int
) -> None:
    """W46."""
    assert member(replace(SERVICE, update_state=update_state, update_began_s=began_s), shown).updated == updated


@pytest.mark.parametrize(
    ("why", "state", "node", "desired", "failed"),
    [
        ("its node was drained", "shutdown", NODE, "shutdown", 1),
        ("its node stops it still", "running", NODE, "shutdown", 0),
        ("its node is down, and tells no more", "running", replace(NODE, state="down"), "shutdown", 1),
        ("its node was removed", "orphaned", replace(NODE, id="n2"), "shutdown", 1),
        ("its node was removed while it was down", "running", replace(NODE, id="n2"), "shutdown", 1),
        ("it was scaled down", "shutdown", NODE, "remove", 0),
        ("its node is down, and Swarm waits", "running", replace(NODE, state="down"), "running", 0),
    ],
)
def test_a_task_of_a_job_that_was_stopped_has_failed_when_its_node_will_say_no_more(
    why: str, state: str, node: Node, desired: str, failed: int
) -> None:
    """W38: Swarm does not make it anew."""
    [one] = tasks("new", state=state, desired=desired)
    done = replace(one, id="t2", slot=2, state="complete", desired_state="shutdown")
    found = member(SERVICE, [one, done], replace(WEB, restart=Restart(policy="never")), [node])
    assert (found.completed, found.failed, found.healthy) == (1, failed, False)
    assert bool(found.detail) is bool(failed)


LAST = replace(ended("new", state="failed")[0], error="exit 3", created_s=9.0)
"""Of slot 1 on NODE; Swarm wants it to run no more."""


@pytest.mark.parametrize(
    ("why", "others", "last", "failed"),
    [
        ("no other follows", ended("new", state="failed"), LAST, 1),
        ("it ended well, which is the same", [], replace(LAST, state="complete"), 1),
        ("it could not be started", [], replace(LAST, state="rejected"), 1),
        ("the next waits", [replace(LAST, id="t9", state="ready", desired_state="ready", created_s=10.0)], LAST, 0),
        ("Swarm has not looked at its end yet", [], replace(LAST, desired_state="running"), 0),
        (
            "its slot is one that scaling down took, and another comes",
            tasks("new", "new", "new", state="new")[1:],
            LAST,
            0,
        ),
        ("scaling down took it", [], replace(LAST, desired_state="remove"), 0),
        ("its template is tried no more", [], replace(LAST, template="old"), 0),
        ("the one before it still serves", [replace(LAST, id="t9", state="running", desired_state="running")], LAST, 0),
        ("others serve in its stead", tasks("new", "new", "new")[1:], LAST, 0),
    ],
)
def test_w38_a_replica_that_ended_as_often_as_it_may_is_given_up(
    why: str, others: list[Task], last: Task, failed: int
) -> None:
    found = member(SERVICE, [*others, last], replace(WEB, restart=Restart(attempts_max=3)))
    assert (found.failed, found.wanted) == (failed, 2)
    assert not (failed and found.healthy)
    assert member(SERVICE, [*others, last]).failed == 0, "it is tried without end"


@pytest.mark.parametrize("state", ["shutdown", "orphaned", "running"])
def test_w38_a_replica_that_was_moved_as_often_as_it_may_end_is_tried_again_unasked(state: str) -> None:
    """A Swarm counts moves from nodes that are drained, down or removed. It has failed nobody's template."""
    tried = replace(WEB, restart=Restart(attempts_max=3))
    found = member(SERVICE, [*tasks("new", "new")[1:], replace(LAST, state=state, error="")], tried)
    assert (found.failed, found.drift, found.healthy) == (0, (MOVED,), False)
    assert not member(SERVICE, [*tasks("new", "new")[1:], LAST], tried).drift
    assert not member(SERVICE, [replace(LAST, state=state), *tasks("old", "old")], tried).drift


CULPRIT = replace(LAST, id="t7", state="shutdown")
PAUSED = "update paused due to failure or early termination of task t7"


@pytest.mark.parametrize(
    ("why", "state", "message", "node", "interrupted"),
    [
        ("its node was drained", "paused", PAUSED, replace(NODE, availability="drain"), True),
        ("its node is down", "paused", PAUSED, replace(NODE, state="down"), True),
        ("its node was removed", "rollback_completed", f"{PAUSED} ", replace(NODE, id="n2"), True),
        ("its node is well", "paused", PAUSED, NODE, False),
        ("nobody knows the task", "paused", PAUSED.replace("t7", "t8"), replace(NODE, state="down"), False),
        ("the Swarm does not say", "paused", "", replace(NODE, state="down"), False),
        ("the update goes on", "updating", PAUSED, replace(NODE, state="down"), False),
    ],
)
def test_w47_an_update_that_a_swarm_stopped_for_a_node_that_went_is_told_again_and_has_not_failed(
    why: str, state: str, message: str, node: Node, interrupted: bool
) -> None:
    told = replace(SERVICE, update_state=state, update_message=message)
    found = member(told, [*tasks("new", "old"), CULPRIT], WEB, [node])
    assert found.drift == ((INTERRUPTED,) if interrupted else ())
    assert found.rolled_back is (state != "updating" and not interrupted)


TWICE = [*tasks("new", "new"), replace(LAST, id="t9", slot=2, state="running", desired_state="running")]
OLD_BESIDE = [*TWICE[:2], replace(TWICE[2], template="old")]


@pytest.mark.parametrize(
    ("why", "looks", "drift"),
    [
        ("for a moment", [(0.0, 1, "", TWICE), (9.0, 1, "", TWICE)], ()),
        ("for long", [(0.0, 1, "", TWICE), (10.0, 1, "", TWICE)], (DOUBLED,)),
        ("the service was told of again", [(0.0, 1, "", TWICE), (10.0, 2, "", TWICE)], ()),
        ("and that was of no use", [(0.0, 1, "", TWICE), (5.0, 2, "", TWICE), (15.0, 2, "", TWICE)], (DOUBLED,)),
        ("it was over meanwhile", [(0.0, 1, "", TWICE), (5.0, 1, "", TWICE[:2]), (15.0, 1, "", TWICE)], ()),
        ("an update is under way", [(0.0, 1, "", TWICE), (10.0, 1, "updating", TWICE)], ()),
        ("two replicas", [(0.0, 1, "", tasks("new", "new")), (10.0, 1, "", tasks("new", "new"))], ()),
        (
            "an old one goes",
            [(0.0, 1, "", TWICE[:2]), (10.0, 1, "", [*TWICE[:2], replace(TWICE[2], template="old")])],
            (),
        ),
    ],
)
def test_the_swarm_is_told_again_of_a_service_that_runs_a_replica_twice(
    why: str, looks: list[tuple[float, int, str, list[Task]]], drift: tuple[str, ...]
) -> None:
    doubles = Doubles()
    found = [
        member(replace(SERVICE, version=version, update_state=state), shown, doubles=doubles, at_s=at_s)
        for at_s, version, state, shown in looks
    ]
    assert [m.drift for m in found] == [()] * (len(looks) - 1) + [drift]


@pytest.mark.parametrize("state", ["rejected", "failed"])
def test_w50_an_old_task_that_serves_for_a_new_one_that_never_ran_is_no_part_of_what_is_complete(state: str) -> None:
    """Started first, and FailureAction continue: the Swarm says that it is through all the same."""
    through = replace(SERVICE, update_state="completed")
    olds = made(5.0, "old", "old")
    news = [replace(t, id=f"n{t.slot}", state=state, created_s=9.0) for t in tasks("new", "new")]
    assert not member(through, [*olds, *news]).healthy
    assert member(through, olds).healthy


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [([NODE], 1), ([replace(NODE, availability="drain")], 0), ([], 0)],
    ids=["its node is open", "its node is drained", "its node is gone"],
)
def test_w38_a_global_service_lacks_what_was_given_up_on_the_nodes_that_shall_run_it(
    nodes: list[Node], wanted: int
) -> None:
    found = member(SERVICE, [replace(LAST, slot=0)], replace(GLOBAL, restart=Restart(attempts_max=3)), nodes)
    assert (found.failed, found.wanted, found.healthy) == (wanted, wanted, not wanted)


@pytest.mark.parametrize("update_state", ["", "updating", "completed"])
def test_a_node_that_has_no_part_in_another_run_of_a_job_is_not_waited_for(update_state: str) -> None:
    """W38: after a retry, the Swarm still tells how it went there."""
    [one] = tasks("new", state="complete", desired="shutdown")
    [two] = ended("old", state="shutdown")
    shut = replace(NODE, id="n2", availability="drain")
    job = replace(GLOBAL, restart=Restart(policy="never"))
    told = [one, replace(two, id="t2", node_id="n2")]
    found = member(replace(SERVICE, update_state=update_state), told, job, [NODE, shut])
    assert (found.completed, found.wanted, found.failed) == (1, 1, 0)
    found = member(replace(SERVICE, update_state=update_state), told[1:], job, [NODE, shut])
    assert (found.completed, found.wanted, found.healthy) == (0, 1, False)


def test_a_node_whose_task_waits_to_be_made_anew_shall_have_one_still() -> None:
    """Of a global service the nodes are counted: the next task is only ready while the Swarm waits with it."""
    one, two = tasks("new", "new")
    ended = replace(two, node_id="n2", state="failed", desired_state="shutdown")
    coming = replace(two, id="t3", node_id="n2", state="ready", desired_state="ready")
    found = member(SERVICE, [one, ended, coming], GLOBAL)
    assert (found.wanted, found.running, found.healthy) == (2, 1, False)


@pytest.mark.parametrize(
    ("why", "nodes", "constraint", "wanted", "wanted_of_a_job"),
    [
        ("two nodes will run it", [NODE, NODE], "node.labels.zone==A", 2, 2),
        ("one is down, one drained", [replace(NODE, state="down"), replace(NODE, availability="drain")], "", 0, 1),
        ("its label is another", [NODE], "node.labels.zone!=a", 0, 1),
        ("it has no such label", [NODE], "engine.labels.gpu==yes", 0, 1),
        ("it is no manager", [NODE], "node.role==manager", 0, 1),
        ("nothing is known of that", [NODE], "node.ip==10.0.0.0/8", 0, 1),
    ],
)
def test_a_global_service_waits_for_its_first_tasks_where_nodes_fit_and_a_job_also_where_none_does(
    why: str, nodes: list[Node], constraint: str, wanted: int, wanted_of_a_job: int
) -> None:
    """W50: nothing of nothing would pass for done."""
    spec = replace(GLOBAL, constraints=(constraint,) if constraint else ())
    found = member(SERVICE, [], spec, nodes)
    assert (found.wanted, found.healthy) == (wanted, not wanted)
    found = member(SERVICE, [], replace(spec, restart=Restart(policy="never")), nodes)
    assert (found.wanted, found.healthy) == (wanted_of_a_job, False)
