"""What engines say of containers, as values: answers of Docker Engine 20.10 as they came, and rows for the rest."""

from pathlib import Path

import msgspec
import pytest

from skep.adapters.docker_read_containers import (
    ContainerAnswer,
    InspectAnswer,
    node_of,
    own_name,
    read_container,
    read_inspected,
)
from skep.model.engine import Container

DATA = Path(__file__).parents[1] / "data" / "docker"

# name, state, health, exit code
SEEN = [
    ("web.created", "created", "", None),
    ("web.exited", "exited", "", 137),
    ("web.healthy", "running", "healthy", None),
    ("web.nohealth", "running", "", None),
    ("web.ok", "exited", "", 0),
    ("web.paused", "paused", "", None),
    ("web.restarting", "restarting", "", None),
    ("web.running", "running", "", None),
    ("web.starting", "running", "starting", None),
    ("web.unhealthy", "running", "unhealthy", None),
]


def listed() -> list[Container]:
    answers = msgspec.json.decode((DATA / "containers.json").read_bytes(), type=list[ContainerAnswer])
    return sorted(map(read_container, answers), key=lambda container: container.name)


def inspected() -> list[Container]:
    answers = msgspec.json.decode((DATA / "inspected.json").read_bytes(), type=list[InspectAnswer])
    return sorted(map(read_inspected, answers), key=lambda container: container.name)


@pytest.mark.parametrize("seen", [listed(), inspected()], ids=["listed", "inspected"])
def test_state_health_and_exit_code(seen: list[Container]) -> None:
    assert [(one.name, one.state, one.health, one.exit_code) for one in seen] == SEEN


@pytest.mark.parametrize("seen", [listed(), inspected()], ids=["listed", "inspected"])
def test_a_port_is_published_once_for_all_addresses_and_an_exposed_one_is_none(seen: list[Container]) -> None:
    published = {one.name: one.ports for one in seen if one.ports}
    assert published == {"web.running": ((8080, 80, "tcp"), (8081, 80, "tcp"))}


def test_a_listing_and_an_inspection_say_the_same() -> None:
    for one, same in zip(listed(), inspected(), strict=True):
        assert (one.id, one.image, one.labels, one.networks) == (same.id, same.image, same.labels, same.networks)
        assert one.labels["skep.workload"] == "web"
        assert int(same.created_s) == one.created_s


def test_addresses_are_those_of_running_containers() -> None:
    addresses = {one.name: one.networks["bridge"] for one in listed()}
    assert addresses["web.running"].startswith("172.17.0.")
    assert addresses["web.ok"] == ""


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["/db"], "db"),
        (["/web/db", "/db"], "db"),  # links
        (["/node-1/db"], "db"),  # classic Swarm
        (["/node-1/web/alias", "/node-1/db"], "db"),
        ([], ""),
    ],
)
def test_a_container_has_its_own_name_among_links_and_without_its_node(names: list[str], name: str) -> None:
    assert own_name(names) == name


def test_a_container_whose_engine_a_classic_swarm_does_not_reach_is_unknown() -> None:
    answer = ContainerAnswer("c", ["/node-1/db"], state="running", status="Host Down")
    found = read_container(answer)
    assert (found.name, found.node, found.state) == ("db", "node-1", "unknown")


@pytest.mark.parametrize(
    ("names", "node"),
    [(["/node-1/db"], "node-1"), (["/node-1/web/db", "/node-1/db"], "node-1"), (["/web/db", "/db"], ""), ([], "")],
)
def test_a_classic_swarm_writes_the_node_before_the_name(names: list[str], node: str) -> None:
    assert node_of(names) == node


def test_what_an_engine_leaves_out_is_empty() -> None:
    assert read_container(msgspec.json.decode(b'{"Id":"c"}', type=ContainerAnswer)) == Container("c", "", "", "", {}, 0)
    assert read_inspected(msgspec.json.decode(b'{"Id":"c"}', type=InspectAnswer)) == Container("c", "", "", "", {}, 0)


def test_a_network_without_an_endpoint_gives_no_address() -> None:
    answer = b'{"Id":"c","NetworkSettings":{"Networks":{"n":{"IPAddress":"10.0.0.9"},"m":null}}}'
    assert read_container(msgspec.json.decode(answer, type=ContainerAnswer)).networks == {"n": "10.0.0.9", "m": ""}
