"""TCP on loopback: programs of this host may come, web pages and other hosts may not."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.model.errors import UnavailableError
from skep.server.api import create_api
from skep.server.loopback import LoopbackServer, PageGuard
from skep.specs.endpoints import loopback_address
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2476", ("127.0.0.1", 2476)),
        ("127.7.7.7:1", ("127.7.7.7", 1)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("LocalHost:1", ("127.0.0.1", 1)),
        ("[::1]:2476", ("::1", 2476)),
    ],
)
def test_loopback_addresses_are_taken(text: str, address: tuple[str, int]) -> None:
    assert loopback_address(text) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.0.0.0:2476", "loopback"),
        ("[::]:2476", "loopback"),
        ("10.20.0.1:2476", "loopback"),
        ("127.1:2476", "loopback"),
        ("[::ffff:10.0.0.1]:2476", "loopback"),
        ("example.com:2476", "loopback"),
        ("127.0.0.1", "must be HOST:PORT"),
        ("127.0.0.1:65536", "must be HOST:PORT"),
        (":2476", "must be HOST:PORT"),
        ("127.0.0.1:24 76", "must be HOST:PORT"),
        ("", "must be HOST:PORT"),
    ],
)
def test_nowhere_else_is_listened(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LoopbackServer(text, create_api(FrontDouble()))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the whole file: what is refused changes nothing."""
    with running(FrontDouble([GROUP, WORKLOAD]), tmp_path_factory.mktemp("api") / "s") as server:
        yield server


def _say(server: Running, text: str) -> tuple[int, dict[str, object]]:
    """Status and JSON of the answer to a request as it stands; PORT is the server's."""
    with server.connect_tcp() as connection:
        connection.sendall(text.replace("PORT", str(server.port)).replace("\n", "\r\n").encode())
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"application/json" in head, raw
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "LocalHost:PORT", "[::1]:PORT"])
def test_programs_of_this_host_are_answered(shared: Running, host: str) -> None:
    status, body = _say(shared, f"GET /v1/workloads/web HTTP/1.1\nHost: {host}\nConnection: close\n\n")
    assert (status, body["name"]) == (200, "web")


REFUSED = [
    "GET /v1/status HTTP/1.1\nHost: evil.example:PORT\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:1\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT.evil.example\n",
    "GET /v1/status HTTP/1.1\nHost: localhost.:PORT\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT, evil.example\n",
    "GET /v1/status HTTP/1.1\nHost: user@127.0.0.1:PORT\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\nHost: evil.example\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\nHost: 127.0.0.1:PORT\n",
    "GET /v1/status HTTP/1.1\nHost:\n",
    "GET /v1/status HTTP/1.1\n",
    "GET /v1/status HTTP/1.0\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: http://127.0.0.1:PORT\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: null\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\nORIGIN:\n",
    "GET /v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\nSec-Fetch-Site: same-origin\n",
    "POST /submit HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: https://evil.example\nContent-Length: 0\n",
    "POST /v1/apply HTTP/1.1\nHost: 127.0.0.1:PORT\nSec-Fetch-Site: none\nContent-Length: 0\n",
    "OPTIONS /v1/apply HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: https://evil.example\n",
    "GET http://evil.example/v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\n",
    "GET http://127.0.0.1:PORT/v1/status HTTP/1.1\nHost: 127.0.0.1:PORT\n",
    "CONNECT evil.example:443 HTTP/1.1\nHost: 127.0.0.1:PORT\n",
    "OPTIONS * HTTP/1.1\nHost: 127.0.0.1:PORT\n",
    "GET /healthz HTTP/1.1\nHost: evil.example\n",
    "GET /nothing HTTP/1.1\nHost: evil.example\n",
]


@pytest.mark.parametrize("request_text", REFUSED)
def test_pages_and_other_hosts_are_forbidden(shared: Running, request_text: str) -> None:
    status, body = _say(shared, f"{request_text}Connection: close\n\n")
    assert (status, body["reason"]) == (403, "Forbidden")
    assert set(body) == {"error", "reason", "faults", "incident"}


def test_a_page_can_not_submit(shared: Running) -> None:
    body = '{"Name": "evil", "Image": "evil", "Count": 1}'
    head = f"POST /submit HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: null\nContent-Length: {len(body)}\n"
    assert _say(shared, f"{head}Connection: close\n\n{body}")[0] == 403
    assert shared.request("GET", "/v1/workloads/evil")[0] == 404


def test_the_port_80_may_be_left_out() -> None:
    guard = PageGuard(create_api(FrontDouble()), ["127.0.0.1"], 80)
    assert guard.objection([(b"host", b"127.0.0.1")]) == ""
    assert guard.objection([(b"host", b"127.0.0.1:80")]) == ""


def test_history_tells_that_it_was_insecure_http(tmp_path: Path) -> None:
    front = FrontDouble([WORKLOAD])
    with running(front, tmp_path / "s") as server:
        body = '{"count": 1}'
        head = "POST /v1/workloads/web/scale HTTP/1.1\nHost: localhost:PORT\nContent-Type: application/json\n"
        assert _say(server, f"{head}Content-Length: {len(body)}\nConnection: close\n\n{body}")[0] == 200
    assert front.asked_by == ["127.0.0.1 (insecure HTTP)"]


def test_the_log_warns_when_it_begins(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(FrontDouble(), tmp_path / "s") as server:
        port = server.port
    output = "".join(capfd.readouterr())
    assert "warning" in output
    assert "everybody on this host may use it" in output
    assert f"127.0.0.1:{port}" in output


def test_nobody_listens_on_other_addresses(shared: Running) -> None:
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", shared.port)) != 0


async def test_a_taken_port_is_unavailable(shared: Running) -> None:
    server = LoopbackServer(f"127.0.0.1:{shared.port}", create_api(FrontDouble()))
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{shared.port} .--insecure-http.: .*in use"):
        await server.serve(asyncio.Event())
