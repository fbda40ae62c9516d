"""The unit that is printed starts the very server that was described."""

import os
from configparser import ConfigParser
from pathlib import Path

import pytest

from skep.cli.systemd import quoted
from tests.cli.shell import Shell

DOCKERS = {"DOCKER_HOST": "unix:///x.sock", "DOCKER_CONTEXT": "far", "DOCKER_TLS_VERIFY": "", "DOCKER_TLS": ""}
OTHERS = {"DOCKER_CONFIG": "/z", "DOCKER_CERT_PATH": "/c", "INFRAKIT_PLUGINS_DIR": "/y"}


def unit(*flags: str, **environ: str) -> ConfigParser:
    done = Shell(Path("nobody")).process("systemd-unit", *flags, environ=environ)
    assert done.code == 0, done.err
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(done.out)
    return parser


def test_the_unit_runs_serve_with_the_flags_that_were_given(tmp_path: Path) -> None:
    flags = ["--state-dir", str(tmp_path), "--cluster", "a=unix:///a.sock", "--cluster", "b=tcp://b:2375,tcp://c:2375"]
    program, *words = unit(*flags)["Service"]["ExecStart"].split()
    assert Path(program).is_absolute()
    assert words == ["serve", *flags]


def test_paths_are_whole_for_the_unit_runs_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    certificates = f"a={os.path.relpath(tmp_path)}"
    flags = ["--socket", "skep.sock", "--cluster", "a=tcp://a", "--cluster-tls", certificates]
    words = unit("--state-dir", str(tmp_path), *flags)["Service"]["ExecStart"].split()
    folder = words[-1].removeprefix("a=")
    assert words[words.index("--socket") + 1] == str(Path("skep.sock").absolute())
    assert (folder.startswith("/"), Path(folder).resolve()) == (True, tmp_path)


def test_what_the_environment_says_now_is_not_in_the_unit(tmp_path: Path) -> None:
    command = unit("--state-dir", str(tmp_path), SKEP_CONTROLLER="of-this-shell")["Service"]["ExecStart"]
    assert "of-this-shell" not in command


def test_what_the_unit_lacks_of_the_environment_is_told(tmp_path: Path) -> None:
    environ = {"SKEP_STATE_DIR": str(tmp_path), "SKEP_CONTROLLER": "c", "SKEP_PARALLEL": "", "SKEP_SOCKET": ""}
    unset = dict.fromkeys([*DOCKERS, *OTHERS], "")
    done = Shell(Path("nobody")).process("systemd-unit", "--controller", "c", environ=environ | unset)
    assert (done.code, done.err) == (0, "skep: SKEP_STATE_DIR is set here and not in the unit; --state-dir would be\n")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), ["DOCKER_HOST", "DOCKER_CONTEXT", *OTHERS]),
        (("--engine", "unix:///y.sock"), [*OTHERS]),
    ],
)
def test_variables_of_docker_and_infrakit_that_serve_reads_are_told_too(
    tmp_path: Path, flags: tuple[str, ...], told: list[str]
) -> None:
    done = Shell(Path("nobody")).process(
        "systemd-unit", "--state-dir", str(tmp_path), "--socket", "s", *flags, environ=DOCKERS | OTHERS
    )
    lines = done.err.splitlines()
    assert [line.split()[1] for line in lines] == told
    assert all(" is set here and not in the unit; " in line for line in lines)


def test_a_server_of_root_starts_at_boot_and_any_other_with_its_user(tmp_path: Path) -> None:
    assert unit("--state-dir", "/var/lib/skep")["Install"]["WantedBy"] == "multi-user.target"
    assert unit("--state-dir", str(tmp_path))["Install"]["WantedBy"] == "default.target"


def test_flags_that_serve_would_refuse_are_refused() -> None:
    done = Shell(Path("nobody")).process("systemd-unit", "--resync-s", "soon")
    assert done.code == 1
    assert "--resync-s" in done.err
    assert "[Unit]" not in done.out


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ('a"b', '"a\\"b"'),
        ("it's", '"it\'s"'),
    ],
)
def test_a_word_is_written_so_that_systemd_reads_the_same(word: str, written: str) -> None:
    assert quoted(word) == written
