"""What is too large costs the server nothing: measured on a real process."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest

from tests.server.process import Process, process
from tests.server.running import UnixConnection

POSTED_BYTES = 100 * 1024 * 1024
GROWTH_BYTES_MAX = 60 * 1024 * 1024
"""Generous: measured are 0 to 20 MiB for what is refused by its size. All of it would be 100 MiB and more."""

PIECE = b"x" * 65536


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(tmp_path_factory.mktemp("api") / "s") as server:
        yield server


def _post(server: Process, head: bytes, pieces: Iterator[bytes]) -> tuple[int, str]:
    return _said(server.connect(), head, pieces)


def _said(connection: socket.socket, head: bytes, pieces: Iterator[bytes]) -> tuple[int, str]:
    """The status and the reason of the answer, which has to come; a server may close before it has taken everything.

    What it said before it closed is there to be read all the same, over TCP as well: Linux keeps what had come before
    a connection was reset.
    """
    with connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            connection.sendall(head)
            for piece in pieces:
                connection.sendall(piece)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read()).get("error", "")


def _plain() -> Iterator[bytes]:
    return (PIECE for _ in range(POSTED_BYTES // len(PIECE)))


def _chunks() -> Iterator[bytes]:
    yield from (b"%x\r\n%b\r\n" % (len(PIECE), PIECE) for _ in range(POSTED_BYTES // len(PIECE)))
    yield b"0\r\n\r\n"


def _trailers() -> Iterator[bytes]:
    yield b"1\r\n{\r\n0\r\n"
    yield from (b"X-%d: %b\r\n" % (n, PIECE) for n in range(POSTED_BYTES // len(PIECE)))


def _tiny_chunks() -> Iterator[bytes]:
    yield from (b"00000000001\r\nx\r\n" * 4096 for _ in range(POSTED_BYTES // 4096 // 16))


START = b"POST %b HTTP/1.1\r\nHost: skep\r\nContent-Type: application/json\r\n"
PATHS = {
    b"/v1/apply": 413,
    b"/submit": 413,
    b"/v1/workloads/web/scale": 413,
    b"/v1/workloads/web/retry": 200,
    b"/healthz": 405,
}
"""What each answers; the last two read no body."""

REASONS = {
    413: "the request is larger than 4 MiB: send fewer files at once",
    431: "the headers are larger than 64 KiB",
}

WAYS: dict[str, tuple[bytes, Callable[[], Iterator[bytes]], int]] = {
    "with its length": (b"Content-Length: %d\r\n\r\n" % POSTED_BYTES, _plain, 413),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", _chunks, 413),
    "in trailers": (b"Transfer-Encoding: chunked\r\n\r\n", _trailers, 431),
    "in tiny chunks": (b"Transfer-Encoding: chunked\r\n\r\n", _tiny_chunks, 431),
    "in one header": (b"X-Large: ", _plain, 431),
    "in many headers": (b"", lambda: (b"X-%d: %b\r\n" % (n, PIECE) for n in range(1600)), 431),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_megabytes_are_refused_without_being_kept(server: Process, way: str) -> None:
    head, pieces, status = WAYS[way]
    server.forget_peak()
    before = server.peak_bytes()
    answer = _post(server, START % b"/v1/apply" + head, pieces())
    assert answer == (status, REASONS[status])
    assert server.peak_bytes() - before < GROWTH_BYTES_MAX
    assert _alive(server)


@pytest.mark.parametrize("way", WAYS)
def test_nor_are_they_over_tls(server: Process, way: str) -> None:
    head, pieces, status = WAYS[way]
    server.forget_peak()
    before = server.peak_bytes()
    answer = _said(server.connect_tls(), START % b"/submit" + head, pieces())
    assert answer == (status, REASONS[status])
    assert server.peak_bytes() - before < GROWTH_BYTES_MAX
    assert _alive(server)


@pytest.mark.parametrize("path", PATHS)
def test_no_path_keeps_them(server: Process, path: bytes) -> None:
    server.forget_peak()
    before = server.peak_bytes()
    answer = _post(server, START % path + b"Transfer-Encoding: chunked\r\n\r\n", _chunks())
    assert answer[0] == PATHS[path]
    assert server.peak_bytes() - before < GROWTH_BYTES_MAX
    assert _alive(server)


def test_a_long_target_is_refused(server: Process) -> None:
    assert _post(server, b"GET /", _plain()) == (431, REASONS[431])
    assert _alive(server)


def _file(text: str) -> bytes:
    return json.dumps({"files": [{"name": "x", "text": text}]}).encode()


def _workload(field: str, value: str) -> bytes:
    return _file(f'{{"Name": "web", "Image": "web:1", "Count": 1, "{field}": {value}}}')


def _group(properties: str) -> bytes:
    plugin = f'{{"Plugin": "p", "Properties": {properties}}}'
    return _file(f'{{"ID": "g", "Properties": {{"Allocation": {{"Size": 1}}, "Instance": {plugin}}}}}')


def _list(item: str, count: int = 30_000) -> str:
    return f"[{','.join([item] * count)}]"


def _object(name: str, value: str, count: int = 20_000) -> str:
    """# in the name stands for a number."""
    return "{" + ",".join(f'"{name.replace("#", str(n))}": {value}' for n in range(count)) + "}"


