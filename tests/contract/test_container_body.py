"""What a real Engine makes of a workload: every field arrives, and what it refuses is told in its words."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from secrets import token_hex
from subprocess import CalledProcessError
from typing import Any

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngine, DockerEngines
from skep.adapters.node_image import build_example_image
from skep.adapters.store_memory import MemoryStore
from skep.control.adoptions import Adoptions
from skep.control.container_level import ContainerLevel
from skep.control.endpoints import EngineBook
from skep.model.cluster import StaticCluster
from skep.model.errors import NoImageError, RejectedError
from skep.model.spec import Device, Gpus, HealthCheck, Mount, Port, Resources, WorkloadSpec
from skep.model.state import Limits, Member, Phase, Record
from skep.planning.container import render
from tests.control.lab import creation, document_of
from tests.engines.host import HostEngine
from tests.sim.controller import PlainSecrets

pytestmark = pytest.mark.docker

IMAGE = "skep/web:1"
Create = Callable[[WorkloadSpec], Awaitable[Member]]


@pytest.fixture
async def spec(engine: DockerEngine) -> AsyncIterator[WorkloadSpec]:
    """A workload of its own, whose containers, volume and network go with the test."""
    await build_example_image(engine)
    name = f"w{token_hex(4)}"
    await engine.create_network({"Name": name})
    yield WorkloadSpec(name, IMAGE, 1, "real")
    for container in await engine.containers({"skep.workload": name}):
        await engine.remove_container(container.id)
    await engine.remove_network(name)
    await engine.remove_volume(name)


@pytest.fixture
async def create(host_engine: HostEngine) -> AsyncIterator[Create]:
    """Makes one container of a workload, and gives the only one that is seen then."""
    engines = DockerEngines()
    book = EngineBook([StaticCluster("real", (host_engine.endpoint,))], engines, SystemClock(), lambda name: None)
    level = ContainerLevel(book, Adoptions(MemoryStore(), None), PlainSecrets(), "contract", Limits(), 4)

    async def advance(phase: Phase) -> None:
        """Nobody writes it down."""

    async def one(spec: WorkloadSpec) -> Member:
        sight = await book.sight("real")
        resolved = await level.resolve(document_of(spec), Record(spec.key), sight)
        entry = creation(source=sight.engines[0].source, request=token_hex(8))
        assert resolved.desired.hold == ""
        await resolved.actuator.create(resolved.desired, entry, advance)
        [member] = (await resolved.actuator.observe(resolved.desired)).members
        return member

    yield one
    await engines.close()


def inspected(host: HostEngine, container: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(host.docker("inspect", container))[0]
    return found


async def test_every_field_arrives(host_engine: HostEngine, create: Create, spec: WorkloadSpec) -> None:
    full = replace(
        spec,
        command=("sh",),
        args=("-c", "sleep 60"),
        env=(("COLOUR", "red"),),
        labels=(("team", "a"),),
        ports=(Port(8080), Port(53, 5353, "udp")),
        mounts=(Mount("volume", "/data", spec.name, read_only=True), Mount("tmpfs", "/t"), Mount("bind", "/h", "/etc")),
        networks=(spec.name,),
        resources=Resources(500_000_000, 64 << 20, 100, 250_000_000, 32 << 20),
        health_check=HealthCheck(("CMD", "true"), 5.0, 1.5, 3, 2.0),
        stop_grace_s=2.5,
        user="65534",
    )
    member = await create(full)
    seen = inspected(host_engine, member.id)
    config, host = seen["Config"], seen["HostConfig"]
    assert (config["Entrypoint"], config["Cmd"], config["User"]) == (["sh"], ["-c", "sleep 60"], "65534")
    assert "COLOUR=red" in config["Env"]
    assert (config["Labels"]["team"], config["StopTimeout"]) == ("a", 3)
    assert config["Healthcheck"] == {
        "Test": ["CMD", "true"], "Interval": 5_000_000_000, "Timeout": 1_500_000_000,
        "StartPeriod": 2_000_000_000, "Retries": 3,
    }  # fmt: skip
    assert host["RestartPolicy"]["Name"] == "no"
    assert (host["NanoCpus"], host["CpuShares"], host["PidsLimit"]) == (500_000_000, 256, 100)
    assert (host["Memory"], host["MemoryReservation"]) == (64 << 20, 32 << 20)
    mounts = {m["Destination"]: (m["Type"], m["RW"]) for m in seen["Mounts"]}
    assert mounts == {"/data": ("volume", False), "/t": ("tmpfs", True), "/h": ("bind", True)}
    assert spec.name in seen["NetworkSettings"]["Networks"][spec.name]["Aliases"]
    published = seen["NetworkSettings"]["Ports"]
    assert published["53/udp"][0]["HostPort"] == "5353"
    assert int(published["8080/tcp"][0]["HostPort"]) > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": ("/no/such/program",)}, "no such file or directory"),
        ({"user": "nobody-like-this"}, "unable to find user"),
        ({"networks": ("no-such-network",)}, "no-such-network"),
        ({"mounts": (Mount("bind", "/x", "/no/such/folder"),)}, "bind source path does not exist"),
        ({"resources": Resources(limit_memory_bytes=4 << 20)}, "emory limit"),
        ({"devices": (Device("/dev/no-such", "/dev/x"),)}, "/dev/no-such"),
        ({"gpus": Gpus(-1)}, r'could not select device driver "" with capabilities: \[\[gpu\]\]'),
    ],
)
async def test_what_the_engine_refuses_is_told_in_its_words_and_leaves_nothing(
    engine: DockerEngine, create: Create, spec: WorkloadSpec, change: dict[str, Any], words: str
) -> None:
    """F3, W33."""
    with pytest.raises(RejectedError, match=words):
        await create(replace(spec, **change))
    assert await engine.containers({"skep.workload": spec.name}) == []


async def test_a_device_appears_in_the_container_with_its_permissions(
    host_engine: HostEngine, create: Create, spec: WorkloadSpec
) -> None:
    control = Device("/dev/loop-control", "/dev/read", "r")
    member = await create(replace(spec, devices=(control, Device("/dev/fuse", "/dev/fuse"))))

    def inside(line: str) -> str:
        return host_engine.docker("exec", member.id, "sh", "-c", line)

    assert [line[0] for line in inside("ls -l /dev/read /dev/fuse").splitlines()] == ["c", "c"]
    assert inside("exec 3</dev/read && echo may") == "may"
    with pytest.raises(CalledProcessError):
        inside("exec 3>/dev/read")


@pytest.mark.parametrize(
    ("asked", "gpus"),
    [
        ("all", Gpus(-1)),
        ("2", Gpus(2)),
        ('"device=0,1"', Gpus(0, ("0", "1"))),
        ('driver=nvidia,"capabilities=utility,compute"', Gpus(1, (), "nvidia", ("utility", "compute"))),
    ],
)
async def test_the_engine_is_asked_for_gpus_as_by_dockers_own_client(
    engine: DockerEngine, host_engine: HostEngine, spec: WorkloadSpec, asked: str, gpus: Gpus
) -> None:
    theirs = host_engine.docker("create", "--label", f"skep.workload={spec.name}", "--gpus", asked, IMAGE)
    ours = await engine.create_container(f"{spec.name}.1", render(replace(spec, gpus=gpus), IMAGE, "contract"))
    requests = [inspected(host_engine, id)["HostConfig"]["DeviceRequests"] for id in (theirs, ours)]
    assert requests[0] == requests[1]


async def test_a_port_that_is_taken_is_a_refusal_that_leaves_nothing(
    engine: DockerEngine, create: Create, spec: WorkloadSpec
) -> None:
    taken = replace(spec, ports=(Port(8080, 18080),))
    first = await create(taken)
    with pytest.raises(RejectedError, match="port is already allocated"):
        await create(taken)
    assert [c.id for c in await engine.containers({"skep.workload": spec.name})] == [first.id]


async def test_an_image_of_a_registry_that_is_away_is_told_in_its_words(create: Create, spec: WorkloadSpec) -> None:
    """W32: it may be there later, and is asked for with the back-off of pulls."""
    with pytest.raises(NoImageError, match=r"pull image 127\.0\.0\.1:9/nowhere:1.*connection refused"):
        await create(replace(spec, image="127.0.0.1:9/nowhere:1"))
