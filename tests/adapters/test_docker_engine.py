"""The engine adapter on real engines: the host's for containers, a machine's for Swarm."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.model.errors import ConflictError, NotFoundError, RejectedError, UnavailableError
from skep.model.json import JsonObject
from tests.conditions import until
from tests.engines.host import HostEngine
from tests.engines.machines import open_machines, spec

pytestmark = pytest.mark.docker

LABEL = "skep.test.engine"


@pytest.fixture
async def ready(engine: DockerEngine) -> AsyncIterator[DockerEngine]:
    """The engine with the example's image, what these tests made removed at the end."""
    await build_example_image(engine)
    yield engine
    for container in await engine.containers({LABEL: ""}):
        await engine.remove_container(container.id)
    for volume in await engine.volumes({LABEL: ""}):
        await engine.remove_volume(volume.name)
    for network in await engine.networks():
        if LABEL in network.labels:
            await engine.remove_network(network.id)


def sleeper(**more: object) -> JsonObject:
    return {"Image": EXAMPLE_IMAGE, "Cmd": ["sleep", "1000"], "Labels": {LABEL: "1"}, "StopSignal": "SIGKILL", **more}


async def test_a_containers_life(ready: DockerEngine) -> None:
    container = await ready.create_container("life", sleeper())
    with pytest.raises(ConflictError, match="life"):
        await ready.create_container("life", sleeper())
    for _ in range(2):  # starting what runs is success
        await ready.start_container(container)
    (shown,) = await ready.containers({LABEL: "1"})
    assert (shown.id, shown.name, shown.state, shown.image) == (container, "life", "running", EXAMPLE_IMAGE)
    for _ in range(2):
        await ready.stop_container(container, grace_s=5)
    assert [item.state for item in await ready.containers({LABEL: ""})] == ["exited"]
    assert list(await ready.containers({LABEL: "2"})) == []
    for _ in range(2):  # removing what is gone is success
        await ready.remove_container(container)
    assert list(await ready.containers({LABEL: ""})) == []
    with pytest.raises(NotFoundError):
        await ready.start_container(container)


async def test_what_an_engine_refuses(ready: DockerEngine) -> None:
    with pytest.raises(NotFoundError, match="nobody/has-this"):
        await ready.create_container("x", {"Image": "nobody/has-this:1"})
    with pytest.raises(RejectedError):
        await ready.create_container("x", sleeper(HostConfig={"Memory": 1}))
    with pytest.raises(UnavailableError, match="not a swarm manager"):
        await ready.nodes()
    assert not await ready.pull_image("nobody/has-this:1", timeout_s=20)
    assert await ready.resolve_digest("nobody/has-this:1") is None


async def test_events_from_the_subscription_on(ready: DockerEngine) -> None:
    events = ready.events({"type": ["container"], "label": [LABEL], "event": ["create", "start", "destroy"]})
    first = await anext(events)
    assert (first.type, first.action) == ("skep", "subscribed")
    container = await ready.create_container("seen", sleeper())
    await ready.start_container(container)
    await ready.remove_container(container)
    async with asyncio.timeout(20):
        seen = [await anext(events) for _ in range(3)]
    assert [(event.action, event.id, event.attributes[LABEL]) for event in seen] == [
        ("create", container, "1"),
        ("start", container, "1"),
        ("destroy", container, "1"),
    ]
    await events.aclose()


async def test_networks_with_their_addresses(ready: DockerEngine) -> None:
    body: JsonObject = {
        "Name": "addresses",
        "Driver": "bridge",
        "Labels": {LABEL: "1"},
        "IPAM": {"Config": [{"Subnet": "10.96.0.0/24"}]},
    }
    network = await ready.create_network(body)
    with pytest.raises(ConflictError):
        await ready.create_network(body)
    with pytest.raises(RejectedError, match="overlaps"):
        await ready.create_network({**body, "Name": "other"})
    endpoint = {"addresses": {"IPAMConfig": {"IPv4Address": "10.96.0.200"}}}
    on_it = sleeper(HostConfig={"NetworkMode": "addresses"}, NetworkingConfig={"EndpointsConfig": endpoint})
    container = await ready.create_container("on-it", on_it)
    await ready.start_container(container)
    (shown,) = [item for item in await ready.networks() if item.name == "addresses"]
    assert (shown.id, shown.subnets, shown.addresses) == (network, ("10.96.0.0/24",), ("10.96.0.200",))
    second = await ready.create_container("second", on_it)
    with pytest.raises(ConflictError, match="already in use"):
        await ready.start_container(second)
    with pytest.raises(ConflictError):
        await ready.remove_network(network)
    await ready.remove_container(container)
    await ready.remove_container(second)
    for _ in range(2):
        await ready.remove_network(network)


