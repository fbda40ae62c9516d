"""`skep plugin`: real programs on real sockets, and what else may lie among them."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import PROGRAM, Result
from tests.cli.test_process import ALWAYS, START


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The plugins' folder, in which nothing is left running."""
    yield tmp_path / "plugins"
    for one in _listed(tmp_path / "plugins"):
        with suppress(ProcessLookupError):
            if one["pid"] not in (0, os.getpid()):
                os.kill(one["pid"], 9)


def _environ(folder: Path) -> dict[str, str]:
    return os.environ | {"INFRAKIT_PLUGINS_DIR": str(folder), "HOME": str(folder.parent), "TMPDIR": str(folder.parent)}


def skep(folder: Path, *words: str) -> Result:
    command = [*PROGRAM, "plugin", *words]
    run = subprocess.run(command, capture_output=True, env=_environ(folder), timeout=60, check=False)
    return Result(run.returncode, run.stdout.decode(), run.stderr.decode())


def _listed(folder: Path) -> list[Any]:
    found: list[Any] = json.loads(skep(folder, "ls", "-o", "json").out)
    return found


@contextmanager
def listening(path: Path, backlog: int = 8) -> Iterator[socket.socket]:
    """Somebody who takes connections and says nothing."""
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(backlog)
        yield listener


def test_programs_are_started_listed_and_stopped(folder: Path) -> None:
    first = skep(folder, "start", "flavor-vanilla", "instance-file", "group")
    assert (first.code, first.err) == (0, "")
    found = {one["name"]: one for one in _listed(folder)}
    assert {name: (one["state"], one["kinds"]) for name, one in found.items()} == {
        "flavor-vanilla": ("answering", ["Flavor 0.1.0"]),
        "group": ("answering", ["Group 0.1.0"]),
        "instance-file": ("answering", ["Instance 0.1.0"]),
    }
    again = skep(folder, "start", "group")
    assert again.out == f"group answers already, as process {found['group']['pid']}\n"
    log = folder / "logs" / "group.log"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, log.parent, log)] == [0o700, 0o700, 0o600]
    stopped = skep(folder, "stop", "flavor-vanilla", "group")
    assert (stopped.code, stopped.err) == (0, "")
    assert stopped.out.splitlines()[1] == f"stopped group, process {found['group']['pid']}"
    assert [one["name"] for one in _listed(folder)] == ["instance-file"]
    assert not (folder / "group").exists()


def test_a_program_gets_the_flags_behind_two_dashes(folder: Path, tmp_path: Path) -> None:
    machines = tmp_path / "machines"
    line = ("start", "instance-file", "--", "--dir", str(machines), "--log=5")
    assert skep(folder, *line).out.startswith("started instance-file as process ")
    (tmp_path / "spec.json").write_text('{"Properties":{}}')
    provision = [sys.executable, "-m", "skep.cli.infrakit.main", "instance", "provision", str(tmp_path / "spec.json")]
    subprocess.run([*provision, "--name", "instance-file"], env=_environ(folder), check=True, timeout=30)
    assert len(list(machines.iterdir())) == 1
    assert skep(folder, *line).out.endswith(", with the flags that it was started with\n")


def test_a_program_with_a_verb_is_started(folder: Path, tmp_path: Path) -> None:
    """`infrakit-manager os`: what follows the dashes need not begin with one."""
    result = skep(folder, "start", "manager", "--", "--proxy-for-group", "group", "os", "--poll-interval", "1s")
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("group", "flavor-vanilla", "--", "--log", "5"), "flags are those of one program"),
        (("group", "--", "--name=other"), "--name is what is started"),
        (("group", "--", "--nope"), "No such option"),
    ],
)
def test_flags_that_can_not_be_passed_on_are_refused(folder: Path, words: tuple[str, ...], told: str) -> None:
    result = skep(folder, "start", *words)
    assert result.code == 1
    assert told in result.err


def test_a_program_that_ends_at_once_is_told_with_what_it_said(folder: Path) -> None:
    folder.mkdir()
    (folder / "group").write_text("no socket")
    result = skep(folder, "start", "group", "flavor-vanilla")
    assert result.code == 1
    assert result.err.startswith("skep: group ended before it answered:\ninfrakit-group-default: ")
    assert str(folder / "group") in result.err
    assert result.out.startswith("started flavor-vanilla as process ")


@pytest.mark.parametrize("name", ["nope", "../group", "logs", ".", "-"])
def test_what_is_no_program_is_not_started(folder: Path, name: str) -> None:
    result = skep(folder, "start", name)
    assert (result.code, result.out) == (1, "")
    assert ("there is no program infrakit-nope" if name == "nope" else "can't be the name") in result.err


