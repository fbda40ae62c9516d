"""The server of plugins over a real socket: infrakit-compat.md 2.1 and 2.2, and what InfraKit's own programs said."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skep.model.errors import BugError, Fault, InvalidError, RefusedError, RejectedError, UnavailableError
from skep.server.patient import Patience
from skep.server.rpc import rpc_app
from skep.server.rpc_services import instance_methods
from tests.server.plugin_doubles import InstancesDouble
from tests.server.plugin_running import PluginServer, answer_of, plugin_running, request_of


@pytest.fixture
def instances() -> InstancesDouble:
    return InstancesDouble(provision="i-1")


@pytest.fixture
def plugin(instances: InstancesDouble, tmp_path: Path) -> Iterator[PluginServer]:
    with plugin_running(rpc_app(instance_methods(instances)), tmp_path) as server:
        yield server


# --- transport (2.1) ----------------------------------------------------------------------------------------------

CALL = b'{"jsonrpc":"2.0","method":"Instance.Destroy","params":{"Instance":"i-1"},"id":9223372036854775807}'
DONE = b'{"jsonrpc":"2.0","result":{"OK":true},"id":9223372036854775807}\n'


@pytest.mark.parametrize("path", ["/", "/rpc", "/any/where?x=1"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content_Type": "application/json"},
        {"Content_Type": "application/json; charset=utf-8"},
        {"Content_Type": "Application/JSON"},
        {"Content_Type": ""},
        {"Expect": "100-continue"},
    ],
    ids=str,
)
def test_any_path_and_every_usual_type_is_answered(plugin: PluginServer, path: str, headers: dict[str, str]) -> None:
    answer = plugin.say(request_of(CALL, path, **headers))
    assert (answer.status, answer.body) == (200, DONE)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("text/plain", "text/plain"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("application/jsonp", "application/jsonp"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
    ],
)
def test_another_type_is_refused_in_gorillas_words(plugin: PluginServer, given: str, shown: str) -> None:
    answer = plugin.post(CALL, Content_Type=given)
    assert answer.status == 415
    assert answer.body.decode() == f"rpc: unrecognized Content-Type: {shown}"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_method_is_refused_in_gorillas_words(plugin: PluginServer, method: str) -> None:
    answer = plugin.say(f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer.status == 405
    assert answer.body.decode() == f"rpc: POST method required, received {method}"


def test_an_upgrade_is_refused_in_words(plugin: PluginServer, instances: InstancesDouble) -> None:
    """What follows it is no body to the parser, so the call can't be carried out."""
    answer = plugin.post(CALL, Upgrade="h2c", Connection="Upgrade")
    assert answer.status == 501
    assert b"leave the header upgrade out" in answer.body
    assert instances.asked == []


def test_a_connection_serves_many_calls(plugin: PluginServer) -> None:
    with plugin.connect() as connection:
        for _ in range(3):
            connection.sendall(request_of(CALL))
            assert answer_of(connection).body == DONE
        connection.sendall(request_of(CALL) * 2)
        assert [_one(connection), _one(connection)] == [DONE, DONE]


def _one(connection: socket.socket) -> bytes:
    """One answer and no byte of the next."""
    raw = b""
    while not raw.endswith(b"\r\n\r\n"):
        raw += connection.recv(1)
    length = int(raw.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return connection.recv(length, socket.MSG_WAITALL)


def test_a_body_in_chunks_is_a_body(plugin: PluginServer) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % char for char in CALL) + b"0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert plugin.say(head + chunks).body == DONE


def test_a_connection_may_wait_for_its_first_call(instances: InstancesDouble, tmp_path: Path) -> None:
    """Go opens connections that it uses later. One that got a 408 meanwhile would fail its first call."""
    app = rpc_app(instance_methods(instances))
    with plugin_running(app, tmp_path, Patience(request_s=0.1)) as server, server.connect() as silent:
        with server.connect() as half:  # ended after the time that the silent one has waited as well
            half.sendall(b"POST / HTTP/1.1\r\n")
            assert answer_of(half).status == 408
        silent.sendall(request_of(CALL))
        assert answer_of(silent).body == DONE


