"""`infrakit-instance-vagrant` as somebody runs it, with InfraKit's own words on the other side of the socket."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.waiting import eventually
from tests.fakes.vagrant import FakeVagrant

BIN = Path(sys.executable).parent


@pytest.fixture
def vagrant(tmp_path: Path) -> FakeVagrant:
    return FakeVagrant(tmp_path / "bin")


def environment(vagrant: FakeVagrant) -> dict[str, str]:
    folder = vagrant.folder.parent
    path = f"{vagrant.folder}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "INFRAKIT_PLUGINS_DIR": str(folder / "plugins"), "HOME": str(folder)}


def infrakit(vagrant: FakeVagrant, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [BIN / "infrakit", "instance", "--name", "instance-vagrant", *arguments]
    return subprocess.run(
        command,
        cwd=vagrant.folder.parent,
        env=environment(vagrant),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@contextmanager
def served(vagrant: FakeVagrant, options: Sequence[str] = ()) -> Iterator["subprocess.Popen[bytes]"]:
    """The program in a folder of its own; it ends as it should."""
    here = vagrant.folder.parent / "here"
    here.mkdir()
    program = subprocess.Popen([BIN / "infrakit-instance-vagrant", *options], cwd=here, env=environment(vagrant))
    socket = vagrant.folder.parent / "plugins" / "instance-vagrant"
    try:
        eventually(socket.exists, True, within_s=30)
        yield program
        program.send_signal(signal.SIGTERM)
        assert (program.wait(30), socket.exists()) == (0, False)
    finally:
        program.kill()
        program.wait()


def test_machines_are_made_in_the_current_folder_from_a_template(vagrant: FakeVagrant, tmp_path: Path) -> None:
    """`--template` of InfraKit always failed (infrakit-compat.md 5.1)."""
    (tmp_path / "mine.j2").write_text("# {{ Properties.Box }}\n")
    (tmp_path / "spec.json").write_text(json.dumps({"Properties": {"Box": "b"}, "Tags": {"a": "b"}, "Init": "echo"}))
    with served(vagrant, ["--template", str(tmp_path / "mine.j2")]):
        name = infrakit(vagrant, "provision", "spec.json").stdout.strip()
        assert (tmp_path / "here" / name / "Vagrantfile").read_text() == "# b\n"
        assert infrakit(vagrant, "describe", "-q").stdout.split()[0] == name
        assert infrakit(vagrant, "destroy", name).stdout == f"destroyed {name}\n"
    assert list((tmp_path / "here").iterdir()) == []


def test_a_machine_whose_tags_cant_be_read_is_destroyed_by_name(vagrant: FakeVagrant, tmp_path: Path) -> None:
    """It can't be listed, since nobody knows whose it is: docs/machines.md names this command."""
    (tmp_path / "spec.json").write_text('{"Properties":{"Box":"b"}}')
    with served(vagrant):
        name = infrakit(vagrant, "provision", "spec.json").stdout.strip()
        (tmp_path / "here" / name / "tags").write_text("garbage")
        assert infrakit(vagrant, "describe", "-q").stdout == ""
        run = infrakit(vagrant, "destroy", name)
        assert (run.returncode, run.stdout) == (0, f"destroyed {name}\n")
    assert not (tmp_path / "here" / name).exists()


def test_the_end_of_vagrants_output_is_in_the_answer(vagrant: FakeVagrant, tmp_path: Path) -> None:
    """infrakit-compat.md 7 #4."""
    (tmp_path / "spec.json").write_text('{"Properties":{"Box":"b"}}')
    vagrant.fail("up", "The box 'b' could not be found\n")
    with served(vagrant):
        run = infrakit(vagrant, "provision", "spec.json")
    assert run.returncode == 1
    assert "vagrant up failed: exit status 1" in run.stderr
    assert "The box 'b' could not be found" in run.stderr


def test_a_template_that_is_not_there_is_named(vagrant: FakeVagrant) -> None:
    command = [BIN / "infrakit-instance-vagrant", "--template", "nowhere.j2"]
    run = subprocess.run(command, env=environment(vagrant), capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 1
    assert "the template nowhere.j2 can't be read" in run.stderr
    assert "Traceback" not in run.stderr


def test_without_vagrant_it_does_not_start(vagrant: FakeVagrant, tmp_path: Path) -> None:
    """As InfraKit's Terraform plugin (infrakit-compat.md 5.3): else each machine would be refused, one by one."""
    run = subprocess.run(
        [BIN / "infrakit-instance-vagrant"],
        env=environment(vagrant) | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 1
    assert "found no vagrant on the PATH: install Vagrant where this plugin runs" in run.stderr
    assert not (tmp_path / "plugins" / "instance-vagrant").exists()
