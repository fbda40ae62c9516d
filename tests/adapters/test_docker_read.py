"""What engines say, as values: tables over pure functions."""

import json

import msgspec
import pytest

from skep.adapters import docker_read as read
from skep.adapters import docker_read_swarm as swarm
from skep.adapters.docker_errors import engine_error, redact, start_kind
from skep.adapters.docker_images import split_reference
from skep.adapters.docker_version import VersionAnswer, chosen_version
from skep.adapters.docker_wire import LINE_BYTES_MAX, lines
from skep.model.engine import EngineEvent, Image, Node, Task
from skep.model.errors import (
    ConflictError,
    NotFoundError,
    RejectedError,
    SkepError,
    UnavailableError,
)

REFUSALS: list[tuple[int, str, type[SkepError]]] = [
    (404, "No such container: x", NotFoundError),
    (409, 'The container name "/x" is already in use', ConflictError),
    (400, "invalid reference format", RejectedError),
    (403, "Pool overlaps with other one on this address space", RejectedError),
    (403, "Address already in use", ConflictError),
    (403, "error while removing network: network n id 1 has active endpoints", ConflictError),
    (500, "rpc error: code = Unknown desc = update out of sequence", ConflictError),
    (
        500,
        "rpc error: code = FailedPrecondition desc = node n is a cluster manager and must be demoted first",
        RejectedError,
    ),
    (500, "rpc error: code = InvalidArgument desc = ContainerSpec: image reference must be provided", RejectedError),
    (500, "rpc error: code = NotFound desc = node n not found", NotFoundError),
    (409, "rpc error: code = AlreadyExists desc = name conflicts with an existing object", ConflictError),
    (500, "rpc error: code = Unknown desc = The swarm does not have a leader.", UnavailableError),
    (500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", UnavailableError),
    (503, "This node is not a swarm manager. Use docker swarm init", UnavailableError),
    (503, "Swarm is encrypted and needs to be unlocked before it can be used", UnavailableError),
    (
        500,
        "OCI runtime create failed: container_linux.go: unable to apply caps: operation not permitted",
        RejectedError,
    ),
    (
        500,
        "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
        RejectedError,
    ),
    (500, "something nobody has seen", UnavailableError),
    (502, "bad gateway", UnavailableError),
    (0, "archive/tar: invalid tar header", RejectedError),
]


@pytest.mark.parametrize(("status", "message", "kind"), REFUSALS)
def test_an_engines_refusal_becomes_the_error_that_says_what_to_do(
    status: int, message: str, kind: type[SkepError]
) -> None:
    error = engine_error(status, message, "do it", "unix:///x")
    assert type(error) is kind
    assert "could not do it on unix:///x" in str(error)
    assert message in str(error)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "No such container: x", NotFoundError),
        (404, "network nosuch not found", RejectedError),
        (500, "Bind for 0.0.0.0:80 failed: port is already allocated", RejectedError),
        (500, "something nobody has seen", UnavailableError),
    ],
)
def test_a_start_that_lacks_something_is_told_from_one_of_a_container_that_is_gone(
    status: int, message: str, kind: type[SkepError]
) -> None:
    assert start_kind(status, message) is kind


def test_errors_never_hold_a_join_token() -> None:
    token = "SWMTKN-1-3pu6hszjas19xyp7ghgosyx9k8atbfcr8p2is99znpy26u2lkl-1awxwuwd3z9j1z3puu7rcgdbx"
    error = engine_error(400, f"invalid join token {token}!", "join", "unix:///x")
    assert "SWMTKN-…!" in str(error)
    assert "1awxwuwd3z9j1z3puu7rcgdbx" not in str(error) + redact(f"--token {token}")


@pytest.mark.parametrize(
    ("server", "least", "chosen"),
    [
        ("1.41", "1.12", "1.41"),
        ("1.45", "1.24", "1.45"),
        ("1.52", "1.40", "1.45"),
        ("1.55", "1.44", "1.45"),
        ("1.55", "1.45", "1.45"),
        ("1.100", "", "1.45"),
    ],
)
def test_the_lower_of_both_versions_is_spoken(server: str, least: str, chosen: str) -> None:
    assert chosen_version(VersionAnswer(server, "29.0.0", least), "x") == chosen


def test_a_classic_swarm_manager_is_spoken_to_as_it_speaks() -> None:
    """5.4."""
    assert chosen_version(VersionAnswer("1.22", "swarm/1.2.9"), "x") == "1.22"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (VersionAnswer("1.40", "19.03.15"), r"speaks API 1\.40.*upgrade it"),
        (VersionAnswer("1.60", "31.0.0", "1.46"), r"below 1\.46.*1\.45 at most: upgrade skep"),
    ],
)
def test_an_engine_that_is_too_old_or_too_new_is_refused_with_what_to_do(answer: VersionAnswer, told: str) -> None:
    with pytest.raises(RejectedError, match=told):
        chosen_version(answer, "x")


