"""What skep's own image is made by, as far as it can be told without an Engine."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from skep.programs.cluster_state_manager import main

ROOT = Path(__file__).parent.parent


def yaml(file: str) -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / file).read_text())
    return read


NAME = "swarm-cluster-state-manager"


def test_the_compose_file_is_that_of_the_reference_document() -> None:
    """But for the key that Compose wants today, our image, the one port, and a file system that is read only."""
    ours, theirs = yaml("docker-compose.yml"), yaml("tests/data/compose-of-2015.yml")
    service, expected = ours["services"][NAME], theirs[NAME]
    assert list(ours["services"]) == list(theirs)
    changed = {
        "image": "skep/swarm-cluster-state-manager",
        "volumes": [*expected["volumes"], "state:/var/lib/skep"],
        "command": expected["command"].replace("3476", "2476"),
        "ports": ["2476:2476"],
    }
    assert service == {**expected, **changed, "read_only": True, "tmpfs": "/tmp"}
    assert ours["volumes"] == {"state": None}


def test_the_program_takes_the_flags_of_the_compose_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Compose splits a line of words as a shell does."""
    flags = shlex.split(yaml("docker-compose.yml")["services"][NAME]["command"])
    assert len(flags) == 5
    with pytest.raises(SystemExit) as ended:
        main([*flags, "--help"], prog_name=NAME)
    assert ended.value.code == 0
    assert {flag.partition("=")[0] for flag in flags} <= set(
        re.findall(r"--[a-z]+(?:-[a-z]+)*", capsys.readouterr().out)
    )


def test_the_image_never_runs_as_root_and_its_base_can_be_chosen() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert [line for line in lines if line.startswith("USER ")] == ["USER ${UID}:${UID}"]
    assert bases == ["${BASE}", "${BASE}", "runtime", "runtime"]


def test_what_the_image_is_made_of_is_let_into_the_build() -> None:
    """A COPY of what .dockerignore holds back fails, or worse, copies nothing."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {
        source for line in lines if line.startswith("COPY ") and "--from" not in line for source in line.split()[1:-1]
    }
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= let_in
    assert {source for source in copied if not (ROOT / source).exists()} <= {"build/wheels"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--uid", "0"], "image: --uid is the number of a user other than root, not 0."),
        (["--uid", "me"], "image: --uid is the number of a user other than root, not me."),
        (["--fast", "1"], "image: Usage: scripts/image [--base debian|host|IMAGE] [--uid UID]"),
    ],
)
def test_the_script_refuses_what_it_does_not_know(arguments: list[str], told: str) -> None:
    run = subprocess.run([ROOT / "scripts" / "image", *arguments], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"{told}\n")
