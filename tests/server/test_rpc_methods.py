"""Methods and handshakes of plugins over a real socket: infrakit-compat.md 2.3, 2.4, 2.6, and captured calls."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.ports import DrainRequest
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods, group_methods, instance_methods
from skep.server.serving import user
from skep.wire import calls
from skep.wire.envelope import decode_answer
from tests.server.plugin_doubles import FlavorDouble, GroupsDouble, InstancesDouble
from tests.server.plugin_running import PluginServer, plugin_running
from tests.wire.transcripts import EXCHANGES, Exchange


@pytest.fixture
def instances() -> InstancesDouble:
    return InstancesDouble(provision="i-1")


@pytest.fixture
def plugin(instances: InstancesDouble, tmp_path: Path) -> Iterator[PluginServer]:
    with plugin_running(rpc_app(instance_methods(instances)), tmp_path) as server:
        yield server


# --- what InfraKit's own programs said ----------------------------------------------------------------------------

_ANSWERS = {
    "CommitGroup": ("commit", calls.read_details),
    "DescribeGroup": ("describe", calls.read_group_description),
    "InspectGroups": ("inspect", calls.read_groups),
    "DescribeInstances": ("describe", calls.read_descriptions),
    "Provision": ("provision", calls.read_provisioned),
    "Healthy": ("healthy", calls.read_health),
}


def _app_that_answers(exchange: Exchange) -> Any:
    """A plugin of that interface which says what the captured one did."""
    name, read = _ANSWERS.get(exchange.method.partition(".")[2], ("", None))
    answers = {name: read(decode_answer(exchange.answer))} if read and exchange.answer else {}
    service = "Group" if exchange.service == "Plugin" else exchange.service
    if service == "Instance":
        return rpc_app(instance_methods(InstancesDouble(**answers)))
    if service == "Flavor":
        return rpc_app(flavor_methods(FlavorDouble(**answers)))
    return rpc_app(group_methods(GroupsDouble(**answers)))


@pytest.mark.parametrize("exchange", [one for one in EXCHANGES if one.answer], ids=str)
def test_captured_calls_get_the_captured_answers(exchange: Exchange, tmp_path: Path) -> None:
    with plugin_running(_app_that_answers(exchange), tmp_path) as server:
        answer = server.post(exchange.request, Content_Type="application/json")
    assert answer.status == 200
    assert answer.body == exchange.answer + b"\n"


def test_a_captured_request_is_answered_with_all_its_headers(tmp_path: Path) -> None:
    """The exchange of 2.1, but for what a server may choose: `Date`, and the type, which InfraKit's lost (G21)."""
    request = (
        b"POST / HTTP/1.1\r\nHost: a\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 83\r\n"
        b"Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n" + EXCHANGES[0].request
    )
    with plugin_running(rpc_app(group_methods(GroupsDouble())), tmp_path) as server, server.connect() as connection:
        connection.sendall(request)
        raw = b""
        while not raw.endswith(b"}\n"):
            raw += connection.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 98"
    assert body == EXCHANGES[0].answer + b"\n"


# --- methods (2.4) ------------------------------------------------------------------------------------------------


def test_an_instance_plugin_is_asked_what_was_sent(plugin: PluginServer, instances: InstancesDouble) -> None:
    spec = {"Properties": {"a": 1}, "Tags": {"k": "v"}, "Init": "x", "LogicalID": None, "Attachments": None}
    instances.answers["describe"] = [InstanceDescription("i-1", "l", {"k": "v"})]
    assert plugin.result("Instance.Validate", {"Properties": {"a": 1}}) == {"OK": True}
    assert plugin.result("Instance.Provision", {"Spec": spec}) == {"ID": "i-1"}
    assert plugin.result("Instance.DescribeInstances", {"Tags": {"k": "v"}}) == {
        "Descriptions": [{"ID": "i-1", "LogicalID": "l", "Tags": {"k": "v"}}]
    }
    assert plugin.result("Instance.Destroy", {"Instance": "i-1"}) == {"OK": True}
    raw = RawJson(b'{"a": 1}')
    assert instances.asked == [
        ("validate", raw),
        ("provision", InstanceSpec(raw, {"k": "v"}, "x")),
        ("describe", {"k": "v"}),
        ("destroy", "i-1"),
    ]


