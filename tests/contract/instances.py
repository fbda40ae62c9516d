"""The instance plugins that the contract is run on. A new one joins by a line in KINDS.

A kind runs a check in a world of its own: it may bring its own loop, so simulated time works too.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import InvalidError, RejectedError
from skep.model.json import NULL, RawJson
from skep.plugins.cloud import CloudInstances
from skep.plugins.docker import DockerInstances
from skep.plugins.file import FileInstances
from skep.plugins.simulator import SimulatorInstances
from skep.plugins.vagrant import VagrantInstances
from skep.plugins.vagrant_process import Vagrant
from skep.ports import Bootable, HoldsImages, Reachable, Startable, Watchable
from skep.server.plugin_socket import answer_on, plugin_socket
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods
from tests.engines import newer
from tests.engines.host import HostEngine
from tests.fakes.cloud import Cloud
from tests.fakes.vagrant import FakeVagrant
from tests.plugins.terraform_programs import PLAIN, PROGRAMS, bench

FAULTY = RawJson(b'{"Nonsense":1}')
ALL = frozenset({Bootable, HoldsImages, Reachable, Startable, Watchable})
"""What a plugin can do beyond its interface (ports.py)."""


@dataclass(frozen=True)
class World:
    """A plugin and what a test needs to know and do beside it.

    init: a script that leaves a trace; `runs` counts the traces in a machine. stop: ends a machine from outside.
    faulty: properties with a single fault, at `Nonsense`; None where any object will do. images: names that this host
    holds. refusal: what a machine with such properties is refused with.
    """

    plugin: Any
    init: str
    runs: Callable[[str], Awaitable[int]]
    stop: Callable[[str], Awaitable[None]]
    properties: RawJson = NULL
    faulty: RawJson | None = FAULTY
    images: Sequence[str] = ()
    refusal: type[Exception] = InvalidError


Check = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """`run` makes a world, runs a check in it and takes the world down. `fixtures` are handed to it by name.

    `abilities` are the optional parts of the interface that the plugin claims to have. `remote`: it is called over a
    socket.
    """

    name: str
    run: Callable[..., None]
    fixtures: Sequence[str] = ()
    marks: Sequence[pytest.MarkDecorator] = field(default=())
    abilities: frozenset[type] = ALL
    remote: bool = False


async def _in_docker(check: Check, host: HostEngine, image: str) -> None:
    engines = DockerEngines()
    engine = engines.engine(host.endpoint)
    controller = f"t{secrets.token_hex(3)}"
    state_dir = host.folder / "s" / controller

    async def node_image() -> str:
        return image

    async def runs(instance: str) -> int:
        trace = state_dir / "m" / instance[-12:] / "trace"
        return len(trace.read_text().splitlines()) if trace.exists() else 0

    async def stop(instance: str) -> None:
        await asyncio.to_thread(host.docker, "kill", instance)

    plugin = DockerInstances(engine, engines, controller, state_dir, node_image, SystemClock(), routes=list)
    init = "docker info >/dev/null && echo ran >>/skep/trace"
    try:
        await build_example_image(engine)
        await check(World(plugin, init, runs, stop, images=[EXAMPLE_IMAGE]))
    finally:
        await plugin.remove_everything()
        await engines.close()


def _docker(check: Check, host_engine: HostEngine, node_image: str) -> None:
    asyncio.run(_in_docker(check, host_engine, node_image))


def _docker_newer(check: Check, host_engine: HostEngine, newer_node_image: str) -> None:
    asyncio.run(_in_docker(check, host_engine, newer_node_image))


def _over_a_socket(check: Check) -> Check:
    """The same world, its plugin served on a socket and called through it."""

    async def checked(world: World) -> None:
        with TemporaryDirectory() as name, plugin_socket("p", Path(name)) as listener:
            stop, plugins = asyncio.Event(), PluginFolder(Path(name))
            async with asyncio.TaskGroup() as group:
                group.create_task(answer_on(listener, rpc_app(instance_methods(world.plugin)), stop))
                try:
                    await check(replace(world, plugin=plugins.instance("p"), refusal=RejectedError))
                finally:
                    await plugins.close()
                    stop.set()

    return checked


async def _with_files(check: Check, folder: Path) -> None:
    """Init is not run: that it stands in the file is its trace."""
    init = "echo ran"

    async def runs(instance: str) -> int:
        return int(json.loads((folder / instance).read_text())["Spec"]["Init"] == init)

    async def stop(instance: str) -> None:
        await asyncio.sleep(0)  # a stream that was asked for begins
        (folder / instance).unlink()

    await check(World(FileInstances(folder), init, runs, stop, RawJson(b'{"Note":"any"}'), faulty=None))


def _file(check: Check, tmp_path: Path) -> None:
    asyncio.run(_with_files(check, tmp_path / "state" / "instances"))


async def _by_vagrant(check: Check, folder: Path) -> None:
    """The program is a fake; tests/e2e/test_infrakit_document.py has the real one."""
    fake, init = FakeVagrant(folder / "bin"), "echo ran"

    async def runs(instance: str) -> int:
        return int(fake.machines().get(instance) == init)

    async def stop(instance: str) -> None:
        raise AssertionError("it is never asked for")

    plugin = VagrantInstances(folder / "machines", SystemClock(), None, Vagrant(fake.program))
    try:
        await check(World(plugin, init, runs, stop, RawJson(b'{"Box":"any"}'), faulty=None))
    finally:
        await plugin.close()


def _vagrant(check: Check, tmp_path: Path) -> None:
    asyncio.run(_by_vagrant(check, tmp_path))


async def _simulated(check: Check) -> None:
    plugin = SimulatorInstances(SystemClock())

    async def runs(instance: str) -> int:
        return plugin.inits(instance)

    async def stop(instance: str) -> None:
        plugin.stop(instance)

    properties = RawJson(b'{"ProvisionDelay":"10ms","BootDelay":"10ms","DestroyDelay":"10ms"}')
    await check(World(plugin, "echo ran", runs, stop, properties))


def _simulator(check: Check) -> None:
    asyncio.run(_simulated(check))


async def _with_resources(check: Check, program: str, folder: Path) -> None:
    """Init is not run: that it stands once in what the resource was given is its trace."""
    made = bench(program, folder)

    async def runs(instance: str) -> int:
        file = json.loads((made.folder / f"{instance}.tf.json").read_text())
        return int(file["resource"]["terraform_data"][instance]["input"]["init"] == "echo ran")

    async def stop(instance: str) -> None:
        raise AssertionError("a resource is there or is not")

    faulty = RawJson(b'{"type":"terraform_data","value":{"input":{}},"Nonsense":1}')
    await check(World(made.plugin(), "echo ran", runs, stop, PLAIN, faulty))


async def _in_a_cloud(check: Check) -> None:
    """Init is not run: that it was handed over as it is is its trace."""
    cloud, clock = Cloud(), SystemClock()
    account = cloud.account(clock)

    async def runs(instance: str) -> int:
        return cloud.inits(instance)

    async def stop(instance: str) -> None:
        raise AssertionError("the plugin can't start machines")

    properties = RawJson(b'{"Provider":"dummy","Size":"1","Image":"any"}')
    faulty = RawJson(b'{"Provider":"dummy","Size":"1","Image":"any","Nonsense":1}')
    try:
        await check(World(CloudInstances({"dummy": account}, clock), "echo ran", runs, stop, properties, faulty))
    finally:
        account.close()


def _cloud(check: Check) -> None:
    asyncio.run(_in_a_cloud(check))


def _terraform(program: str) -> Callable[..., None]:
    def run(check: Check, tmp_path: Path) -> None:
        asyncio.run(_with_resources(check, program, tmp_path))

    return run


def _file_over_a_socket(check: Check, tmp_path: Path) -> None:
    _file(_over_a_socket(check), tmp_path)


def _simulator_over_a_socket(check: Check) -> None:
    _simulator(_over_a_socket(check))


KINDS: list[Kind] = [
    Kind("file", _file, ("tmp_path",), abilities=frozenset({Watchable})),
    Kind("vagrant", _vagrant, ("tmp_path",), abilities=frozenset()),
    Kind("simulator", _simulator, abilities=frozenset({Bootable, Startable, Watchable})),
    *(Kind(f"terraform-{program}", _terraform(program), ("tmp_path",), abilities=frozenset()) for program in PROGRAMS),
    Kind("file-over-a-socket", _file_over_a_socket, ("tmp_path",), abilities=frozenset(), remote=True),
    Kind("simulator-over-a-socket", _simulator_over_a_socket, abilities=frozenset(), remote=True),
    Kind("docker", _docker, ("host_engine", "node_image"), (pytest.mark.docker,)),
]
if newer.can_be_built():
    KINDS.append(Kind("docker-newer", _docker_newer, ("host_engine", "newer_node_image"), (pytest.mark.docker,)))
