"""Plugins of other processes: found by their sockets, called as InfraKit calls, and outlived (infrakit-compat.md 2)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skep.adapters import rpc
from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import InvalidError, NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import Attachment, CommittedGroup, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health, Phase
from skep.ports import DrainRequest
from tests.adapters.plugin_double import PluginDouble, RawAnswerError, RefusalError, http, implements, listening
from tests.conditions import until

INSTANCE, FLAVOR, GROUP = ({"Plugin.Implements": implements(name)} for name in ("Instance", "Flavor", "Group"))


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[PluginFolder]:
    found = PluginFolder(tmp_path)
    yield found
    await found.close()


def refused(text: str) -> Any:
    def answer(params: Any) -> Any:
        raise RefusalError(text)

    return answer


async def never(params: Any) -> Any:
    await asyncio.Event().wait()


async def advance(phase: Phase) -> None:
    raise AssertionError("no phase is known of another process")


async def under_way(plugin: PluginDouble) -> int:
    return plugin.under_way


# --- the shapes of 2.4 --------------------------------------------------------------------------------------------

TAGS = {"infrakit.group": "cattle", "tier": "web"}
SPEC = InstanceSpec(RawJson(b'{"Note":"x","n":1e6}'), TAGS, "echo <&>\necho", "a", (Attachment("v1", "ebs"),))
WIRE_SPEC = (
    b'{"Properties":{"Note":"x","n":1e6},"Tags":{"infrakit.group":"cattle","tier":"web"},'
    b'"Init":"echo \\u003c\\u0026\\u003e\\necho","LogicalID":"a","Attachments":[{"ID":"v1","Type":"ebs"}]}'
)
MACHINE = InstanceDescription("i-1", "b", TAGS)
WIRE_MACHINE = b'{"ID":"i-1","LogicalID":"b","Tags":{"infrakit.group":"cattle","tier":"web"}}'


@pytest.mark.parametrize(
    ("ask", "method", "params", "answer", "expected"),
    [
        (
            lambda f: f.instance("p").validate(RawJson(b'{"a": 1}')),
            "Instance.Validate",
            b'{"Properties":{"a":1}}',
            {"OK": True},
            None,
        ),
        (
            lambda f: f.instance("p").provision(SPEC),
            "Instance.Provision",
            b'{"Spec":' + WIRE_SPEC + b"}",
            {"ID": "i-1"},
            "i-1",
        ),
        (
            lambda f: f.instance("p").destroy("i-1"),
            "Instance.Destroy",
            b'{"Instance":"i-1"}',
            {"OK": True},
            None,
        ),
        (
            lambda f: f.instance("p").describe({"tier": "web"}),
            "Instance.DescribeInstances",
            b'{"Tags":{"tier":"web"}}',
            {"Descriptions": [{"ID": "i-1", "LogicalID": "b", "Tags": TAGS}]},
            [MACHINE],
        ),
        (
            lambda f: f.instance("p").describe({}),
            "Instance.DescribeInstances",
            b'{"Tags":null}',
            {"Descriptions": None},
            [],
        ),
        (
            lambda f: f.flavor("p").validate(RawJson(b"{}"), Allocation(size=5)),
            "Flavor.Validate",
            b'{"Properties":{},"Allocation":{"Size":5,"LogicalIDs":null}}',
            {"OK": True},
            None,
        ),
        (
            lambda f: f.flavor("p").prepare(RawJson(b"{}"), SPEC, Allocation(logical_ids=("a", "b"))),
            "Flavor.Prepare",
            b'{"Properties":{},"Spec":' + WIRE_SPEC + b',"Allocation":{"Size":0,"LogicalIDs":["a","b"]}}',
            b'{"Spec":' + WIRE_SPEC + b"}",
            SPEC,
        ),
        (
            lambda f: f.flavor("p").drain(RawJson(b"{}"), MACHINE, DrainRequest(), advance),
            "Flavor.Drain",
            b'{"Properties":{},"Instance":' + WIRE_MACHINE + b"}",
            {"OK": True},
            None,
        ),
        (
            lambda f: f.group("p").commit(CommittedGroup("g", RawJson(b'{"x":1}')), pretend=True),
            "Group.CommitGroup",
            b'{"Spec":{"ID":"g","Properties":{"x":1}},"Pretend":true}',
            {"Details": "Managing 5 instances"},
            "Managing 5 instances",
        ),
        (lambda f: f.group("p").free("g"), "Group.FreeGroup", b'{"ID":"g"}', {"OK": True}, None),
        (lambda f: f.group("p").destroy("g"), "Group.DestroyGroup", b'{"ID":"g"}', {"OK": True}, None),
        (lambda f: f.group("p").inspect(), "Group.InspectGroups", b"{}", {"Groups": None}, []),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
async def test_calls_are_those_of_infrakit(
    tmp_path: Path, folder: PluginFolder, ask: Any, method: str, params: bytes, answer: Any, expected: Any
) -> None:
    interfaces = {"Plugin.Implements": implements("Instance", "Flavor", "Group")}
    async with listening(PluginDouble(interfaces | {method: lambda _: answer}), tmp_path / "p") as plugin:
        found = await ask(folder)
        assert (list(found) if isinstance(found, tuple) else found) == expected
    assert plugin.methods == ["Plugin.Implements", method]
    assert b'"params":' + params + b',"id":' in plugin.bodies[1]
    assert plugin.bodies[1].startswith(b'{"jsonrpc":"2.0","method":"%s",' % method.encode())
    assert plugin.heads[1].startswith(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n")


@pytest.mark.parametrize(
    ("answer", "converged", "ids"),
    [
        ({"Description": {"Instances": [{"ID": "i-1", "LogicalID": "b", "Tags": TAGS}], "Converged": True}}, True, 1),
        ({"Description": {"Instances": None, "Converged": False}}, False, 0),
        ({}, False, 0),
    ],
)
async def test_a_group_is_described(
    tmp_path: Path, folder: PluginFolder, answer: Any, converged: bool, ids: int
) -> None:
    async with listening(PluginDouble(GROUP | {"Group.DescribeGroup": lambda _: answer}), tmp_path / "group"):
        found = await folder.group("group").describe("g")
    assert (found.converged, list(found.instances)) == (converged, [MACHINE] * ids)


async def test_groups_come_back_with_their_properties_as_they_are_written(tmp_path: Path, folder: PluginFolder) -> None:
    groups = b'{"Groups":[{"ID":"g1","Properties":{"n":1e6,"big":12345678901234567890}}]}'
    async with listening(PluginDouble(GROUP | {"Group.InspectGroups": lambda _: groups}), tmp_path / "group"):
        [group] = await folder.group("group").inspect()
    assert group == CommittedGroup("g1", RawJson(b'{"n":1e6,"big":12345678901234567890}'))


# --- other generations (2.6) --------------------------------------------------------------------------------------

V03 = {"Handshake.Implements": implements("Instance", version="0.3.0")}
MASTER = {"Handshake.Hello": lambda _: {"Objects": {"Instance/0.6.1": [{"Name": ".", "ProxyFor": ""}]}}}
SUBTYPED = {"Handshake.Hello": lambda _: {"Objects": {"Instance/0.6.1": [{"Name": "compute"}, {"Name": "disk"}]}}}
BOTH = INSTANCE | SUBTYPED


@pytest.mark.parametrize(
    ("name", "handshake", "asked"),
    [
        ("p", INSTANCE, ["Plugin.Implements"]),
        ("p", V03, ["Plugin.Implements", "Handshake.Implements"]),
        ("p", MASTER, ["Plugin.Implements", "Handshake.Implements", "Handshake.Hello"]),
        ("p/compute", SUBTYPED, ["Plugin.Implements", "Handshake.Implements", "Handshake.Hello"]),
        ("p/compute", BOTH, ["Plugin.Implements", "Handshake.Hello"]),
        ("p/compute", INSTANCE, ["Plugin.Implements", "Handshake.Hello"]),
    ],
)
async def test_each_generation_is_asked_in_its_own_words(
    tmp_path: Path, folder: PluginFolder, name: str, handshake: Any, asked: list[str]
) -> None:
    answers = handshake | {"Instance.Provision": lambda _: {"Type": "compute", "ID": "i-1"}}
    async with listening(PluginDouble(answers), tmp_path / "p") as plugin:
        assert await folder.instance(name).provision(InstanceSpec()) == "i-1"
    assert plugin.methods == [*asked, "Instance.Provision"]
    assert plugin.calls[-1][1].get("Type") == ("compute" if "/" in name else None)


@pytest.mark.parametrize("name", ["p", "p/else"])
async def test_an_object_that_a_plugin_lacks_is_told_with_those_that_it_has(
    tmp_path: Path, folder: PluginFolder, name: str
) -> None:
    async with listening(PluginDouble(SUBTYPED), tmp_path / "p"):
        with pytest.raises(NotFoundError, match=rf"^Plugin not found: {name}; there are: p/compute, p/disk$"):
            await folder.instance(name).validate(RawJson(b"{}"))


@pytest.mark.parametrize("handshake", [FLAVOR, {}, {"Handshake.Hello": lambda _: {}}])
async def test_a_plugin_of_another_kind_is_refused_in_infrakits_words(
    tmp_path: Path, folder: PluginFolder, handshake: Any
) -> None:
    async with listening(PluginDouble(handshake), tmp_path / "p"):
        text = r"^Plugin does not support interface {Instance 0\.1\.0}$"
        with pytest.raises(NotFoundError, match=text):
            await folder.instance("p").validate(RawJson(b"{}"))
        with pytest.raises(UnavailableError, match=text):
            await folder.instance("p").describe({})


# --- what plugins say ---------------------------------------------------------------------------------------------


async def test_a_refusal_is_told_in_the_plugins_own_words(tmp_path: Path, folder: PluginFolder) -> None:
    says = refused("Request Properties must be set")
    answers = dict.fromkeys(("Instance.Validate", "Instance.Provision", "Instance.DescribeInstances"), says)
    async with listening(PluginDouble(INSTANCE | answers), tmp_path / "p"):
        text = "^Request Properties must be set$"
        with pytest.raises(InvalidError, match=text):
            await folder.instance("p").validate(RawJson(b"null"))
        with pytest.raises(RejectedError, match=text):
            await folder.instance("p").provision(InstanceSpec())
        with pytest.raises(UnavailableError, match=text):
            await folder.instance("p").describe({})


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        http(b""),
        http(b"a token that nobody shall see"),
        http(b'{"jsonrpc":"2.0","result":[]}'),
        http(b'{"jsonrpc":"2.0","result":{"ID":7}}'),
        http(b"rpc: unrecognized Content-Type", "415 Unsupported Media Type"),
    ],
)
async def test_an_answer_that_is_none_leaves_open_what_was_done(
    tmp_path: Path, folder: PluginFolder, answer: bytes
) -> None:
    def hostile(params: Any) -> Any:
        raise RawAnswerError(answer)

    async with listening(PluginDouble(INSTANCE | {"Instance.Provision": hostile}), tmp_path / "p"):
        with pytest.raises(UnavailableError, match=r"plugin p .*") as caught:
            await folder.instance("p").provision(InstanceSpec())
    assert "token" not in str(caught.value)


async def test_an_answer_without_an_end_is_cut_off(tmp_path: Path, folder: PluginFolder) -> None:
    def answer(params: Any) -> Any:
        size = rpc.ANSWER_BYTES_MAX + 1
        raise RawAnswerError(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b" " * size)

    async with listening(PluginDouble(INSTANCE | {"Instance.DescribeInstances": answer}), tmp_path / "p"):
        with pytest.raises(UnavailableError, match="longer than"):
            await folder.instance("p").describe({})


async def test_removing_what_is_not_there_is_success_whatever_the_plugin_calls_it(
    tmp_path: Path, folder: PluginFolder
) -> None:
    """5.1: `Instance does not exist`; 5.2: `remove …: no such file or directory`."""
    machines = [{"ID": "kept"}]
    answers = {
        "Instance.Destroy": refused("Instance does not exist"),
        "Instance.DescribeInstances": lambda _: {"Descriptions": machines},
    }
    async with listening(PluginDouble(INSTANCE | answers), tmp_path / "p"):
        await folder.instance("p").destroy("gone")
        with pytest.raises(RejectedError, match=r"^Instance does not exist$"):
            await folder.instance("p").destroy("kept")


async def test_a_listing_keeps_to_the_tags_that_were_asked_for(tmp_path: Path, folder: PluginFolder) -> None:
    """5.2: InfraKit's file plugin takes a missing tag for an empty one."""
    found = {"Descriptions": [{"ID": "a", "Tags": {"x": ""}}, {"ID": "b", "Tags": None}]}
    async with listening(PluginDouble(INSTANCE | {"Instance.DescribeInstances": lambda _: found}), tmp_path / "p"):
        assert [one.id for one in await folder.instance("p").describe({"x": ""})] == ["a"]


