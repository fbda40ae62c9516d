"""The swarm flavor's Init script: reviewed as golden files, run by real shells against a docker that is a stub."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from skep.plugins.flavor_swarm_script import Way, init_script

GOLDEN = Path(__file__).parent.parent / "data" / "flavor"
LABELS = {"swarm-association-id": "0123456789abcdef", "skep.group": "managers", "skep.logical-id": "10.20.0.10"}
WORKER_LABELS = {"swarm-association-id": "fedcba9876543210", "skep.group": "workers", "disk": "ssd"}
TOKEN = "SWMTKN-1-worker-secret"
SCRIPTS = {
    "found.sh": init_script(LABELS, "swarm-association-id", "", Way("10.20.0.10")),
    "join-manager.sh": init_script(
        LABELS, "swarm-association-id", "", Way("10.20.0.11", ("10.20.0.10:2377", "10.20.0.12:2377"), TOKEN)
    ),
    "join-worker.sh": init_script(
        WORKER_LABELS,
        "swarm-association-id",
        "service docker restart",
        Way(None, ("10.20.0.10:2377",), TOKEN),
        "docker pull nginx:alpine",
    ),
}
SHELLS = [shell for shell in (["sh"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]

STUB = """#!/bin/sh
echo "docker $*" >> "$STUB/calls"
case "$*" in
version) ;;
"info --format {{json .Labels}}") [ ! -e "$STUB/reloaded" ] || cat "$STUB/etc/daemon.json" ;;
"info --format {{.Swarm.LocalNodeState}}") cat "$STUB/state" ;;
"swarm init"*) echo active > "$STUB/state"; echo "To join: docker swarm join --token SWMTKN-1-secret" ;;
"swarm join"*"$REFUSES"*) exit 1 ;;
"swarm join"*) echo active > "$STUB/state" ;;
pull*) ;;
*) exit 64 ;;
esac
"""


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_is_the_one_that_was_reviewed(name: str) -> None:
    """Written anew with SKEP_WRITE_GOLDEN=1; the difference is for the review."""
    if os.environ.get("SKEP_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(SCRIPTS[name])
    assert SCRIPTS[name] == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_shell_understands_it(name: str) -> None:
    for shell in SHELLS:
        subprocess.run([*shell, "-n", GOLDEN / name], check=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_never_prints_a_token(name: str) -> None:
    script = SCRIPTS[name]
    assert "xtrace" not in script
    assert all("> /dev/null" in line for line in script.splitlines() if "swarm init" in line)


class Box:
    """A folder that stands for a machine: its /etc/docker, its docker client, and what was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "etc" / "daemon.json"
        (root / "etc").mkdir()
        (root / "bin").mkdir()
        (root / "state").write_text("inactive\n")
        (root / "bin" / "docker").write_text(STUB)
        (root / "bin" / "docker").chmod(0o755)

    def run(
        self, shell: Sequence[str], labels: dict[str, str], way: Way, refuses: str = "none", restart: str = ""
    ) -> str:
        script = init_script(labels, "swarm-association-id", restart or f"touch {self.root}/reloaded", way)
        script = script.replace("/etc/docker", str(self.root / "etc")).replace("wait_for 120", "wait_for 5")
        path = f"{self.root}/bin:{os.environ['PATH']}"
        env = {"PATH": path, "STUB": str(self.root), "REFUSES": refuses}
        done = subprocess.run([*shell], input=script, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def calls(self, verb: str) -> list[str]:
        return [line for line in (self.root / "calls").read_text().splitlines() if f"docker {verb}" in line]


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def shell(request: pytest.FixtureRequest) -> list[str]:
    given: list[str] = request.param
    return given


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, {"labels": ["OURS"]}),
        ("", {"labels": ["OURS"]}),
        ("{}", {"labels": ["OURS"]}),
        ("{\n  \n}\n", {"labels": ["OURS"]}),
        ('{\n  "storage-driver": "overlay2"\n}\n', {"labels": ["OURS"], "storage-driver": "overlay2"}),
        ('{"labels": [], "debug": true}', {"labels": ["OURS"], "debug": True}),
        ('{"debug": true, "labels": [\n  "a=1",\n  "b=2"\n]}', {"debug": True, "labels": ["OURS", "a=1", "b=2"]}),
        ('{"labels":["swarm-association-id=old","a=1"]}', {"labels": ["OURS", "a=1"]}),
        ('{"labels":["a=1", "skep.group=old"]}', {"labels": ["OURS", "a=1"]}),
        ('{"labels":["a=1","skep.group=old","b=2"]}', {"labels": ["OURS", "a=1", "b=2"]}),
        ('{"labels":["skepXgroup=other"]}', {"labels": ["OURS", "skepXgroup=other"]}),
        (
            '{"log-opts": {"labels": "tier"}, "hosts": ["unix:///x", "tcp://y"]}',
            {"labels": ["OURS"], "log-opts": {"labels": "tier"}, "hosts": ["unix:///x", "tcp://y"]},
        ),
    ],
)
def test_other_settings_and_labels_of_the_engine_stay(
    tmp_path: Path, shell: list[str], before: str | None, after: dict[str, object]
) -> None:
    box = Box(tmp_path)
    if before is not None:
        box.config.write_text(before)
    box.run(shell, LABELS, Way("10.20.0.10"))
    ours = [f"{name}={value}" for name, value in LABELS.items()]
    labels: list[str] = after["labels"]  # type: ignore[assignment]
    wanted = [entry for label in labels for entry in (ours if label == "OURS" else [label])]
    assert json.loads(box.config.read_text()) == after | {"labels": wanted}


