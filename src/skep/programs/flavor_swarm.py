"""`infrakit-flavor-swarm`: machines that found a Swarm or join it, known by where its managers' engines are
(infrakit-compat.md 1.1, 4.1)."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import click
from starlette.types import ASGIApp

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.docker_contexts import docker_folder
from skep.adapters.docker_routes import Access
from skep.adapters.fetch import UrlFetch
from skep.model.cluster import TlsFiles
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_swarm_host import HostCluster, SeenSwarmFile
from skep.programs.engine_options import DEFAULT_HOST, tls_files, tls_options
from skep.programs.program import default_folder, plugin_command, run
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods
from skep.specs.home_folder import home_or_root


class OneForAll(Mapping[str, TlsFiles]):
    """The same TLS files for every endpoint: those of managers that the Swarm tells of are not known beforehand."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files

    def __getitem__(self, endpoint: str) -> TlsFiles:
        return self._files

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@plugin_command("flavor-swarm", "Flavor plugin for the managers and workers of a Docker Swarm.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    default=[DEFAULT_HOST],
    show_default=DEFAULT_HOST,
    help="Engine of a manager; may be given for several. The others are found where they listen on the same TCP port.",
)
@tls_options
@click.option(
    "--bootstrap",
    default="",
    metavar="LOGICAL_ID",
    help="The manager that founds the Swarm where there is none yet. Without it none is founded.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Remembers which Swarm was there, so that it is founded once. [~/.infrakit/skep/NAME]",
)
def main(
    name: str,
    log: int,
    hosts: tuple[str, ...],
    tlscacert: str,
    tlscert: str,
    tlskey: str,
    tlsverify: bool,
    bootstrap: str,
    state_dir: Path | None,
) -> None:
    """Serve it until stopped."""
    files = tls_files(tlscacert, tlscert, tlskey, tlsverify)
    tls = OneForAll(files) if files else {}
    folder = state_dir or default_folder(f"skep/{name}", "--state-dir")

    async def serve(stack: AsyncExitStack, stop: asyncio.Event) -> ASGIApp:
        clock = SystemClock()
        engines = DockerEngines(access=Access(tls, docker_folder(os.environ, home_or_root())))
        stack.push_async_callback(engines.close)
        for host in hosts:
            engines.engine(host)  # a host that can't be one is told at the start
        seen = SeenSwarmFile(folder / "swarm")
        cluster = HostCluster(engines, hosts, clock, bootstrap, seen)
        flavor = SwarmFlavor(cluster, engines, clock, fetch=UrlFetch(), lenient=True)
        return rpc_app(flavor_methods(flavor))

    run(name, log, serve)


if __name__ == "__main__":
    main()
