"""`infrakit-manager`: the group plugin that remembers, and that acts on one host of several (infrakit-compat.md 1.1,
1.4, 3.9)."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.docker_contexts import docker_folder
from skep.adapters.docker_routes import Access
from skep.adapters.group_store_file import FileGroupStore
from skep.adapters.group_store_swarm import SwarmGroupStore
from skep.adapters.leader_file import FileLeadership
from skep.adapters.leader_swarm import SwarmLeadership
from skep.adapters.plugin_folder import PluginFolder
from skep.control.infrakit_manager import Manager
from skep.model.errors import Fault, InvalidError
from skep.ports import GroupStore, Leadership
from skep.programs.duration import Duration
from skep.programs.engine_options import DEFAULT_HOST, tls_files, tls_options
from skep.programs.program import SETTINGS, ProgramGroup, default_folder, log_option, name_option, run, version_command
from skep.server.rpc import rpc_app
from skep.server.rpc_services import group_methods
from skep.specs.home_folder import home_or_root
from skep.specs.plugins_folder import plugins_folder

Backing = Callable[[AsyncExitStack], tuple[Leadership, GroupStore]]
"""Builds what a mode brings; what must be closed goes onto the stack."""


def _common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Flags that stand before the mode or after it."""
    proxy = click.option(
        "--proxy-for-group", default="group-stateless", show_default=True, help="Group plugin that does the work."
    )
    return name_option("group")(proxy(log_option()(command)))


def _given(context: click.Context, option: str) -> Any:
    """The value after the mode, else the one before it, else the default."""
    outer = context.parent
    default = click.core.ParameterSource.DEFAULT
    if outer is not None and context.get_parameter_source(option) is default:
        return outer.params[option]
    return context.params[option]


def _poll_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--poll-interval",
        "poll_interval_s",
        type=Duration(),
        default="5s",
        show_default=True,
        help="How often to look who leads, and whether all groups are looked after.",
    )(command)


@click.group(
    cls=ProgramGroup,
    name="infrakit-manager",
    help="Group plugin that remembers what was committed to another one, and lets it act where this one leads.",
    context_settings=SETTINGS,
)
@_common_options
def main(**_: Any) -> None:
    """What the modes have in common is read by them."""


main.add_command(version_command())


@main.command("os", help="Files say who leads and keep the groups.")
@click.option(
    "--leader-file",
    type=click.Path(path_type=Path),
    envvar="INFRAKIT_LEADER_FILE",
    default=lambda: default_folder("leader", "--leader-file"),
    show_default="~/.infrakit/leader",
    help="File with the name of the manager that leads.  [env: INFRAKIT_LEADER_FILE]",
)
@click.option(
    "--store-dir",
    type=click.Path(path_type=Path),
    envvar="INFRAKIT_STORE_DIR",
    default=lambda: default_folder("configs", "--store-dir"),
    show_default="~/.infrakit/configs",
    help="Folder of global.config, which keeps the groups.  [env: INFRAKIT_STORE_DIR]",
)
@_poll_option
@_common_options
@click.pass_context
def os_mode(context: click.Context, /, leader_file: Path, store_dir: Path, poll_interval_s: float, **_: Any) -> None:
    """Serve it until stopped."""
    name = _given(context, "name")
    _serve(context, poll_interval_s, lambda stack: (FileLeadership(leader_file, name), FileGroupStore(store_dir)))


@main.command("swarm", help="Swarm's raft says who leads and keeps the groups.")
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Engine of this host, a manager of the Swarm.")
@tls_options
@_poll_option
@_common_options
@click.pass_context
def swarm_mode(
    context: click.Context,
    /,
    host: str,
    tlscacert: str,
    tlscert: str,
    tlskey: str,
    tlsverify: bool,
    poll_interval_s: float,
    **_: Any,
) -> None:
    """Serve it until stopped."""
    files = tls_files(tlscacert, tlscert, tlskey, tlsverify)

    def backing(stack: AsyncExitStack) -> tuple[Leadership, GroupStore]:
        engines = DockerEngines(
            access=Access({host: files} if files else {}, docker_folder(os.environ, home_or_root()))
        )
        stack.push_async_callback(engines.close)
        engine = engines.engine(host)
        return SwarmLeadership(engine), SwarmGroupStore(engine)

    _serve(context, poll_interval_s, backing)


def _serve(context: click.Context, poll_interval_s: float, backing: Backing) -> None:
    name, plugin = _given(context, "name"), _given(context, "proxy_for_group")

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        if plugin == name:
            raise InvalidError([Fault(f"--proxy-for-group {plugin} is this manager itself: name another group plugin")])
        plugins = PluginFolder(plugins_folder(os.environ))
        stack.push_async_callback(plugins.close)
        manager = Manager(plugins.group(plugin), plugin, *backing(stack), SystemClock(), poll_interval_s)
        running = asyncio.create_task(manager.run())
        running.add_done_callback(lambda _: stop.set())  # nobody would look after the groups
        stack.push_async_callback(_end, running)
        return rpc_app(group_methods(manager))

    run(name, _given(context, "log"), serve)


async def _end(running: "asyncio.Task[None]") -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    main()
