"""`config check`: every fault at once, and where each value comes from."""

import json
import os
import re
from pathlib import Path

import pytest

from skep.settings import SETTINGS
from tests.cli.shell import Shell
from tests.server.running import Running

SPEC = '{"Name": "web", "Image": "skep/web:1", "Count": 3}'


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SKEP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SKEP_STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def alone(state: Path) -> Shell:
    """Where no server answers."""
    return Shell(state / "no.sock")


def test_what_was_set_is_shown_with_its_place(alone: Shell, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "skep.toml").write_text('resync_s = 60\nparallel = 3\n[clusters.a]\nendpoints = ["unix:///a.sock"]\n')
    monkeypatch.setenv("SKEP_HISTORY", "20")
    result = alone.skep("config", "check", "--parallel", "20", "--cluster", "b=unix:///b.sock")
    assert (result.code, result.err) == (0, "")
    shown = [re.split(r"  +", line) for line in result.out.splitlines()]
    assert shown[0] == ["SETTING", "VALUE", "FROM"]
    assert sorted(shown[1:]) == [
        ["clusters", "a=unix:///a.sock b=unix:///b.sock", f"--cluster, {state}/skep.toml"],
        ["history", "20", "SKEP_HISTORY"],
        ["parallel", "20", "--parallel"],
        ["resync_s", "60.0", f"{state}/skep.toml"],
        ["socket", f"{state}/no.sock", "--socket"],
        ["state_dir", str(state), "SKEP_STATE_DIR"],
    ]


def test_wide_and_json_show_all_settings(alone: Shell) -> None:
    names = [row.name for row in SETTINGS]
    assert [line.split()[0] for line in alone.skep("config", "check", "-o", "wide").out.splitlines()[1:]] == names
    found = json.loads(alone.skep("config", "check", "-o", "json").out)
    assert [row["name"] for row in found["settings"]] == names
    assert {row["from"] for row in found["settings"]} == {"default", "--socket", "SKEP_STATE_DIR"}
    assert (found["specs"], found["asked"]) == ([], False)


def test_every_fault_of_settings_and_specs_is_told_at_once(alone: Shell, state: Path) -> None:
    (state / "skep.toml").write_text('resync_s = "soon"\nparalel = 3\n')
    (state / "web.yaml").write_text("Name: web\nCount: -1\n")
    result = alone.skep("config", "check", "--history", "many", "-f", str(state / "web.yaml"))
    assert (result.code, result.out) == (1, "")
    lines = result.err.splitlines()
    assert lines[0] == f"skep: {len(lines) - 1} faults:"
    for words in ("resync_s", "did you mean parallel?", "--history", "web.yaml:2: Count", "Image"):
        assert any(words in line for line in lines), words


def test_a_single_fault_is_a_sentence(alone: Shell) -> None:
    assert alone.skep("config", "check", "-f", "/nowhere.yaml").err == "skep: no such file or folder: /nowhere.yaml\n"


def test_specs_are_read_without_a_server(alone: Shell, state: Path) -> None:
    (state / "web.json").write_text(SPEC)
    result = alone.skep("config", "check", "-f", str(state / "web.json"))
    assert result.code == 0
    assert result.out.splitlines()[-1] == "The specs are fine as far as can be told without a server: workload/web."


def test_a_server_that_answers_is_asked_too(server: Running, state: Path) -> None:
    shell = Shell(server.path)
    (state / "web.json").write_text(SPEC)
    result = shell.skep("config", "check", "-f", str(state / "web.json"), "-o", "json")
    assert (result.code, json.loads(result.out)["asked"], json.loads(result.out)["specs"]) == (
        0,
        True,
        ["workload/web"],
    )
    # The double reads JSON alone: what only the server finds.
    (state / "web.yaml").write_text("Name: web\nImage: skep/web:1\nCount: 3\n")
    result = shell.skep("config", "check", "-f", str(state / "web.yaml"))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"skep: {state}/web.yaml:1: no JSON")
