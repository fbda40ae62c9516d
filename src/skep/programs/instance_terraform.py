"""`infrakit-instance-terraform`: a machine is a resource of Terraform or OpenTofu (infrakit-compat.md 1.1, 5.3)."""

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.plugins.terraform import TerraformInstances
from skep.plugins.terraform_program import find_program
from skep.programs.program import plugin_command, run, temporary_folder
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods


@plugin_command("instance-terraform", "Instance plugin for all that Terraform or OpenTofu can make.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=temporary_folder,
    help="Folder of the machines' files and of your own: providers, backend, networks. [$TMPDIR]",
)
@click.option("--program", default="", help="Program to run.  [default: terraform, else tofu, on the PATH]")
def main(name: str, log: int, folder: Path, program: str) -> None:
    """Serve it until stopped."""

    place = folder.absolute()

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        path = find_program(program, os.environ)
        plugin = TerraformInstances(place, path, os.environ, SystemClock(), lenient=True)
        finishing = asyncio.create_task(plugin.finish(), name="finish")
        stack.push_async_callback(_ended, finishing)
        return rpc_app(instance_methods(plugin))

    run(name, log, serve)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    main()
