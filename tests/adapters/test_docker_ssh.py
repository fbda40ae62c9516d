"""Engines behind ssh: how it is called, what is said when it fails, and that no process is left."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_routes import Access
from skep.adapters.docker_ssh import ssh_arguments
from skep.model.errors import UnavailableError
from skep.specs.endpoints import ssh_target
from tests.adapters.wire_server import say, serving
from tests.conditions import until

DOUBLE = Path(__file__).with_name("ssh_double.py")
OPTIONS = (
    "-o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=6 -o ServerAliveInterval=10 -o ServerAliveCountMax=3 -T"
)


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        ("ssh://build", "-- build|docker system dial-stdio"),
        ("ssh://ann@build:2222", "-l ann -p 2222 -- build|docker system dial-stdio"),
        ("ssh://ann@[::1]/run/d.sock", "-l ann -- ::1|docker --host unix:///run/d.sock system dial-stdio"),
        ("ssh://Ann@Build-1:22", "-l Ann -p 22 -- Build-1|docker system dial-stdio"),
        ("ssh://build/a%20b;c", "-- build|docker --host 'unix:///a b;c' system dial-stdio"),
    ],
)
def test_how_ssh_is_called(endpoint: str, arguments: str) -> None:
    before, _, command = arguments.partition("|")
    assert ssh_arguments(ssh_target(endpoint)) == [*OPTIONS.split(), *before.split(), command]


async def answer(head: str, writer: asyncio.StreamWriter) -> None:
    if head.startswith("HEAD /_ping"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    elif "/events" in head:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")  # and no end
    else:
        await say(writer, b"[]")


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[str]:
    """The path of an engine's socket over there."""
    async with serving(tmp_path / "s", answer):
        yield str(tmp_path / "s")


def reached(tmp_path: Path, host: str, path: str = "/x", read_timeout_s: float = 30) -> DockerEngine:
    ssh = (sys.executable, str(DOUBLE), str(tmp_path))
    return DockerEngine(f"ssh://{host}{path}", read_timeout_s=read_timeout_s, access=Access(ssh=ssh))


def pids(tmp_path: Path) -> list[int]:
    return [int(file.name.removeprefix("pid-")) for file in tmp_path.glob("pid-*")]


def alive(tmp_path: Path) -> list[int]:
    """Those ssh processes that have not ended; ours are reaped by then."""
    return [pid for pid in pids(tmp_path) if Path(f"/proc/{pid}").exists()]


async def test_calls_go_through_processes_that_end_with_the_engine(tmp_path: Path, target: str) -> None:
    engine = reached(tmp_path, "works", target)
    for _ in range(3):
        assert list(await engine.containers({})) == []
    assert len(alive(tmp_path)) == 1  # one connection, used again
    answers = await asyncio.gather(*(engine.containers({}) for _ in range(4)))
    assert len(answers) == 4
    await engine.close()
    assert alive(tmp_path) == []


async def test_a_process_ends_when_its_connection_is_closed(tmp_path: Path, target: str) -> None:
    engine = reached(tmp_path, "works", target)
    events = engine.events({})
    assert (await anext(events)).action == "subscribed"
    await events.aclose()

    async def left() -> list[int]:
        return alive(tmp_path)

    assert len(pids(tmp_path)) == 1
    await until(left, [], within_s=10)
    await engine.close()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        (
            "denied",
            "ssh gave no engine: Warning: Permanently added 'denied' to the list of known hosts.; "
            "ann@denied: Permission denied (publickey).",
        ),
        ("bare", "ssh gave no engine: sh: 1: docker: not found"),
        ("chatty", "the shell over there printed 'Welcome to chatty!"),
    ],
)
async def test_what_ssh_says_is_the_error(tmp_path: Path, target: str, host: str, told: str) -> None:
    engine = reached(tmp_path, host, target)
    with pytest.raises(UnavailableError) as caught:
        await engine.containers({})
    assert str(caught.value).startswith(f"could not list containers on ssh://{host}{target}: {told}")
    await engine.close()
    assert alive(tmp_path) == []


async def test_no_process_is_left_by_an_ssh_that_hangs(tmp_path: Path) -> None:
    engine = reached(tmp_path, "hangs", read_timeout_s=0.5)
    with pytest.raises(UnavailableError, match="no answer in time"):
        await engine.containers({})
    await engine.close()
    assert alive(tmp_path) == []


async def test_a_child_of_ssh_that_lives_on_holds_nobody_up(tmp_path: Path, target: str) -> None:
    """A proxy command, or a connection that was to be shared, keeps ssh's stderr open."""
    engine = reached(tmp_path, "forks", target)
    assert list(await engine.containers({})) == []
    async with asyncio.timeout(10):
        await engine.close()

    async def left() -> int:
        return len(alive(tmp_path))

    await until(left, 1, within_s=10)
    for pid in alive(tmp_path):
        os.kill(pid, signal.SIGKILL)


async def test_ssh_that_is_not_there_is_named() -> None:
    engine = DockerEngine("ssh://h", access=Access(ssh=("/none/ssh",)))
    with pytest.raises(
        UnavailableError, match="can't run /none/ssh: No such file or directory: install OpenSSH's client"
    ):
        await engine.containers({})
    await engine.close()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_file_descriptors_are_given_back(tmp_path: Path, target: str) -> None:
    before = open_files()
    for host in ("works", "denied", "chatty"):
        engine = reached(tmp_path, host, target)
        with contextlib.suppress(UnavailableError):
            await engine.containers({})
        await engine.close()

    async def too_many() -> int:
        return max(0, open_files() - before)

    await until(too_many, 0, within_s=5)  # the other side of the double's connections is in this process too
