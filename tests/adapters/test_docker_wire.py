"""What happens when the other side of the wire misbehaves: a small server that does as it is told."""

import asyncio
import socket
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_routes import alive_socket
from skep.adapters.docker_wire import Lane, Request, Wire
from skep.model.errors import UnavailableError
from tests.adapters.wire_server import say, serving
from tests.conditions import until


async def test_an_engine_that_is_not_there_is_unavailable_and_named(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock")
    with pytest.raises(UnavailableError, match=r"could not list containers on unix://.*none\.sock"):
        await engine.containers({})
    await engine.close()


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("unix:///nowhere/x.sock", "there is no such socket"),
        ("tcp://127.0.0.1:1", "nobody listens there"),
        ("https://127.0.0.1:1", "nobody listens there"),
        ("tcp://no-such-host.invalid:2375", "the name no-such-host.invalid is not known ("),
    ],
)
async def test_why_there_is_no_connection_is_said_in_a_few_words(endpoint: str, told: str) -> None:
    engine = DockerEngine(endpoint)
    with pytest.raises(UnavailableError) as caught:
        await engine.containers({})
    assert str(caught.value).startswith(f"could not list containers on {endpoint}: {told}")
    await engine.close()


async def test_a_connection_that_breaks_is_unavailable(tmp_path: Path) -> None:
    async def hang_up(head: str, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(tmp_path / "s", hang_up) as endpoint:
        engine = DockerEngine(endpoint)
        with pytest.raises(UnavailableError, match="could not create container x"):
            await engine.create_container("x", {})
        await engine.close()


async def test_an_answer_that_does_not_come_ends_in_time(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def say_nothing(head: str, writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with serving(tmp_path / "s", say_nothing) as endpoint:
        wire = Wire(endpoint)
        with pytest.raises(UnavailableError, match=r"could not wait on .*: no answer in time"):
            await wire.act("wait", "POST", "x", timeout_s=0.05)
        with pytest.raises(UnavailableError, match="could not follow"):
            async with wire.stream(Request("follow", "GET", "events"), timeout_s=0.05):
                pass
        over.set()
        await wire.close()


async def test_an_answer_that_makes_no_sense_is_unavailable(tmp_path: Path) -> None:
    async def nonsense(head: str, writer: asyncio.StreamWriter) -> None:
        await say(writer, b'{"not":"a list"}')

    async with serving(tmp_path / "s", nonsense) as endpoint:
        engine = DockerEngine(endpoint)
        with pytest.raises(UnavailableError, match="makes no sense"):
            await engine.nodes()
        await engine.close()


async def test_something_else_than_an_engine_is_told_apart(tmp_path: Path) -> None:
    async def proxy(head: str, writer: asyncio.StreamWriter) -> None:
        await say(writer, b"<html>", "502 Bad Gateway", "text/html")

    async with serving(tmp_path / "s", proxy) as endpoint:
        engine = DockerEngine(endpoint)
        with pytest.raises(UnavailableError, match="502"):
            await engine.info()
        await engine.close()


async def test_no_more_calls_at_once_than_the_limit_and_reads_are_not_kept_waiting(tmp_path: Path) -> None:
    now = most = 0
    go_on = asyncio.Event()

    async def count(head: str, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        if head.startswith("GET"):
            await say(writer, b"[]")
            return
        now += 1
        most = max(most, now)
        await go_on.wait()
        now -= 1
        await say(writer, b"")

    async with serving(tmp_path / "s", count) as endpoint:
        engine = DockerEngine(endpoint, parallel=2)
        starts = [asyncio.create_task(engine.start_container(f"c{number}")) for number in range(6)]

        async def begun() -> bool:
            return most >= 2

        await until(begun, True, within_s=5)
        async with asyncio.timeout(5):
            await engine.containers({})
        go_on.set()
        await asyncio.gather(*starts)
        assert most == 2
        await engine.close()


async def test_stops_wait_in_a_lane_of_their_own(tmp_path: Path) -> None:
    held = asyncio.Event()

    async def slow_stop(head: str, writer: asyncio.StreamWriter) -> None:
        if "/stop" in head:
            await held.wait()
        await say(writer, b"")

    async with serving(tmp_path / "s", slow_stop) as endpoint:
        wire = Wire(endpoint, parallel=1)
        stops = [asyncio.create_task(wire.act("stop", "POST", "c/stop", lane=Lane.WAIT)) for _ in range(4)]
        async with asyncio.timeout(5):
            await wire.act("start", "POST", "c/start")
        held.set()
        await asyncio.gather(*stops)
        await wire.close()


async def test_an_event_stream_that_breaks_says_so(tmp_path: Path) -> None:
    async def two_events(head: str, writer: asyncio.StreamWriter) -> None:
        event = b'{"Type":"container","Action":"die","Actor":{"ID":"c","Attributes":{"a":"b"}}}\n'
        await say(writer, event * 2)

    async with serving(tmp_path / "s", two_events) as endpoint:
        engine = DockerEngine(endpoint)
        seen = []
        with pytest.raises(UnavailableError, match="the stream ended"):
            async for event in engine.events({"type": ["container"]}):
                seen.append((event.type, event.action))
        assert seen == [("skep", "subscribed"), ("container", "die"), ("container", "die")]
        await engine.close()


async def test_a_silent_engine_is_asked_for_its_version_once_by_all_who_wait(tmp_path: Path) -> None:
    """Else the fourth would wait four times as long."""
    asked = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.read(1000)).split(b" ")[1])
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(listen, tmp_path / "s"):
        engine = DockerEngine(f"unix://{tmp_path}/s", 4, read_timeout_s=0.2)
        for _ in range(2):
            answers = await asyncio.gather(*(engine.networks() for _ in range(4)), return_exceptions=True)
            assert ["no answer in time" in str(answer) for answer in answers] == [True] * 4
        await engine.close()
    assert asked == [b"/version"] * 2


async def test_the_version_is_asked_for_again_after_the_engine_was_gone(tmp_path: Path) -> None:
    paths = []

    async def note(head: str, writer: asyncio.StreamWriter) -> None:
        paths.append(head.split("\r\n", maxsplit=1)[0])
        await say(writer, b"[]")

    engine = DockerEngine(f"unix://{tmp_path}/s")
    with pytest.raises(UnavailableError):
        await engine.containers({})
    async with serving(tmp_path / "s", note):
        await engine.containers({})
        assert paths == ["GET /v1.41/containers/json?all=1 HTTP/1.1"]
        await engine.close()


async def test_a_removal_that_is_under_way_is_waited_for(tmp_path: Path) -> None:
    answers = ["409 Conflict", "409 Conflict", "404 Not Found"]

    async def remove(head: str, writer: asyncio.StreamWriter) -> None:
        await say(writer, b'{"message":"removal of container c is already in progress"}', answers.pop(0))

    async with serving(tmp_path / "s", remove) as endpoint:
        engine = DockerEngine(endpoint)
        await engine.remove_container("c")
        assert answers == []
        await engine.close()


async def test_a_classic_swarm_managers_events_are_filtered_here(tmp_path: Path) -> None:
    """5.4: it takes no filters."""
    ours = b'{"Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"skep.controller":"a"}}}\n'
    theirs = ours.replace(b"skep.controller", b"other").replace(b"c1", b"c2")

    async def tell(head: str, writer: asyncio.StreamWriter) -> None:
        await say(writer, theirs + ours)

    version = b'{"ApiVersion":"1.22","Version":"swarm/1.2.9"}'
    async with serving(tmp_path / "s", tell, version) as endpoint:
        engine = DockerEngine(endpoint)
        seen = []
        with pytest.raises(UnavailableError, match="the stream ended"):
            async for event in engine.events({"type": ["container"], "label": ["skep.controller=a"]}):
                seen.append(event.id)
        await engine.close()
    assert seen == ["", "c1"]


def test_a_connection_that_died_in_silence_is_noticed() -> None:
    with alive_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        idle = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        interval = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        count = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert idle + interval * count <= 30
