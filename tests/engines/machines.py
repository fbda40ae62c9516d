"""Machines of the docker plugin on a test's own engine, all removed at the end."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngine, DockerEngines
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.docker import DockerInstances
from tests.conditions import until
from tests.engines.host import HostEngine


@dataclass(frozen=True)
class Machines:
    """A plugin of a random controller, and what tests ask about its machines."""

    host: HostEngine
    plugin: DockerInstances
    engines: DockerEngines
    controller: str
    state_dir: Path

    def folder(self, instance: str) -> Path:
        return self.state_dir / "m" / instance[-12:]

    def inner(self, instance: str) -> DockerEngine:
        """The machine's own engine."""
        return self.engines.engine(f"unix://{self.folder(instance)}/e.sock")

    async def docker(self, *arguments: str) -> str:
        """docker's own client on the host's engine."""
        return await asyncio.to_thread(self.host.docker, *arguments)

    async def shown(self, instance: str) -> InstanceDescription:
        (item,) = [item for item in await self.plugin.describe({}) if item.id == instance]
        return item

    async def life(self, instance: str) -> Life:
        return (await self.shown(instance)).life

    async def until_life(self, instance: str, wanted: Life) -> None:
        await until(lambda: self.life(instance), wanted)

    async def alone(self, count: int, *images: str) -> tuple[Path, ...]:
        """Sockets of so many new machines that are in no Swarm, each with these images of the host's engine."""
        ids = await asyncio.gather(*(self.plugin.provision(spec(f"alone{n}")) for n in range(count)))
        for id in ids:
            await self.plugin.load_images(id, images)
        return tuple(self.folder(id) / "e.sock" for id in ids)

    async def address(self, instance: str) -> str:
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return await self.docker("inspect", "-f", template, instance)


def spec(request: str, init: str = "", logical_id: str | None = None, **properties: object) -> InstanceSpec:
    """`properties` with their documented names."""
    tags = {"infrakit.group": "g", "skep.request": request}
    return InstanceSpec(RawJson(json.dumps(properties).encode()), tags, init, logical_id)


@contextlib.asynccontextmanager
async def open_machines(host: HostEngine, image: str) -> AsyncIterator[Machines]:
    engines = DockerEngines()
    controller = f"t{secrets.token_hex(3)}"
    state_dir = host.folder / "s" / controller

    async def node_image() -> str:
        return image

    engine = engines.engine(host.endpoint)
    # The host's engine has a network namespace of its own: the routes that this process sees are not its routes.
    plugin = DockerInstances(engine, engines, controller, state_dir, node_image, SystemClock(), routes=list)
    try:
        yield Machines(host, plugin, engines, controller, state_dir)
    finally:
        await plugin.remove_everything()
        await engines.close()