# --- envelopes (2.2) ----------------------------------------------------------------------------------------------

ENVELOPES: dict[str, tuple[str, str]] = {
    "an ID of 63 bits": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","id":9223372036854775807}',
        '"result":{"OK":true}',
    ),
    "an ID that is an object": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","id":{"a": 1.50}}',
        '"result":{"OK":true},"id":{"a": 1.50}',
    ),
    "params in a list": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","params":[{"instance":"i-1"}],"id":"x"}',
        '"result":{"OK":true},"id":"x"',
    ),
    "params in an empty list": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","params":[],"id":1}',
        '"result":{"OK":true}',
    ),
    "another version": (
        '{"jsonrpc":"1.0","method":"Instance.Destroy","params":{"Instance":"i-1"},"id":3}',
        '"error":{"code":-32600,"message":"jsonrpc must be 2.0","data":{"jsonrpc":"1.0","method":"Instance.Destroy",'
        '"params":{"Instance":"i-1"},"id":3}},"id":3',
    ),
    "an unknown service": (
        '{"jsonrpc":"2.0","method":"Nope.Nope","params":{},"id":1}',
        '"error":{"code":-32000,"message":"rpc: can\'t find service \\"Nope.Nope\\"","data":null},"id":1',
    ),
    "an unknown method": (
        '{"jsonrpc":"2.0","method":"Instance.Nope","params":{},"id":1}',
        '"error":{"code":-32000,"message":"rpc: can\'t find method \\"Instance.Nope\\"","data":null},"id":1',
    ),
    "a method in another case": (
        '{"jsonrpc":"2.0","method":"Instance.destroy","params":{},"id":1}',
        '"error":{"code":-32000,"message":"rpc: can\'t find method \\"Instance.destroy\\"","data":null},"id":1',
    ),
    "a method of no shape": (
        '{"jsonrpc":"2.0","method":"Nope","params":{},"id":1}',
        '"error":{"code":-32000,"message":"rpc: service/method request ill-formed: \\"Nope\\"","data":null},"id":1',
    ),
    "params of the wrong type": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","params":{"Instance": 7},"id":1}',
        '"error":{"code":-32600,"message":"json: cannot unmarshal object into Go value of type [1]interface {}",'
        '"data":{"Instance":7}},"id":1',
    ),
    "params that are a number": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","params":7,"id":1}',
        '"error":{"code":-32600,"message":"json: cannot unmarshal number into Go value of type [1]interface {}",'
        '"data":7},"id":1',
    ),
    "wrong params in a list": (
        '{"jsonrpc":"2.0","method":"Instance.Destroy","params":[{"Instance":7}],"id":1}',
        '"error":{"code":-32600,"message":"json: cannot unmarshal number into Go struct field DestroyRequest.Instance '
        'of type string","data":[{"Instance":7}]},"id":1',
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes_are_answered_by_the_table(plugin: PluginServer, name: str) -> None:
    sent, wanted = ENVELOPES[name]
    answer = plugin.post(sent.encode())
    assert answer.status == 200
    assert answer.body.decode().startswith('{"jsonrpc":"2.0",' + wanted)
    assert answer.body.endswith(b"}\n")
    assert json.loads(answer.body)["id"] == json.loads(sent)["id"]


@pytest.mark.parametrize("id", ["", ',"id":null'])
def test_a_notification_runs_and_gets_an_empty_body(plugin: PluginServer, instances: InstancesDouble, id: str) -> None:
    sent = f'{{"jsonrpc":"2.0","method":"Instance.Destroy","params":{{"Instance":"i-1"}}{id}}}'
    answer = plugin.post(sent.encode())
    assert (answer.status, answer.body) == (200, b"")
    assert instances.asked == [("destroy", "i-1")]


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"[" + CALL + b"]", b"5", b"null", b"\xff\xfe"])
def test_what_has_no_id_to_answer_to_gets_an_empty_body(
    plugin: PluginServer, instances: InstancesDouble, body: bytes
) -> None:
    answer = plugin.post(body, Content_Type="application/json")
    assert (answer.status, answer.body) == (200, b"")
    assert instances.asked == []


