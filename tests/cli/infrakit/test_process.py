"""The program as a process: what it imports, its ends, its terminal, and the programs that it talks to."""

import json
import os
import pty
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skep.cli.infrakit.discovery import plugins_folder
from skep.specs.plugins_folder import plugins_folder as plugins_folder_of_programs
from tests.cli.infrakit.command_line import PROGRAM, TIME, process
from tests.cli.infrakit.plugin_double import PluginDouble

START = """
import sys
before = set(sys.modules)
from skep.cli.infrakit.main import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sorted(set(sys.modules) - before)))
"""
OWN = ("command", "commands", "discovery", "failures", "json_text", "logline", "main", "reading", "rpc", "tables")
ALWAYS = {"__future__", "_json", "_socket", "skep", "skep.cli", "skep.cli.exchange", "skep.cli.json_text"}
ALWAYS |= {"skep.cli.infrakit", *(f"skep.cli.infrakit.{name}" for name in OWN)}
"""Of the standard library only what is written in C: its Python modules bring others, and each costs its time."""


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("version", "version"),
        ("plugin ls", "listing"),
        ("group ls", "group documents"),
        ("group describe cattle", "group documents"),
        ("group commit FILE", "group documents"),
        ("instance describe --name instance-file", "instance documents"),
        ("flavor validate FILE --name flavor-vanilla", "flavor documents"),
    ],
)
def test_a_command_imports_only_its_own(
    group: PluginDouble, instance: PluginDouble, flavor: PluginDouble, tmp_path: Path, line: str, more: str
) -> None:
    (tmp_path / "g.json").write_text('{"ID":"cattle"}')
    for plugin, method in (
        (group, "Group.InspectGroups"),
        (group, "Group.DescribeGroup"),
        (group, "Group.CommitGroup"),
        (instance, "Instance.DescribeInstances"),
        (flavor, "Flavor.Validate"),
    ):
        plugin.answers[method] = "{}"
    words = line.replace("FILE", str(tmp_path / "g.json")).split()
    run = subprocess.run([sys.executable, "-c", START, *words], capture_output=True, timeout=30, check=False)
    assert run.returncode == 0, run.stderr
    brought = set(run.stderr.decode().split())
    assert brought - {f"skep.cli.infrakit.{name}" for name in more.split()} - ALWAYS == set()
    assert "skep.cli.infrakit.main" in brought


def test_programs_and_command_line_look_in_the_same_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given in ("", str(tmp_path / "elsewhere")):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("INFRAKIT_PLUGINS_DIR", given)
        assert plugins_folder() == str(plugins_folder_of_programs(os.environ))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_all_is_written_in_utf_8(flavor: PluginDouble, tmp_path: Path, encoding: str) -> None:
    """As Go does, whatever the locale: standard output may be JSON, which is nothing else (RFC 8259)."""
    (tmp_path / "f.json").write_text("{}")
    flavor.answers["Flavor.Prepare"] = '{"Spec":{"Init":"créé 😀"}}'
    line = ("flavor", "prepare", *[str(tmp_path / "f.json")] * 2, "--name", "flavor-vanilla")
    environ = {"PYTHONIOENCODING": encoding}
    prepared = process(*line, environ=environ)
    assert (prepared.code, prepared.err) == (0, "")
    assert json.loads(prepared.out)["Init"] == "créé 😀"
    assert process("instance", "describe", "--name", "é", environ=environ).err.endswith('"Plugin not found: é" \n')


