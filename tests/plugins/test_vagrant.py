"""Machines by Vagrant: InfraKit's folders and files, and what Vagrant is asked to do (infrakit-compat.md 5.1)."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from skep.model.errors import InvalidError, RejectedError
from skep.model.state import Life
from skep.plugins.vagrant import VagrantInstances
from skep.plugins.vagrant_file import Template
from skep.plugins.vagrant_layout import LEFTOVER_S, Folders
from skep.plugins.vagrant_process import NOTES, Vagrant
from tests.conditions import until
from tests.fakes.vagrant import FakeVagrant
from tests.plugins.vagrant_machines import HandClock, Restart, coming_up, lives, names, spec

# --- the layout ---------------------------------------------------------------------------------------------------


async def test_a_machine_is_infrakits_folder_and_for_nobody_elses_eyes(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    """Reported as #335 and 4.1: join tokens ended in a boot.sh that everybody could read."""
    name = await plugin.provision(spec("one", logical_id="192.168.2.200"))
    machine = folder / name
    files = {path.name: path.read_text() for path in machine.iterdir() if path.is_file()}
    assert files["boot.sh"] == "echo hello"
    assert files["tags"] == '{"infrakit.group":"g","skep.request":"one"}'
    assert files["ip"] == "192.168.2.200"
    assert files["Vagrantfile"].startswith('\nVagrant.configure("2")')
    assert set(files) == {"boot.sh", "tags", "ip", "Vagrantfile", "vagrant.log"}
    assert {path.stat().st_mode & 0o777 for path in machine.iterdir() if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, machine)} == {0o700}
    assert vagrant.calls() == [f"{name} up"]


async def test_all_that_is_needed_to_find_a_machine_is_there_before_vagrant_begins(
    plugin: VagrantInstances, vagrant: FakeVagrant
) -> None:
    await plugin.provision(spec(logical_id="10.0.0.5"))
    assert vagrant.seen() == {
        "boot.sh",
        "tags",
        "ip",
        "Vagrantfile",
        "unfinished",
        "vagrant.log",
        "process",
        ".vagrant",
    }