ERRORS: list[tuple[Exception, str]] = [
    (RejectedError("No space left on <device> & more"), "No space left on <device> & more"),
    (UnavailableError("no answer"), "no answer"),
    (RefusedError("that would do harm"), "that would do harm"),
    (BugError("a promise"), "a promise"),
    (
        InvalidError([Fault("unknown key", "Properties.Colour"), Fault("must be set")]),
        "Properties.Colour: unknown key; must be set",
    ),
]


@pytest.mark.parametrize(("raised", "words"), ERRORS, ids=lambda one: type(one).__name__)
def test_errors_of_the_plugin_are_told_in_its_words(
    plugin: PluginServer, instances: InstancesDouble, raised: Exception, words: str
) -> None:
    instances.answers["provision"] = raised
    answer = plugin.call("Instance.Provision", {"Spec": {}})
    assert answer.status == 200
    assert json.loads(answer.body)["error"] == {"code": -32000, "message": words, "data": None}


@pytest.mark.parametrize("raised", [RuntimeError("token SWMTKN-1"), ExceptionGroup("x", [ValueError("SWMTKN-1")])])
def test_a_bug_is_answered_and_the_server_lives_on(
    plugin: PluginServer, instances: InstancesDouble, raised: Exception
) -> None:
    """InfraKit's servers close the connection without a word (2.2)."""
    instances.answers["destroy"] = raised
    code, message = plugin.call("Instance.Destroy", {"Instance": "i-1"}).error
    assert code == -32000
    assert message.startswith("internal error (incident ")
    assert "SWMTKN" not in message
    assert plugin.result("Instance.DescribeInstances", {}) == {"Descriptions": []}


# --- many at once, and the end ------------------------------------------------------------------------------------


def test_six_hundred_callers_at_once_are_all_answered(plugin: PluginServer, instances: InstancesDouble) -> None:
    """A group of InfraKit's opens a connection for each of its members (2.1). All of them wait for one another here."""
    count = 600
    all_there = asyncio.Event()

    async def together(instance: str) -> None:
        if len(instances.asked) == count:
            all_there.set()
        await all_there.wait()

    instances.answers["destroy"] = together
    connections = [plugin.connect() for _ in range(count)]
    for connection in connections:
        connection.sendall(request_of(CALL))
    assert [answer_of(connection).body for connection in connections] == [DONE] * count
    for connection in connections:
        connection.close()


def test_what_is_under_way_is_finished_before_the_end(plugin: PluginServer, instances: InstancesDouble) -> None:
    begun, may_end = threading.Event(), asyncio.Event()

    async def slow(instance: str) -> None:
        begun.set()
        await may_end.wait()

    instances.answers["destroy"] = slow
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(plugin.post, CALL)
        assert begun.wait(10)
        stopped = pool.submit(plugin.stop)
        deadline_s = time.monotonic() + 10
        while plugin.listens():
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        plugin.soon(may_end.set)
        assert waiting.result(10).body == DONE
        stopped.result(10)
    assert not plugin.path.exists()


def test_what_takes_longer_than_the_grace_is_told_so(instances: InstancesDouble, tmp_path: Path) -> None:
    begun = threading.Event()

    async def forever(instance: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    instances.answers["destroy"] = forever
    with ThreadPoolExecutor(1) as pool:
        with plugin_running(rpc_app(instance_methods(instances)), tmp_path, Patience(grace_s=1)) as server:
            waiting = pool.submit(server.post, CALL)
            assert begun.wait(10)
        assert waiting.result(10).error == (
            -32000,
            "the plugin is stopping: whether it did what was asked is unknown",
        )


def test_the_folder_and_the_socket_are_for_their_owner_alone(instances: InstancesDouble, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "plugins"
    with plugin_running(rpc_app(instance_methods(instances)), folder) as server:
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        assert oct(server.path.stat().st_mode & 0o777) == "0o600"
        assert [path.name for path in folder.iterdir()] == [server.path.name]
    assert [*folder.iterdir()] == []