def test_a_reader_that_goes_away_is_no_error(group: PluginDouble) -> None:
    groups = ",".join('{"ID":"%s"}' % ("x" * 100) for _ in range(5000))
    group.answers["Group.InspectGroups"] = f'{{"Groups":[{groups}]}}'
    command = f"{sys.executable} -m skep.cli.infrakit.main group ls | head -n 1; echo ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30)
    assert (run.stdout, run.stderr) == (b"ID\n141\n", b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("version >&-", "write /dev/stdout: bad file descriptor"),
        ("version >/dev/full", "write /dev/stdout: no space left on device"),
        ("group ls >&-", "write /dev/stdout: bad file descriptor"),
        ("group ls >/dev/full", "write /dev/stdout: no space left on device"),
        ("--help >/dev/full", "write /dev/stdout: no space left on device"),
        ("group commit - <&-", "read /dev/stdin: bad file descriptor"),
    ],
)
def test_what_is_closed_or_full_is_told(group: PluginDouble, line: str, message: str, unbuffered: str) -> None:
    group.answers["Group.InspectGroups"] = '{"Groups":[{"ID":"%s"}]}' % ("x" * 20_000)
    command, environ = ["sh", "-c", f"{shlex.join(PROGRAM)} {line}"], {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert TIME.sub("", run.stderr) == f'level=fatal msg="{message}" \n'


@pytest.mark.parametrize(
    ("environ", "start"),
    [({}, "\x1b[31mFATA\x1b[0m[0000] "), ({"NO_COLOR": "1"}, "FATA[0000] "), ({"TERM": "dumb"}, "FATA[0000] ")],
)
def test_a_terminal_gets_the_short_line(folder: Path, environ: dict[str, str], start: str) -> None:
    """infrakit-compat.md 1.2."""
    code, got = _on_a_terminal("group", "ls", environ=environ)
    assert (code, got) == (1, f"{start}{'Plugin not found: group':<44} \r\n")


def test_a_terminal_gets_no_control_characters(group: PluginDouble) -> None:
    group.answers["Group.InspectGroups"] = '{"Groups":[{"ID":"a\\u001b[31mb"}]}'
    assert _on_a_terminal("group", "ls", "-q", environ={}) == (0, "a [31mb\r\n")
    assert process("group", "ls", "-q").out == "a\x1b[31mb\n"


def _on_a_terminal(*arguments: str, environ: dict[str, str]) -> tuple[int, str]:
    """Exit code and all that the terminal got."""
    leader, follower = pty.openpty()
    usual = {"TERM": "xterm", "NO_COLOR": ""}
    command = subprocess.Popen(
        [*PROGRAM, *arguments], stdout=follower, stderr=follower, env={**os.environ, **usual, **environ}, close_fds=True
    )
    os.close(follower)
    got = b""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            got += os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
    os.close(leader)
    return command.wait(10), got.decode()


@contextmanager
def _running(folder: Path, module: str, *arguments: str) -> Iterator[None]:
    """A program of ours, as soon as a socket more is there, and until the end of the block."""
    before = len(list(folder.iterdir()))
    command = [sys.executable, "-m", f"skep.programs.{module}", *arguments]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + 30
        while len(list(folder.iterdir())) == before:
            assert program.poll() is None, f"{module} ended"
            assert time.monotonic() < deadline_s, f"{module} did not listen"
            time.sleep(0.02)
        yield
    finally:
        program.terminate()
        assert program.wait(30) == 0


def test_it_makes_and_destroys_files_with_a_real_program(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    spec = tmp_path / "spec.json"
    spec.write_text('{"Properties":{"n":1e6},"Tags":{"a":"b=c","tier":"web"},"Init":"echo a"}')
    name = ("--name", "instance-file")
    with _running(folder, "instance_file", "--dir", str(tmp_path / "machines")):
        assert process("instance", "validate", str(spec), *name).out == "validate:ok\n"
        made = process("instance", "provision", str(spec), *name)
        assert (made.code, made.err) == (0, "")
        id = made.out.strip()
        assert (tmp_path / "machines" / id).exists()
        row = f"{id:<30}\t  -                           \ta=b=c,tier=web\n"
        assert process("instance", "describe", *name, "-q", "--tags", "a=b=c").out == row
        assert process("instance", "describe", *name, "-q", "--tags", "a=b").out == ""
        assert process("instance", "destroy", id, *name).out == f"destroyed {id}\n"
        assert process("instance", "describe", *name, "-q").out == ""
        wrong = process("group", "ls", *name)
        assert (wrong.code, wrong.out) == (1, "")
        assert wrong.err.endswith('msg="Plugin does not support interface {Group 0.1.0}" \n')
    assert process("instance", "describe", *name).err.endswith('msg="Plugin not found: instance-file" \n')
