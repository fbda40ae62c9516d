"""`infrakit-flavor-zookeeper`: members of an Apache ZooKeeper ensemble (infrakit-compat.md 1.1, 4.3)."""

import asyncio
from contextlib import AsyncExitStack

from starlette.types import ASGIApp

from skep.plugins.flavor_zookeeper import ZookeeperFlavor
from skep.programs.program import plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods


@plugin_command("flavor-zookeeper", "Flavor plugin that makes the machines of a group a ZooKeeper ensemble.")
def main(name: str, log: int) -> None:
    """Serve it until stopped."""

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        return rpc_app(flavor_methods(ZookeeperFlavor(lenient=True)))

    run(name, log, serve)


if __name__ == "__main__":
    main()
