"""What is too large costs a plugin nothing: measured on a real process."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.test_program import Running, running
from tests.server.plugin_running import DEADLINE_S, Answer, answer_of, request_of
from tests.server.test_memory import GROWTH_BYTES_MAX, WAYS

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("h")
    with running(home, "--dir", str(home / "m")) as plugin:
        yield plugin


def _connect(plugin: Running) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE_S)
    connection.connect(str(plugin.path))
    return connection


def _peak_bytes(plugin: Running) -> int:
    """The most that was resident at once since `_forget_peak`."""
    text = Path(f"/proc/{plugin.process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    return int(kilobytes) * 1024


def _forget_peak(plugin: Running) -> int:
    Path(f"/proc/{plugin.process.pid}/clear_refs").write_text("5")
    return _peak_bytes(plugin)


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_megabytes_are_refused_without_being_kept(plugin: Running, way: str) -> None:
    head, pieces, status = WAYS[way]
    before = _forget_peak(plugin)
    with _connect(plugin) as connection:
        try:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + head)
            for piece in pieces():
                connection.sendall(piece)
        except BrokenPipeError:  # headers without end are cut off; a body is let in, so that its answer is read
            assert status == 431
        answer = answer_of(connection)
    assert answer.status == status
    assert _peak_bytes(plugin) - before < GROWTH_BYTES_MAX


def _provision(size: int) -> bytes:
    spec = {"Spec": {"Properties": {}, "Init": "x" * size}}
    return json.dumps({"jsonrpc": "2.0", "method": "Instance.Provision", "params": spec, "id": 1}).encode()


def _post(plugin: Running, body: bytes) -> Answer:
    with _connect(plugin) as connection:
        connection.sendall(request_of(body))
        return answer_of(connection)


def test_what_is_just_large_enough_is_a_call_and_one_byte_more_is_told(plugin: Running) -> None:
    body = _provision(16 * MIB - len(_provision(0)))
    before = _forget_peak(plugin)
    assert b'"ID"' in _post(plugin, body).body
    assert _peak_bytes(plugin) - before < 12 * 16 * MIB
    refused = _post(plugin, body + b" ")
    assert (refused.status, refused.error) == (413, (-32000, "the request is larger than 16 MiB"))


def test_large_bodies_all_at_once_are_taken_in_turns(plugin: Running) -> None:
    """Twelve times 15 MiB, each but for its last byte: those beyond 64 MiB are told, the others are carried out."""
    request = request_of(_provision(15 * MIB))
    before = _forget_peak(plugin)
    connections = [_connect(plugin) for _ in range(12)]
    for connection in connections:
        connection.sendall(request[:-1])
    for connection in connections:
        connection.sendall(request[-1:])
    answers = [answer_of(connection) for connection in connections]
    for connection in connections:
        connection.close()
    assert {answer.status for answer in answers} == {200, 503}
    assert _peak_bytes(plugin) - before < 400 * MIB
    busy = next(answer for answer in answers if answer.status == 503)
    assert busy.error == (-32000, "too many large requests at once: try again in a moment")
    assert b'"ID"' in _post(plugin, _provision(15 * MIB)).body


SMALL = {
    "a long list": b"[" + b"0," * 7_000_000 + b"0]",
    "many tags": b'{"Spec":{"Tags":{' + b",".join(b'"%d":""' % n for n in range(700_000)) + b"}}}",
    "many attachments": b'{"Spec":{"Attachments":[' + b"{}," * 4_000_000 + b"{}]}}",
    "many names": b"{" + b",".join(b'"%d":0' % n for n in range(1_000_000)) + b"}",
}


@pytest.mark.parametrize("what", SMALL)
def test_a_body_of_many_small_things_is_told_to_be_one(plugin: Running, what: str) -> None:
    before = _forget_peak(plugin)
    refused = _post(plugin, _call_with(SMALL[what]))
    assert (refused.status, refused.error) == (413, (-32000, "the request has more than 200000 values"))
    assert _peak_bytes(plugin) - before < 64 * MIB


def _call_with(params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"Instance.Provision","id":1,"params":' + params + b"}"


def test_as_many_small_things_as_there_may_be_take_little(plugin: Running) -> None:
    before = _forget_peak(plugin)
    many = b'{"Spec":{"Attachments":[' + b"{}," * 199_990 + b"{}]}}"
    assert b'"ID"' in _post(plugin, _call_with(many)).body
    assert _peak_bytes(plugin) - before < 300 * MIB
