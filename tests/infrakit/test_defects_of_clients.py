"""What InfraKit v0.1.0 gets wrong as the caller of plugins, and skep does not (infrakit-compat.md 3.10)."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from skep.adapters.plugin_folder import PluginFolder
from skep.adapters.rpc import DEADLINES, Deadline
from skep.adapters.rpc_plugins import RemoteGroup
from skep.model.errors import NotFoundError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, InstanceSpec
from tests.adapters.plugin_double import PluginDouble, RawAnswerError, RefusalError, implements, listening
from tests.conditions import until

INSTANCE = {"Plugin.Implements": implements("Instance")}
GROUP_DEFAULT = Path(sys.executable).parent / "infrakit-group-default"
WITHIN_S = 20.0
"""Far less than any deadline of a method that makes machines, and than that of a listing."""


@pytest.fixture
async def plugins(tmp_path: Path) -> AsyncIterator[PluginFolder]:
    found = PluginFolder(tmp_path / "plugins")
    (tmp_path / "plugins").mkdir()
    yield found
    await found.close()


async def never(params: Any) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("answer", [{"ID": None}, {"ID": ""}, {}])
async def test_g03_a_machine_without_an_id_is_an_error_of_that_call_alone(
    tmp_path: Path, plugins: PluginFolder, answer: Any
) -> None:
    """Provision returning `{"ID":null}` crashes InfraKit's group plugin."""

    def provision(params: Any) -> Any:
        return answer if params["Spec"]["LogicalID"] == "b" else {"ID": params["Spec"]["LogicalID"]}

    specs = [InstanceSpec(logical_id=name) for name in ("a", "b", "c")]
    async with listening(PluginDouble(INSTANCE | {"Instance.Provision": provision}), tmp_path / "plugins" / "p"):
        made = await asyncio.gather(*map(plugins.instance("p").provision, specs), return_exceptions=True)
    assert (made[0], made[2]) == ("a", "c")
    assert isinstance(made[1], RejectedError)
    assert "without an ID" in str(made[1])


# --- G7 -------------------------------------------------------------------------------------------------------------


class Machines(PluginDouble):
    """An instance plugin with machines in memory."""

    def __init__(self) -> None:
        self.machines: list[dict[str, Any]] = []
        super().__init__(
            INSTANCE
            | {
                "Instance.Validate": lambda _: {"OK": True},
                "Instance.Provision": self._provision,
                "Instance.Destroy": self._destroy,
                "Instance.DescribeInstances": self._describe,
            }
        )

    def _provision(self, params: Any) -> Any:
        spec = params["Spec"]
        self.machines.append({"ID": f"i-{len(self.calls)}", "LogicalID": spec["LogicalID"], "Tags": spec["Tags"]})
        return {"ID": self.machines[-1]["ID"]}

    def _destroy(self, params: Any) -> Any:
        self.machines = [one for one in self.machines if one["ID"] != params["Instance"]]
        return {"OK": True}

    def _describe(self, params: Any) -> Any:
        wanted = (params["Tags"] or {}).items()
        return {"Descriptions": [one for one in self.machines if wanted <= one["Tags"].items()]}


FLAVOR = {
    "Plugin.Implements": implements("Flavor"),
    "Flavor.Validate": lambda _: {"OK": True},
    "Flavor.Prepare": lambda params: {"Spec": params["Spec"]},
    "Flavor.Healthy": lambda _: {"Health": 1},
    "Flavor.Drain": lambda _: {"OK": True},
}


def group(name: str, plugin: str, size: int) -> CommittedGroup:
    properties = {
        "Allocation": {"Size": size},
        "Instance": {"Plugin": plugin, "Properties": {}},
        "Flavor": {"Plugin": "flavor", "Properties": {}},
    }
    return CommittedGroup(name, RawJson(json.dumps(properties).encode()))


@asynccontextmanager
async def group_default(folder: Path, plugins: PluginFolder) -> AsyncIterator[RemoteGroup]:
    """skep's group plugin as a program of its own."""
    environ = os.environ | {"HOME": str(folder.parent), "INFRAKIT_PLUGINS_DIR": str(folder)}
    program = await asyncio.create_subprocess_exec(GROUP_DEFAULT, "--store=none", "--log=2", env=environ)
    try:
        await until(lambda: asyncio.to_thread((folder / "group").exists), True)
        yield plugins.group("group")
    finally:
        program.terminate()
        assert await program.wait() == 0


