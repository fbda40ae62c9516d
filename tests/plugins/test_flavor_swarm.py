"""The swarm flavor's rules as tables: what it refuses, which node is which machine, and what that says of it."""

from dataclasses import replace
from random import Random

import pytest

from skep.model.engine import Node
from skep.model.errors import InvalidError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, MemberHealth, Membership
from skep.model.spec import Allocation
from skep.model.state import Health, Life, Role
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_swarm_nodes import association_for, health_of, nodes_of, strays_of
from skep.plugins.flavor_swarm_spec import read_swarm
from tests.fakes.clusters import FakeClusters
from tests.sim.loop import SimClock
from tests.sim.world import World

WORLD = World(SimClock(), Random(1))
FLAVOR = SwarmFlavor(FakeClusters(WORLD.instances, WORLD.engines), WORLD.engines, WORLD.kernel.clock)

NODE = Node(
    id="n1",
    version=1,
    hostname="box",
    addr="10.0.0.9",
    role="worker",
    availability="active",
    state="ready",
    message="",
    reachability="",
    leader=False,
    manager_addr="",
    labels={},
    engine_labels={"swarm-association-id": "a1", "skep.group": "workers", "skep.logical-id": "one"},
)
DOWN = replace(NODE, id="n2", state="down", message="heartbeat failure")
MANAGER = replace(NODE, role="manager", reachability="reachable", leader=True, manager_addr="10.0.0.9:2377")
MACHINE = InstanceDescription("machine-1", tags={"swarm-association-id": "a1"})
GOOD = b'{"Type": "worker"}'


def managers(*logical_ids: str) -> Allocation:
    return Allocation(logical_ids=logical_ids)


@pytest.mark.parametrize(
    ("properties", "allocation", "faults"),
    [
        (GOOD, Allocation(size=3), []),
        (b'{"Type": "worker", "DockerRestartCommand": "service docker restart"}', Allocation(size=1), []),
        (b'{"type": "manager"}', managers("1"), []),
        (b'{"Type": "manager"}', managers(*"1234567"), []),
        (b'{"Type": "manager"}', Allocation(size=3), ["Type: a manager keeps its address"]),
        (b'{"Type": "manager"}', managers("1", "2"), ["Type: Allocation.LogicalIDs names 2 managers"]),
        (b'{"Type": "manager"}', managers(*"1234"), ["so 4 survive the loss of no more than 3 do"]),
        (b'{"Type": "manager"}', managers(*"123456789"), ["names 9 managers"]),
        (b'{"Type": "manager"}', managers("1", "2", "2"), ["LogicalID 2 specified more than once"]),
        (b'{"Type": "worker"}', managers("a'b"), ['LogicalID "a\'b" may hold']),
        (b'{"Type": "boss"}', Allocation(size=1), ["Type: "]),
        (b"{}", Allocation(size=1), ["Type: "]),
        (b'{"Type": "worker", "Labels": {}}', Allocation(size=1), ["Labels: "]),
        (b'{"Type": "worker", "Host": "carrier-pigeon://x"}', Allocation(size=1), ["carrier-pigeon://x"]),
        (
            b'{"Type": "worker", "EngineLabels": {"skep.group": "x", "a b": "1", "c": "say \\"hi\\""}}',
            Allocation(size=1),
            ["EngineLabels.skep.group: this label is skep's own", "EngineLabels.a b: ", "EngineLabels.c: "],
        ),
        (
            b'{"Type": "worker", "Attachments": {"x": [{"ID": "d", "Type": "ebs"}]}}',
            Allocation(size=2),
            ["Attachments.x: LogicalID x used for an attachment but is not in group LogicalIDs"],
        ),
        (
            b'{"Type": "manager", "Attachments": {"y": [{"ID": "", "Type": "ebs"}]}}',
            managers("1", "1"),
            [
                "names 2 managers",
                "1 specified more than once",
                "LogicalID y used",
                "Attachments.y[0].ID: must not be empty",
            ],
        ),
    ],
)
async def test_what_is_refused_and_why(properties: bytes, allocation: Allocation, faults: list[str]) -> None:
    """N1, infrakit-compat.md 4.1; all faults at once."""
    if not faults:
        await FLAVOR.validate(RawJson(properties), allocation)
        return
    with pytest.raises(InvalidError) as caught:
        await FLAVOR.validate(RawJson(properties), allocation)
    found = [str(fault) for fault in caught.value.faults]
    assert len(found) == len(faults), found
    assert all(part in line for part, line in zip(faults, found, strict=True)), found


def test_membership_is_the_role_and_the_cluster() -> None:
    assert FLAVOR.membership(RawJson(b'{"Type": "manager"}')) == Membership(Role.MANAGER, "")
    assert FLAVOR.membership(RawJson(b'{"Type": "worker", "Cluster": "blue"}')) == Membership(Role.WORKER, "blue")