@pytest.mark.parametrize(
    ("image", "name", "tag"),
    [
        ("web", "web", "latest"),
        ("skep/web:1", "skep/web", "1"),
        ("host:5000/web", "host:5000/web", "latest"),
        ("host:5000/a/web:2", "host:5000/a/web", "2"),
        ("web@sha256:ab", "web", "sha256:ab"),
    ],
)
def test_references_are_split_so_that_never_all_tags_are_meant(image: str, name: str, tag: str) -> None:
    assert split_reference(image) == (name, tag)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("2026-11-22T07:00:00.123456789Z", 1795330800.123456),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
    ],
)
def test_times_of_the_engine(text: str, seconds: float) -> None:
    assert read.unix_s(text) == seconds


def test_a_manager_without_a_quorum_controls_nothing() -> None:
    state = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "n", "Cluster": {"ID": "c"}}
    for error, control in (("", True), ("rpc error: The swarm does not have a leader", False)):
        answer = msgspec.json.encode({"ID": "e", "Swarm": state | {"Error": error}})
        info = read.read_info(msgspec.json.decode(answer, type=read.InfoAnswer), "1.41")
        assert (info.control, info.cluster_id, info.error) == (control, "c", error)


def test_an_engine_outside_any_swarm() -> None:
    answer = b'{"ID":"e","Swarm":{"NodeID":"","LocalNodeState":"inactive","ControlAvailable":false,"Cluster":null}}'
    info = read.read_info(msgspec.json.decode(answer, type=read.InfoAnswer), "1.41")
    assert (info.swarm_state, info.cluster_id, info.control) == ("inactive", "", False)


def test_nodes_with_and_without_a_managers_part() -> None:
    worker = b"""{"ID":"w","Version":{"Index":7},"Spec":{"Labels":null,"Role":"worker","Availability":"drain"},
        "Description":{"Hostname":"h","Engine":{"EngineVersion":"20","Labels":{"e":"1"}}},
        "Status":{"State":"down","Message":"heartbeat failure","Addr":"10.0.0.2"}}"""
    assert swarm.read_node(msgspec.json.decode(worker, type=swarm.NodeAnswer)) == Node(
        "w", 7, "h", "10.0.0.2", "worker", "drain", "down", "heartbeat failure", "", False, "", {}, {"e": "1"}
    )
    manager = b'{"ID":"m","ManagerStatus":{"Leader":true,"Reachability":"reachable","Addr":"10.0.0.1:2377"}}'
    node = swarm.read_node(msgspec.json.decode(manager, type=swarm.NodeAnswer))
    assert (node.leader, node.reachability, node.manager_addr) == (True, "reachable", "10.0.0.1:2377")


def test_tasks_with_the_ports_of_their_host() -> None:
    answer = b"""{"ID":"t","ServiceID":"s","NodeID":"n","Slot":2,"DesiredState":"running","Status":{"State":"running",
        "Message":"started","Err":"","ContainerStatus":{"ContainerID":"c","PID":1},"PortStatus":{"Ports":[
        {"TargetPort":80,"PublishedPort":8080,"PublishMode":"host"},{"TargetPort":1,"PublishMode":"ingress"}]}}}"""
    assert swarm.read_task(msgspec.json.decode(answer, type=swarm.TaskAnswer)) == Task(
        "t", "s", "n", 2, "running", "running", "started", "", "c", 0, ((8080, 80),)
    )


def _templates(service: str, task: str) -> tuple[str, str]:
    """Hashes of a service's template and of what a task was made from."""
    answer = f'{{"ID":"s","Spec":{{"Name":"web","TaskTemplate":{service}}}}}'
    of_service = swarm.read_service(msgspec.json.decode(answer, type=swarm.ServiceAnswer)).template
    return of_service, swarm.read_task(
        msgspec.json.decode(f'{{"ID":"t","Spec":{task}}}', type=swarm.TaskAnswer)
    ).template


def test_a_task_is_told_from_one_of_an_older_template() -> None:
    """Their order in the text is nothing, and placement alone makes no new tasks (semantics.md W39)."""
    placed = '"Placement":{"Constraints":["node.role==worker"]}'
    now = f'{{"ContainerSpec":{{"Image":"web:2"}},{placed},"ForceUpdate":0,"Runtime":"container"}}'
    of_service, of_task = _templates(now, '{"ForceUpdate":0,"Placement":{},"ContainerSpec":{"Image":"web:2"}}')
    assert of_service == of_task != ""
    of_service, of_task = _templates(now, '{"ForceUpdate":0,"Placement":{},"ContainerSpec":{"Image":"web:1"}}')
    assert of_service != of_task


