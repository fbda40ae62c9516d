"""Engines are reached by every way that settings can name, and keep the same promises by each; real ones alone."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from skep.adapters.docker import DockerEngine, DockerEngines
from skep.adapters.docker_routes import Access
from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.model.cluster import TlsFiles
from skep.model.errors import UnavailableError
from tests.adapters.docker_settings import write_context
from tests.contract import engine_containers, engine_local
from tests.contract.engine_bed import Bed, Check
from tests.engines.certificates import Authority
from tests.engines.host import HostEngine, host_engine
from tests.engines.sshd import Sshd, sshd

pytestmark = pytest.mark.docker

T = TypeVar("T")


async def an_image_goes_out_and_in(bed: Bed) -> None:
    """A stream in each direction."""
    await bed.worker.load_images(bed.worker.save_images([EXAMPLE_IMAGE]))
    assert EXAMPLE_IMAGE in await bed.worker.image_ids()


async def many_calls_go_side_by_side(bed: Bed) -> None:
    answers = await asyncio.gather(*(bed.worker.info() for _ in range(20)))
    assert len({answer.id for answer in answers}) == 1


CHECKS: list[Check] = [
    engine_containers.a_container_lives_from_create_to_remove,
    engine_containers.what_is_missing_is_named,
    engine_local.events_begin_with_a_sign_and_tell_what_happens_after_it,
    an_image_goes_out_and_in,
    many_calls_go_side_by_side,
]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def plain(path: str) -> AsyncIterator[int]:
    """A port of 127.0.0.1 that leads to an engine's socket."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection(path)
        await asyncio.gather(pump(reader, engine_writer), pump(engine_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def promises_are_kept(endpoint: str, access: Access) -> None:
    engines = DockerEngines(access=access)
    try:
        engine = engines.engine(endpoint)
        await build_example_image(engine)
        image = (await engine.image_ids())[EXAMPLE_IMAGE]
        for check in CHECKS:
            await check(Bed(engines, engine, engine, image, "unix:///nowhere"))
    finally:
        await engines.close()


async def said(endpoint: str, access: Access) -> str:
    engine = DockerEngine(endpoint, access=access)
    try:
        with pytest.raises(UnavailableError) as caught:
            await engine.info()
    finally:
        await engine.close()
    return str(caught.value).removeprefix(f"could not read its state on {endpoint}: ")


async def test_over_tcp(host_engine: HostEngine) -> None:
    async with plain(host_engine.endpoint.removeprefix("unix://")) as port:
        await promises_are_kept(f"tcp://127.0.0.1:{port}", Access())


# --- TLS ----------------------------------------------------------------------------------------------------------


class Tls:
    """An engine with --tlsverify on a port of 127.0.0.1, and who believes whom."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.theirs = Authority(folder / "ours"), Authority(folder / "theirs")
        self.files, server = self.ours.issue("client", "ann"), self.ours.issue("server", "127.0.0.1")
        self.options = [
            "-H", "fd://", "--tlsverify", "--tlscacert", server.ca, "--tlscert", server.cert, "--tlskey", server.key
        ]  # fmt: skip
        self.listener = socket.create_server(("127.0.0.1", 0))

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    made = Tls(tmp_path_factory.mktemp("tls"))
    with made.listener, host_engine(made.options, made.listener):
        yield made


async def test_over_tls(tls: Tls) -> None:
    await promises_are_kept(tls.endpoint, Access({tls.endpoint: tls.files}))


async def test_by_a_context_with_tls_files(tls: Tls, tmp_path: Path) -> None:
    write_context(tmp_path, "box", tls.endpoint, tls.files)
    engine = DockerEngine("context://box", access=Access(docker_config=tmp_path))
    assert (await engine.info()).swarm_state == "inactive"
    await engine.close()


def _foreign(tls: Tls) -> TlsFiles:
    issued = tls.theirs.issue("client", "eve")
    return TlsFiles(str(tls.ours.ca), issued.cert, issued.key)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (lambda tls: TlsFiles(str(tls.theirs.ca)), "its certificate is not signed by"),
        (lambda tls: TlsFiles(str(tls.ours.ca)), "want a client certificate"),
        (_foreign, "client certificate"),
        (lambda tls: None, "it speaks TLS there: write https:// or give its TLS files"),
    ],
)
async def test_what_a_real_engine_refuses(tls: Tls, files: Callable[[Tls], TlsFiles | None], told: str) -> None:
    given = files(tls)
    assert told in (await said(tls.endpoint, Access({tls.endpoint: given} if given else {}))).replace(
        "wants a", "want a"
    )


async def test_tls_spoken_to_a_real_engines_plain_port(host_engine: HostEngine, tls: Tls) -> None:
    async with plain(host_engine.endpoint.removeprefix("unix://")) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        assert "it speaks plain HTTP there" in await said(endpoint, Access({endpoint: tls.files}))


# --- ssh -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("ssh")) as running:
        yield running


def behind(server: Sshd, host: HostEngine) -> str:
    return f"ssh://root@127.0.0.1:{server.port}{host.endpoint.removeprefix('unix://')}"


async def test_over_ssh(host_engine: HostEngine, server: Sshd) -> None:
    await promises_are_kept(behind(server, host_engine), Access(ssh=server.ssh))


async def test_what_real_ssh_refuses(host_engine: HostEngine, server: Sshd) -> None:
    endpoint = behind(server, host_engine)
    assert "Permission denied (publickey)" in await said(endpoint, Access(ssh=server.stranger))
    assert "Host key verification failed" in await said(endpoint, Access(ssh=server.mistrusting))
    nowhere = f"ssh://root@127.0.0.1:{server.port}/nowhere.sock"
    assert "/nowhere.sock" in await said(nowhere, Access(ssh=server.ssh))
    assert "Connection refused" in await said("ssh://root@127.0.0.1:1", Access(ssh=server.ssh))