async def test_volumes_by_label(ready: DockerEngine) -> None:
    for _ in range(2):
        await ready.create_volume("vol", {LABEL: "1"})
    (volume,) = await ready.volumes({LABEL: "1"})
    assert volume.name == "vol"
    assert volume.created_s > 0
    for _ in range(2):
        await ready.remove_volume("vol")


async def test_images_go_from_one_engine_to_another(ready: DockerEngine) -> None:
    tar = b"".join([chunk async for chunk in ready.save_images([EXAMPLE_IMAGE])])

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(tar), 65536):
            yield tar[start : start + 65536]

    before = (await ready.image_ids())[EXAMPLE_IMAGE]
    await ready.load_images(chunks())
    assert (await ready.image_ids())[EXAMPLE_IMAGE] == before
    with pytest.raises(NotFoundError):
        async for _ in ready.save_images(["nobody/has-this:1"]):
            pass


async def test_a_containers_log(ready: DockerEngine) -> None:
    container = await ready.create_container("log", {**sleeper(), "Cmd": ["sh", "-c", "echo one; echo two >&2"]})
    await ready.start_container(container)

    async def log() -> list[str]:
        return sorted((await ready.container_logs(container, 10)).split())

    await until(log, ["one", "two"])


async def _swarm(manager: DockerEngine) -> None:
    (node,) = await manager.nodes()
    assert (node.role, node.state, node.leader, node.reachability) == ("manager", "ready", True, "reachable")
    assert (await manager.info()).control
    tokens = await manager.join_tokens()
    assert tokens.worker != tokens.manager
    assert tokens.worker not in repr(tokens)

    await manager.update_node(node.id, node.version, labels={"a": "1"})
    with pytest.raises(ConflictError):
        await manager.update_node(node.id, node.version, labels={"b": "2"})
    (labelled,) = await manager.nodes({"name": [node.hostname]})
    await manager.update_node(labelled.hostname, labelled.version, availability="active")
    (kept,) = await manager.nodes()
    assert (kept.labels, kept.availability) == ({"a": "1"}, "active")
    with pytest.raises(RejectedError):
        await manager.update_node(kept.id, kept.version, role="worker")  # the last manager
    with pytest.raises(RejectedError, match="must be demoted"):
        await manager.remove_node(kept.id, force=False)
    await manager.remove_node("nobody", force=False)


async def _service(manager: DockerEngine) -> None:
    template = {"ContainerSpec": {"Image": EXAMPLE_IMAGE}}
    body: JsonObject = {"Name": "web", "TaskTemplate": template, "Mode": {"Replicated": {"Replicas": 2}}}
    service = await manager.create_service(body)
    with pytest.raises(ConflictError):
        await manager.create_service(body)
    with pytest.raises(RejectedError):
        await manager.create_service({"Name": "no image"})

    async def running() -> int:
        return sum(task.state == "running" for task in await manager.tasks({"service": ["web"]}))

    await until(running, 2)
    (shown,) = await manager.services({"name": ["web"]})
    assert (shown.id, shown.name, shown.update_state) == (service, "web", "")
    grown: JsonObject = {**body, "Mode": {"Replicated": {"Replicas": 3}}}
    await manager.update_service(service, shown.version, grown)
    with pytest.raises(ConflictError):
        await manager.update_service(service, shown.version, grown)
    await until(running, 3)
    assert "ingress" in await manager.network_ids()
    assert (await manager.secret_ids(), await manager.config_ids()) == ({}, {})
    for _ in range(2):
        await manager.remove_service(service)


@pytest.mark.parametrize("image", ["node_image", "newer_node_image"])
async def test_nodes_services_and_tasks_of_a_swarm(
    image: str, host_engine: HostEngine, request: pytest.FixtureRequest
) -> None:
    """On the oldest engine that is spoken to and on a newer one."""
    node_image = request.getfixturevalue(image)
    async with open_machines(host_engine, node_image) as machines:
        await build_example_image(machines.engines.engine(host_engine.endpoint))
        init = "docker swarm init --advertise-addr eth0 >/dev/null"
        instance = await machines.plugin.provision(spec("one", init))
        await machines.plugin.load_images(instance, [EXAMPLE_IMAGE])
        manager = machines.inner(instance)
        await _swarm(manager)
        await _service(manager)