DEEP = f'{{"{"k" * 1000}": ' * 50

HOSTILE = {
    "lists in the body": b"[" + b"[]," * 1_300_000 + b"[]]",
    "objects in the body": b'{"files": [' + b"{}," * 1_300_000 + b"{}]}",
    "fields in the body": b"{" + b",".join(b'"%x":0' % n for n in range(400_000)) + b"}",
    "levels in the body": b'{"files":' * 400_000,
    "documents that are none": _file(_list("0")),
    "unknown fields": _file(_object("Name#", "0")),
    "a field written often": _file(_object("Name", "0")),
    "variables that are no strings": _workload("Env", _object("A#", "0")),
    "variables without a name": _workload("Env", _list('"="')),
    "ports that are none": _workload("Ports", _list("0")),
    "ports that are objects": _workload("Ports", _list("{}")),
    "networks that are the same": _workload("Networks", _list('"a"')),
    "numbers of one hash": _workload("Networks", f"[{','.join(str((2**61 - 1) * n) for n in range(20_000))}]"),
    "a long command": _workload("Command", f'"{"x" * 1_000_000}"'),
    "a long constraint": _workload("Constraints", f'["colour=={"x " * 400_000}"]'),
    "keys written twice in an opaque part": _group(_object("", "0")),
    "and below a long key": _group(f'{{"{"k" * 400_000}": {_object("", "0")}}}'),
    "and below many long keys": _group(DEEP + _object("", "0") + "}" * 50),
    "one workload often": _file(_list('{"Name": "a", "Image": "a", "Count": 1}', 8_000)),
    "a tag without an end": _file("a: !" + "x" * 250_000),
    "levels in YAML": _file("- " * 100_000),
    "aliases in YAML": _file("a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(5_000))),
    "anchors within anchors": _file(
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    ),
}
"""Each once took hours, or gigabytes, or could have."""


@pytest.mark.parametrize("what", HOSTILE)
def test_a_small_body_can_not_be_made_large(server: Process, what: str) -> None:
    server.forget_peak()
    before = server.peak_bytes()
    connection = UnixConnection(server.path)
    connection.timeout = 60
    connection.request("POST", "/v1/apply", HOSTILE[what], {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 422
    assert len(response.read()) < 1_000_000
    assert server.peak_bytes() - before < 3 * GROWTH_BYTES_MAX
    connection.close()


def _alive(server: Process) -> bool:
    connection = UnixConnection(server.path)
    connection.request("GET", "/healthz")
    status = connection.getresponse().status
    connection.close()
    return status == 200