@pytest.mark.parametrize("params", [{}, {"Properties": None}, None])
def test_properties_must_be_set(plugin: PluginServer, params: object) -> None:
    assert plugin.call("Instance.Validate", params).error == (-32000, "Request Properties must be set")


def test_a_flavor_is_asked_what_was_sent(tmp_path: Path) -> None:
    flavor = FlavorDouble(prepare=InstanceSpec(RawJson(b"{}"), {"k": "v"}, "script", "a"), healthy=Health.UNHEALTHY)
    instance = {"ID": "i-1", "LogicalID": None, "Tags": {"k": "v"}}
    with plugin_running(rpc_app(flavor_methods(flavor)), tmp_path) as server:
        allocation = {"Size": 0, "LogicalIDs": ["a", "b"]}
        assert server.result("Flavor.Validate", {"Properties": {}, "Allocation": allocation}) == {"OK": True}
        prepared = server.result("Flavor.Prepare", {"Properties": {}, "Spec": {"Init": "x"}, "Allocation": allocation})
        assert prepared["Spec"] == {
            "Properties": {},
            "Tags": {"k": "v"},
            "Init": "script",
            "LogicalID": "a",
            "Attachments": None,
        }
        assert server.result("Flavor.Healthy", {"Properties": {}, "Instance": instance}) == {"Health": 2}
        assert server.result("Flavor.Drain", {"Instance": instance}) == {"OK": True}
    empty, described = RawJson(b"{}"), InstanceDescription("i-1", None, {"k": "v"})
    assert flavor.asked == [
        ("validate", empty, Allocation(0, ("a", "b"))),
        ("prepare", empty, InstanceSpec(tags={}, init="x"), Allocation(0, ("a", "b"))),
        ("healthy", empty, described),
        ("drain", NULL, described, DrainRequest()),
    ]


def test_a_group_plugin_is_told_who_asks(tmp_path: Path) -> None:
    groups = GroupsDouble(commit="Managing 5 instances")
    with plugin_running(rpc_app(group_methods(groups)), tmp_path) as server:
        sent = {"Spec": {"ID": "g", "Properties": {"x": 1}}, "Pretend": True}
        assert server.result("Group.CommitGroup", sent) == {"Details": "Managing 5 instances"}
        assert server.result("Group.FreeGroup", {"ID": "g"}) == {"OK": True}
        assert server.result("Group.DescribeGroup", {"ID": "g"}) == {
            "Description": {"Instances": [], "Converged": False}
        }
        assert server.result("Group.DestroyGroup", {"ID": "g"}) == {"OK": True}
        assert server.result("Group.InspectGroups") == {"Groups": None}
    who = user(os.getuid())
    assert groups.asked == [
        ("commit", CommittedGroup("g", RawJson(b'{"x": 1}')), True, who),
        ("free", "g", who),
        ("describe", "g"),
        ("destroy", "g", who),
        ("inspect",),
    ]


# --- handshakes (2.3, 2.6) ------------------------------------------------------------------------------------------


def test_every_generation_is_greeted(plugin: PluginServer) -> None:
    later = [{"Name": "Instance", "Version": version} for version in ("0.1.0", "0.3.0", "0.5.0")]
    assert plugin.result("Plugin.Implements", {}) == {"APIs": later[:1]}
    assert plugin.result("Handshake.Implements", {}) == {"APIs": later}
    assert plugin.result("Handshake.Hello", {}) == {"Objects": {"Instance/0.6.1": [{"Name": ".", "ProxyFor": ""}]}}
    assert plugin.result("Handshake.Types", {}) == {
        "Types": {"Instance/0.1.0": [], "Instance/0.3.0": [], "Instance/0.5.0": []}
    }