@pytest.mark.parametrize(
    ("role", "nodes", "health", "detail"),
    [
        (Role.WORKER, [], Health.UNKNOWN, "has not joined"),
        (Role.WORKER, [NODE], Health.HEALTHY, ""),
        (Role.WORKER, [replace(NODE, availability="drain")], Health.HEALTHY, ""),
        (Role.WORKER, [DOWN], Health.UNHEALTHY, "node is down: heartbeat failure"),
        (Role.WORKER, [replace(NODE, state="unknown")], Health.UNKNOWN, "node is unknown"),
        (Role.WORKER, [replace(NODE, state="disconnected")], Health.UNKNOWN, "node is disconnected"),
        (Role.WORKER, [DOWN, NODE], Health.HEALTHY, ""),
        (Role.WORKER, [NODE, replace(NODE, id="n3")], Health.HEALTHY, "2 nodes carry its label"),
        (Role.MANAGER, [MANAGER], Health.HEALTHY, ""),
        (Role.MANAGER, [replace(MANAGER, reachability="unreachable")], Health.UNHEALTHY, "manager is unreachable"),
        (Role.MANAGER, [NODE], Health.UNHEALTHY, "node is a worker"),
        (Role.WORKER, [MANAGER], Health.HEALTHY, ""),
    ],
)
def test_health_is_what_the_swarm_says(role: Role, nodes: list[Node], health: Health, detail: str) -> None:
    """N19, N27: unknown is not unhealthy, ready wins over down, managers have to be reachable too."""
    found: MemberHealth = health_of(role, nodes_of(MACHINE, nodes))
    assert found.health is health
    assert found.detail.startswith(detail)
    assert bool(found.detail) == bool(detail)


def test_the_leader_is_marked() -> None:
    assert health_of(Role.MANAGER, [MANAGER]).leader
    assert not health_of(Role.MANAGER, [replace(MANAGER, leader=False)]).leader


@pytest.mark.parametrize(
    ("instance", "matches"),
    [
        (MACHINE, True),
        (InstanceDescription("m", tags={"swarm-association-id": "other"}), False),
        (InstanceDescription("m", logical_id="10.0.0.9"), True),
        (InstanceDescription("m", logical_id="box"), True),
        (InstanceDescription("m", logical_id="10.0.0.9", tags={"swarm-association-id": "other"}), False),
        (InstanceDescription("m"), False),
        (InstanceDescription("node:n1"), True),
        (InstanceDescription("node:n2", tags={"swarm-association-id": "a1"}), False),
    ],
)
def test_a_machine_is_known_by_its_label_first(instance: InstanceDescription, matches: bool) -> None:
    """N18."""
    assert bool(nodes_of(instance, [NODE])) == matches


def test_a_machine_that_booted_before_its_cluster_was_there_is_known_by_its_request() -> None:
    node = replace(NODE, engine_labels={"swarm-association-id": association_for("r1")})
    assert nodes_of(InstanceDescription("m", tags={"skep.request": "r1"}), [node]) == [node]


@pytest.mark.parametrize(
    ("instances", "nodes", "strays"),
    [
        ([MACHINE], [NODE], []),
        ([MACHINE], [DOWN], []),
        ([], [NODE], []),
        ([], [DOWN], ["node:n2"]),
        ([], [replace(DOWN, state="unknown")], []),
        ([], [replace(DOWN, engine_labels={"skep.group": "others"})], []),
        ([], [replace(DOWN, engine_labels={})], []),
        ([MACHINE], [NODE, DOWN], ["node:n2"]),
    ],
)
def test_strays_are_nodes_that_are_down_and_have_no_machine(
    instances: list[InstanceDescription], nodes: list[Node], strays: list[str]
) -> None:
    """N10, N19, N20: never one that is ready, and never one of another group."""
    found = list(strays_of("workers", instances, nodes))
    assert [stray.id for stray in found] == strays
    assert all(stray.life is Life.GONE and stray.logical_id == "one" for stray in found)
    assert all(nodes_of(stray, nodes) == [DOWN] for stray in found)


def test_over_the_wire_null_is_nothing_wherever_it_is() -> None:
    """infrakit-compat.md 1.3: the zero value."""
    properties = RawJson(b'{"Type": "worker", "EngineLabels": {"a": null}, "Attachments": {"one": null}}')
    wanted = read_swarm(properties, lenient=True)
    assert (wanted.engine_labels, wanted.attachments) == ({"a": ""}, {"one": ()})
    with pytest.raises(InvalidError):
        read_swarm(properties)
