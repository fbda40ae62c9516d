"""The docker plugin's pure parts: names, addresses, request bodies, properties, the private folder."""

import json
import stat
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from skep.model.engine import Network
from skep.model.errors import BugError, InvalidError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
from skep.model.state import Life
from skep.plugins.docker.body import container_body
from skep.plugins.docker.folder import Folder
from skep.plugins.docker.images import outdated, tagged
from skep.plugins.docker.instances import life_of
from skep.plugins.docker.machine import Machine, hostname_of, machine_of, name_of
from skep.plugins.docker.network import (
    Route,
    as_address,
    check_address,
    choose_address,
    free_subnet,
    network_body,
    overlap,
    read_routes,
)
from skep.plugins.docker.properties import wanted
from skep.plugins.docker.script import SCRIPT
from tests.plugins.full_disk import file_size_max

GOLDEN = Path(__file__).parent.parent / "data" / "docker"
NET = IPv4Network("10.20.0.0/24")
MACHINE = Machine(
    name="skep-me-0123456789ab",
    hostname="w1",
    image="skep/node:1",
    network="skep",
    subnet="10.20.0.0/24",
    address="10.20.0.200",
    memory=1024**3,
    cpus=1.5,
    logical_id="w1",
    tags={"infrakit.group": "workers"},
)
ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


def network(name: str, *subnets: str, id: str = "f" * 64) -> Network:
    return Network(id, name, {}, "bridge", subnets)


def test_a_request_names_its_machine_for_ever() -> None:
    assert name_of("me", "r1") == name_of("me", "r1")
    assert len({name_of("me", "r1"), name_of("you", "r1"), name_of("me", "r2")}) == 3


@pytest.mark.parametrize(
    ("logical_id", "group", "hostname"),
    [
        ("alpha", "workers", "alpha"),
        ("10.20.0.10", "managers", "managers-012345"),
        (None, "workers", "workers-012345"),
        (None, "my_group.x", "my-group-x-012345"),
        ("a b/c", "g", "a-b-c"),
        ("ü", "g", "machine-012345"),
        ("x" * 80, "g", "x" * 63),
    ],
)
def test_hostnames(logical_id: str | None, group: str, hostname: str) -> None:
    spec = InstanceSpec(tags={"infrakit.group": group}, logical_id=logical_id)
    is_address = as_address(logical_id) is not None
    assert hostname_of(spec, MACHINE.name, logical_is_address=is_address) == hostname


def test_a_machine_is_read_back_from_its_labels() -> None:
    labels = MACHINE.labels("me")
    assert machine_of(labels) == MACHINE
    assert (labels["skep.controller"], labels["skep.logical-id"], labels["infrakit.group"]) == ("me", "w1", "workers")
    assert machine_of({"skep.controller": "me"}) is None
    with pytest.raises(BugError):
        machine_of({"skep.machine": "{}"})


def test_routes_of_the_host_without_the_default_one() -> None:
    assert read_routes(ROUTES) == [
        Route("docker0", IPv4Network("172.17.0.0/16")),
        Route("eth0", IPv4Network("192.0.2.0/24")),
    ]


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        ("10.20.0.0/24", ""),
        ("10.20.0.0/16", "overlaps 10.20.0.0/24 of the docker network 'skep'"),
        ("10.30.0.0/25", "overlaps 10.30.0.0/24 of the docker network 'theirs'"),
        ("192.0.2.128/25", "overlaps the route to 192.0.2.0/24 through eth0"),
        ("10.20.1.0/24", ""),
    ],
)
def test_whose_addresses_a_subnet_would_take(subnet: str, words: str) -> None:
    networks = [network("skep", "10.20.0.0/24", id="a" * 64), network("theirs", "10.30.0.0/24", "fd00::/64")]
    routes = [*read_routes(ROUTES), Route("br-" + "a" * 12, IPv4Network("10.20.0.0/24"))]
    assert overlap(IPv4Network(subnet), "skep", networks, routes) == words


