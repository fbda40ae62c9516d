"""`infrakit-flavor-vanilla`: init scripts, tags and attachments as written (infrakit-compat.md 1.1, 4.2)."""

import asyncio
from contextlib import AsyncExitStack

from starlette.types import ASGIApp

from skep.adapters.fetch import UrlFetch
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.programs.program import plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods


@plugin_command("flavor-vanilla", "Flavor plugin that gives each machine the Init and tags that were written.")
def main(name: str, log: int) -> None:
    """Serve it until stopped."""

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        return rpc_app(flavor_methods(VanillaFlavor(UrlFetch(), lenient=True)))

    run(name, log, serve)


if __name__ == "__main__":
    main()