async def test_g07_a_hung_plugin_blocks_no_other_group_and_no_verb(tmp_path: Path, plugins: PluginFolder) -> None:
    """InfraKit holds one lock over the calls of all plugins: InspectGroups took 5.7 s."""
    folder = tmp_path / "plugins"
    hung = PluginDouble(INSTANCE | {"Instance.Validate": lambda _: {"OK": True}, "Instance.DescribeInstances": never})
    mute = PluginDouble({"Plugin.Implements": never})
    async with (
        listening(Machines(), folder / "good"),
        listening(hung, folder / "hung"),
        listening(mute, folder / "mute"),
        listening(PluginDouble(FLAVOR), folder / "flavor"),
        group_default(folder, plugins) as groups,
    ):
        behind = [asyncio.create_task(groups.commit(group(name, name, 1), pretend=False)) for name in ("hung", "mute")]
        await until(lambda: _asked(hung, "Instance.DescribeInstances"), True)
        await until(lambda: _asked(mute, "Plugin.Implements"), True)
        async with asyncio.timeout(WITHIN_S):
            assert await groups.commit(group("a", "good", 2), pretend=False) == "Managing 2 instances"
            await until(lambda: _size(groups, "a"), 2, within_s=WITHIN_S)
            assert await groups.commit(group("a", "good", 3), pretend=True)
            assert "a" in [one.id for one in await groups.inspect()]
            await groups.destroy("a")
            assert "a" not in [one.id for one in await groups.inspect()]
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)


async def _asked(plugin: PluginDouble, method: str) -> bool:
    return method in plugin.methods


async def _size(groups: RemoteGroup, name: str) -> int:
    return len((await groups.describe(name)).instances)


async def test_g07_each_method_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    """No InfraKit call ever ends by itself; one deadline for all ended those that only took long (#603, #858)."""
    deadlines = DEADLINES | {"Instance.Validate": Deadline(0.1)}
    plugins = PluginFolder(tmp_path, deadlines=deadlines)
    go = asyncio.Event()

    async def slow(params: Any) -> Any:
        await go.wait()
        return {"ID": "i-1"}

    answers = {"Instance.Validate": never, "Instance.Provision": slow, "Instance.DescribeInstances": lambda _: {}}
    async with listening(PluginDouble(INSTANCE | answers), tmp_path / "p"), asyncio.timeout(WITHIN_S):
        plugin = plugins.instance("p")
        provision = asyncio.create_task(plugin.provision(InstanceSpec()))
        with pytest.raises(UnavailableError, match=r"could not call Instance.Validate .*: no answer within 0.1 s"):
            await plugin.validate(RawJson(b"{}"))
        assert not await plugin.describe({})
        assert not provision.done()
        go.set()
        assert await provision == "i-1"
    await plugins.close()


# --- G20 ------------------------------------------------------------------------------------------------------------


def hangs_up(params: Any) -> Any:
    raise RawAnswerError(b"")


def is_starting(params: Any) -> Any:
    raise RefusalError("starting")


@pytest.mark.parametrize("failure", [hangs_up, is_starting, implements("Flavor")])
async def test_g20_a_handshake_that_failed_is_tried_again(tmp_path: Path, plugins: PluginFolder, failure: Any) -> None:
    """InfraKit's client remembers for ever that it failed."""
    double = PluginDouble(INSTANCE | {"Plugin.Implements": failure, "Instance.Validate": lambda _: {"OK": True}})
    async with listening(double, tmp_path / "plugins" / "p"):
        plugin = plugins.instance("p")
        with pytest.raises((UnavailableError, NotFoundError)):
            await plugin.validate(RawJson(b"{}"))
        double.answers = double.answers | INSTANCE
        await plugin.validate(RawJson(b"{}"))
        await plugin.validate(RawJson(b"{}"))
    assert double.methods[-3:] == ["Plugin.Implements", "Instance.Validate", "Instance.Validate"]
