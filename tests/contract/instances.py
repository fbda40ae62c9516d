"""The instance plugins that the contract is run on. A new one joins by a line in KINDS.

A kind runs a check in a world of its own: it may bring its own loop, so simulated time works too.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.model.json import NULL, RawJson
from skep.plugins.docker import DockerInstances
from tests.engines import newer
from tests.engines.host import HostEngine

UNKNOWN_FIELD = RawJson(b'{"Nonsense":1}')


@dataclass(frozen=True)
class World:
    """A plugin and what a test needs to know and do beside it.

    init: a script that leaves a trace; `runs` counts the traces in a machine. stop: ends a machine from outside.
    images: names that this host holds.
    """

    plugin: Any
    init: str
    runs: Callable[[str], Awaitable[int]]
    stop: Callable[[str], Awaitable[None]]
    properties: RawJson = NULL
    unknown_field: RawJson = UNKNOWN_FIELD
    images: Sequence[str] = ()


Check = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """`run` makes a world, runs a check in it and takes the world down. `fixtures` are handed to it by name."""

    name: str
    run: Callable[..., None]
    fixtures: Sequence[str] = ()
    marks: Sequence[pytest.MarkDecorator] = field(default=())


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


KINDS: list[Kind] = [Kind("docker", _docker, ("host_engine", "node_image"), (pytest.mark.docker,))]
if newer.can_be_built():
    KINDS.append(Kind("docker-newer", _docker_newer, ("host_engine", "newer_node_image"), (pytest.mark.docker,)))
