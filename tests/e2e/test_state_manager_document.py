"""The reference document from its first command to its last, with real curl, openssl and docker, against every kind of
cluster that it can be about: a Swarm of three engines, one engine, several, and a classic Swarm manager.

All of them are reached over TLS, with certificates that `skep certs` made (semantics.md W1, W53; 5.4 for the classic).
"""

import asyncio
import random
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from tests.e2e.state_manager import (
    BIN,
    BUNDLE,
    FLAGS,
    PASSWORD,
    PROMPTS,
    STATUS,
    SUBMIT,
    Program,
    free_port,
    running,
    typed,
)
from tests.e2e.tls_engines import ADDRESSES, TlsEngines, certs, tls_engines
from tests.e2e.waiting import eventually, phase
from tests.engines.host import HostEngine
from tests.fakes.classic_swarm import ClassicSwarm
from tests.fakes.classic_swarm_ways import serving

pytestmark = pytest.mark.docker


@dataclass(frozen=True)
class Site:
    """A server of the document and what it keeps. `at` is where docker's client finds its containers.

    `makes`: it makes the containers itself and tells of each; a Swarm makes its own. `restarts`: it is killed, too.
    `lost`: the engine that is killed; None where test_clusters.py and test_faults.py do that.
    """

    program: Program
    engines: TlsEngines
    at: str
    makes: bool = True
    restarts: bool = True
    lost: int | None = None

    def docker(self, command: str) -> str:
        """As the document's reader has it: docker's client with the certificates of docker-machine."""
        environ = f"DOCKER_HOST=tcp://{self.at} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=~/.docker/machine/certs"
        done = self.program.sh(f"export {environ}; {command}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def runs(self, count: int) -> dict[str, Path]:
        """Wait until so many run and the status says so; those."""
        eventually(
            lambda: (self.program.counts()["nginx"], len(self.engines.containers("nginx"))), ((count,) * 2, count)
        )
        return self.engines.containers("nginx")


@pytest.fixture(scope="module")
def engines(host_engine: HostEngine, node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEngines]:
    with asyncio.Runner() as runner:
        context = tls_engines(host_engine, node_image, tmp_path_factory.mktemp("tls"))
        with phase("three engines with TLS"):
            made = runner.run(context.__aenter__())
        try:
            yield made
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def home(engines: TlsEngines, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With `~/.docker/machine/certs` as docker-machine has it, and the bundle that the document makes of it."""
    home = tmp_path_factory.mktemp("home")
    certs(engines.certs, "server", "machine", "--also-client", "--address", "127.0.0.1")
    certs(engines.certs, "client", "kelsey")
    (home / ".docker" / "machine").mkdir(parents=True)
    shutil.copytree(engines.certs / "kelsey", home / ".docker" / "machine" / "certs")
    typed(BUNDLE, [(prompt, PASSWORD) for prompt in PROMPTS], Program([], home).environment)
    assert (home / ".docker" / "machine" / "certs" / "cert.pfx").stat().st_size > 0
    return home


def of_the_document(engines: TlsEngines, manager: str, address: str = "0.0.0.0:2476") -> list[str]:
    """Its executable with the flags of its compose file."""
    changed = {
        "0.0.0.0:2476": address,
        "tcp://203.0.113.13:3376": f"tcp://{manager}",
        "/etc/docker/ca.pem": f"{engines.certs}/machine/ca.pem",
        "/etc/docker/server.pem": f"{engines.certs}/machine/cert.pem",
        "/etc/docker/server-key.pem": f"{engines.certs}/machine/key.pem",
    }
    flags = [flag.partition("=") for flag in FLAGS]
    return [str(BIN / "swarm-cluster-state-manager"), *(f"{name}={changed[value]}" for name, _, value in flags)]


# --- the clusters -----------------------------------------------------------------------------------------------------


@contextmanager
def on_a_swarm(engines: TlsEngines, home: Path) -> Iterator[Site]:
    manager = f"{ADDRESSES[0]}:2376"
    program = Program(of_the_document(engines, manager), home, inside=engines.inside)
    with engines.swarm(), running(program):
        yield Site(program, engines, manager, makes=False, lost=2)


@contextmanager
def on_an_engine(engines: TlsEngines, home: Path) -> Iterator[Site]:
    engine = f"{ADDRESSES[0]}:2376"
    with running(Program(of_the_document(engines, engine), home, inside=engines.inside)) as program:
        yield Site(program, engines, engine, lost=0)


@contextmanager
def on_several_engines(engines: TlsEngines, home: Path) -> Iterator[Site]:
    """`skep serve` has a flag for several; it listens in the same way."""
    own = engines.certs / "machine"
    words = ["skep", "serve", "--cluster", f"lab={','.join(f'tcp://{one}:2376' for one in ADDRESSES)}"]
    words += ["--cluster-tls", f"lab={own}", "--tls-listen", "0.0.0.0:2476", "--tls-client-ca", f"{own}/ca.pem"]
    words += ["--tls-cert", f"{own}/cert.pem", "--tls-key", f"{own}/key.pem"]
    with running(Program(words, home, inside=engines.inside)) as program:
        yield Site(program, engines, f"{ADDRESSES[0]}:2376")


@contextmanager
def on_a_classic_swarm(engines: TlsEngines, home: Path) -> Iterator[Site]:
    """semantics.md 5.4. What it forgets is tried where its memory is short: skep doubts it for 75 s after a restart."""
    with classic(engines) as manager:
        port = free_port()
        with running(Program(of_the_document(engines, manager, f"127.0.0.1:{port}"), home, port)) as program:
            yield Site(program, engines, manager, restarts=False)


@contextmanager
def classic(engines: TlsEngines) -> Iterator[str]:
    """A classic Swarm manager in front of the engines, on TLS; its host and port."""
    begun, ends = threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
    port = free_port()

    async def main() -> None:
        made, end = DockerEngines(), asyncio.Event()
        nodes = {f"node{n}": made.engine(f"unix://{socket}") for n, socket in enumerate(engines.sockets)}
        fake = ClassicSwarm(nodes, SystemClock(), random.Random(1), refresh_s=(5.0, 10.0))
        place = engines.host.folder / "classic.sock"
        async with fake.running(), serving(fake, place), await tls_door(engines, place, port):
            ends.append((asyncio.get_running_loop(), end))
            begun.set()
            await end.wait()
        await made.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="classic")
    thread.start()
    try:
        assert begun.wait(60)
        yield f"127.0.0.1:{port}"
    finally:
        for loop, end in ends:
            loop.call_soon_threadsafe(end.set)
        thread.join(60)


async def tls_door(engines: TlsEngines, place: Path, port: int) -> asyncio.Server:
    """TLS for clients with a certificate, in front of a unix socket."""
    own = engines.certs / "machine"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(own / "ca.pem"))
    context.load_cert_chain(own / "cert.pem", own / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(place)
        await asyncio.gather(copied(reader, inner_writer), copied(inner_reader, writer))

    return await asyncio.start_server(pass_on, "127.0.0.1", port, ssl=context)


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


# --- the document -----------------------------------------------------------------------------------------------------

OnSite = Callable[[TlsEngines, Path], AbstractContextManager[Site]]
SITES: tuple[OnSite, ...] = (on_an_engine, on_several_engines, on_a_classic_swarm, on_a_swarm)


@pytest.mark.parametrize("on_site", SITES, ids=lambda one: one.__name__)
def test_the_document_command_for_command(on_site: OnSite, engines: TlsEngines, home: Path) -> None:
    with on_site(engines, home) as site:
        for step in (submitted, removed_by_hand, fewer_and_none, left_and_taken_back, killed, deleted, told):
            with phase(f"the document {on_site.__name__}: {step.__name__}"):
                step(site)


def submitted(site: Site) -> None:
    """As printed, which is a form to curl, and as JSON."""
    program = site.program
    assert program.printed(STATUS) == []
    assert program.printed(SUBMIT)["change"] == "created"
    assert len(site.runs(5)) == 5
    assert program.printed(STATUS) == [{"Name": "nginx", "Image": "nginx:1.9.6", "DesiredCount": 5, "CurrentCount": 5}]
    assert program.submit("-H 'Content-Type: application/json'") == "unchanged"


def removed_by_hand(site: Site) -> None:
    """What docker's client finds there by the label and removes comes back, and the others stay."""
    before = site.engines.containers("nginx")
    gone = site.docker("docker rm -f $(docker ps -f label=swarm.cluster.state=nginx -q --no-trunc | head -n 2)").split()
    assert set(gone) <= set(before)
    assert gone
    eventually(lambda: len(set(site.engines.containers("nginx")) - set(gone)), 5)
    assert set(before) - set(gone) <= set(site.runs(5))


def fewer_and_none(site: Site) -> None:
    """A smaller Count removes some, and 0 all but the object."""
    before = set(site.runs(5))
    assert site.program.submit(Count=2) == "configured"
    assert set(site.runs(2)) <= before
    assert site.program.submit(Count=0) == "configured"
    site.runs(0)
    eventually(lambda: site.engines.containers("nginx", running=False), {})
    assert site.program.counts() == {"nginx": (0, 0)}


def left_and_taken_back(site: Site) -> None:
    """What is forgotten runs on, and is the object's again when it is submitted again."""
    assert site.program.submit(Count=3) == "configured"
    before = site.runs(3)
    assert site.program.ask("POST", "/v1/workloads/nginx/free")["change"] == "freed"
    eventually(site.program.counts, {})
    assert site.engines.containers("nginx") == before
    assert site.program.submit(Count=3) == "created"
    assert site.runs(3) == before


def killed(site: Site) -> None:
    """The server amid its work, and then an engine with all that ran on it."""
    if not site.restarts:
        return
    site.program.submit(Count=6)
    site.program.kill()
    site.program.start()
    site.runs(6)
    if site.lost is None:
        return
    with site.engines.killed(site.lost):
        if site.lost:  # it is not the only one
            eventually(lambda: len(site.engines.containers("nginx")), 6)
        assert site.program.counts()["nginx"][0] == 6
    site.runs(6)


def deleted(site: Site) -> None:
    assert [one["change"] for one in site.program.ask("DELETE", "/v1/workloads/nginx")] == ["removed"]
    eventually(site.program.counts, {})
    eventually(lambda: site.engines.containers("nginx", running=False), {})


def told(site: Site) -> None:
    """The log, in the document's words where it is the document's executable."""
    lines = site.program.lines()
    if site.program.words[0] == "skep":
        assert lines.count("created a container") >= 5
        return
    assert lines[0] == "Starting Swarm cluster state manager..."
    assert lines.count("updating nginx cluster state") >= 4
    if site.makes:
        assert "creating 5 nginx containers" in lines
        assert "removing 3 nginx containers" in lines
        assert len([line for line in lines if line.startswith("created nginx container: ")]) >= 5
