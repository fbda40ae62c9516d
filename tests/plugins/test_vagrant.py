"""Machines by Vagrant: InfraKit's folders, nothing that nobody knows of, nothing forgotten (infrakit-compat.md 5.1)."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from skep.model.errors import InvalidError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
from skep.model.state import Life
from skep.plugins.vagrant import PAUSES_S, VagrantInstances
from skep.plugins.vagrant_file import Template
from skep.plugins.vagrant_layout import LEFTOVER_S, Folders
from skep.plugins.vagrant_process import TAIL_BYTES, Vagrant
from tests.conditions import until
from tests.fakes.vagrant import FakeVagrant

TOKEN = "SWMTKN-1-1fcrqnkwz4kaejypxoxb99z5a3it4tmn9x5urym05rocjyflj1-1le8md217z6hl0qnrxi84ry1a"
JOIN = f"set -x\ndocker swarm join --token {TOKEN} 192.168.2.200:2377"


class HandClock:
    """Sleeps end when the test says so; those of no time end at once."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []
        self._ends: asyncio.Queue[None] = asyncio.Queue()

    def monotonic_s(self) -> float:
        return 0.0

    def wall_s(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked_s.append(seconds)
        if seconds:
            await self._ends.get()

    def end_one(self) -> None:
        self._ends.put_nowait(None)


def spec(request: str = "", init: str = "echo hello", logical_id: str | None = None, **more: object) -> InstanceSpec:
    tags = {"infrakit.group": "g"} | ({"skep.request": request} if request else {})
    properties = RawJson(json.dumps({"Box": "box"} | more).encode())
    return InstanceSpec(properties, tags, init, logical_id)


@pytest.fixture
def vagrant(tmp_path: Path) -> FakeVagrant:
    return FakeVagrant(tmp_path / "bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "machines" / "here"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


Restart = Callable[[], Awaitable[VagrantInstances]]


@pytest.fixture
async def restart(vagrant: FakeVagrant, folder: Path, clock: HandClock) -> AsyncIterator[Restart]:
    """The plugin of a new process; the one before is gone."""
    plugins: list[VagrantInstances] = []

    async def anew() -> VagrantInstances:
        for plugin in plugins:
            await plugin.close()
        plugins.append(VagrantInstances(folder, clock, None, Vagrant(vagrant.program)))
        return plugins[-1]

    yield anew
    for plugin in plugins:
        await plugin.close()


@pytest.fixture
async def plugin(restart: Restart) -> VagrantInstances:
    return await restart()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def no_folder(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file")


async def lives(plugin: VagrantInstances) -> dict[str, Life]:
    return {item.id: item.life for item in await plugin.describe({})}


async def cut_off(plugin: VagrantInstances, vagrant: FakeVagrant, request: str) -> str:
    """A machine that was coming up when its process died; its name."""
    vagrant.hang()
    begun = len(vagrant.course())
    task = asyncio.create_task(plugin.provision(spec(request)))
    await until(lambda: asyncio.to_thread(lambda: len(vagrant.course())), begun + 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    vagrant.go_on()
    return vagrant.course()[begun].split()[1]


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
    assert vagrant.seen() == {"boot.sh", "tags", "ip", "Vagrantfile", "unfinished", "vagrant.log"}


async def test_machines_that_infrakit_made_are_machines(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    for name, tags in (("infrakit-123", '{"infrakit.group":"g"}'), ("infrakit-456", "null")):
        (folder / name).mkdir(parents=True, mode=0o755)
        (folder / name / "tags").write_text(tags)
    (folder / "infrakit-123" / "ip").write_text("10.0.0.5")
    (folder / "infrakit-789").mkdir()  # without tags, as InfraKit leaves it when it dies
    (folder / "infrakit-file").write_text("")
    shown = await plugin.describe({})
    assert [(item.id, item.logical_id, dict(item.tags), item.life) for item in shown] == [
        ("infrakit-123", "10.0.0.5", {"infrakit.group": "g"}, Life.RUNNING),
        ("infrakit-456", None, {}, Life.RUNNING),
    ]
    await plugin.destroy("infrakit-123")
    assert vagrant.calls() == ["infrakit-123 destroy -f"]
    assert list(await lives(plugin)) == ["infrakit-456"]


async def test_tags_that_can_not_be_read_are_told(plugin: VagrantInstances, folder: Path) -> None:
    (folder / "infrakit-1").mkdir(parents=True)
    (folder / "infrakit-1" / "tags").write_text("[]")
    with capture_logs() as lines:
        assert list(await plugin.describe({})) == []
    assert [line["event"] for line in lines] == ["a folder is no machine"]


@pytest.mark.parametrize(
    "name", ["", "..", "../victim", "victim", "infrakit-", "infrakit-1/../../victim", "infrakit-link"]
)
async def test_nothing_outside_is_touched(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, name: str
) -> None:
    for victim in (folder.parent / "victim", folder / "victim"):
        victim.mkdir(parents=True)
        (victim / "tags").write_text("{}")
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
    await until(lambda: asyncio.to_thread(lambda: len(vagrant.course())), 2)
    vagrant.go_on()
    await asyncio.gather(*tasks)
    level, peak = 0, 0
    for line in vagrant.course():
        level += 1 if line.startswith("up ") else -1
        peak = max(peak, level)
    assert (peak, len(vagrant.machines())) == (2, 5)


async def test_where_there_is_no_vagrant_it_is_said(folder: Path, clock: HandClock) -> None:
    plugin = VagrantInstances(folder, clock, None, Vagrant("/nowhere/vagrant"))
    with pytest.raises(RejectedError, match="install Vagrant"):
        await plugin.provision(spec())
    assert await lives(plugin) == {}


# --- what fails ---------------------------------------------------------------------------------------------------


async def test_the_end_of_vagrants_output_reaches_the_user_without_the_join_token(
    plugin: VagrantInstances, vagrant: FakeVagrant
) -> None:
    """infrakit-compat.md 7 #4: InfraKit said `exit status 1` and no more."""
    vagrant.fail(
        "up", f"{'x' * TAIL_BYTES}{TOKEN}\n    default: + docker swarm join --token {TOKEN}\nno route to host\n"
    )
    with capture_logs() as lines, pytest.raises(RejectedError) as caught:
        await plugin.provision(spec(init=JOIN))
    assert str(caught.value) == "vagrant up failed: exit status 1:\nno route to host"
    assert TOKEN not in str(lines)


async def test_of_a_machine_that_did_not_come_up_nothing_is_left(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    vagrant.fail("up", "no")
    with pytest.raises(RejectedError):
        await plugin.provision(spec())
    assert (vagrant.machines(), names(folder)) == ({}, [])


async def test_a_machine_that_neither_came_up_nor_went_stays_on_the_books(
    plugin: VagrantInstances, vagrant: FakeVagrant, clock: HandClock
) -> None:
    vagrant.fail("up", "no disk")
    vagrant.fail("destroy", "no lock")
    with pytest.raises(RejectedError, match=r"(?s)no disk\nand what was made of infrakit-.* is still there: .*no lock"):
        await plugin.provision(spec("one"))
    assert len(await lives(plugin)) == len(vagrant.machines()) == 1
    vagrant.mend("up")
    vagrant.mend("destroy")
    name = await plugin.provision(spec("one"))
    assert await lives(plugin) == {name: Life.RUNNING}
    assert len(vagrant.machines()) == 1


async def test_a_machine_that_vagrant_can_not_remove_stays_on_the_books(
    plugin: VagrantInstances, vagrant: FakeVagrant
) -> None:
    """InfraKit forgot it and left it running (infrakit-compat.md 5.1)."""
    name = await plugin.provision(spec())
    vagrant.fail("destroy", "The machine is locked")
    with pytest.raises(RejectedError, match=r"vagrant destroy -f failed: exit status 1:\nThe machine is locked"):
        await plugin.destroy(name)
    (shown,) = await plugin.describe({})
    assert (shown.id, list(vagrant.machines())) == (name, [name])
    assert "The machine is locked" in shown.detail
    vagrant.mend("destroy")
    await plugin.destroy(name)
    assert (await lives(plugin), vagrant.machines()) == ({}, {})


async def test_a_removal_that_failed_is_tried_again_until_it_is_done(
    plugin: VagrantInstances, vagrant: FakeVagrant, clock: HandClock
) -> None:
    """A group plugin of InfraKit asks once and drops the error (G18)."""
    name = await plugin.provision(spec())
    vagrant.fail("destroy", "not yet")
    with pytest.raises(RejectedError):
        await plugin.destroy(name)
    for pause in range(1, len(PAUSES_S) + 2):
        await until(lambda: asyncio.to_thread(lambda: len(clock.asked_s)), pause)
        clock.end_one()
    await until(lambda: asyncio.to_thread(lambda: len(clock.asked_s)), len(PAUSES_S) + 2)
    assert clock.asked_s == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]
    vagrant.mend("destroy")
    clock.end_one()
    await until(lambda: lives(plugin), {})
    assert vagrant.machines() == {}


async def test_a_machine_that_vagrant_never_made_goes_even_if_its_vagrantfile_is_wrong(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    (folder / "infrakit-1").mkdir(parents=True)
    (folder / "infrakit-1" / "tags").write_text("{}")
    vagrant.fail("destroy", "There is a syntax error in the following Vagrantfile")
    await plugin.destroy("infrakit-1")
    assert await lives(plugin) == {}


async def test_a_disk_that_refuses_is_told(plugin: VagrantInstances, folder: Path) -> None:
    no_folder(folder)
    with pytest.raises(UnavailableError, match="could not list the machines"):
        await plugin.describe({})
    with pytest.raises(UnavailableError, match="could not make machine"):
        await plugin.provision(spec())


# --- what was cut off ---------------------------------------------------------------------------------------------


async def test_who_gives_up_stops_vagrant(plugin: VagrantInstances, vagrant: FakeVagrant) -> None:
    name = await cut_off(plugin, vagrant, "one")
    assert vagrant.course() == [f"up {name}", f"interrupted {name}"]


async def test_a_repeated_request_finishes_what_a_process_that_died_had_begun(
    plugin: VagrantInstances, vagrant: FakeVagrant, restart: Restart
) -> None:
    """The script may have run halfway, so the machine is made anew."""
    name = await cut_off(plugin, vagrant, "one")
    plugin = await restart()
    assert await lives(plugin) == {name: Life.PENDING}
    assert await plugin.provision(spec("one")) == name
    assert await lives(plugin) == {name: Life.RUNNING}
    assert vagrant.calls() == [f"{name} up", f"{name} destroy -f", f"{name} up"]
    assert await plugin.provision(spec("one")) == name
    assert len(vagrant.calls()) == 3


@pytest.mark.parametrize("request_id", ["", "one"])
async def test_what_nobody_finishes_is_removed(
    plugin: VagrantInstances, vagrant: FakeVagrant, restart: Restart, request_id: str
) -> None:
    """A group plugin of InfraKit gives no request, and one that forgot everything repeats none: half a machine would
    be taken for a whole one. Until it is gone it is listed, for it may hold its logical ID's address."""
    name = await cut_off(plugin, vagrant, request_id)
    plugin = await restart()
    assert await lives(plugin) == {name: Life.PENDING}
    await until(lambda: lives(plugin), {})
    assert vagrant.calls() == [f"{name} up", f"{name} destroy -f"]


async def test_a_machine_is_listed_when_it_is_up(plugin: VagrantInstances, vagrant: FakeVagrant) -> None:
    """G10, G14: InfraKit's wire knows no life, so what is listed is there, and a roll goes on."""
    vagrant.hang()
    task = asyncio.create_task(plugin.provision(spec("one")))
    await until(lambda: asyncio.to_thread(lambda: len(vagrant.course())), 1)
    assert await lives(plugin) == {}
    vagrant.go_on()
    name = await task
    assert await lives(plugin) == {name: Life.RUNNING}


async def test_a_new_process_goes_on_with_a_removal(
    plugin: VagrantInstances, vagrant: FakeVagrant, restart: Restart
) -> None:
    name = await plugin.provision(spec("one"))
    vagrant.fail("destroy", "no")
    with pytest.raises(RejectedError):
        await plugin.destroy(name)
    vagrant.mend("destroy")
    plugin = await restart()
    assert await lives(plugin) == {name: Life.RUNNING}
    await until(lambda: lives(plugin), {})
    assert vagrant.machines() == {}


async def test_a_machine_is_not_removed_while_another_process_makes_it(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, clock: HandClock
) -> None:
    vagrant.hang()
    task = asyncio.create_task(plugin.provision(spec()))
    await until(lambda: asyncio.to_thread(lambda: len(vagrant.course())), 1)
    other = VagrantInstances(folder, clock, None, Vagrant(vagrant.program))
    (name,) = await lives(other)
    with pytest.raises(UnavailableError, match=f"another process is at work on machine {name}"):
        await other.destroy(name)
    vagrant.go_on()
    assert await task == name
    assert await lives(plugin) == {name: Life.RUNNING}
    await other.close()
    assert list(vagrant.machines()) == [name]