def test_a_free_subnet_is_none_of_those_taken() -> None:
    taken = [network("a", "10.213.0.0/24")]
    routes = [Route("eth1", IPv4Network("10.213.1.0/25"))]
    assert free_subnet("n", taken, routes) == IPv4Network("10.213.2.0/24")
    with pytest.raises(RejectedError, match="no subnet is free"):
        free_subnet("n", [network("all", "10.213.0.0/16")], [])


@given(st.text(min_size=1), st.integers(8, 28), st.sets(st.integers(128, 250), max_size=60))
def test_a_chosen_address_is_free_and_in_the_upper_half(name: str, prefix: int, taken: set[int]) -> None:
    subnet = IPv4Network(f"10.0.0.0/{prefix}")
    held = {str(subnet.network_address + number) for number in taken}
    address = IPv4Address(choose_address(name, subnet, held))
    upper = list(subnet.subnets(prefixlen_diff=1))[1]
    assert address in upper
    assert address != subnet.broadcast_address
    assert str(address) not in held
    assert str(address) == choose_address(name, subnet, held)


def test_a_full_subnet_says_what_to_do() -> None:
    subnet = IPv4Network("10.0.0.0/28")
    with pytest.raises(RejectedError, match="larger Subnet"):
        choose_address("x", subnet, {str(host) for host in subnet.hosts()})


def test_the_engine_hands_out_the_lower_half_only() -> None:
    assert network_body("n", NET, "me")["IPAM"] == {
        "Driver": "default",
        "Config": [{"Subnet": "10.20.0.0/24", "IPRange": "10.20.0.0/25"}],
    }


@pytest.mark.parametrize("address", ["10.21.0.5", "10.20.0.0", "10.20.0.1", "10.20.0.255"])
def test_logical_ids_that_no_machine_can_have_are_refused(address: str) -> None:
    with pytest.raises(RejectedError, match=address):
        check_address(IPv4Address(address), NET)
    check_address(IPv4Address("10.20.0.2"), NET)


@pytest.mark.parametrize(
    ("file", "cgroup_version", "privileged"),
    [("privileged-cgroup2.json", "2", True), ("explicit-cgroup1.json", "1", False)],
)
def test_the_request_for_a_machines_container(file: str, cgroup_version: str, privileged: bool) -> None:
    body = dict(container_body(MACHINE, "me", "/var/lib/skep/m/0123456789ab", cgroup_version, privileged=privileged))
    assert body.pop("Entrypoint") == ["sh", "-c", SCRIPT]
    assert body == json.loads((GOLDEN / file).read_text())


@pytest.mark.parametrize(
    ("state", "booting", "done", "life"),
    [
        ("running", False, True, Life.RUNNING),
        ("running", True, False, Life.PENDING),
        ("running", False, False, Life.PENDING),
        ("paused", False, True, Life.RUNNING),
        ("created", True, False, Life.PENDING),
        ("created", False, False, Life.STOPPED),
        ("exited", False, True, Life.STOPPED),
        ("dead", False, True, Life.STOPPED),
        ("removing", False, True, Life.PENDING),
        ("", True, False, Life.PENDING),
        ("", False, True, Life.STOPPED),
    ],
)
def test_a_machines_life(state: str, booting: bool, done: bool, life: Life) -> None:
    assert life_of(state, booting=booting, done=done) is life


def test_every_fault_of_the_properties_is_told_with_its_path() -> None:
    bad = b'{"Network":{"Subnet":"10.20.0.1/24","Name":"-"},"Memory":"1MiB","Cpus":-1,"Nonsense":1}'
    with pytest.raises(InvalidError) as caught:
        wanted(RawJson(bad), "skep-me")
    assert {fault.path for fault in caught.value.faults} == {
        "Network.Subnet",
        "Network.Name",
        "Memory",
        "Cpus",
        "Nonsense",
    }


