"""Machines by Vagrant: nothing that nobody knows of, nothing forgotten, whatever fails (infrakit-compat.md 5.1)."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from skep.model.errors import RejectedError, UnavailableError
from skep.model.state import Life
from skep.plugins.vagrant import PAUSES_S, VagrantInstances
from skep.plugins.vagrant_layout import FAILED_MAX
from skep.plugins.vagrant_process import TAIL_BYTES, Vagrant
from tests.conditions import until
from tests.fakes.vagrant import FakeVagrant
from tests.plugins.full_disk import file_size_max
from tests.plugins.vagrant_machines import HandClock, Restart, coming_up, cut_off, lives, names, spec

TOKEN = "SWMTKN-1-1fcrqnkwz4kaejypxoxb99z5a3it4tmn9x5urym05rocjyflj1-1le8md217z6hl0qnrxi84ry1a"
JOIN = f"set -x\ndocker swarm join --token {TOKEN} 192.168.2.200:2377"

BETWEEN = "between\n" * 20


def no_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")


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
    assert (vagrant.machines(), names(folder)) == ({}, ["failed"])


async def test_what_vagrant_said_of_a_machine_that_failed_is_logged_and_kept_without_secrets(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    vagrant.fail("up", f"first\n{BETWEEN}    default: + docker swarm join --token {TOKEN}\nno route: {TOKEN}\n")
    with capture_logs() as lines, pytest.raises(RejectedError):
        await plugin.provision(spec("one", init=JOIN))
    (told,) = [line for line in lines if line["event"] == "a machine could not be made"]
    kept = folder / "failed" / f"{told['machine']}.log"
    assert (told["error"], told["said"]) == ("vagrant up failed: exit status 1", "no route: …")
    assert told["log"] == str(kept)
    assert kept.read_text() == f"first\n{BETWEEN}no route: …\n"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_the_logs_of_the_last_machines_that_failed_are_kept(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    vagrant.fail("up", "no")
    failed = []
    for number in range(FAILED_MAX + 2):
        with capture_logs() as lines, pytest.raises(RejectedError):
            await plugin.provision(spec(str(number)))
        failed += [line["machine"] for line in lines if line["event"] == "a machine could not be made"]
    assert names(folder / "failed") == sorted(f"{name}.log" for name in failed[2:])


async def test_a_log_that_can_not_be_kept_hides_no_error(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    no_folder(folder / "failed")
    vagrant.fail("up", "no disk")
    with capture_logs() as lines, pytest.raises(RejectedError, match="no disk"):
        await plugin.provision(spec())
    assert [line["log"] for line in lines if "said" in line] == ["not kept: File exists"]


@pytest.mark.parametrize(
    "said",
    [
        "No usable default provider could be found for your system.\n\nInstall VirtualBox.",
        "The provider 'libvirt' that was requested to back the machine\n'default' is reporting that it isn't usable on "
        "this system.",
        "The provider 'nonsense' could not be found, but was requested to\nback the machine 'default'.",
    ],
)
async def test_where_no_provider_is_usable_it_is_said_how_to_choose_one(
    plugin: VagrantInstances, vagrant: FakeVagrant, said: str
) -> None:
    vagrant.fail("up", said)
    with pytest.raises(RejectedError, match="the property Provider or VAGRANT_DEFAULT_PROVIDER chooses another"):
        await plugin.provision(spec())


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


async def test_a_machine_can_be_removed_though_the_disk_is_full(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    """It may be what fills it. Neither the mark nor the note of the process can be written."""
    name = await plugin.provision(spec())
    with capture_logs(), file_size_max(4):
        await plugin.destroy(name)
    assert (vagrant.calls()[1:], vagrant.machines(), names(folder)) == ([f"{name} destroy -f"], {}, [])


async def test_a_removal_that_failed_on_a_full_disk_is_not_forgotten(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, restart: Restart
) -> None:
    name = await plugin.provision(spec())
    vagrant.fail("destroy", "no")
    with capture_logs(), file_size_max(4), pytest.raises(RejectedError, match="vagrant destroy -f failed"):
        await plugin.destroy(name)
    assert not [file for file in names(folder / name) if file.endswith(".new")]
    vagrant.mend("destroy")
    plugin = await restart()
    assert list(await lives(plugin)) == [name]
    await until(lambda: lives(plugin), {})
    assert vagrant.machines() == {}


# --- what was cut off ---------------------------------------------------------------------------------------------


async def test_who_gives_up_stops_vagrant(plugin: VagrantInstances, vagrant: FakeVagrant) -> None:
    name = await cut_off(plugin, vagrant, "one")
    assert vagrant.course() == [f"up {name}", f"interrupted {name}"]


async def test_who_is_in_a_hurry_lets_vagrant_end_its_step(plugin: VagrantInstances, vagrant: FakeVagrant) -> None:
    """A program that ends cancels all that is left: without `close` that would kill Vagrant at once."""
    vagrant.hang()
    task = asyncio.create_task(plugin.provision(spec("one")))
    await coming_up(vagrant, 1)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(task, return_exceptions=True)
    await plugin.close()
    assert [line.split()[0] for line in vagrant.course()] == ["up", "interrupted"]


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
    await coming_up(vagrant, 1)
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
    await coming_up(vagrant, 1)
    other = VagrantInstances(folder, clock, None, Vagrant(vagrant.program))
    (name,) = await lives(other)
    with pytest.raises(UnavailableError, match=f"another process is at work on machine {name}"):
        await other.destroy(name)
    vagrant.go_on()
    assert await task == name
    assert await lives(plugin) == {name: Life.RUNNING}
    await other.close()
    assert list(vagrant.machines()) == [name]
