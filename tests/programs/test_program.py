"""Executables as processes: flags, log, signals, and how they end (infrakit-compat.md 1.1, 1.4, 1.5)."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

import skep
from tests.server.plugin_running import DEADLINE_S, Answer, answer_of, request_of

ROOT = Path(__file__).parent.parent.parent
PROGRAM = (sys.executable, "-m", "skep.programs.instance_file")
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
TOKEN = "SWMTKN-1-secret"
NOBODY = 54321
"""A user that no host knows."""
AS_NOBODY = f"""
import os, runpy, sys
os.setresuid({NOBODY}, 0, 0)  # home is that of the real user; what is installed may be for the other one to read
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[str]
    path: Path

    def call(self, method: str, params: object) -> Answer:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(str(self.path))
            connection.sendall(request_of(body))
            return answer_of(connection)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code, and what it wrote to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors


@contextmanager
def running(
    home: Path, *flags: str, environ: Mapping[str, str] | None = None, socket_path: str = ""
) -> Iterator[Running]:
    """`instance-file` in a home of its own, once it listens."""
    path = home / (socket_path or ".infrakit/plugins/instance-file")
    process = subprocess.Popen(
        [*PROGRAM, *flags], env=_environ(home, environ), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline_s = time.monotonic() + DEADLINE_S
        while not _listens(path):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        yield Running(process, path)
    finally:
        process.kill()
        process.communicate()


def _environ(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "INFRAKIT_PLUGINS_DIR"}
    return {**kept, "HOME": str(home), **(more or {})}


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _run(home: Path, *arguments: str, program: tuple[str, ...] = PROGRAM) -> subprocess.CompletedProcess[str]:
    """A program that ends by itself."""
    return subprocess.run(
        [*program, *arguments], env=_environ(home), capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )


# --- sockets and ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well_and_removes_its_socket(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as program:
        folder = program.path.parent
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        assert oct(program.path.stat().st_mode & 0o777) == "0o600"
        code, errors = program.end(number)
    assert code == 0, errors
    assert "Traceback" not in errors
    assert [*folder.iterdir()] == []


def test_the_folder_of_plugins_may_be_another(tmp_path: Path) -> None:
    elsewhere = {"INFRAKIT_PLUGINS_DIR": str(tmp_path / "p")}
    with running(tmp_path, "--name", "mine", environ=elsewhere, socket_path="p/mine") as program:
        assert program.call("Plugin.Implements", {}).status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("skep.programs.instance_file", "INFRAKIT_PLUGINS_DIR"),
        ("skep.programs.flavor_combo", "INFRAKIT_PLUGINS_DIR"),
        ("skep.programs.group_default", "--state-dir"),
        ("skep.programs.instance_docker", "--state-dir"),
        ("skep.programs.flavor_swarm", "--state-dir"),
        ("skep.programs.manager os", "--leader-file"),
        ("skep.programs.manager os --leader-file /nowhere/leader", "--store-dir"),
        ("skep.programs.manager swarm", "INFRAKIT_PLUGINS_DIR"),
        ("skep.cli.infrakit.main group ls", "INFRAKIT_PLUGINS_DIR"),
        ("skep.cli.main serve", "--state-dir"),
    ],
)
def test_a_user_without_a_home_is_told_what_to_set(line: str, instead: str) -> None:
    """Containers may run as a user that nobody knows."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        ended = _without_a_home(line, place, {})
        assert (ended.returncode, ended.stdout, [*Path(place).iterdir()]) == (1, "", [])
    assert f"user {NOBODY} has no home folder: set HOME or {instead}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize(
    "line",
    [
        "instance_file",
        "flavor_combo",
        "group_default --state-dir kept",
        "flavor_swarm --state-dir kept",
        "manager swarm",
    ],
)
def test_a_user_without_a_home_may_name_another_folder(line: str) -> None:
    """It gets as far as to see that the name is held (infrakit-compat.md 1.4)."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place, socket.socket(socket.AF_UNIX) as holder:
        holder.bind(f"{place}/held")
        holder.listen()
        program, *flags = line.split()
        ended = _without_a_home(
            f"skep.programs.{program} --name held {' '.join(flags)}", place, {"INFRAKIT_PLUGINS_DIR": place}
        )
    assert ended.returncode == 1
    assert f"listens on {place}/held already" in ended.stderr


