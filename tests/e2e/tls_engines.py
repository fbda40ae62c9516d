"""Three engines on TCP that take clients with certificates alone, all made by `skep certs`; alone, or as one Swarm."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from tests.e2e.machine import ask, docker
from tests.e2e.waiting import eventually
from tests.engines.host import HostEngine
from tests.engines.machines import open_machines, spec

SKEP = Path(sys.executable).parent / "skep"
SUBNET = "10.177.0"
ADDRESSES = tuple(f"{SUBNET}.{number}" for number in (11, 12, 13))
IMAGE = "skep/tls-node:1"
NGINX = "nginx:1.9.6"
"""What the reference document runs; here it is the example's image under that name."""

_DOCKERFILE = """\
FROM {node}
COPY dockerd /usr/local/sbin/dockerd
COPY tls /tls
"""
_DOCKERD = """\
#!/bin/sh
exec /usr/bin/dockerd "$@" -H tcp://0.0.0.0:2376 --tlsverify \
    --tlscacert /tls/ca.pem --tlscert /tls/cert.pem --tlskey /tls/key.pem
"""


def certs(folder: Path, *words: str) -> None:
    """`skep certs …` in this folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SKEP_")}
    subprocess.run([SKEP, "certs", *words, "--dir", folder], env=environ, check=True, capture_output=True)


@dataclass(frozen=True)
class TlsEngines:
    """`ids` and `folders` are the machines' that they run in, in the order of ADDRESSES; `certs` has the CA."""

    host: HostEngine
    certs: Path
    ids: tuple[str, ...]
    folders: tuple[Path, ...]

    @property
    def inside(self) -> tuple[str, ...]:
        """Before a command that shall be run in the network where they can be reached."""
        return ("nsenter", "--net", f"--target={self.host.pid}")

    @property
    def sockets(self) -> list[Path]:
        """To look at them from outside, with no certificate."""
        return [folder / "e.sock" for folder in self.folders]

    def containers(self, name: str, *, running: bool = True) -> dict[str, Path]:
        """Those with the document's label that run, or all, each with the socket of its engine."""
        filters = {"label": [f"swarm.cluster.state={name}"]} | ({"status": ["running"]} if running else {})
        listed = [(socket, ask(socket, "/containers/json", filters) or []) for socket in self.sockets]
        return {one["Id"]: socket for socket, found in listed for one in found}

    @contextlib.contextmanager
    def swarm(self) -> Iterator[None]:
        """All three are its managers until the block ends."""
        first, *others = zip(self.sockets, ADDRESSES, strict=True)
        docker(first[0], "swarm", "init", "--advertise-addr", first[1])
        try:
            token = docker(first[0], "swarm", "join-token", "-q", "manager")
            for socket, address in others:
                docker(socket, "swarm", "join", "--token", token, "--advertise-addr", address, f"{first[1]}:2377")
            eventually(lambda: docker(first[0], "node", "ls", "--format", "{{.Status}}").split(), ["Ready"] * 3)
            yield
        finally:
            for socket in self.sockets:
                with contextlib.suppress(subprocess.SubprocessError):
                    docker(socket, "swarm", "leave", "--force")

    @contextlib.contextmanager
    def killed(self, number: int) -> Iterator[None]:
        """The engine is gone with all that ran on it until the block ends; then it starts again and answers."""
        self.host.docker("kill", self.ids[number])
        try:
            yield
        finally:
            self.host.docker("start", self.ids[number])
            eventually(lambda: ask(self.sockets[number], "/info") is not None, True)


@contextlib.asynccontextmanager
async def tls_engines(host: HostEngine, node_image: str, folder: Path) -> AsyncIterator[TlsEngines]:
    """Made from an empty disk, and removed at the end. They hold the document's image."""
    _build(host, node_image, folder)
    async with open_machines(host, IMAGE) as machines:
        await build_example_image(machines.engines.engine(host.endpoint))
        host.docker("tag", EXAMPLE_IMAGE, NGINX)
        network = {"Subnet": f"{SUBNET}.0/24"}
        ids = [await machines.plugin.provision(spec(one, logical_id=one, Network=network)) for one in ADDRESSES]
        for id in ids:
            await machines.plugin.load_images(id, [NGINX])
        yield TlsEngines(host, folder / "certs", tuple(ids), tuple(map(machines.folder, ids)))


def _build(host: HostEngine, node_image: str, folder: Path) -> None:
    """A node image whose engine listens on TCP as well, with a certificate for all the addresses."""
    made = folder / "certs"
    certs(made, "ca")
    certs(made, "server", "engine", *(word for address in ADDRESSES for word in ("--address", address)))
    context = folder / "node"
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE.format(node=node_image))
    (context / "dockerd").write_text(_DOCKERD)
    (context / "dockerd").chmod(0o755)
    shutil.copytree(made / "engine", context / "tls")
    host.docker("build", "--tag", IMAGE, str(context))
