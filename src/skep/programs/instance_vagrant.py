"""`infrakit-instance-vagrant`: machines by Vagrant, on whatever it can drive (infrakit-compat.md 1.1, 5.1)."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.model.errors import NotFoundError
from skep.plugins.vagrant import VagrantInstances
from skep.plugins.vagrant_file import Template
from skep.plugins.vagrant_process import Vagrant, find_vagrant
from skep.programs.program import plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods


@plugin_command("instance-vagrant", "Instance plugin that brings machines up with Vagrant.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder of the machines, one folder for each.  [default: the current directory]",
)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    default=None,
    help="Vagrantfile of all machines as a Jinja2 template. It may use Properties.Box and whatever else a group's "
    "properties hold, NetworkOptions (what follows the private_network), LogicalID, Tags, and ruby(value), which "
    "quotes a value for Ruby.",
)
def main(name: str, log: int, folder: Path, template: Path | None) -> None:
    """Serve it until stopped. Vagrant has this program's environment: VAGRANT_DEFAULT_PROVIDER and the like work."""

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        vagrant = Vagrant(find_vagrant(os.environ))
        plugin = VagrantInstances(folder, SystemClock(), _read(template) if template else None, vagrant)
        stack.push_async_callback(plugin.close)
        return rpc_app(instance_methods(plugin))

    run(name, log, serve)


def _read(template: Path) -> Template:
    try:
        return Template(str(template), template.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"the template {template} can't be read: {error}") from error


if __name__ == "__main__":
    main()
