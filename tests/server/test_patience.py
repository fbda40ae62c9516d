"""Slow clients, half requests and hostile files: the others are answered meanwhile."""

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skep.model.state import Event
from skep.server.patient import Patience
from skep.server.serving import SEND_BYTES
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Answer, Running, running

BRIEF = Patience(request_s=0.3, stuck_s=0.3)


@pytest.fixture
def impatient(front: FrontDouble, tmp_path: Path) -> Iterator[Running]:
    with running(front, tmp_path / "s", BRIEF) as server:
        yield server


def _all(connection: socket.socket) -> bytes:
    """Until the server closes; a TimeoutError where it does not."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def _problem(raw: bytes) -> tuple[int, dict[str, object]]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    return int(head.split()[1]), json.loads(body)


HALF = {
    "nothing": b"",
    "half a line": b"GET /v1/sta",
    "half a head": b"GET /v1/status HTTP/1.1\r\nHost: skep\r\n",
    "half a body": b"POST /v1/apply HTTP/1.1\r\nHost: skep\r\nContent-Type: application/json\r\n"
    b'Content-Length: 100\r\n\r\n{"files"',
    "half a chunk": b"POST /submit HTTP/1.1\r\nHost: skep\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nabc",
    "empty lines": b"\r\n\r\n",
}


@pytest.mark.parametrize("said", HALF)
def test_half_a_request_and_silence_is_ended_in_words(impatient: Running, said: str) -> None:
    with impatient.connect() as connection:
        connection.sendall(HALF[said])
        status, body = _problem(_all(connection))
    assert (status, body["reason"]) == (408, "TooSlow")
    assert body["error"] == "the request did not come within 0.3 s"
    assert impatient.request("GET", "/v1/status")[0] == 200


def test_one_who_goes_on_slowly_is_ended_as_well(impatient: Running) -> None:
    """The deadline is that of the whole request: a byte now and then does not move it."""
    with impatient.connect() as connection:
        connection.sendall(b"GET /v1/status HTTP/1.1\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for n in range(1000):
                connection.sendall(b"X-%d: y\r\n" % n)
                time.sleep(0.01)


def test_a_second_request_has_a_deadline_of_its_own(impatient: Running) -> None:
    with impatient.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: skep\r\n\r\n")
        taken = b""
        while not taken.endswith(b"ok\n"):
            taken += connection.recv(65536)
        connection.sendall(b"GET /healthz HTT")
        assert _problem(_all(connection))[0] == 408


def test_an_answer_may_take_longer_than_the_request(impatient: Running) -> None:
    assert impatient.request("GET", "/v1/events?wait_s=1") == (200, [])


def test_a_reader_that_takes_nothing_is_let_go(impatient: Running, front: FrontDouble) -> None:
    front.log = [Event(n, 0.0, "workload/web", "Missing", "x" * 1000) for n in range(1, 20_000)]
    with impatient.connect() as connection:
        connection.sendall(b"GET /v1/events/stream HTTP/1.1\r\nHost: skep\r\n\r\n")
        hung_up = select.poll()
        hung_up.register(connection, 0)
        assert hung_up.poll(10_000)
        assert len(_all(connection)) < 2 * SEND_BYTES + 1_000_000
    assert impatient.request("GET", "/v1/status")[0] == 200


def test_headers_up_to_64_kilobytes_are_taken(server: Running) -> None:
    assert server.ask("GET", "/healthz", headers={"X-Large": "x" * 60_000}).status == 200
    answer = server.ask("GET", "/healthz", headers={"X-Large": "x" * 66_000})
    assert (answer.status, answer.json()["reason"]) == (431, "TooLarge")


def test_what_came_with_too_large_headers_is_not_done(server: Running, front: FrontDouble) -> None:
    headers = {"X-Large": "x" * 70_000, "Content-Type": "application/json"}
    assert server.ask("POST", "/v1/workloads/web/scale", b'{"count": 1}', headers).status == 431
    assert front.asked_by == []


def test_large_bodies_before_it_buy_no_room_for_headers(server: Running) -> None:
    """What frames a body may take an eighth of it: of this body, not of all that came on the connection."""
    body = b" " * 4_000_000
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(b"POST /healthz HTTP/1.1\r\nHost: skep\r\nContent-Length: %d\r\n\r\n" % len(body))
            connection.sendall(body)
            taken = b""
            while b"MethodNotAllowed" not in taken:
                taken += connection.recv(65536)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Large: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(80):
                connection.sendall(b"x" * 10_000)
                time.sleep(0.001)


def test_garbage_is_answered_with_a_problem(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"\0garbage\r\n\r\n")
        status, body = _problem(_all(connection))
    assert (status, body["reason"]) == (400, "Invalid")


def test_many_large_bodies_at_once_are_refused_and_small_ones_taken_again(server: Running) -> None:
    """Four times 4 MiB may be held: the fifth is told to come again, and when those are gone all is as before."""
    held = [server.connect() for _ in range(4)]
    try:
        for connection in held:
            connection.sendall(b"POST /submit HTTP/1.1\r\nHost: skep\r\nContent-Length: 4194304\r\n\r\n")
            connection.sendall(b" " * 4_190_000)
        answer = _until(lambda: server.ask("POST", "/submit", b" " * 1_000_000), 503)
        assert answer.json()["reason"] == "Unavailable"
        assert server.request("GET", "/v1/status")[0] == 200
    finally:
        for connection in held:
            connection.close()
    _until(lambda: server.ask("POST", "/submit", b'{"Name": "a", "Image": "a", "Count": 1}'), 201)


def _until(ask: Callable[[], Answer], status: int) -> Answer:
    deadline_s = time.monotonic() + 10
    while (answer := ask()).status != status:
        assert time.monotonic() < deadline_s, answer
    return answer


SLOW = json.dumps({"files": [{"name": "a.yaml", "text": "a: !" + "x" * 250_000}] * 2}).encode()
"""A second of reading for each file."""


def test_others_are_answered_while_a_hostile_file_is_read(tmp_path: Path) -> None:
    with running(FrontDouble([GROUP, WORKLOAD]), tmp_path / "s") as server, ThreadPoolExecutor(1) as pool:
        hostile = pool.submit(server.ask, "POST", "/v1/check", SLOW, {"Content-Type": "application/json"})
        answered = 0
        while not hostile.done():
            assert server.request("GET", "/v1/status")[0] == 200
            answered += 1
        assert hostile.result().status == 422
    assert answered >= 10


def test_a_server_stops_while_it_reads_many_hostile_files(tmp_path: Path) -> None:
    """The file that is being read is read to its end, those behind it are not."""
    server = Running(FrontDouble(), tmp_path / "s")
    server.start()
    many = json.dumps({"files": [{"name": "a.yaml", "text": "a: !" + "x" * 250_000}] * 16}).encode()
    with server.connect() as connection:
        head = b"POST /v1/check HTTP/1.1\r\nHost: skep\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(many) + many)
        assert server.request("GET", "/v1/status")[0] == 200
        server.stop()
