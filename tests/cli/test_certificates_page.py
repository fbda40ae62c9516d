"""docs/certificates.md works as printed: its commands are run, in order."""

import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conditions import until
from tests.engines.host import host_engine

PAGE = (Path(__file__).parent.parent.parent / "docs" / "certificates.md").read_text()
BLOCKS = re.findall(r"^```sh ?(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
"""Where each is run (empty for here, else with a server or as its user), and its commands."""
BOTH, RENEWED, NEW = (script for _, script in BLOCKS[8:11])
"""The three steps from one CA to the next."""
NAMES = "".join(BLOCKS[0][1].splitlines(keepends=True)[:2])
"""The page's first lines: where all of it lies."""


@pytest.fixture(name="home")
def _home() -> Iterator[Path]:
    """With a short path, for the socket below it."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as folder:
        yield Path(folder)


def _environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKEP_", "DOCKER_"))}
    return kept | {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def attempt(home: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run it up to the first command that fails."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=_environ(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run(home: Path, script: str) -> str:
    """What it prints; every command has to succeed."""
    done = attempt(home, script)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(home: Path, script: str) -> Iterator[None]:
    """A server, on a cluster that is not there: this host may have no engine."""
    environ = _environ(home) | {"SKEP_CLUSTER": "lab=tcp://127.0.0.1:1"}
    server = subprocess.Popen(["bash", "-c", script], env=environ, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait(30)


def test_every_block_is_run_somewhere() -> None:
    assert [where for where, _ in BLOCKS] == ["", "engine", "client", "", "serve", "user", *[""] * 6]
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_the_commands_work_as_printed(home: Path) -> None:
    shown = run(home, "\n".join(script for where, script in BLOCKS if not where))
    for words in (
        "dashboard  client  viewer",
        "node-1     server",
        "subject=OU = skep:viewer, CN = dashboard",
        "cert.pem: OK",
        "renewed node-1 in",
        "made bob (admin) in",
    ):
        assert words in shown, words
    assert run(home, f"{NAMES}\nskep certs ls --check 30").count("  valid  ") == 4


@pytest.mark.parametrize("file", ["ca.pem", "ca-key.pem", "node-1/cert.pem", "node-1/key.pem"])
def test_modes_are_as_printed(home: Path, file: str) -> None:
    run(home, BLOCKS[0][1])
    mode = (home / ".local/state/skep/certs" / file).stat().st_mode & 0o777
    (row,) = [line for line in PAGE.splitlines() if f"`{file.replace('node-1', 'NAME')}` |" in line]
    assert row.endswith(f"| {mode:04o} |")


async def test_skep_takes_them_as_printed_and_renewed_ones_without_a_restart(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    serve, user = (dict(BLOCKS)[where].replace("2476", port) for where in ("serve", "user"))
    submit = user.replace("--fail", "-sS -d '{}'").replace("/status", "/submit")

    async def answer() -> str:
        return attempt(home, f"{NAMES}\n{user}").stdout.strip()

    async def same_as(before: str) -> bool:
        return ssl.get_server_certificate(("127.0.0.1", int(port))) == before

    run(home, BLOCKS[0][1])
    with running(home, f"{NAMES}\nexec {serve}"):
        await until(answer, "[]")
        assert "(skep:viewer): it may read, not POST" in run(home, f"{NAMES}\n{submit}")
        assert "skep:viewer" not in run(home, f"{NAMES}\n{submit.replace('dashboard', 'ann')}")
        first = ssl.get_server_certificate(("127.0.0.1", int(port)))
        run(home, f"{NAMES}\nskep certs renew")
        await until(lambda: same_as(first), False)
        assert await answer() == "[]"


async def test_while_both_cas_are_trusted_nobody_is_refused_with_old_or_with_new_files(home: Path) -> None:
    """`early` got none of the new files, `late` nothing but the ca.pem with both."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    serve, user = (dict(BLOCKS)[where].replace("2476", port) for where in ("serve", "user"))

    async def refused(files: str) -> bool:
        return attempt(home, f"{NAMES}\n{user.replace('$certs/dashboard', files)}").stdout.strip() != "[]"

    async def certificate() -> str:
        return ssl.get_server_certificate(("127.0.0.1", int(port)))

    run(home, f"{BLOCKS[0][1]}\ncp -r $certs/dashboard ~/early")
    with running(home, f"{NAMES}\nexec {serve}"):
        await until(lambda: refused("~/early"), False)
        run(home, f"{NAMES}\n{BOTH}\ncp -r $certs/dashboard ~/late")
        assert [await refused(files) for files in ("~/early", "~/late")] == [False, False]
        run(home, f"{NAMES}\n{RENEWED}")
        renewed = (home / ".local/state/skep/certs/node-1/cert.pem").read_text()
        await until(certificate, renewed)
        assert [await refused(files) for files in ("~/early", "~/late", "$certs/dashboard")] == [True, False, False]
        run(home, f"{NAMES}\n{NEW}")
        await until(lambda: refused("~/late"), True)
        assert not await refused("$certs/dashboard")


@pytest.mark.docker
def test_an_engine_takes_them_as_printed(home: Path) -> None:
    begin, engine, client = (BLOCKS[number][1] for number in range(3))
    words = shlex.split(run(home, f"{begin}\nprintf '%q ' {engine}").splitlines()[-1])
    assert words[:3] == ["dockerd", "-H", "unix:///var/run/docker.sock"]  # the tests' engine has a socket of its own
    with host_engine(words[3:]) as host:

        def inside(script: str) -> "subprocess.CompletedProcess[str]":
            enter = ["nsenter", "--net", f"--target={host.pid}", "bash", "-ec", f"{NAMES}\n{script}"]
            return subprocess.run(enter, env=_environ(home), capture_output=True, text=True, timeout=60, check=False)

        taken = inside(client)
        assert (taken.returncode, taken.stdout.endswith("OK")) == (0, True), taken.stderr
        assert "Server:" in taken.stdout
        # A server's certificate is none for clients, and without one nobody gets in. Why may get lost on its way.
        for refused in (client.replace("$certs/ann", "$certs/node-1"), "curl -sS -k https://localhost:2376/_ping"):
            told = inside(refused)
            assert told.returncode != 0
            assert "Server:" not in told.stdout
            assert "OK" not in told.stdout


@pytest.mark.docker
def test_an_engine_that_trusts_both_cas_takes_old_and_new_certificates(home: Path) -> None:
    """And docker's client, which trusts both, takes the engine's old one: it was not restarted since."""
    begin, engine, client = (BLOCKS[number][1] for number in range(3))
    words = shlex.split(run(home, f"{begin}\n{BOTH}\nprintf '%q ' {engine}").splitlines()[-1])
    with host_engine(words[3:]) as host:
        enter = f"nsenter --net --target={host.pid} bash -ec"
        for _ in range(2):
            assert "Server:" in run(home, f"{enter} {shlex.quote(f'{NAMES}{client}')}")
            assert "renewed node-1 in" in run(home, f"{NAMES}\n{RENEWED}")
