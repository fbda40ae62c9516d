"""`infrakit-flavor-combo`: several flavors on the same machines, found by their sockets (infrakit-compat.md 4.4)."""

import asyncio
import os
from contextlib import AsyncExitStack

from starlette.types import ASGIApp

from skep.adapters.plugin_folder import PluginFolder
from skep.plugins.flavor_combo import ComboFlavor
from skep.programs.program import plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods
from skep.specs.plugins_folder import plugins_folder


@plugin_command("flavor-combo", "Flavor plugin that chains other flavor plugins.")
def main(name: str, log: int) -> None:
    """Serve it until stopped."""

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        plugins = PluginFolder(plugins_folder(os.environ))
        stack.push_async_callback(plugins.close)
        return rpc_app(flavor_methods(ComboFlavor(plugins, name, lenient=True)))

    run(name, log, serve)


if __name__ == "__main__":
    main()
