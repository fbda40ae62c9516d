"""docs/certificates.md works as printed: its commands are run, in order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.host import host_engine

PAGE = (Path(__file__).parent.parent.parent / "docs" / "certificates.md").read_text()
BLOCKS = re.findall(r"^```sh ?(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
"""Where each is run (empty for here, `engine`, `client`), and its commands."""
NAMES = "".join(BLOCKS[0][1].splitlines(keepends=True)[:2])
"""The page's first lines: where all of it lies."""


def _environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKEP_", "DOCKER_"))}
    return kept | {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(home: Path, script: str) -> str:
    """What it prints; every command has to succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=_environ(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_is_run_somewhere() -> None:
    assert [where for where, _ in BLOCKS] == ["", "engine", "client", "", "", "", "", ""]
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_the_commands_work_as_printed(tmp_path: Path) -> None:
    shown = run(tmp_path, "\n".join(script for where, script in BLOCKS if not where))
    for words in (
        "dashboard  client  viewer",
        "node-1     server",
        "subject=OU = skep:viewer, CN = dashboard",
        "cert.pem: OK",
        "renewed node-1 in",
        "made bob (admin) in",
    ):
        assert words in shown, words
    assert run(tmp_path, f"{NAMES}\nskep certs ls --check 30").count("  valid  ") == 4


@pytest.mark.parametrize("file", ["ca.pem", "ca-key.pem", "node-1/cert.pem", "node-1/key.pem"])
def test_modes_are_as_printed(tmp_path: Path, file: str) -> None:
    run(tmp_path, BLOCKS[0][1])
    mode = (tmp_path / ".local/state/skep/certs" / file).stat().st_mode & 0o777
    (row,) = [line for line in PAGE.splitlines() if f"`{file.replace('node-1', 'NAME')}` |" in line]
    assert row.endswith(f"| {mode:04o} |")


@pytest.mark.docker
def test_an_engine_takes_them_as_printed(tmp_path: Path) -> None:
    begin, engine, client = (BLOCKS[number][1] for number in range(3))
    words = shlex.split(run(tmp_path, f"{begin}\nprintf '%q ' {engine}").splitlines()[-1])
    assert words[:3] == ["dockerd", "-H", "unix:///var/run/docker.sock"]  # the tests' engine has a socket of its own
    with host_engine(words[3:]) as host:

        def inside(script: str) -> "subprocess.CompletedProcess[str]":
            enter = ["nsenter", "--net", f"--target={host.pid}", "bash", "-ec", f"{NAMES}\n{script}"]
            return subprocess.run(
                enter, env=_environ(tmp_path), capture_output=True, text=True, timeout=60, check=False
            )

        taken = inside(client)
        assert (taken.returncode, taken.stdout.endswith("OK")) == (0, True), taken.stderr
        assert "Server:" in taken.stdout
        # A server's certificate is none for clients, and without one nobody gets in.
        assert "bad certificate" in inside(client.replace("$certs/ann", "$certs/node-1")).stderr
        bare = inside("curl -sS --cacert $certs/ca.pem https://localhost:2376/_ping")
        assert (bare.returncode != 0, bare.stdout) == (True, "")
