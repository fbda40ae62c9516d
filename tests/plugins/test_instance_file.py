"""Machines as files: InfraKit's layout to the byte, nothing half-written, nothing outside, nothing read twice."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from skep.model.errors import InvalidError, UnavailableError
from skep.model.json import NULL, RawJson
from skep.model.machine import Attachment, InstanceSpec
from skep.plugins.file import FileInstances
from skep.plugins.file_layout import decoded, encoded
from tests.conditions import until
from tests.plugins.full_disk import file_size_max

GOLDEN = """{
    "ID": "instance-1",
    "LogicalID": "10.0.0.5",
    "Tags": {
      "infrakit.group": "cattle",
      "tier": "web"
    },
    "Spec": {
      "Properties": {
        "n": 1e6,
        "big": 12345678901234567890,
        "html": "\\u003c\\u0026\\u003e",
        "none": [],
        "some": [
          true,
          {}
        ]
      },
      "Tags": {
        "infrakit.group": "cattle",
        "tier": "web"
      },
      "Init": "a \\u0026\\u0026 b\\n\\"ü\\"\\u0008",
      "LogicalID": "10.0.0.5",
      "Attachments": [
        {
          "ID": "disk",
          "Type": "ebs"
        }
      ]
    }
  }"""


def spec(request: str = "", **more: object) -> InstanceSpec:
    tags = {"infrakit.group": "g"} | ({"skep.request": request} if request else {})
    return InstanceSpec(tags=tags, **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "instances"


@pytest.fixture
def plugin(folder: Path) -> FileInstances:
    return FileInstances(folder)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}


@pytest.fixture
def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


async def ids(plugin: FileInstances) -> list[str]:
    return [item.id for item in await plugin.describe({})]


def test_a_file_is_what_infrakit_writes_to_the_byte() -> None:
    """infrakit-compat.md 5.2: Go's MarshalIndent with two blanks before and two for each level."""
    wanted = InstanceSpec(
        tags={"tier": "web", "infrakit.group": "cattle"},
        init='a && b\n"ü"\b',
        logical_id="10.0.0.5",
        attachments=(Attachment("disk", "ebs"),),
    )
    properties = '{"n":1e6,"big":12345678901234567890,"html":"<&>","none":[],"some":[true,{}]}'
    assert encoded("instance-1", wanted, properties) == GOLDEN


def test_what_is_not_there_is_null() -> None:
    text = encoded("instance-1", InstanceSpec(), "null")
    for name in ("LogicalID", "Tags", "Properties", "Attachments"):
        assert f'"{name}": null' in text


@given(st.dictionaries(st.text(), st.text()), st.none() | st.text(), st.text())
def test_what_is_written_is_read(tags: dict[str, str], logical_id: str | None, init: str) -> None:
    text = encoded("instance-1", InstanceSpec(tags=tags, logical_id=logical_id, init=init), "{}")
    assert decoded(text.encode()) == (tags, logical_id)


async def test_the_properties_are_kept_as_they_were_written(plugin: FileInstances, folder: Path) -> None:
    name = await plugin.provision(spec(properties=RawJson(b'{"Note": "any", "n":1.50e1}')))
    assert '"n": 1.50e1' in (folder / name).read_text()


@pytest.mark.parametrize(
    ("properties", "paths"),
    [
        (b"[1]", [""]),
        (b"7", [""]),
        (b"{", [""]),
        (b'{"a":1},"Properties":{"b":2}', [""]),
    ],
)
async def test_every_fault_of_the_properties_is_told(
    plugin: FileInstances, properties: bytes, paths: list[str]
) -> None:
    with pytest.raises(InvalidError) as caught:
        await plugin.validate(RawJson(properties))
    assert [fault.path for fault in caught.value.faults] == paths


@pytest.mark.parametrize("properties", [NULL, RawJson(b"{}"), RawJson(b'{"Note":"version 1.0"}')])
async def test_any_object_is_taken(plugin: FileInstances, properties: RawJson) -> None:
    """infrakit-compat.md 2.4: the tutorial's properties are notes."""
    await plugin.validate(properties)


async def test_a_key_may_be_there_twice(plugin: FileInstances, folder: Path) -> None:
    """infrakit-compat.md 1.3: to Go the last one counts, and what nobody looks into is passed on whole."""
    properties = RawJson(b'{"a":1,"a":2,"b":[{"c":1,"C":2,"c":3}]}')
    await plugin.validate(properties)
    name = await plugin.provision(spec(properties=properties))
    kept = json.loads((folder / name).read_text(), object_pairs_hook=list)
    assert ("Properties", [("a", 1), ("a", 2), ("b", [[("c", 1), ("C", 2), ("c", 3)]])]) in dict(kept)["Spec"]


async def test_files_and_their_folder_are_for_their_owner_only(plugin: FileInstances, folder: Path) -> None:
    before = os.umask(0)
    try:
        name = await plugin.provision(spec())
    finally:
        os.umask(before)
    assert modes(folder) == {folder.name: 0o700, name: 0o600}


async def test_files_that_infrakit_made_are_machines(plugin: FileInstances, made: Path) -> None:
    (made / "instance-1").write_text(GOLDEN)
    [found] = await plugin.describe({"infrakit.group": "cattle"})
    assert (found.id, found.logical_id, found.tags["tier"]) == ("instance-1", "10.0.0.5", "web")
    await plugin.destroy("instance-1")
    assert await ids(plugin) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../victim", "instance-/../../victim", "instance-1/../../victim"])
