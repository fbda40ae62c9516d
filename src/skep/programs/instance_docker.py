"""`infrakit-instance-docker`: a machine is a container with an Engine of its own (infrakit-compat.md 1.1, 5.4)."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.docker_contexts import docker_folder
from skep.adapters.docker_host import check_for_machines, find_engine, host_tls
from skep.adapters.docker_routes import Access
from skep.adapters.node_image import NodeImages
from skep.adapters.store_lock import StateLock, check_alone
from skep.plugins.docker import DockerInstances
from skep.programs.program import default_folder, plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods
from skep.specs.home_folder import home_or_root

PULL_TIMEOUT_S = 5.0
"""How long a registry may take before the node image is built from this host's own engine (docs/machines.md)."""


@plugin_command("instance-docker", "Instance plugin whose machines are containers with a Docker Engine.")
@click.option("--host", default="", help="Engine that machines are made on.  [default: as docker's own client]")
@click.option("--controller", default="", help="Owner of the machines, in their names and labels.  [default: --name]")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Folder of the machines' sockets; about 80 characters at most.  [default: ~/.infrakit/skep/NAME]",
)
@click.option("--image", default="", help="Image that machines run.  [default: found or built]")
def main(name: str, log: int, host: str, controller: str, state_dir: Path | None, image: str) -> None:
    """Serve it until stopped."""
    folder = (state_dir or default_folder(f"skep/{name}", "--state-dir")).absolute()

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.callback(StateLock(folder).release)
        instances = await _instances(stack, folder, host, controller or name, image)
        return rpc_app(instance_methods(instances))

    run(name, log, serve)


async def _instances(stack: AsyncExitStack, folder: Path, host: str, controller: str, image: str) -> DockerInstances:
    home, clock = home_or_root(), SystemClock()
    endpoint = find_engine(host, os.environ, home, folder)
    tls = host_tls(os.environ, home) if endpoint.startswith("tcp://") else None
    engines = DockerEngines(access=Access({endpoint: tls} if tls else {}, docker_folder(os.environ, home)))
    stack.push_async_callback(engines.close)
    engine = engines.engine(endpoint)
    await check_for_machines(engine)
    images = NodeImages(engine, PULL_TIMEOUT_S)

    async def node_image() -> str:
        return await images.ensure(image)

    instances = DockerInstances(engine, engines, controller, folder, node_image, clock, lenient=True)
    check_alone(controller, await instances.other_homes())
    return instances


if __name__ == "__main__":
    main()
