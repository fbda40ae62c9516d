"""The groups of a manager in a file, and the file that says who leads (infrakit-compat.md 3.9, mode os)."""

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skep.adapters.group_store_file import FileGroupStore
from skep.adapters.leader_file import FileLeadership
from skep.model.errors import InvalidError, UnavailableError
from skep.model.group_document import GroupDocument, LeaderStatus
from tests.fakes.groups import group


async def _put(store: FileGroupStore, *ids: str) -> None:
    for id in ids:
        await store.change(lambda document, id=id: document.committed(group(id), "g"))  # type: ignore[misc]


async def test_the_first_write_makes_a_private_file_in_a_private_folder(tmp_path: Path) -> None:
    store = FileGroupStore(tmp_path / "infrakit" / "configs")
    assert await store.load() == GroupDocument()
    assert not (tmp_path / "infrakit").exists()
    await _put(store, "a")
    file = tmp_path / "infrakit" / "configs" / "global.config"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(json.loads(file.read_bytes())["Groups"]) == ["a"]
    assert list((await store.load()).groups) == ["a"]


async def test_a_file_that_others_may_read_becomes_private_and_no_draft_stays(tmp_path: Path) -> None:
    (tmp_path / "global.config").write_text("{}")
    (tmp_path / "global.config").chmod(0o644)
    (tmp_path / ".global.config.new").write_text("half of a dra")
    (tmp_path / ".global.config.new").chmod(0o644)
    await _put(FileGroupStore(tmp_path), "a")
    assert os.listdir(tmp_path) == ["global.config"]  # noqa: PTH208
    assert (tmp_path / "global.config").stat().st_mode & 0o777 == 0o600


async def test_a_file_elsewhere_is_replaced_there(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "global.config").symlink_to(tmp_path / "shared" / "groups")
    await _put(FileGroupStore(tmp_path), "a")
    assert (tmp_path / "global.config").is_symlink()
    assert json.loads((tmp_path / "shared" / "groups").read_bytes())["Groups"]["a"]


async def test_a_broken_file_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "global.config"
    file.write_text('{"Groups": {"secret')
    with pytest.raises(InvalidError, match=r"global\.config holds no document") as caught:
        await _put(FileGroupStore(tmp_path), "a")
    assert "secret" not in str(caught.value)
    assert file.read_text() == '{"Groups": {"secret'


async def test_what_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    store = FileGroupStore(tmp_path)
    await _put(store, "a")
    before = (tmp_path / "global.config").stat()
    await store.change(lambda document: document.without("b"))
    after = (tmp_path / "global.config").stat()  # not compared whole: a read moves the time of access
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_writes_at_once_lose_nothing(tmp_path: Path) -> None:
    stores = [FileGroupStore(tmp_path) for _ in range(2)]
    await asyncio.gather(*(_put(stores[n % 2], f"g{n}") for n in range(40)))
    assert set((await stores[0].load()).groups) == {f"g{n}" for n in range(40)}


def test_writes_of_several_processes_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from skep.adapters.group_store_file import FileGroupStore\n"
        "from skep.model.machine import CommittedGroup\n"
        "async def main():\n"
        "    store = FileGroupStore(pathlib.Path(sys.argv[1]))\n"
        "    for n in range(20):\n"
        "        await store.change(lambda document: document.committed(CommittedGroup(f'{sys.argv[2]}{n}'), 'g'))\n"
        "asyncio.run(main())"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(asyncio.run(FileGroupStore(tmp_path).load()).groups) == 60


async def test_a_lock_that_somebody_keeps_is_told(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        async with asyncio.timeout(30):
            with pytest.raises(UnavailableError, match=r"kept .* locked for 0\.1 s"):
                await _put(FileGroupStore(tmp_path, lock_wait_s=0.1), "a")
    finally:
        os.close(descriptor)
    await _put(FileGroupStore(tmp_path), "a")


async def test_a_folder_that_can_not_be_written_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    """Root may write everywhere: a file stands where the draft would go."""
    store = FileGroupStore(tmp_path)
    await _put(store, "a")
    (tmp_path / ".global.config.new").mkdir()
    with pytest.raises(UnavailableError, match=r"could not write the groups to .*/global\.config: Is a directory"):
        await _put(store, "b")
    assert list((await store.load()).groups) == ["a"]
    with pytest.raises(UnavailableError, match="Not a directory"):
        await _put(FileGroupStore(tmp_path / "global.config" / "x"), "b")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("alpha", LeaderStatus(True, "alpha")),
        (" \n alpha\r\n\n", LeaderStatus(True, "alpha")),
        ("bravo\n", LeaderStatus(False, "bravo")),
        ("alpha bravo", LeaderStatus(False, "alpha bravo")),
        ("Alpha", LeaderStatus(False, "Alpha")),
        ("\n", LeaderStatus(False, "")),
    ],
)
async def test_who_is_in_the_file_leads(tmp_path: Path, text: str, status: LeaderStatus) -> None:
    (tmp_path / "leader").write_text(text)
    assert await FileLeadership(tmp_path / "leader", "alpha").status() == status


async def test_without_the_file_nobody_knows_who_leads(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=f"{tmp_path}{os.sep}leader: No such file or directory; write"):
        await FileLeadership(tmp_path / "leader", "alpha").status()
