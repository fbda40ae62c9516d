"""`infrakit-group-default`: groups of instances, by the core that serves skep's users (infrakit-compat.md 1.1, 3).

Its plugins are the sockets in the folder of plugins; it needs no Docker Engine. Groups are kept in a folder of its own
and go on after a restart, unless somebody else keeps them (infrakit-compat.md 3.9: `group-stateless` of a manager).
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.adapters.plugin_folder import PluginFolder
from skep.adapters.store_memory import MemoryStore
from skep.adapters.store_sqlite import SqliteStore
from skep.control.clusters import ClusterBook
from skep.control.committed_groups import CommittedGroups
from skep.control.core import Core, Options, World
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.model.errors import BugError
from skep.model.state import Limits
from skep.planning.draft import BURST_MAX
from skep.ports import Clock, Engine, Plugins, Store
from skep.programs.duration import Duration
from skep.programs.program import default_folder, plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import group_methods
from skep.specs.plugins_folder import plugins_folder

STATELESS = "group-stateless"
"""The name under which a manager looks for a group plugin that keeps nothing."""


class NoEngines:
    """Implements ports.Engines: flavors and instance plugins are programs of their own, and know engines themselves."""

    def engine(self, endpoint: str) -> Engine:
        raise BugError(f"the group plugin has no business with the engine {endpoint}")


class NoSecrets:
    """Implements ports.Secrets: only workloads have values to be hidden."""

    def keyed_hash(self, value: str) -> str:
        raise BugError("the group plugin keeps no workloads")


@plugin_command("group", "Group plugin: keeps groups of instances at their size, and moves them to new specs.")
@click.option(
    "--poll-interval",
    type=Duration(),
    default="10s",
    show_default=True,
    envvar="INFRAKIT_GROUP_POLL_INTERVAL",
    help="How often the instances of a group are looked at while nothing is known to have happened.",
)
@click.option(
    "--store",
    type=click.Choice(["sqlite", "none"]),
    default=None,
    help=f"Whether groups are kept over a restart. [sqlite; none under the name {STATELESS}]",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the store, one for each program. [~/.infrakit/skep/NAME]",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(0, BURST_MAX, clamp=True),
    default=0,
    envvar="INFRAKIT_GROUP_MAX_PARALLEL_NUM",
    help=f"Instances of one group that are created or destroyed at once; 0 is as many as may be, {BURST_MAX}. [0]",
)
@click.option(
    "--self-logical-id",
    default="",
    envvar="INFRAKIT_GROUP_SELF_LOGICAL_ID",
    help="Logical ID of the instance that this program runs on: it goes only when its whole group is destroyed.",
)
def main(
    name: str,
    log: int,
    poll_interval: float,
    store: str | None,
    state_dir: Path | None,
    max_parallel: int,
    self_logical_id: str,
) -> None:
    """Serve it until stopped."""
    keeps = store == "sqlite" or (store is None and name != STATELESS)
    folder = state_dir or default_folder(f"skep/{name}", "--state-dir")
    options = replace(_options(poll_interval, max_parallel or BURST_MAX), own_machine=self_logical_id)

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        clock = SystemClock()
        kept: Store = SqliteStore(folder / "skep.db") if keeps else MemoryStore()
        stack.push_async_callback(kept.close)
        plugins = PluginFolder(plugins_folder(os.environ))
        stack.push_async_callback(plugins.close)
        core = Core(_world(kept, plugins, clock), options)
        await stack.enter_async_context(_running(core, f"{name} {os.getpid()}"))
        return rpc_app(group_methods(CommittedGroups(core, plugins, clock)))

    run(name, log, serve)


def _options(poll_s: float, parallel: int) -> Options:
    return replace(Options(), poll_s=poll_s, burst=parallel, limits=replace(Limits(), parallel=parallel))


def _world(store: Store, plugins: Plugins, clock: Clock) -> World:
    hub, engines = Hub(), NoEngines()
    static = EngineBook((), engines, clock, hub.cluster_changed)
    return World(
        store=store,
        clock=clock,
        rng=random.SystemRandom(),
        plugins=plugins,
        watched={},
        secrets=NoSecrets(),
        engines=engines,
        static=static,
        clusters=ClusterBook(store, engines, clock, hub.cluster_changed, static),
        hub=hub,
    )


@asynccontextmanager
async def _running(core: Core, holder: str) -> AsyncIterator[None]:
    """The core, from when it takes requests on. What ends it ends the program."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(core.run(holder), name="core")
        await core.ready.wait()
        try:
            yield
        finally:
            task.cancel()


if __name__ == "__main__":
    main()