async def test_no_name_leads_out_of_the_folder(plugin: FileInstances, folder: Path, name: str) -> None:
    """infrakit-compat.md 5.2: InfraKit's removed whatever the name led to."""
    await plugin.provision(spec())
    victim = folder.parent / "victim"
    victim.write_text("here")
    await plugin.destroy(name)
    assert victim.exists()
    assert len(await ids(plugin)) == 1


async def test_what_is_no_machine_is_passed_over_and_told_once(plugin: FileInstances, made: Path) -> None:
    (made / "notes").write_text("{}")
    (made / "instance-empty").write_text("")
    (made / "instance-text").write_text('{"Tags": 7}')
    (made / "instance-folder").mkdir()
    (made / "instance-link").symlink_to("/etc/passwd")
    os.mkfifo(made / "instance-pipe")
    with capture_logs() as logs:
        assert await ids(plugin) == []
        assert await ids(plugin) == []
    assert sorted(Path(entry["file"]).name for entry in logs) == [
        f"instance-{what}" for what in ("empty", "folder", "link", "pipe", "text")
    ]


async def test_a_file_that_a_power_loss_emptied_is_made_again(plugin: FileInstances, folder: Path) -> None:
    name = await plugin.provision(spec("one"))
    (folder / name).write_text("")
    with capture_logs():
        assert await ids(plugin) == []
        assert await plugin.provision(spec("one")) == name
    assert await ids(plugin) == [name]


async def test_an_unchanged_file_is_not_read_again(plugin: FileInstances, folder: Path) -> None:
    """Neither one that was written nor one that was found: what a listing gives is the very same value."""
    await plugin.provision(spec("one"))
    (folder / "instance-1").write_text(GOLDEN)
    first, second = await plugin.describe({}), await plugin.describe({})
    assert len(first) == 2
    assert all(a is b for a, b in zip(first, second, strict=True))


async def test_a_changed_file_is_read_again(plugin: FileInstances, folder: Path) -> None:
    name = await plugin.provision(spec("one"))
    (folder / name).write_text(GOLDEN)
    [found] = await plugin.describe({})
    assert found.logical_id == "10.0.0.5"


async def test_what_a_dead_process_left_half_written_goes_after_a_while(plugin: FileInstances, folder: Path) -> None:
    await plugin.provision(spec())
    old, young = folder / ".instance-1.new", folder / ".instance-2.new"
    for path in (old, young):
        path.write_text("secret")
    os.utime(old, (1, 1))
    assert len(await ids(plugin)) == 1
    assert (old.exists(), young.exists()) == (False, True)


async def test_a_repeated_request_writes_what_a_dead_process_left_half_written(
    plugin: FileInstances, folder: Path
) -> None:
    """Who carries on after a crash asks at once, with the same request."""
    name = await plugin.provision(spec("one"))
    (folder / name).rename(folder / f".{name}.new")
    assert await plugin.provision(spec("one")) == name
    assert sorted(modes(folder)) == sorted([folder.name, name])


async def test_what_only_bears_the_name_of_an_unfinished_file_is_let_be(plugin: FileInstances, folder: Path) -> None:
    await plugin.provision(spec())
    (folder / ".instance-1.new").mkdir()
    os.utime(folder / ".instance-1.new", (1, 1))
    (folder / ".instance-2.new").symlink_to(folder.parent)
    assert len(await ids(plugin)) == 1
    assert (folder / ".instance-1.new").is_dir()
    assert (folder / ".instance-2.new").is_symlink()


async def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "instances").write_text("a file")
    plugin = FileInstances(tmp_path / "instances")
    with pytest.raises(UnavailableError, match="could not write"):
        await plugin.provision(spec())
    with pytest.raises(UnavailableError, match="could not list"):
        await plugin.describe({})


async def test_what_a_full_disk_cuts_off_is_no_machine(plugin: FileInstances, folder: Path) -> None:
    """A write that stops halfway is no error by itself."""
    with file_size_max(100), pytest.raises(UnavailableError, match=r"could not write machine .*: File too large"):
        await plugin.provision(spec("one"))
    assert list(modes(folder)) == [folder.name]
    name = await plugin.provision(spec("one"))
    assert await ids(plugin) == [name]


class Heard:
    """Follows a stream of changes."""

    def __init__(self, changes: AsyncIterator[str]) -> None:
        self.groups: list[str] = []
        self.task = asyncio.ensure_future(self._follow(changes))

    async def _follow(self, changes: AsyncIterator[str]) -> None:
        async for group in changes:
            self.groups.append(group)

    async def until(self, *groups: str) -> None:
        async def read() -> bool:
            return set(groups) <= set(self.groups)

        await until(read, True)
        self.groups.clear()


async def test_who_changes_a_file_by_hand_wakes_its_group(plugin: FileInstances, folder: Path) -> None:
    heard = Heard(plugin.changes())
    name = await plugin.provision(spec())
    await heard.until("")
    (folder / "instance-1").write_text(GOLDEN)
    await heard.until("cattle")
    (folder / name).write_text(GOLDEN)
    await heard.until("cattle", "g")
    (folder / name).unlink()
    await heard.until("cattle")
    heard.task.cancel()


async def test_the_end_of_the_folder_wakes_all_and_ends_the_stream(plugin: FileInstances, folder: Path) -> None:
    name = await plugin.provision(spec("one"))
    heard = Heard(plugin.changes())
    await heard.until("")
    shutil.rmtree(folder)
    await heard.until("")
    await heard.task
    with pytest.raises(UnavailableError, match="can't be watched"):
        await anext(plugin.changes())
    assert await ids(plugin) == []
    assert await plugin.provision(spec("one")) == name