async def test_machines_that_infrakit_made_are_machines(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    for name, tags in (("infrakit-123", '{"infrakit.group":"g"}'), ("infrakit-456", "null")):
        (folder / name).mkdir(parents=True, mode=0o755)
        (folder / name / "tags").write_text(tags)
    (folder / "infrakit-123" / "ip").write_text("10.0.0.5")
    (folder / "infrakit-789").mkdir()  # before Vagrant began
    (folder / "infrakit-file").write_text("")
    shown = await plugin.describe({})
    assert [(item.id, item.logical_id, dict(item.tags), item.life) for item in shown] == [
        ("infrakit-123", "10.0.0.5", {"infrakit.group": "g"}, Life.RUNNING),
        ("infrakit-456", None, {}, Life.RUNNING),
    ]
    await plugin.destroy("infrakit-123")
    assert vagrant.calls() == ["infrakit-123 destroy -f"]
    assert list(await lives(plugin)) == ["infrakit-456"]


def left_by_infrakit(folder: Path, vagrant: FakeVagrant) -> str:
    """A machine whose InfraKit died while it came up: without tags (infrakit-compat.md 5.1)."""
    machine = folder / "infrakit-123"
    for part in ("boot.sh", "Vagrantfile", ".vagrant/machines/default/virtualbox/id"):
        (machine / part).parent.mkdir(parents=True, exist_ok=True)
        (machine / part).write_text("")
    (vagrant.folder / "machines" / machine.name).write_text("")
    return machine.name


async def test_a_machine_whose_infrakit_died_while_it_came_up_is_told_and_can_be_removed(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    name = left_by_infrakit(folder, vagrant)
    with capture_logs() as lines:
        assert list(await plugin.describe({})) == []
    assert [(line["event"], line["error"][:14]) for line in lines] == [("a folder is no machine", "it has no tags")]
    assert list(vagrant.machines()) == [name]
    await plugin.destroy(name)
    assert (vagrant.calls(), vagrant.machines(), names(folder)) == ([f"{name} destroy -f"], {}, [])


async def test_the_removal_of_a_machine_without_tags_is_tried_again(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, restart: Restart
) -> None:
    name = left_by_infrakit(folder, vagrant)
    vagrant.fail("destroy", "not yet")
    with pytest.raises(RejectedError, match="not yet"):
        await plugin.destroy(name)
    vagrant.mend("destroy")
    plugin = await restart()
    assert await lives(plugin) == {}
    await until(lambda: asyncio.to_thread(lambda: names(folder)), [])
    assert vagrant.machines() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
@pytest.mark.parametrize("files", [{}, {"tags": "{}"}, {"tags": "{}", "unfinished": "leaving"}], ids=str)
async def test_of_somebody_elses_folder_nothing_is_run(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, files: Mapping[str, str]
) -> None:
    """A Vagrantfile is a program."""
    name = left_by_infrakit(folder, vagrant)
    for file, text in files.items():
        (folder / name / file).write_text(text)
    os.chown(folder / name, 12345, -1)
    assert await lives(plugin) == {}
    await plugin.destroy(name)
    assert (vagrant.calls(), names(folder)) == ([], [name])


async def test_tags_that_can_not_be_read_are_told(plugin: VagrantInstances, folder: Path) -> None:
    (folder / "infrakit-1").mkdir(parents=True)
    (folder / "infrakit-1" / "tags").write_text("[]")
    with capture_logs() as lines:
        assert list(await plugin.describe({})) == []
    assert [line["event"] for line in lines] == ["a folder is no machine"]


async def test_a_machine_whose_tags_can_not_be_read_can_be_removed(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    name = await plugin.provision(spec("one"))
    (folder / name / "tags").write_text("[]")
    with pytest.raises(RejectedError, match=f"machine {name} .* its tags can't be read: .*: destroy it"):
        await plugin.provision(spec("one"))
    await plugin.destroy(name)
    assert (vagrant.machines(), names(folder)) == ({}, [])


async def test_the_removal_of_a_machine_whose_tags_can_not_be_read_is_tried_again(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, restart: Restart
) -> None:
    name = await plugin.provision(spec())
    (folder / name / "tags").write_text("[]")
    vagrant.fail("destroy", "not yet")
    with pytest.raises(RejectedError, match="not yet"):
        await plugin.destroy(name)
    vagrant.mend("destroy")
    plugin = await restart()
    assert await lives(plugin) == {}
    await until(lambda: asyncio.to_thread(lambda: names(folder)), [])
    assert vagrant.machines() == {}


@pytest.mark.parametrize(
    "name", ["", "..", "../victim", "victim", "infrakit-", "infrakit-1/../../victim", "infrakit-link"]
)
async def test_nothing_outside_is_touched(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, name: str
) -> None:
    for victim in (folder.parent / "victim", folder / "victim"):
        victim.mkdir(parents=True)
        (victim / "tags").write_text("{}")
        (victim / "Vagrantfile").write_text("")
    (folder / "infrakit-link").symlink_to(folder.parent / "victim")
    await plugin.destroy(name)
    assert (folder.parent / "victim" / "tags").exists()
    assert (folder / "victim" / "tags").exists()
    assert vagrant.calls() == []


def test_what_was_half_written_is_cleared_away_later(folder: Path) -> None:
    for name in (".infrakit-1.new", ".infrakit-2.gone", ".infrakit-3.new", ".somebodys"):
        (folder / name).mkdir(parents=True)
    old = (folder / ".infrakit-3.new").stat().st_ctime
    folders = Folders(folder)
    assert folders.names(old + LEFTOVER_S / 2) == []
    assert len(names(folder)) == 4
    folders.names(old + LEFTOVER_S + 1)
    assert names(folder) == [".somebodys"]


# --- vagrant ------------------------------------------------------------------------------------------------------


async def test_the_provider_is_by_property(plugin: VagrantInstances, vagrant: FakeVagrant) -> None:
    name = await plugin.provision(spec(Provider="libvirt"))
    assert vagrant.calls() == [f"{name} up --provider libvirt"]


@pytest.mark.parametrize(("given", "told"), [({}, "1"), ({"VAGRANT_CHECKPOINT_DISABLE": ""}, "")])
async def test_vagrant_asks_nobody_for_a_newer_version_unless_told_to(
    vagrant: FakeVagrant, folder: Path, clock: HandClock, given: dict[str, str], told: str
) -> None:
    environ = {"PATH": os.environ["PATH"], **given}
    plugin = VagrantInstances(folder, clock, None, Vagrant(vagrant.program, environ=environ))
    await plugin.provision(spec())
    assert vagrant.environ()["VAGRANT_CHECKPOINT_DISABLE"] == told


@pytest.mark.parametrize("given", ["/tmp/elsewhere", "~/notes", "../notes", "."])
async def test_machines_do_not_share_vagrants_notes(
    vagrant: FakeVagrant, folder: Path, clock: HandClock, given: str
) -> None:
    """With a VAGRANT_DOTFILE_PATH that lies elsewhere, the second machine would be taken for the first."""
    vagrants = Vagrant(vagrant.program, environ=os.environ | {NOTES: given})
    plugin = VagrantInstances(folder, clock, None, vagrants)
    made = [await plugin.provision(spec(request)) for request in ("one", "two")]
    assert [len(list((folder / name).glob(".vagrant/machines/*/*/id"))) for name in made] == [1, 1]


async def test_notes_in_a_machines_folder_may_have_another_name(
    vagrant: FakeVagrant, folder: Path, clock: HandClock
) -> None:
    """So a machine that Vagrant can't remove is known there too."""
    plugin = VagrantInstances(folder, clock, None, Vagrant(vagrant.program, environ=os.environ | {NOTES: ".mine"}))
    name = await plugin.provision(spec())
    assert len(list((folder / name).glob(".mine/machines/*/*/id"))) == 1
    vagrant.fail("destroy", "no")
    with pytest.raises(RejectedError):
        await plugin.destroy(name)
    assert list(await lives(plugin)) == [name]
    await plugin.close()


async def test_a_template_makes_the_vagrantfile(vagrant: FakeVagrant, folder: Path, clock: HandClock) -> None:
    """`--template` of InfraKit always failed (infrakit-compat.md 5.1)."""
    template = Template("mine.j2", "# {{ Properties.Box }}{{ NetworkOptions }}\n")
    plugin = VagrantInstances(folder, clock, template, Vagrant(vagrant.program))
    name = await plugin.provision(spec())
    assert (folder / name / "Vagrantfile").read_text() == '# box, type: "dhcp"\n'


async def test_a_template_with_a_mistake_makes_nothing(vagrant: FakeVagrant, folder: Path, clock: HandClock) -> None:
    plugin = VagrantInstances(folder, clock, Template("mine.j2", "{{ Nonsense }}"), Vagrant(vagrant.program))
    with pytest.raises(InvalidError, match=r"mine\.j2:1"):
        await plugin.provision(spec())
    assert (vagrant.calls(), names(folder.parent)) == ([], [])


async def test_only_so_many_machines_come_up_at_once(vagrant: FakeVagrant, folder: Path, clock: HandClock) -> None:
    """G12: 500 members were 500 simultaneous provisions."""
    plugin = VagrantInstances(folder, clock, None, Vagrant(vagrant.program, simultaneous=2))
    vagrant.hang()
    tasks = [asyncio.create_task(plugin.provision(spec(str(number)))) for number in range(5)]
    await coming_up(vagrant, 2)
    vagrant.go_on()
    await asyncio.gather(*tasks)
    level, peak = 0, 0
    for line in vagrant.course():
        level += 1 if line.startswith("up ") else -1
        peak = max(peak, level)
    assert (peak, len(vagrant.machines())) == (2, 5)


async def test_a_request_that_is_asked_twice_at_once_is_one_machine(
    plugin: VagrantInstances, vagrant: FakeVagrant
) -> None:
    vagrant.hang()
    tasks = [asyncio.create_task(plugin.provision(spec("one"))) for _ in range(2)]
    await coming_up(vagrant, 1)
    vagrant.go_on()
    first, second = await asyncio.gather(*tasks)
    assert first == second
    assert vagrant.calls() == [f"{first} up"]


async def test_where_there_is_no_vagrant_it_is_said(folder: Path, clock: HandClock) -> None:
    plugin = VagrantInstances(folder, clock, None, Vagrant("/nowhere/vagrant"))
    with pytest.raises(RejectedError, match="install Vagrant"):
        await plugin.provision(spec())
    assert await lives(plugin) == {}