@pytest.mark.parametrize("name", ["a/b", "", "logs"])
def test_nothing_is_started_or_stopped_beside_what_can_not_be_named(folder: Path, name: str) -> None:
    told = f"skep: {name!r}, '..' can't be the name of a plugin\n"
    result = skep(folder, "start", "flavor-vanilla", name, "..")
    assert (result.code, result.out, result.err) == (1, "", told)
    assert not folder.exists()
    with listening(folder / "old"):
        pass
    result = skep(folder, "stop", "old", name, "..")
    assert (result.code, result.out, result.err) == (1, "", told)
    assert (folder / "old").exists()


def test_what_is_named_twice_is_started_and_stopped_once(folder: Path) -> None:
    result = skep(folder, "start", "flavor-vanilla", "flavor-vanilla", "--", "--log", "5")
    assert (result.code, result.err, len(result.out.splitlines())) == (0, "", 1)
    [found] = _listed(folder)
    assert result.out.startswith(f"started flavor-vanilla as process {found['pid']};")
    result = skep(folder, "stop", "flavor-vanilla", "flavor-vanilla")
    assert (result.code, result.out) == (0, f"stopped flavor-vanilla, process {found['pid']}\n")


OUTRUN = f"""#!{sys.executable}
import subprocess, sys, time
from skep.cli.plugin_sockets import ANSWERING, Plugin, plugins_folder
name = sys.argv[2]
program = sys.executable.rpartition("/")[0] + "/infrakit-flavor-vanilla"
subprocess.Popen([program, "--name", name], start_new_session=True)
while Plugin(name, f"{{plugins_folder()}}/{{name}}").ask().state != ANSWERING:
    time.sleep(0.01)
sys.exit("another one was here first")
"""
"""A program that ends when another one, which somebody else started meanwhile, has its socket."""


def test_who_answers_in_the_stead_of_a_program_is_not_taken_for_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "infrakit-late"
    program.write_text(OUTRUN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = skep(folder, "start", "late")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("skep: late ended before it answered:\n")
    assert result.err.endswith("another one was here first\n")


def test_a_program_that_runs_another_one_is_started(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a script that sets up its surroundings does: the process that answers is another than the one begun."""
    program = tmp_path / "infrakit-wrapped"
    program.write_text(f'#!/bin/sh\n{Path(sys.executable).parent}/infrakit-flavor-vanilla "$@"\nexit $?\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = skep(folder, "start", "wrapped")
    assert (result.code, result.err) == (0, "")
    assert [(one["name"], one["state"]) for one in _listed(folder)] == [("wrapped", "answering")]


def test_what_is_not_there_is_not_stopped(folder: Path) -> None:
    with listening(folder / "other"):
        result = skep(folder, "stop", "nope")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"skep: there is no plugin nope in {folder}; there are: other\n"


def test_a_socket_on_which_nobody_listens_is_stale_and_removed_when_it_is_stopped(folder: Path) -> None:
    with listening(folder / "old"):
        pass
    [found] = _listed(folder)
    assert (found["name"], found["state"], found["pid"]) == ("old", "stale", 0)
    assert skep(folder, "stop", "old").out == "removed the socket of old, on which nobody listened\n"
    assert not (folder / "old").exists()


def test_who_says_nothing_is_silent_and_named(folder: Path) -> None:
    with listening(folder / "mute"):
        [found] = _listed(folder)
    assert (found["state"], found["pid"], found["detail"]) == ("silent", os.getpid(), "no answer within 2 s")


def test_a_plugin_whose_backlog_is_full_is_not_taken_for_a_stale_one(folder: Path) -> None:
    with listening(folder / "busy", 0), socket.socket(socket.AF_UNIX) as waits:
        waits.connect(str(folder / "busy"))
        [found] = _listed(folder)
        assert found["state"] == "silent"
        assert skep(folder, "stop", "busy").code == 1
        assert (folder / "busy").exists()


def test_plugins_of_other_hosts_are_listed_and_what_is_no_plugin_is_passed_over(folder: Path) -> None:
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (folder / "far.listen").write_text(f"tcp://127.0.0.1:{port}\n")
    (folder / "note").write_text("nothing")
    (folder / "more").mkdir()
    [found] = _listed(folder)
    assert (found["name"], found["state"], found["listen"]) == ("far", "stale", f"tcp://127.0.0.1:{port}")
    assert skep(folder, "stop", "far").code == 1


def test_an_empty_folder_is_told(folder: Path) -> None:
    assert skep(folder, "ls").out == f"There are no plugins in {folder}.\n"


def test_a_listing_imports_only_its_own(folder: Path) -> None:
    """Of the standard library only what is written in C."""
    command = [sys.executable, "-c", START, "plugin", "ls"]
    run = subprocess.run(command, capture_output=True, env=_environ(folder), timeout=30, check=True)
    brought = set(run.stderr.decode().split())
    assert brought - ALWAYS - {"skep.cli.plugins", "skep.cli.plugin_sockets"} == set()