# --- flavors ------------------------------------------------------------------------------------------------------


async def test_a_flavor_that_can_not_prepare_is_not_ready(tmp_path: Path, folder: PluginFolder) -> None:
    """Workers that are committed before their managers: it heals by itself (infrakit-compat.md 6)."""
    says = refused("Failed to fetch Swarm join tokens: Cannot connect to the Docker daemon")
    async with listening(PluginDouble(FLAVOR | {"Flavor.Prepare": says}), tmp_path / "p"):
        with pytest.raises(NotReadyError, match=r"^Failed to fetch Swarm join tokens"):
            await folder.flavor("p").prepare(RawJson(b"{}"), InstanceSpec(), Allocation(size=1))


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Unable to drain i-1, not found in swarm", True),
        ("Unable to drain i-1 without an association tag", True),
        ("Expected at most one node with label x, but found [...]", False),
    ],
)
async def test_draining_what_is_in_no_swarm_is_success(
    tmp_path: Path, folder: PluginFolder, text: str, gone: bool
) -> None:
    async with listening(PluginDouble(FLAVOR | {"Flavor.Drain": refused(text)}), tmp_path / "p"):
        drain = folder.flavor("p").drain(RawJson(b"{}"), MACHINE, DrainRequest(), advance)
        if gone:
            await drain
        else:
            with pytest.raises(RejectedError, match="at most one node"):
                await drain


