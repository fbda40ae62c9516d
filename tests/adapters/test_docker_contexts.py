"""Contexts of docker's client as endpoints: with their TLS files, over ssh, and when something is wrong with them."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path, PosixPath

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_contexts import DockerContext, may_be_there, read_context
from skep.adapters.docker_routes import Access
from skep.model.cluster import TlsFiles
from skep.model.errors import UnavailableError
from tests.adapters.docker_settings import write_context
from tests.adapters.wire_server import say, serving, serving_tcp
from tests.engines.certificates import Authority

DOUBLE = Path(__file__).with_name("ssh_double.py")


async def answer(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"" if head.startswith("HEAD") else b"[]")


async def said(folder: Path | None, name: str, ssh: tuple[str, ...] = ("ssh",)) -> str:
    """What a call through a context fails with, empty where it does not."""
    engine = DockerEngine(f"context://{name}", access=Access({}, folder, ssh))
    try:
        assert list(await engine.containers({})) == []
    except UnavailableError as error:
        return str(error).removeprefix(f"could not list containers on context://{name}: ")
    finally:
        await engine.close()
    return ""


async def test_a_context_with_its_tls_files(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours")
    async with serving_tcp(answer, ours.server("127.0.0.1")) as port:
        write_context(tmp_path, "box", f"tcp://127.0.0.1:{port}", ours.issue("client", "ann"))
        write_context(tmp_path, "bare", f"tcp://127.0.0.1:{port}")
        assert await said(tmp_path, "box") == ""
        assert "hung up" in await said(tmp_path, "bare") or "disconnected" in await said(tmp_path, "bare")


async def test_contexts_over_sockets_and_ssh(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", answer) as endpoint:
        write_context(tmp_path, "near", endpoint)
        write_context(tmp_path, "far", f"ssh://ann@build{tmp_path}/s")
        assert await said(tmp_path, "near") == ""
        assert await said(tmp_path, "far", (sys.executable, str(DOUBLE), str(tmp_path))) == ""


def test_what_a_context_says(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ours").issue("client", "ann")
    write_context(tmp_path, "plain", "tcp://h:1", SkipTLSVerify=False)
    write_context(tmp_path, "skips", "tcp://h:1", SkipTLSVerify=True)
    write_context(tmp_path, "asks", "tcp://h:1", replace(files, cert="", key=""))
    assert read_context(tmp_path, "default") == DockerContext("unix:///var/run/docker.sock")
    assert read_context(tmp_path, "plain") == DockerContext("tcp://h:1")
    assert read_context(tmp_path, "skips") == DockerContext("tcp://h:1", TlsFiles(verify=False))
    asks = read_context(tmp_path, "asks")
    assert asks.tls is not None
    assert (asks.tls.ca.endswith("/docker/ca.pem"), asks.tls.cert, asks.tls.key) == (True, "", "")


async def test_a_context_that_can_t_be_used_is_told(tmp_path: Path) -> None:
    write_context(tmp_path, "windows", "npipe:////./pipe/docker_engine")
    write_context(tmp_path, "round", "context://windows")
    write_context(tmp_path, "empty", "")
    write_context(tmp_path, "broken", "x")
    for meta in (tmp_path / "contexts" / "meta").glob("*/meta.json"):
        if '"broken"' in meta.read_text():
            meta.write_text("{")
    assert (await said(tmp_path, "none")).startswith("docker knows no context 'none' (")
    assert "can't be used: engine 'npipe:////./pipe/docker_engine': want unix:///PATH" in await said(
        tmp_path, "windows"
    )
    assert "leads to another one" in await said(tmp_path, "round")
    assert (await said(tmp_path, "empty")).endswith("it names no host")
    assert "has no readable endpoint in" in await said(tmp_path, "broken")
    assert "are not used here" in await said(None, "x")


class Closed(PosixPath):
    """A file in a folder that may not be searched."""

    def exists(self) -> bool:
        raise PermissionError(13, "Permission denied", str(self))


def test_a_file_that_can_t_be_seen_may_be_there(tmp_path: Path) -> None:
    """Who reads it says why it can't be read; taking it for absent would speak without TLS."""
    assert may_be_there(Closed(tmp_path / "ca.pem"))
    assert not may_be_there(tmp_path / "ca.pem")