def test_founding_happens_once_however_often_it_runs(tmp_path: Path, shell: list[str]) -> None:
    box = Box(tmp_path)
    printed = box.run(shell, LABELS, Way("10.20.0.10")) + box.run(shell, LABELS, Way("10.20.0.10"))
    assert box.calls("swarm") == ["docker swarm init --advertise-addr 10.20.0.10"]
    assert "SWMTKN" not in printed


def test_labels_are_not_written_again_once_the_engine_has_them(tmp_path: Path, shell: list[str]) -> None:
    box = Box(tmp_path)
    box.run(shell, LABELS, Way("10.20.0.10"))
    (tmp_path / "reloaded").write_text("once")
    box.run(shell, LABELS, Way("10.20.0.10"))
    assert (tmp_path / "reloaded").read_text() == "once"
    assert len(box.calls("swarm init")) == 1


RESTARTS = """#!/bin/sh
# As `service docker restart` of a real machine may: it is back before the engine is.
echo "service $*" >> "$STUB/calls"
rm -f "$STUB/up"
(sleep 0.5; touch "$STUB/reloaded" "$STUB/up") > /dev/null 2>&1 &
"""


def test_the_script_waits_for_an_engine_whose_restart_returns_early(tmp_path: Path, shell: list[str]) -> None:
    """infrakit-compat.md 6: `DockerRestartCommand: service docker restart`, and at once a join, failed in InfraKit."""
    box = Box(tmp_path)
    (tmp_path / "up").touch()
    (tmp_path / "bin" / "service").write_text(RESTARTS)
    (tmp_path / "bin" / "service").chmod(0o755)
    silent = '[ -e "$STUB/up" ] || { echo "docker was asked in vain" >> "$STUB/silence"; exit 1; }\n'
    (tmp_path / "bin" / "docker").write_text(STUB.replace("\n", f"\n{silent}", 1))
    box.run(shell, LABELS, Way(None, ("10.0.0.1:2377",), TOKEN), restart="service docker restart")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert (tmp_path / "silence").exists()
    assert [call.split()[:2] for call in calls if "swarm" in call or "service" in call] == [
        ["service", "docker"],
        ["docker", "swarm"],
    ]
    assert (tmp_path / "state").read_text() == "active\n"


def test_an_address_is_advertised_and_a_name_is_not(tmp_path: Path, shell: list[str]) -> None:
    box = Box(tmp_path)
    box.run(shell, LABELS, Way("manager-1"))
    assert box.calls("swarm") == ["docker swarm init"]


def test_a_join_tries_the_next_manager_when_one_refuses(tmp_path: Path, shell: list[str]) -> None:
    box = Box(tmp_path)
    box.run(shell, LABELS, Way(None, ("10.0.0.1:2377", "10.0.0.2:2377"), TOKEN), refuses="10.0.0.1:2377")
    assert [call.split()[-1] for call in box.calls("swarm join")] == ["10.0.0.1:2377", "10.0.0.2:2377"]
    assert (tmp_path / "state").read_text() == "active\n"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str) -> None:
    done = subprocess.run(["shellcheck", "--shell=sh", GOLDEN / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
