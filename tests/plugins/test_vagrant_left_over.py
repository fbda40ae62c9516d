"""Vagrant lives on when its plugin is killed: who comes next ends it and forgets nothing (infrakit-compat.md 5.1)."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skep.model.errors import UnavailableError
from skep.model.state import Life
from skep.plugins.vagrant import VagrantInstances
from skep.plugins.vagrant_process import Vagrant
from skep.plugins.vagrant_record import STARTED, at_work
from tests.conditions import until
from tests.e2e.waiting import eventually
from tests.fakes.vagrant import FakeVagrant
from tests.plugins.vagrant_machines import HandClock, lives, names, spec

MAKER = """
import asyncio, sys
from pathlib import Path
from skep.adapters.clock import SystemClock
from skep.plugins.vagrant import VagrantInstances
from skep.plugins.vagrant_process import Vagrant
from tests.plugins.vagrant_machines import spec

asyncio.run(VagrantInstances(Path(sys.argv[1]), SystemClock(), None, Vagrant(sys.argv[2])).provision(spec("one")))
"""
OTHER_FOLDER = "infrakit-1"


@pytest.fixture(autouse=True)
def ended(vagrant: FakeVagrant) -> Iterator[None]:
    """No program of a test that fails waits for ever."""
    yield
    vagrant.go_on()


def killed_while_fetching(vagrant: FakeVagrant, folder: Path) -> str:
    """A machine whose plugin got SIGKILL before Vagrant had noted it; its name. Vagrant goes on."""
    vagrant.fetch()
    maker = subprocess.Popen([sys.executable, "-c", MAKER, str(folder), vagrant.program])
    try:
        eventually(lambda: len(vagrant.course()), 1, within_s=30)
    finally:
        maker.kill()
        maker.wait()
    name = vagrant.course()[0].split()[1]
    assert at_work(folder / name) is not None
    return name


@contextmanager
def sleeping(folder: Path, leads: bool) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is noted in the folder of a machine; one that leads no group can't be told as one."""
    (folder / OTHER_FOLDER).mkdir(parents=True)
    (folder / OTHER_FOLDER / "tags").write_text("{}")
    command = ["/bin/sh", "-c", STARTED, "sh", str(folder / OTHER_FOLDER), "sleep", "600"]
    process = subprocess.Popen(command, start_new_session=leads)
    try:
        eventually(lambda: at_work(folder / OTHER_FOLDER), process.pid, within_s=10)
        yield process
    finally:
        process.kill()
        process.wait()


async def test_who_comes_next_interrupts_it_and_removes_the_machine(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    name = killed_while_fetching(vagrant, folder)
    assert (folder / name / "process").stat().st_mode & 0o777 == 0o600
    assert await lives(plugin) == {name: Life.PENDING}
    await until(lambda: lives(plugin), {})
    assert vagrant.course() == [f"up {name}", f"interrupted {name}"]
    assert (vagrant.calls(), vagrant.machines()) == ([f"{name} up", f"{name} destroy -f"], {})


async def test_a_repeated_request_makes_the_machine_anew(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path
) -> None:
    name = killed_while_fetching(vagrant, folder)
    task = asyncio.create_task(plugin.provision(spec("one")))
    await until(lambda: asyncio.to_thread(vagrant.course), [f"up {name}", f"interrupted {name}", f"up {name}"])
    vagrant.go_on()
    assert await task == name
    assert await lives(plugin) == {name: Life.RUNNING}
    assert list(vagrant.machines()) == [name]


async def test_one_that_heeds_no_interrupt_is_killed(vagrant: FakeVagrant, folder: Path, clock: HandClock) -> None:
    vagrant.deaf()
    name = killed_while_fetching(vagrant, folder)
    shutil.copy(folder / name / "process", folder.parent)
    plugin = VagrantInstances(folder, clock, None, Vagrant(vagrant.program, stop_within_s=0.2))
    await plugin.destroy(name)
    assert at_work(folder.parent) is None
    assert (vagrant.course(), vagrant.machines(), names(folder)) == ([f"up {name}"], {}, [])


async def test_while_one_can_not_be_stopped_the_machine_is_not_forgotten(
    vagrant: FakeVagrant, folder: Path, clock: HandClock
) -> None:
    plugin = VagrantInstances(folder, clock, None, Vagrant(vagrant.program, stop_within_s=0.1))
    with sleeping(folder, leads=False) as process:
        with pytest.raises(
            UnavailableError, match=rf"vagrant \(process {process.pid}\) is at work in .* can't be stopped"
        ):
            await plugin.destroy(OTHER_FOLDER)
        assert list(await lives(plugin)) == [OTHER_FOLDER]
        assert vagrant.calls() == []
    await plugin.destroy(OTHER_FOLDER)
    assert await lives(plugin) == {}
    await plugin.close()


@pytest.mark.parametrize("changed", ["boot", "start"])
async def test_a_process_that_only_has_the_same_number_is_left_alone(
    plugin: VagrantInstances, vagrant: FakeVagrant, folder: Path, changed: str
) -> None:
    """Numbers are given anew, within a boot and after it."""
    with sleeping(folder, leads=True) as process:
        noted = folder / OTHER_FOLDER / "process"
        boot, _, stat = noted.read_text().partition(" ")
        head, _, fields = stat.rpartition(")")
        words = fields.split()
        words[19] = str(int(words[19]) - 1) if changed == "start" else words[19]
        boot = "another" if changed == "boot" else boot
        noted.write_text(f"{boot} {head}) {' '.join(words)}\n")
        await plugin.destroy(OTHER_FOLDER)
        assert process.poll() is None
    assert vagrant.calls() == [f"{OTHER_FOLDER} destroy -f"]


@pytest.mark.parametrize(("verb", "status"), [("up", 1), ("destroy", 0)])
def test_a_vagrant_that_can_not_be_noted_makes_nothing_but_removes(tmp_path: Path, verb: str, status: int) -> None:
    """One that makes a machine and that nobody knows would go on with it after it was forgotten."""
    (tmp_path / "process").mkdir()
    command = ["/bin/sh", "-c", STARTED, "sh", str(tmp_path), "true", verb]
    assert subprocess.call(command, stderr=subprocess.DEVNULL) == status


@pytest.mark.parametrize("text", ["", "boot", "boot 1 (sh", "boot 1 (sh) R 1 2", "boot x (sh) R" + " 0" * 30])
def test_what_is_not_whole_is_no_process(tmp_path: Path, text: str) -> None:
    """A process that died while it wrote has not become Vagrant."""
    (tmp_path / "process").write_text(text)
    assert at_work(tmp_path) is None
