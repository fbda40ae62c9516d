"""The composition root: settings to adapters to one task group. The only file that names concrete adapters."""

import asyncio
import gc
import os
import random
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import structlog

from skep import __version__
from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngine, DockerEngines
from skep.adapters.docker_contexts import docker_folder
from skep.adapters.docker_host import check_for_machines, find_engine, host_tls
from skep.adapters.docker_routes import Access
from skep.adapters.fetch import UrlFetch
from skep.adapters.garbage import keep_pauses_short, small_steps
from skep.adapters.node_image import NodeImages, build_example_image
from skep.adapters.plugin_folder import PluginFolder
from skep.adapters.secrets import FileSecrets
from skep.adapters.store_lock import check_alone
from skep.adapters.store_sqlite import SqliteStore
from skep.control.clusters import ClusterBook
from skep.control.core import Core, Options, World
from skep.control.endpoints import EngineBook
from skep.control.hub import Hub
from skep.control.teardown import remove_workloads
from skep.logs import configure
from skep.model.errors import NotFoundError, RefusedError
from skep.model.state import Limits
from skep.plugins.docker.instances import DockerInstances
from skep.plugins.file import FileInstances
from skep.plugins.flavor_combo import ComboFlavor
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.flavor_zookeeper import ZookeeperFlavor
from skep.plugins.refused import RefusedInstances
from skep.plugins.registry import PluginRegistry
from skep.plugins.simulator import SimulatorInstances
from skep.ports import FlavorPlugin, InstancePlugin
from skep.server.api import create_api
from skep.server.front import Info
from skep.server.loopback import LoopbackServer
from skep.server.serving import ApiServer
from skep.server.tls import TlsServer
from skep.server.tls_files import Certificates, ServerFiles
from skep.settings import Settings
from skep.specs.home_folder import home_or_root
from skep.specs.plugins_folder import plugins_folder

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OwnEngine:
    """This host's own engine.

    `images` is one for the whole process: it asks a registry once, and builds once for all machines that boot side by
    side.
    """

    engine: DockerEngine
    images: NodeImages


class Daemon(Core):
    """The core, and what of its host a request may ask for. Implements server.front.Front."""

    def __init__(self, world: World, options: Options, settings: Settings, own: OwnEngine | NotFoundError) -> None:
        """`own`: or why there is none."""
        super().__init__(world, options)
        self._settings, self._own = settings, own

    def info(self) -> Info:
        endpoint = "" if isinstance(self._own, NotFoundError) else self._own.engine.endpoint
        return Info(self._settings.controller, __version__, endpoint, str(self._settings.state_dir), os.getpid())

    async def build_image(self, which: Literal["node", "example"]) -> str:
        if isinstance(self._own, NotFoundError):
            raise NotFoundError(str(self._own))
        if which == "example":
            return await build_example_image(self._own.engine)
        return await self._own.images.ensure(self._settings.node_image)


def serve(
    settings: Settings, wording: Sequence[structlog.typing.Processor] = (), state_dir_with: str = "--state-dir"
) -> None:
    """Run until SIGTERM or SIGINT. SkepError, or a group of them, says in words why it could not.

    `wording` is the log's; `state_dir_with`: how this program is told another state directory.
    """
    configure(settings.log_level, settings.log_format, wording)
    keep_pauses_short()
    asyncio.run(_serve(settings, state_dir_with))
    # All is closed. Without this the interpreter searches everything for garbage on its way out: 0.4 s of CPU.
    gc.freeze()


def tear_down(settings: Settings) -> tuple[str, ...]:
    """Remove every workload on the clusters of the settings, and every machine, network, volume and document of this
    controller; what was removed, in words.

    RefusedError while a server holds the state directory: it would make them again.
    """
    return asyncio.run(_tear_down(settings))


async def _serve(settings: Settings, state_dir_with: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    _check_shown(settings)
    certificates = _certificates(settings)
    if certificates:
        loop.add_signal_handler(signal.SIGHUP, certificates.look)
    async with AsyncExitStack() as stack:
        daemon = await _build(settings, stack, state_dir_with)
        log.info("serving", version=__version__, controller=settings.controller, socket=str(settings.socket))
        async with asyncio.TaskGroup() as group:
            core = group.create_task(daemon.run(f"{settings.controller} {os.getpid()}"), name="core")
            await daemon.ready.wait()
            steps = group.create_task(small_steps(), name="garbage")
            await _answer(settings, daemon, certificates, stop)
            core.cancel()
            steps.cancel()
    log.info("stopped")


def _check_shown(settings: Settings) -> None:
    """RefusedError where engines would be shown a certificate that is not for clients."""
    shown = [one for one in settings.cluster_tls if one.endpoints and one.files.cert]
    if shown:
        from skep.adapters.client_certificates import check_for_clients  # noqa: PLC0415 - only for those who need it

        for one in shown:
            check_for_clients(one.cluster, one.files.cert)


def _certificates(settings: Settings) -> Certificates | None:
    """RefusedError where they are of no use: before anything else is begun."""
    if not settings.tls_listen:
        return None
    return Certificates(ServerFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca))


async def _answer(settings: Settings, daemon: Daemon, certificates: Certificates | None, stop: asyncio.Event) -> None:
    """Until `stop`, on the socket and, where that was asked for, on a loopback address and over TLS."""
    api = create_api(daemon)
    async with asyncio.TaskGroup() as group:
        group.create_task(ApiServer(settings.socket, api).serve(stop), name="api")
        if settings.insecure_http:
            group.create_task(LoopbackServer(settings.insecure_http, api).serve(stop), name="insecure http")
        if certificates:
            group.create_task(TlsServer(settings.tls_listen, api, certificates).serve(stop), name="tls")


