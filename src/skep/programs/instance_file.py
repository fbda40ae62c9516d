"""`infrakit-instance-file`: a machine is a file, and nothing runs (infrakit-compat.md 1.1, 5.2)."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.plugins.file import FileInstances
from skep.programs.program import plugin_command, run, temporary_folder
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods


@plugin_command("instance-file", "Instance plugin that writes a file for each instance.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=temporary_folder, help="Folder of the files. [$TMPDIR]"
)
def main(name: str, log: int, folder: Path) -> None:
    """Serve it until stopped."""

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        return rpc_app(instance_methods(FileInstances(folder)))

    run(name, log, serve)


if __name__ == "__main__":
    main()
