"""Whatever is said to a plugin's socket gets a clear error or the documented empty body (infrakit-compat.md 2.2):
never a closed connection without an answer, never a crash, never more memory than there is."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.server.patient import Patience
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods, group_methods, instance_methods
from tests.server.plugin_doubles import GroupsDouble, InstancesDouble
from tests.server.plugin_running import Answer, PluginServer, answer_of, plugin_running, request_of
from tests.wire.test_envelope import IDS, JSON_VALUES

METHODS = (
    [f"Instance.{name}" for name in ("Validate", "Provision", "Destroy", "DescribeInstances")]
    + [f"Flavor.{name}" for name in ("Validate", "Prepare", "Healthy", "Drain")]
    + [f"Group.{name}" for name in ("CommitGroup", "FreeGroup", "DescribeGroup", "DestroyGroup", "InspectGroups")]
    + ["Plugin.Implements", "Handshake.Implements", "Handshake.Hello", "Handshake.Types"]
)
SPEC_FIELDS = ["Properties", "Tags", "Init", "LogicalID", "Attachments", "ID", "Type"]
FIELDS = [*SPEC_FIELDS, "Spec", "LogicalIDs", "Size", "Allocation", "Instance", "Pretend"]

PARAMS = st.recursive(
    JSON_VALUES,
    lambda inner: (
        st.dictionaries(st.sampled_from([*FIELDS, *map(str.lower, FIELDS)]), inner, max_size=5)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginServer]:
    app = rpc_app(
        instance_methods(InstancesDouble(provision="i-1")),
        flavor_methods(VanillaFlavor()),
        group_methods(GroupsDouble(commit="Managing 1 instances")),
    )
    with plugin_running(app, tmp_path_factory.mktemp("p"), Patience(request_s=5)) as server:
        yield server


def _checked(answer: Answer) -> Any:
    """An answer of JSON-RPC in full; None for an empty body."""
    assert answer.status == 200
    if answer.body == b"":
        return None
    assert answer.body.endswith(b"}\n")
    told = json.loads(answer.body)
    assert told["jsonrpc"] == "2.0"
    assert ("result" in told) != ("error" in told)
    if "error" in told:
        assert [*told["error"]] == ["code", "message", "data"]
        assert told["error"]["code"] in (-32000, -32600, -32700)
        assert told["error"]["message"] != ""
        assert "incident" not in told["error"]["message"]
    return told


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_as_a_body(server: PluginServer, body: bytes) -> None:
    _checked(server.post(body))


@given(JSON_VALUES)
@settings(deadline=None)
def test_any_json_as_a_body(server: PluginServer, value: object) -> None:
    _checked(server.post(json.dumps(value).encode()))


@given(st.sampled_from(METHODS) | st.text(max_size=12), PARAMS, IDS)
@settings(max_examples=400, deadline=None)
def test_any_parameters_to_any_method(server: PluginServer, method: str, params: object, id: bytes) -> None:
    head = json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()
    answer = server.post(head[:-1] + b',"id":' + id + b"}")
    assert _checked(answer) is not None
    assert answer.body.endswith(b',"id":' + id + b"}\n")


@given(st.dictionaries(st.sampled_from(["jsonrpc", "method", "params", "id", "ID", "x"]), JSON_VALUES))
@settings(deadline=None)
def test_any_envelope(server: PluginServer, envelope: dict[str, object]) -> None:
    _checked(server.post(json.dumps(envelope).encode()))


@given(st.lists(st.sampled_from(METHODS), max_size=3))
@settings(deadline=None)
def test_any_batch_gets_an_empty_body(server: PluginServer, methods: list[str]) -> None:
    calls = [{"jsonrpc": "2.0", "method": method, "params": {}, "id": 1} for method in methods]
    assert _checked(server.post(json.dumps(calls).encode())) is None


@pytest.mark.parametrize("levels", [10, 200, 500, 800, 900, 930, 950, 960, 970, 980, 990, 1000, 2000, 100_000])
@pytest.mark.parametrize("method", ["Instance.Provision", "Flavor.Prepare", "Group.CommitGroup", "Nope.Nope"])
def test_any_depth(server: PluginServer, method: str, levels: int) -> None:
    """Where one reader goes deeper than another, the answer is an error all the same."""
    deep = b"[" * levels + b"]" * levels
    for params in (deep, b'{"Spec":{"Properties":' + deep + b',"Tags":5}}', b'{"Spec":{"Properties":' + deep + b"}}"):
        answer = server.post(b'{"jsonrpc":"2.0","method":"%b","id":1,"params":%b}' % (method.encode(), params))
        assert answer.status == 200
        whole = answer.body.startswith(b'{"jsonrpc":"2.0","') and answer.body.endswith(b',"id":1}\n')
        assert answer.body == b"" or whole


CALL = b'{"jsonrpc":"2.0","method":"Instance.Destroy","params":{"Instance":"i-1"},"id":1}'
WHOLE = request_of(CALL, Content_Type="application/json")


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_half_a_request_is_told_so_at_its_end(server: PluginServer, length: int) -> None:
    with server.connect() as connection:
        connection.sendall(WHOLE[:length])
        connection.shutdown(socket.SHUT_WR)
        answer = answer_of(connection)
    assert answer.status == 400
    assert json.loads(answer.body)["error"] != ""


def test_who_has_said_all_may_close_that_side(tmp_path: Path) -> None:
    """The answer comes long after that."""
    said_all = asyncio.Event()

    async def later(instance: str) -> None:
        await said_all.wait()
        for _ in range(10):
            await asyncio.sleep(0)

    app = rpc_app(instance_methods(InstancesDouble(destroy=later)))
    with plugin_running(app, tmp_path) as server, server.connect() as connection:
        connection.sendall(WHOLE)
        connection.shutdown(socket.SHUT_WR)
        server.soon(said_all.set)
        assert _checked(answer_of(connection))["result"] == {"OK": True}
        assert connection.recv(1) == b""


@pytest.mark.parametrize("length", [1, 20, WHOLE.index(b"\r\n\r\n"), len(WHOLE) - 10])
def test_half_a_request_and_silence_is_ended_in_words(length: int, tmp_path: Path) -> None:
    app = rpc_app(instance_methods(InstancesDouble()))
    with plugin_running(app, tmp_path, Patience(request_s=0.2)) as server, server.connect() as connection:
        connection.sendall(WHOLE[:length])
        assert answer_of(connection).status == 408


@given(st.binary(min_size=1, max_size=200))
@settings(deadline=None)
def test_any_bytes_instead_of_http(server: PluginServer, said: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        told = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.match(rb"HTTP/1\.1 (400|405|415|403) ", told)


HEADERS = (
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Upgrade: x\r\nConnection: upgrade",
    "Connection: close",
    "Expect: 100-continue",
    "Content-Type: a",
    "X",
    "\0: \0",
)


@given(st.lists(st.sampled_from(HEADERS), max_size=4))
@settings(deadline=None)
def test_any_headers(server: PluginServer, headers: list[str]) -> None:
    """Those that contradict each other included."""
    with server.connect() as connection:
        lines = "".join(f"{header}\r\n" for header in headers)
        connection.sendall(f"POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode() + CALL)
        connection.shutdown(socket.SHUT_WR)
        told = b"".join(iter(lambda: connection.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 ")


def test_it_answers_as_ever(server: PluginServer) -> None:
    assert server.result("Plugin.Implements")["APIs"][0] == {"Name": "Instance", "Version": "0.1.0"}