async def test_health_is_asked_for_each_machine_and_an_error_is_no_answer_about_one(
    tmp_path: Path, folder: PluginFolder
) -> None:
    def health(params: Any) -> Any:
        number = int(params["Instance"]["ID"])
        if number == 3:
            raise RefusalError("no idea")
        return {"Health": number}

    machines = [InstanceDescription(str(number)) for number in range(5)]
    async with listening(PluginDouble(FLAVOR | {"Flavor.Healthy": health}), tmp_path / "p") as plugin:
        found = await folder.flavor("p").healthy(RawJson(b"{}"), machines)
    assert [one.health for one in found] == [
        Health.UNKNOWN,
        Health.HEALTHY,
        Health.UNHEALTHY,
        Health.UNKNOWN,
        Health.UNKNOWN,
    ]
    assert found[3].detail == "no idea"
    assert [p["Instance"]["ID"] for _, p in plugin.calls[1:]] == [*"01234"]


async def test_a_flavor_that_is_not_there_tells_nothing_of_any(folder: PluginFolder) -> None:
    with pytest.raises(UnavailableError):
        await folder.flavor("p").healthy(RawJson(b"{}"), [MACHINE])


# --- bounds -------------------------------------------------------------------------------------------------------


async def test_calls_at_once_are_bounded_and_reads_do_not_wait_for_acts(tmp_path: Path, folder: PluginFolder) -> None:
    """G12."""
    go = asyncio.Event()

    async def provision(params: Any) -> Any:
        await go.wait()
        return {"ID": "i"}

    answers = {"Instance.Provision": provision, "Instance.DescribeInstances": lambda _: {}}
    async with listening(PluginDouble(INSTANCE | answers), tmp_path / "p") as plugin:
        made = [asyncio.create_task(folder.instance("p").provision(InstanceSpec())) for _ in range(300)]
        await until(lambda: under_way(plugin), rpc.ACTS_MAX)
        assert not await folder.instance("p").describe({})
        assert plugin.under_way == rpc.ACTS_MAX
        go.set()
        assert await asyncio.gather(*made) == ["i"] * 300


async def test_a_plugin_with_a_short_backlog_loses_no_call(tmp_path: Path, folder: PluginFolder) -> None:
    """infrakit-compat.md 2.1: with a backlog of 5, InfraKit's group plugin lost 89 of 100 calls."""
    answers = INSTANCE | {"Instance.Provision": lambda _: {"ID": "i"}}
    async with listening(PluginDouble(answers), tmp_path / "p", backlog=5):
        plugin = folder.instance("p")
        assert await asyncio.gather(*(plugin.provision(InstanceSpec()) for _ in range(300))) == ["i"] * 300


def test_every_method_has_a_deadline_and_those_that_make_machines_a_long_one() -> None:
    """infrakit-compat.md 7 #7: one deadline for all killed calls that would have succeeded."""
    acts = {method for method, deadline in rpc.DEADLINES.items() if deadline.act}
    assert {"Instance.Provision", "Instance.Destroy", "Flavor.Drain", "Group.DestroyGroup"} <= acts
    assert all(deadline.seconds >= (300 if deadline.act else 15) for deadline in rpc.DEADLINES.values())
    assert all(deadline.seconds <= 60 for deadline in rpc.DEADLINES.values() if not deadline.act)
