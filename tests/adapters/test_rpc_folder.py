"""Where plugins are found, and that they may go and come back (infrakit-compat.md 2.1, 2.6)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import NotFoundError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, InstanceSpec
from skep.model.spec import Allocation
from tests.adapters.plugin_double import PluginDouble, implements, listening
from tests.conditions import until

INSTANCE = {"Plugin.Implements": implements("Instance")}


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[PluginFolder]:
    found = PluginFolder(tmp_path)
    yield found
    await found.close()


async def asked(plugin: PluginDouble, method: str) -> bool:
    return method in plugin.methods


@pytest.mark.parametrize("name", ["gone", "", ".", "..", "../group", "a\0b", "x" * 300, "gone/worker"])
async def test_what_is_no_plugin_is_told_to_users_and_waited_for_by_groups(folder: PluginFolder, name: str) -> None:
    with pytest.raises(NotFoundError, match=r"^Plugin not found: "):
        await folder.instance(name).validate(RawJson(b"{}"))
    with pytest.raises(NotFoundError, match=r"^Plugin not found: "):
        await folder.flavor(name).validate(RawJson(b"{}"), Allocation(size=1))
    with pytest.raises(NotFoundError, match=r"^Plugin not found: "):
        await folder.group(name).commit(CommittedGroup("g"), pretend=True)
    with pytest.raises(UnavailableError, match=r"^Plugin not found: "):
        await folder.instance(name).describe({})
    with pytest.raises(UnavailableError, match=r"^Plugin not found: "):
        await folder.flavor(name).prepare(RawJson(b"{}"), InstanceSpec(), Allocation(size=1))


async def test_what_lies_among_the_plugins_and_is_no_socket_is_passed_over(
    tmp_path: Path, folder: PluginFolder
) -> None:
    (tmp_path / "p").write_text("")
    (tmp_path / "d").mkdir()
    for name in ("p", "d"):
        with pytest.raises(NotFoundError, match=f"^Plugin not found: {name}$"):
            await folder.instance(name).validate(RawJson(b"{}"))


@pytest.mark.parametrize("scheme", ["tcp", "http"])
async def test_a_plugin_on_another_host_is_found_by_its_listen_file(
    tmp_path: Path, folder: PluginFolder, scheme: str
) -> None:
    double = PluginDouble(INSTANCE | {"Instance.Provision": lambda _: {"ID": "i-1"}})
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        (tmp_path / "p.listen").write_text(f"{scheme}://127.0.0.1:{port}\n")
        assert await folder.instance("p").provision(InstanceSpec()) == "i-1"
        await folder.close()


@pytest.mark.parametrize("text", ["", "tcp://", "tcp://host", "tcp://host:port", "unix:///run/p", "\udcff", "[::"])
async def test_a_listen_file_that_leads_nowhere_is_no_plugin(tmp_path: Path, folder: PluginFolder, text: str) -> None:
    (tmp_path / "p.listen").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(NotFoundError, match=r"^Plugin not found: p$"):
        await folder.instance("p").validate(RawJson(b"{}"))


async def test_a_plugin_that_was_restarted_is_found_again_and_greeted_anew(
    tmp_path: Path, folder: PluginFolder
) -> None:
    """A dead socket is detected, and replaced when the plugin is back."""
    plugin, path = folder.instance("p"), tmp_path / "p"
    for _ in range(2):
        async with listening(PluginDouble(INSTANCE | {"Instance.DescribeInstances": lambda _: {}}), path) as double:
            assert not await plugin.describe({})
            assert not await plugin.describe({})
        assert double.methods == ["Plugin.Implements", *["Instance.DescribeInstances"] * 2]
        assert double.connections == 1
        with pytest.raises(UnavailableError, match=r"^Plugin not found: p$"):
            await plugin.describe({})


async def test_a_stale_socket_is_told_with_its_path(tmp_path: Path, folder: PluginFolder) -> None:
    path = tmp_path / "p"
    server = await asyncio.start_unix_server(PluginDouble({}).serve, path)
    server.close()
    assert path.exists()
    with pytest.raises(UnavailableError, match=rf"plugin p at {path}: Connection refused$"):
        await folder.instance("p").describe({})


async def test_calls_under_way_end_on_the_old_socket_while_new_ones_take_the_new(
    tmp_path: Path, folder: PluginFolder
) -> None:
    plugin, go = folder.instance("p"), asyncio.Event()

    async def slow(params: Any) -> Any:
        await go.wait()
        return {"ID": "old"}

    async with listening(PluginDouble(INSTANCE | {"Instance.Provision": slow}), tmp_path / "p") as old:
        begun = asyncio.create_task(plugin.provision(InstanceSpec()))
        await until(lambda: asked(old, "Instance.Provision"), True)
        (tmp_path / "p").unlink()
        newer = PluginDouble(INSTANCE | {"Instance.Provision": lambda _: {"ID": "new"}})
        async with listening(newer, tmp_path / "p"):
            assert await plugin.provision(InstanceSpec()) == "new"
            go.set()
            assert await begun == "old"
