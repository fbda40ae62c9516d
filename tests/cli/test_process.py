"""The program as a process: its environment, its ends, its terminal, its imports."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from skep.cli.place import SOCKET_NAME, state_dir
from skep.model.state import Event
from skep.settings import SETTINGS, load
from tests.cli.shell import PROGRAM, Shell
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running

START = """
import sys
before = set(sys.modules)
from skep.cli.main import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sorted(set(sys.modules) - before)))
"""
OWN = ("client", "commands", "duration", "exchange", "failures", "json_text", "main", "output", "parameter", "place")
ALWAYS = {"__future__", "_json", "_socket", "skep", "skep.cli"}
ALWAYS |= {f"skep.cli.{name}" for name in (*OWN, "quick", "state", "tables")}
"""Of the standard library only what is written in C: its Python modules bring others, and each costs its time."""


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("status", "status"),
        ("status -o wide", "status"),
        ("status -o json", "status documents"),
        ("status -o yaml", "status documents"),
        ("workload inspect web", "keys changes documents"),
        ("version", "status"),
        ("events", "events"),
        ("logs", "events keys changes"),
        ("logs web --since 1h", "events keys changes"),
        ("cluster ls", "clusters"),
        ("group ls", "keys changes"),
        ("workload describe web", "keys changes"),
        ("workload scale web 3", "keys changes"),
        ("group retry workers", "keys changes"),
        ("workload rm web --cascade", "keys changes"),
        ("apply -f FILE", "specs files changes"),
        ("delete -f FILE", "specs files changes"),
        ("plan -f FILE", "specs files changes"),
        ("group commit FILE --pretend", "specs files changes"),
        ("workload submit FILE", "submit specs files changes"),
        ("workload submit web --image skep/web:1", "submit specs files changes"),
    ],
)
def test_a_command_that_does_not_wait_imports_only_its_own(
    shell: Shell, front: FrontDouble, tmp_path: Path, line: str, more: str
) -> None:
    (tmp_path / "web.json").write_text('{"Name": "web", "Count": 3, "Image": "skep/web:1"}')
    front.log = [Event(1, 1.0, "workload/web", "Missing", "create service web")]
    words = line.replace("FILE", str(tmp_path / "web.json")).split()
    command = [sys.executable, "-c", START, *words]
    run = subprocess.run(command, capture_output=True, env=shell.environ(), timeout=30, check=False)
    assert run.returncode == (1 if words[0] == "plan" else 0), run.stderr
    brought = set(run.stderr.decode().split())
    assert brought - {f"skep.cli.{name}" for name in more.split()} - ALWAYS == set()
    assert "skep.cli.client" in brought


def test_it_reads_standard_input(shell: Shell) -> None:
    result = shell.process("apply", "-f", "-", given=b'{"Name": "web", "Count": 3}')
    assert (result.code, result.out.splitlines()[1].split()) == (0, ["workload/web", "configured", "4"])
    result = shell.process("apply", "-f", "-", given=b'{"Count": 3}')
    assert (result.code, result.err) == (1, "skep: standard input:1: Name: is missing\n")
    result = shell.process("apply", "-f", "-", given=b"\xff")
    assert (result.code, result.err) == (1, "skep: standard input is not UTF-8 text: invalid start byte at byte 0\n")


def test_it_finds_the_server_in_the_state_directory(server: Running, tmp_path: Path) -> None:
    (tmp_path / "skep.sock").symlink_to(server.path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SKEP")}
    for arguments, more in (((), {"SKEP_STATE_DIR": str(tmp_path)}), (("--state-dir", str(tmp_path)), {})):
        run = subprocess.run(
            [*PROGRAM, "status", *arguments], env={**environ, **more}, capture_output=True, check=False
        )
        assert run.returncode == 0, run.stderr


def test_no_server_is_one_sentence_that_says_where_and_how(tmp_path: Path) -> None:
    result = Shell(tmp_path / "no.sock").process("status")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"skep: no server answers at {tmp_path}/no.sock (No such file or directory): start one with `skep serve`, "
        "or name its socket with --socket or SKEP_SOCKET\n"
    )


def test_a_socket_of_something_else_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        process = subprocess.Popen([*PROGRAM, "status"], env=Shell(path).environ(), stderr=subprocess.PIPE, text=True)
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (1, f"skep: what answers at {path} is no skep server (status 200)\n")


def test_ctrl_c_is_quiet_and_exits_130(shell: Shell, front: FrontDouble, server: Running) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "events", "--follow"], env=shell.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    server.run(front.tell(Event(1, 0.0, "workload/web", "Missing", "first")))
    assert process.stdout.readline().split() == ["1970-01-01", "00:00:00", "workload/web", "Missing", "first"]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("what", [("events",), ("logs",), ("logs", "web")])
def test_following_prints_each_event_as_it_happens(
    shell: Shell, front: FrontDouble, server: Running, what: tuple[str, ...]
) -> None:
    command = [*PROGRAM, *what, "--follow", "-o", "json"]
    process = subprocess.Popen(command, env=shell.environ(), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        for number in (1, 2, 3):
            server.run(front.tell(Event(number, 0.0, "workload/web", "Missing", f"act {number}")))
            assert json.loads(process.stdout.readline())["message"] == f"act {number}"
        process.terminate()


def test_a_reader_that_goes_away_is_no_error(shell: Shell, front: FrontDouble) -> None:
    front.log = [Event(number, 0.0, "workload/web", "Missing", "x" * 100) for number in range(1, 5000)]
    command = (
        f"{sys.executable} -c 'from skep.cli.main import main; main()' events | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    run = subprocess.run(["bash", "-c", command], env=shell.environ(), capture_output=True, check=True, timeout=30)
    assert run.stderr == b""
    assert run.stdout.decode().splitlines()[-1] == "141"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
)
@pytest.mark.parametrize(
    ("line", "code"), [("status", 1), ("plan -f -", 255), ("events -o json", 1), ("completion bash", 1), ("--help", 1)]
)
def test_output_that_can_not_be_written_is_told(
    shell: Shell, front: FrontDouble, redirection: str, reason: str, line: str, code: int, unbuffered: str
) -> None:
    """255 is what docs/cli.md says of `plan`; 70 is for bugs, 120 is Python's own."""
    front.log = [Event(1, 0.0, "workload/web", "Missing", "x" * 20_000)]
    run = subprocess.run(
        ["sh", "-c", f"{shlex.join([*PROGRAM, *line.split()])} {redirection}"],
        input='{"Name": "web", "Count": 3}',
        env=shell.environ({"PYTHONUNBUFFERED": unbuffered}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (run.returncode, run.stderr) == (code, f"skep: can't write to standard output: {reason}\n")


def test_without_standard_error_the_exit_code_tells(shell: Shell) -> None:
    for line, code in ("status", 0), ("workload describe x", 1), ("plan -f /nowhere", 255):
        command = f"{shlex.join([*PROGRAM, *line.split()])} 2>&-"
        run = subprocess.run(["sh", "-c", command], env=shell.environ(), capture_output=True, timeout=30, check=False)
        assert (run.returncode, run.stderr) == (code, b"")


def test_no_traceback_reaches_anybody(tmp_path: Path) -> None:
    environ = {"SKEP_SOCKET": "a\\0b"}
    code = "import os, sys; from skep.cli.main import main; main(['status', '--socket', 'a' + chr(0) + 'b'])"
    run = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, check=False)
    assert run.returncode in (1, 70)
    assert run.stderr.decode().startswith("skep: ")
    assert b"Traceback" not in run.stderr


def _on_a_terminal(shell: Shell, *arguments: str, **environ: str) -> tuple[int, str]:
    """Exit code and all that the terminal got, 60 columns wide."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=shell.environ({"TERM": "xterm", "COLUMNS": "60", "LINES": "24", **environ}),
        close_fds=True,
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
    return process.wait(10), got.decode()


def test_a_terminal_gets_colours_and_lines_that_fit(shell: Shell) -> None:
    code, got = _on_a_terminal(shell, "status")
    assert code == 0
    assert "\x1b[32mReady" in got
    plain = re.sub(r"\x1b\[[0-9;]*m", "", got)
    assert all(len(line) <= 60 for line in plain.splitlines()[2:])


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [(("status",), {"NO_COLOR": "1"}), (("status", "--no-color"), {}), (("status",), {"TERM": "dumb"})],
)
def test_no_colours_where_none_are_wanted(shell: Shell, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    _, got = _on_a_terminal(shell, *arguments, **environ)
    assert "\x1b" not in got
    assert "Ready" in got


def test_what_is_piped_is_neither_cut_nor_coloured(shell: Shell, front: FrontDouble) -> None:
    long = "create service web with " + "very " * 100 + "many replicas"
    front.log = [Event(1, 0.0, "workload/web", "Missing", long)]
    result = shell.process("events", environ={"COLUMNS": "40", "TERM": "xterm"})
    assert long in result.out
    assert "\x1b" not in result.out


def test_what_an_encoding_lacks_is_shown_in_another_way(shell: Shell, front: FrontDouble) -> None:
    front.log = [Event(1, 0.0, "workload/web", "Missing", "créé")]
    result = shell.process("events", environ={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.err) == (0, "")
    assert "cr\\xe9\\xe9" in result.out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16", "UTF-8", "utf8"])
def test_documents_are_right_in_every_encoding(shell: Shell, front: FrontDouble, encoding: str) -> None:
    """JSON is UTF-8 (RFC 8259), or ASCII, which is UTF-8 too."""
    front.log = [Event(1, 0.0, "workload/web", "Missing", "créé 😀")]
    environ = {**shell.environ(), "PYTHONIOENCODING": encoding}
    for form, read in (("json", json.loads), ("yaml", YAML(typ="safe", pure=True).load)):
        command = [*PROGRAM, "events", "-o", form]
        run = subprocess.run(command, env=environ, capture_output=True, timeout=30, check=True)
        text = run.stdout.decode(encoding)
        assert read(text)[0]["message"] == "créé 😀"
        assert form == "yaml" or text.isascii() is (encoding.lower() not in {"utf-8", "utf8"})


def test_each_document_of_a_stream_is_json_where_standard_output_is_not_utf_8(
    shell: Shell, front: FrontDouble, server: Running
) -> None:
    command, environ = [*PROGRAM, "events", "--follow", "-o", "json"], shell.environ({"PYTHONIOENCODING": "latin-1"})
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        server.run(front.tell(Event(1, 0.0, "workload/web", "Missing", "créé 😀")))
        line = process.stdout.readline()
        process.terminate()
    assert json.loads(line)["message"] == "créé 😀"


def test_a_name_in_no_encoding_is_told_like_any_other(shell: Shell) -> None:
    result = shell.process("workload", "describe", "\udcff")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("skep: there is no workload/")


def test_a_dumb_terminal_gets_lines_of_progress(shell: Shell, front: FrontDouble) -> None:
    busy = replace(WORKLOAD, generation=4, observed_generation=4)
    front.script.extend([(GROUP, busy), (GROUP, replace(busy, ready=7, desired=7, converged=True))])
    code, got = _on_a_terminal(shell, "workload", "scale", "web", "7", "--wait", TERM="dumb")
    assert (code, "\x1b" in got) == (0, False)
    assert "workload/web 7/7 Ready" in got


def test_a_terminal_sees_live_progress(shell: Shell, front: FrontDouble) -> None:
    busy = replace(WORKLOAD, generation=4, observed_generation=4)
    front.script.extend([(GROUP, busy), (GROUP, busy), (GROUP, replace(busy, ready=7, desired=7, converged=True))])
    code, got = _on_a_terminal(shell, "workload", "scale", "web", "7", "--wait")
    assert code == 0
    assert "2/5" in got
    assert "7/7" in got
    assert "\x1b[" in got  # drawn in place
    assert "Traceback" not in got


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("apply",), ("group", "scale", "workers", "-1"), ("status", "-x")]
)
def test_wrong_usage_exits_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    result = shell.process(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Error:" in result.err


def test_serve_has_a_flag_for_every_setting_and_its_help_tells_default_and_variable(tmp_path: Path) -> None:
    result = Shell(tmp_path / "no.sock").process("serve", "--help", environ={"COLUMNS": "1000"})
    assert result.code == 0
    for setting in SETTINGS:
        assert setting.flag in result.out
        assert setting.env in result.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("statsu",), "No such command 'statsu'. Did you mean 'status'?"),
        (("workload", "sbmit"), "No such command 'sbmit'. Did you mean 'submit'?"),
        (("nonsense",), "No such command 'nonsense'."),
    ],
)
def test_a_command_that_there_is_not_is_told_with_what_may_be_meant(
    shell: Shell, arguments: tuple[str, ...], told: str
) -> None:
    result = shell.process(*arguments)
    assert (result.code, result.err.splitlines()[-1]) == (2, f"Error: {told}")


def test_serve_tells_every_wrong_setting_and_starts_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    environ = {"SKEP_STATE_DIR": str(folder), "SKEP_PARALLEL": "many", "SKEP_SOCKET": ""}
    result = Shell(tmp_path / "no.sock").process("serve", "--resync-s", "-1", environ=environ)
    assert (result.code, result.out) == (1, "")
    assert "--resync-s" in result.err
    assert "SKEP_PARALLEL" in result.err
    assert not folder.exists()


def test_client_and_server_look_in_the_same_place(tmp_path: Path) -> None:
    for environ in ({}, {"XDG_STATE_HOME": "/x"}, {"HOME": "/home/a"}, {"SKEP_STATE_DIR": "/s"}):
        for uid in (0, 1000):
            settings = load({}, environ, uid=uid)
            assert state_dir(environ, uid) == str(settings.state_dir)
            assert settings.state_dir / SOCKET_NAME == settings.socket