def test_properties_have_defaults() -> None:
    assert wanted(RawJson(b"null"), "skep-me") == wanted(RawJson(b"{}"), "skep-me")
    full = wanted(
        RawJson(b'{"image":"i","network":{"name":"n","subnet":"10.20.0.0/24"},"memory":"1GiB","cpus":2}'), "x"
    )
    assert (full.image, full.network.name, full.network.subnet, full.memory, full.cpus) == ("i", "n", NET, 1024**3, 2.0)


def test_images_that_a_machine_lacks_or_has_in_another_build() -> None:
    host = {"a:1": "x", "b:latest": "y", "c:1": "z"}
    assert outdated(["a:1", "b", "c:1", "d:1"], host, {"a:1": "x", "b:latest": "old"}) == ["b", "c:1"]
    assert tagged("host:5000/a") == "host:5000/a:latest"


def test_the_folder_is_private_and_init_is_seen_whole(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "skep-me-0123456789ab")
    folder.make()
    folder.write_init("one")
    folder.write_init("two")
    init = folder.path / "init"
    assert init.read_text() == "two"
    assert stat.S_IMODE(init.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert [path.name for path in folder.path.iterdir()] == ["init"]


def test_a_folder_that_is_made_again_keeps_init_and_forgets_the_last_run(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "skep-me-0123456789ab")
    folder.make()
    folder.write_init("x")
    for name in ("done", "failed", "e.sock"):
        (folder.path / name).write_text("")
    folder.make()
    assert [path.name for path in folder.path.iterdir()] == ["init"]


def test_a_failure_of_init_in_words(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "skep-me-0123456789ab")
    folder.make()
    assert folder.failure == ""
    (folder.path / "failed").write_text("7\nno such host\n")
    assert folder.failure == "Init failed with exit code 7: no such host"


def test_later_tags_lie_where_the_machine_cant_write(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "skep-me-0123456789ab")
    folder.make()
    assert folder.tags() == {}
    folder.write_tags({"a": "1"})
    assert folder.tags() == {"a": "1"}
    assert list(folder.path.iterdir()) == []
    folder.remove()
    folder.remove()
    assert list((tmp_path / "m").iterdir()) == []


@pytest.mark.parametrize("broken", [b"", b'{"a":', bytes(9), b'["a"]', b'{"a":1}', b'{"a":"\xff"}'])
def test_broken_tags_are_none_and_told_once(tmp_path: Path, broken: bytes) -> None:
    """A power failure can leave a file empty, cut off or full of zeros; one machine's hid all others."""
    folder = Folder.of(tmp_path, "skep-me-0123456789ab")
    folder.make()
    file = tmp_path / "m" / "0123456789ab.tags.json"
    file.write_bytes(broken)
    with capture_logs() as said:
        assert (folder.tags(), folder.tags()) == ({}, {})
    assert [(line["log_level"], line["file"]) for line in said] == [("warning", str(file))]
    folder.write_tags({"a": "1"})
    assert folder.tags() == {"a": "1"}


def test_a_write_that_fails_leaves_the_old_tags_and_no_draft(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "skep-me-0123456789ab")
    folder.make()
    folder.write_tags({"a": "1"})
    with file_size_max(4), pytest.raises(OSError, match="too large"):
        folder.write_tags({"a": "2"})
    assert folder.tags() == {"a": "1"}
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"0123456789ab", "0123456789ab.tags.json"}


def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="107 bytes"):
        Folder.of(tmp_path / ("x" * 100), "skep-me-0123456789ab")


@pytest.mark.parametrize("name", ["Config", "config"])
def test_over_the_wire_a_group_that_means_any_container_is_refused(name: str) -> None:
    """infrakit-compat.md 5.4: of the plugin of this name that InfraKit had, it would silently get other machines."""
    properties = RawJson(json.dumps({name: {"Image": "nginx"}, "HostConfig": {}}).encode())
    with pytest.raises(InvalidError, match=r"^Config: a machine is a container with an engine of its own here"):
        wanted(properties, "skep", lenient=True)
    assert wanted(RawJson(b'{"Config":null,"HostConfig":{},"Memory":"1GiB"}'), "skep", lenient=True).memory == 1024**3
