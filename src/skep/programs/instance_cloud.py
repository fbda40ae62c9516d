"""`infrakit-instance-cloud`: machines of Amazon, Google, Azure, DigitalOcean and OpenStack."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.plugins.cloud import CloudInstances
from skep.plugins.cloud_account import credentials, open_accounts
from skep.programs.program import plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods


@plugin_command("instance-cloud", "Instance plugin for clouds, through apache-libcloud.")
@click.option(
    "--credentials",
    "file",
    type=click.Path(path_type=Path),
    help="JSON file, chmod 600, of provider to arguments; SKEP_CLOUD_PROVIDER_ARGUMENT wins over it.",
)
def main(name: str, log: int, file: Path | None) -> None:
    """Serve it until stopped."""

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        clock = SystemClock()
        accounts = open_accounts(credentials(os.environ, file), clock)
        for account in accounts.values():
            stack.callback(account.close)
        return rpc_app(instance_methods(CloudInstances(accounts, clock, lenient=True)))

    run(name, log, serve)


if __name__ == "__main__":
    main()