async def _build(settings: Settings, stack: AsyncExitStack, state_dir_with: str) -> Daemon:
    store = SqliteStore(settings.state_dir / "skep.db", state_dir_with)
    stack.push_async_callback(store.close)
    engines, hub, clock = _engines(settings), Hub(), SystemClock()
    stack.push_async_callback(engines.close)
    own = _own_engine_or_why(settings, engines)
    static = EngineBook(settings.clusters, engines, clock, hub.cluster_changed)
    clusters = ClusterBook(store, engines, clock, hub.cluster_changed, static)
    instances: dict[str, InstancePlugin] = {
        "instance-docker": await _docker_instances(settings, own, engines),
        "instance-file": FileInstances(_files(settings)),
        "instance-simulator": SimulatorInstances(clock),
    }
    flavors = _flavors(clusters, engines, clock)
    elsewhere = _elsewhere([*instances, *flavors, "flavor-combo"])
    stack.push_async_callback(elsewhere.close)
    # Combos are looked up among these too, but for combos within combos, which they know themselves.
    flavors["flavor-combo"] = ComboFlavor(PluginRegistry(instances, flavors, elsewhere))
    world = World(
        store=store,
        clock=clock,
        rng=random.SystemRandom(),
        plugins=PluginRegistry(instances, flavors, elsewhere, elsewhere.socket_of),
        watched=instances,
        secrets=FileSecrets(settings.state_dir / "secret.key"),
        engines=engines,
        static=static,
        clusters=clusters,
        hub=hub,
    )
    return Daemon(world, _options(settings), settings, own)


def _flavors(clusters: ClusterBook, engines: DockerEngines, clock: SystemClock) -> dict[str, FlavorPlugin]:
    """Those that hold no others."""
    fetch = UrlFetch()
    return {
        "flavor-swarm": SwarmFlavor(clusters, engines, clock, fetch=fetch),
        "flavor-vanilla": VanillaFlavor(fetch),
        "flavor-zookeeper": ZookeeperFlavor(),
    }


def _elsewhere(built_in: Sequence[str]) -> PluginFolder:
    """Plugins that are programs of their own, InfraKit's or skep's."""
    folder = plugins_folder(os.environ)
    return PluginFolder(folder, f"; built in are {', '.join(sorted(built_in))}, and others have sockets in {folder}")


def _files(settings: Settings) -> Path:
    """Where the file plugin's machines are."""
    return settings.state_dir / "instances"


def _own_engine(settings: Settings, engines: DockerEngines) -> OwnEngine:
    """NotFoundError where this host has none."""
    engine = engines.engine(find_engine(settings.engine, os.environ, home_or_root(), settings.state_dir))
    return OwnEngine(engine, NodeImages(engine, settings.pull_timeout_s))


def _own_engine_or_why(settings: Settings, engines: DockerEngines) -> OwnEngine | NotFoundError:
    """Who names clusters in the settings needs no engine on this host; NotFoundError is raised for all others."""
    try:
        return _own_engine(settings, engines)
    except NotFoundError as error:
        if not settings.clusters:
            raise
        # Nobody has asked for machines yet; whoever does, is told the same.
        log.debug("no machines can be made on this host", reason=str(error))
        return error


def _engines(settings: Settings) -> DockerEngines:
    """This host's own engine takes its TLS files from the environment, as docker's client does."""
    home, given = home_or_root(), settings.engine or os.environ.get("DOCKER_HOST", "")
    own = host_tls(os.environ, home) if given.startswith("tcp://") else None
    tls = ({given: own} if own else {}) | dict(settings.tls())
    access = Access(tls, docker_folder(os.environ, home))
    return DockerEngines(settings.call_limit, settings.engine_timeout_s, access)


def _options(settings: Settings) -> Options:
    return Options(
        controller=settings.controller,
        resync_s=settings.resync_s,
        poll_s=settings.poll_s,
        drain_wait_s=settings.drain_wait_s,
        history=settings.history,
        events_kept=settings.events_kept,
        call_limit=settings.call_limit,
        limits=replace(Limits(), parallel=settings.parallel),
    )


async def _docker_instances(
    settings: Settings, own: OwnEngine | NotFoundError, engines: DockerEngines
) -> InstancePlugin:
    if isinstance(own, NotFoundError):
        return RefusedInstances(str(own), out_of_sight=True)
    try:
        await check_for_machines(own.engine)
    except RefusedError as error:
        return RefusedInstances(str(error))

    async def node_image() -> str:
        return await own.images.ensure(settings.node_image)

    instances = DockerInstances(own.engine, engines, settings.controller, settings.state_dir, node_image, SystemClock())
    check_alone(settings.controller, await instances.other_homes())
    return instances


async def _tear_down(settings: Settings) -> tuple[str, ...]:
    async with AsyncExitStack() as stack:
        store = SqliteStore(settings.state_dir / "skep.db")
        stack.push_async_callback(store.close)
        engines = _engines(settings)
        stack.push_async_callback(engines.close)
        workloads = await remove_workloads(settings.clusters, engines, settings.controller)
        files = await FileInstances(_files(settings)).remove_everything()
        removed = (*workloads, *await _remove_machines(settings, engines), *files)
        for document in await store.list(""):
            await store.delete(document.key)
    return removed


async def _remove_machines(settings: Settings, engines: DockerEngines) -> tuple[str, ...]:
    """Where there is no engine, there is nothing on it to remove."""
    try:
        own = _own_engine(settings, engines)
    except NotFoundError:
        return ()
    instances = await _docker_instances(settings, own, engines)
    return await instances.remove_everything() if isinstance(instances, DockerInstances) else ()