def test_networks_give_their_addresses_without_the_prefix() -> None:
    answer = b"""{"Id":"n","Name":"net","Driver":"bridge","Scope":"local","Labels":{},"IPAM":{"Config":[
        {"Subnet":"10.1.0.0/24"},{"Gateway":"x"}]},"Containers":{"c":{"IPv4Address":"10.1.0.3/24"},"d":{"IPv4Address":""}}}"""
    network = read.read_network(msgspec.json.decode(answer, type=read.NetworkAnswer))
    assert (network.subnets, network.addresses) == (("10.1.0.0/24",), ("10.1.0.3",))


def test_untagged_images_have_no_name() -> None:
    images = [
        read.ImageAnswer("1", ["a:1", "b:2"]),
        read.ImageAnswer("2", ["<none>:<none>"]),
        read.ImageAnswer("3", None),
    ]
    assert read.read_images(images) == {"a:1": "1", "b:2": "1"}


def test_events_without_an_actor_are_events_too() -> None:
    line = b'\x1e{"Type":"daemon","Action":"reload","time":1}'
    assert read.read_event(line) == EngineEvent("daemon", "reload", "", {})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x04err\n", "outerr\n"),
        (b"\x01\0\0\0\0\0\0\x09cut", "cut"),
    ],
)
def test_logs_of_terminals_and_of_streams(data: bytes, text: str) -> None:
    assert read.log_text(data) == text


async def test_lines_are_whole_wherever_the_chunks_end() -> None:
    async def chunks() -> object:
        for chunk in (b"a\nb", b"c\n", b"\n\nd"):
            yield chunk

    assert [line async for line in lines(chunks())] == [b"a", b"bc", b"d"]


async def test_a_line_without_end_is_not_kept_for_ever() -> None:
    async def chunks() -> object:
        while True:
            yield b"x" * (LINE_BYTES_MAX // 4)

    with pytest.raises(ValueError, match="more than"):
        async for _ in lines(chunks()):
            pass


@pytest.mark.parametrize(
    ("answer", "digests"),
    [
        (b'{"Id":"sha256:1","RepoDigests":["a@sha256:2","b@sha256:3"]}', ("a@sha256:2", "b@sha256:3")),
        (b'{"Id":"sha256:1","RepoDigests":["<none>@<none>"]}', ()),
        (b'{"Id":"sha256:1","RepoTags":["skep/web:1"],"RepoDigests":null}', ()),
    ],
)
def test_an_image_has_the_digests_that_a_registry_gave_it(answer: bytes, digests: tuple[str, ...]) -> None:
    assert read.read_image(msgspec.json.decode(answer, type=read.ImageDetails)) == Image("sha256:1", digests)


def test_an_engines_own_labels_and_a_classic_manager_are_told() -> None:
    plain = b'{"ID":"e","Labels":["zone=a","ssd","x=1=2"],"ServerVersion":"20.10.24","Architecture":"x86_64"}'
    info = read.read_info(msgspec.json.decode(plain, type=read.InfoAnswer), "1.41")
    assert (info.labels, info.classic, info.architecture) == ({"zone": "a", "ssd": "", "x": "1=2"}, False, "x86_64")
    classic = b'{"Name":"m","ServerVersion":"swarm/1.2.9","Labels":null}'
    info = read.read_info(msgspec.json.decode(classic, type=read.InfoAnswer), "1.22")
    assert (info.labels, info.classic, info.id, info.nodes) == ({}, True, "m", ())


def test_5_4_a_classic_manager_tells_which_nodes_it_reaches() -> None:
    """What it never reached has no name and nothing on it, and says nothing."""
    status = [
        ["Role", "primary"],
        ["Strategy", "spread"],
        ["Nodes", "4"],
        [" (unknown)", "10.0.0.4:2375"],
        ["  └ Status", "Pending"],
        [" node-1", "10.0.0.1:2375"],
        ["  └ ID", "ABCD"],
        ["  └ Status", "Healthy"],
        [" node-2", "10.0.0.2:2375"],
        ["  └ Status", "Unhealthy"],
        ["  └ Error", "Cannot connect to the Docker daemon"],
        [" node-3", "10.0.0.3:2375"],
        ["  └ Status", "Disconnected"],
        ["odd"],
    ]
    answer = json.dumps({"Name": "m", "ServerVersion": "swarm/1.2.9", "SystemStatus": status}).encode()
    info = read.read_info(msgspec.json.decode(answer, type=read.InfoAnswer), "1.40")
    assert info.nodes == (("node-1", True), ("node-2", False), ("node-3", False))


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"type": ["container"], "event": ["die", "health_status"], "label": ["skep.controller=a"]}, True),
        ({"type": ["network"]}, False),
        ({"event": ["die"]}, False),
        ({"label": ["skep.controller"]}, True),
        ({"label": ["skep.controller=a", "skep.slot"]}, False),
        ({"label": ["skep.controller=b"]}, False),
    ],
)
def test_filters_of_events_are_an_engines(filters: dict[str, list[str]], wanted: bool) -> None:
    event = EngineEvent("container", "health_status: healthy", "c", {"skep.controller": "a"})
    assert read.is_wanted(event, filters) is wanted