def _without_a_home(line: str, place: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    told = {"HOME", "INFRAKIT_PLUGINS_DIR", "SKEP_STATE_DIR", "XDG_STATE_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in told}
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *line.split()],
        env={**kept, **environ},
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def test_a_name_that_is_held_is_refused_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        second = _run(tmp_path)
        assert second.returncode == 1
        assert second.stdout == ""
        assert second.stderr.splitlines() == [
            f"instance_file.py: process {program.process.pid} listens on {program.path} already: stop it, or set --name"
        ]
        assert program.call("Plugin.Implements", {}).status == 200


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--name", "../out"), "a plugin's name is the name of a file, and '../out' is none: set --name"),
        (("--name", ""), "a plugin's name is the name of a file, and '' is none: set --name"),
        (("--name", "x" * 120), "is longer than a socket's path may be (107 bytes): set --name"),
    ],
)
def test_a_name_that_no_socket_can_have_is_refused(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    ended = _run(tmp_path, *flags)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".infrakit").write_text("in the way")
    ended = _run(tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"instance_file.py: can't make the folder of plugins {tmp_path}/.infrakit/plugins: Not a directory\n"
    )


ENDING = """
from skep.model.errors import RefusedError, UnavailableError
from skep.programs.program import run

async def serve(stack, stop):
    raise {error}

run("x", {level}, serve)
"""


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        ("RefusedError('taken')", ["-c: taken"]),
        (
            "ExceptionGroup('', [RefusedError('one'), ExceptionGroup('', [UnavailableError('two')])])",
            ["-c: one", "-c: two"],
        ),
        ("RuntimeError('x')", ["-c: internal error (RuntimeError): a bug in skep; --log 5 shows where"]),
    ],
)
def test_what_ends_it_is_told_without_a_traceback(tmp_path: Path, error: str, lines: list[str]) -> None:
    code = ENDING.format(error=error, level=4)
    ended = _run(tmp_path, program=(sys.executable, "-c", code))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == lines
    assert [*(tmp_path / ".infrakit" / "plugins").iterdir()] == []


def test_the_log_at_five_tells_the_place_of_a_bug(tmp_path: Path) -> None:
    code = ENDING.format(error="RuntimeError('x')", level=5)
    assert "Traceback" in _run(tmp_path, program=(sys.executable, "-c", code)).stderr


# --- flags ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [("--nope",), ("nope",), ("--log", "loud")])
def test_a_mistake_of_usage_ends_with_one(tmp_path: Path, flags: tuple[str, ...]) -> None:
    ended = _run(tmp_path, *flags)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Usage: " in ended.stderr


def test_help_has_the_defaults(tmp_path: Path) -> None:
    told = _run(tmp_path, "--help")
    assert told.returncode == 0
    text = " ".join(told.stdout.split())
    assert "[default: instance- file]" in text or "[default: instance-file]" in text
    assert "4 info" in text


@pytest.mark.parametrize(("level", "told"), [("-3", False), ("3", False), ("4", True), ("9", True)])
def test_the_log_has_gos_levels(tmp_path: Path, level: str, told: bool) -> None:
    """0 panic, 1 fatal, 2 error, 3 warn, 4 info, 5 debug; what lies outside becomes the nearest."""
    with running(tmp_path, "--log", level) as program:
        code, errors = program.end()
    assert code == 0
    assert ("serving" in errors) == told


def test_machines_go_to_the_folder_for_temporary_files(tmp_path: Path) -> None:
    with running(tmp_path, environ={"TMPDIR": str(tmp_path / "t")}) as program:
        made = json.loads(program.call("Instance.Provision", {"Spec": {"Properties": {}}}).body)["result"]["ID"]
        assert [path.name for path in (tmp_path / "t").iterdir()] == [made]


def test_no_level_of_the_log_tells_a_secret(tmp_path: Path) -> None:
    """InfraKit's writes each body to its log at 5 (1.1)."""
    secret = {"Spec": {"Properties": {"Password": TOKEN}, "Init": f"docker swarm join --token {TOKEN}"}}
    with running(tmp_path, "--log", "5", "--dir", str(tmp_path / "m")) as program:
        assert b'"ID"' in program.call("Instance.Provision", secret).body
        assert b'"error"' in program.call("Instance.Provision", {"Spec": {"Init": TOKEN, "Tags": 5}}).body
        assert b'"error"' in program.call("Instance.Provision", {"Spec": {"Init": TOKEN, "Properties": TOKEN}}).body
        assert b'"error"' in program.call("Instance.Nope", {"Init": TOKEN}).body
        _, errors = program.end()
    assert "serving" in errors
    assert TOKEN not in errors


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", sorted(name for name in SCRIPTS if name.startswith("infrakit-")))
def test_every_program_tells_its_version_and_its_flags(script: str) -> None:
    module, _, name = SCRIPTS[script].partition(":")
    main, runner = getattr(import_module(module), name), CliRunner()
    version = runner.invoke(main, ["version"])
    assert (version.exit_code, version.output) == (0, f"Version: {skep.__version__}\nRevision: Unspecified\n")
    told = runner.invoke(main, ["-h"])
    assert (told.exit_code, told.output) == (0, runner.invoke(main, ["--help"]).output)
    assert "--name" in told.output
    assert "--log" in told.output
