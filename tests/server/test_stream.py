"""Events as they come: resumed where they broke off, with gaps told, and never in the way of an end."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skep.model.state import Event
from skep.server.stream import HEARTBEAT_S
from tests.server.front_double import FrontDouble
from tests.server.running import Running, UnixConnection, running


def _event(seq: int, key: str = "workload/web") -> Event:
    return Event(seq, 10.0 + seq, key, "Missing", f"act {seq}")


class Stream:
    """A reader of server-sent events: each is a dict of its fields."""

    def __init__(self, server: Running, query: str = "", headers: dict[str, str] | None = None) -> None:
        self._connection = UnixConnection(server.path)
        self._connection.request("GET", f"/v1/events/stream{query}", headers=headers or {})
        self.response = self._connection.getresponse()
        assert self.response.status == 200
        assert self._record() == {"": "events of skep"}

    def _record(self) -> dict[str, str]:
        fields = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name.rstrip(":")] = value
        return fields

    def next(self) -> dict[str, str]:
        return self._record()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def stream(server: Running, query: str = "", headers: dict[str, str] | None = None) -> Iterator[Stream]:
    made = Stream(server, query, headers)
    try:
        yield made
    finally:
        made.close()


def test_each_event_comes_with_its_number(server: Running, front: FrontDouble) -> None:
    front.log = [_event(1)]
    with stream(server) as events:
        assert events.response.headers["content-type"].startswith("text/event-stream")
        first = events.next()
        assert first["id"] == "1"
        assert json.loads(first["data"]) == {
            "seq": 1,
            "atSeconds": 11.0,
            "key": "workload/web",
            "reason": "Missing",
            "message": "act 1",
        }
        server.run(front.tell(_event(2)))
        assert events.next()["id"] == "2"


@pytest.mark.parametrize(
    ("query", "headers"), [("?since=2", {}), ("", {"Last-Event-ID": "2"}), ("?since=1", {"Last-Event-ID": "2"})]
)
def test_it_is_taken_up_where_it_broke_off(
    server: Running, front: FrontDouble, query: str, headers: dict[str, str]
) -> None:
    front.log = [_event(n) for n in (1, 2, 3)]
    with stream(server, query, headers) as events:
        assert events.next()["id"] == "3"


def test_events_of_one_key_are_streamed_alone_and_without_false_gaps(server: Running, front: FrontDouble) -> None:
    front.log = [_event(1), _event(2, "workload/db"), _event(3, "workload/db"), _event(4)]
    with stream(server, "?since=1&key=workload/web") as events:
        assert events.next()["id"] == "4"


def test_events_that_are_gone_are_a_gap(server: Running, front: FrontDouble) -> None:
    front.log = [_event(7)]
    with stream(server, "?since=3") as events:
        gap = events.next()
        assert (gap["event"], json.loads(gap["data"])) == ("gap", {"after": 3, "next": 7})
        assert events.next()["id"] == "7"


def test_one_who_comes_for_the_first_time_has_missed_nothing(server: Running, front: FrontDouble) -> None:
    front.log = [_event(7)]
    with stream(server) as events:
        assert events.next()["id"] == "7"


def test_a_number_from_another_journal_is_a_gap_and_what_comes_is_told(server: Running, front: FrontDouble) -> None:
    front.log = [_event(1), _event(2)]
    with stream(server, "?since=900") as events:
        assert json.loads(events.next()["data"]) == {"after": 900, "next": 3}
        server.run(front.tell(_event(3)))
        assert events.next()["id"] == "3"


@pytest.mark.parametrize("headers", [{"Last-Event-ID": "x"}, {"Last-Event-ID": "-1"}])
def test_a_number_that_is_none_is_refused(server: Running, headers: dict[str, str]) -> None:
    answer = server.ask("GET", "/v1/events/stream", headers=headers)
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid")


class Silent(FrontDouble):
    """Nothing happens, and waiting for it takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: set[float] = set()

    async def events(self, since: int, wait_s: float, key: str = "") -> tuple[Event, ...]:
        self.waits_s.add(wait_s)
        await asyncio.sleep(0.001)
        return ()


def test_silence_is_broken_by_comments(tmp_path: Path) -> None:
    front = Silent()
    with running(front, tmp_path / "s") as server, stream(server) as events:
        assert [events.next() for _ in range(3)] == [{"": "heartbeat"}] * 3
    assert front.waits_s == {0, HEARTBEAT_S}
    assert HEARTBEAT_S == 15


class Noisy(FrontDouble):
    """One event of another key after the other, without end."""

    async def events(self, since: int, wait_s: float, key: str = "") -> tuple[Event, ...]:
        await asyncio.sleep(0.001)
        return (_event(since + 1, "workload/api"),)


def test_silence_about_one_key_is_broken_while_much_is_told_of_others(tmp_path: Path) -> None:
    with running(Noisy(), tmp_path / "s") as server, stream(server, "?key=workload/web") as events:
        assert events.next() == {"": "heartbeat"}


def test_a_stream_ends_when_the_server_stops(front: FrontDouble, tmp_path: Path) -> None:
    server = Running(front, tmp_path / "s")
    server.start()
    with stream(server) as events:
        server.stop()
        assert events.response.read() == b""


def test_a_reader_that_takes_nothing_keeps_nobody_from_stopping(front: FrontDouble, tmp_path: Path) -> None:
    front.log = [Event(n, 0.0, "workload/web", "Missing", "x" * 1000) for n in range(1, 5000)]
    server = Running(front, tmp_path / "s")
    server.start()
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(str(server.path))
        reader.sendall(b"GET /v1/events/stream HTTP/1.1\r\nHost: skep\r\n\r\n")
        assert reader.recv(1000)
        server.stop()


def test_a_slow_reader_is_told_of_what_it_missed(server: Running, front: FrontDouble) -> None:
    """The journal forgets while the reader sleeps: nothing was kept for it but what is on its way already."""
    front.log = [Event(n, 0.0, "workload/web", "Missing", "x" * 1000) for n in range(1, 20_001)]
    with stream(server) as events:
        assert events.next()["id"] == "1"
        front.log = [_event(n) for n in (20_001, 20_002)]
        seen = [events.next()]
        while seen[-1].get("id") != "20002":
            seen.append(events.next())
    told = [int(one["id"]) for one in seen if "id" in one]
    (gap,) = (json.loads(one["data"]) for one in seen if one.get("event") == "gap")
    assert gap["next"] == 20_001
    assert gap["after"] < 20_000
    assert told == [*range(2, gap["after"] + 1), 20_001, 20_002]
