"""`skep serve` as it is put together: what it starts without, what it offers, and how it says that it can't."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest

from tests.engines.certificates import Authority

SKEP = Path(sys.executable).parent / "skep"
WITHIN_S = 30


def environment(state: Path) -> dict[str, str]:
    """A host without an engine: the chosen docker context does not exist."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SKEP_", "DOCKER_"))}
    own = {"SKEP_STATE_DIR": str(state), "INFRAKIT_PLUGINS_DIR": str(state / "plugins")}
    return inherited | own | {"DOCKER_CONTEXT": "nowhere", "DOCKER_CONFIG": str(state)}


class Served:
    """A server on a state directory of its own, and the command line for it."""

    def __init__(self, state: Path, *flags: str) -> None:
        self.environ = environment(state)
        self._socket = state / "skep.sock"
        self.process = subprocess.Popen(
            [SKEP, "serve", *flags], env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait(self) -> None:
        deadline_s = time.monotonic() + WITHIN_S
        while not self._socket.exists():
            assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
            assert time.monotonic() < deadline_s
            time.sleep(0.02)

    def run(self, *words: str, document: Mapping[str, object] | None = None) -> tuple[int, str]:
        """Exit code, and all that was said."""
        done = subprocess.run(
            [SKEP, *words],
            env=self.environ,
            input=json.dumps(document) if document else None,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@contextmanager
def served(state: Path, *flags: str) -> Iterator[Served]:
    server = Served(state, *flags)
    try:
        server.wait()
        yield server
    finally:
        server.process.terminate()
        assert server.process.wait(WITHIN_S) == 0


def answered(port: int, path: str, context: ssl.SSLContext | None = None) -> int:
    """The status of the first answer; the two listeners open side by side."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        connection = (
            HTTPSConnection("127.0.0.1", port, timeout=WITHIN_S, context=context)
            if context
            else HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except ConnectionRefusedError:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        finally:
            connection.close()


def group(plugin: str, size: int, **properties: object) -> dict[str, object]:
    return {
        "ID": "cattle",
        "Properties": {
            "Allocation": {"Size": size},
            "Instance": {"Plugin": plugin, "Properties": properties},
            "Flavor": {"Plugin": "flavor-vanilla", "Properties": {"Init": ["true"]}},
        },
    }


@pytest.fixture
def dead_port() -> int:
    """Nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_an_engine_and_without_clusters_it_says_so_and_ends(tmp_path: Path) -> None:
    server = Served(tmp_path)
    said, _ = server.process.communicate(timeout=WITHIN_S)
    assert server.process.returncode == 1
    assert "docker context 'nowhere'" in said


def test_without_an_engine_it_serves_the_clusters_of_the_settings(tmp_path: Path, dead_port: int) -> None:
    with served(tmp_path, "--cluster", f"lab=tcp://127.0.0.1:{dead_port}") as server:
        code, said = server.run("apply", "-f", "-", document=group("instance-docker", 1))
        assert (code, "docker context 'nowhere'" in said) == (1, True)
        code, said = server.run("image", "example")
        assert (code, "docker context 'nowhere'" in said) == (1, True)
        code, said = server.run("apply", "-f", "-", document={"Name": "web", "Image": "web:1", "Count": 1})
        assert code == 0, said
        code, said = server.run("cluster", "ls", "-o", "json")
        [cluster] = json.loads(said)
        assert (cluster["name"], cluster["kind"], cluster["engines"][0]["state"]) == ("lab", "unknown", "silent")
    assert server.process.stdout
    log = server.process.stdout.read()
    assert ("lab" in log, "no machines can be made" in log) == (True, False)


@pytest.mark.parametrize("plugin", ["instance-file", "instance-simulator"])
def test_machines_that_need_no_engine_are_made(tmp_path: Path, dead_port: int, plugin: str) -> None:
    with served(tmp_path, "--cluster", f"lab=tcp://127.0.0.1:{dead_port}") as server:
        code, said = server.run("apply", "-f", "-", "--wait", "--timeout", "20s", document=group(plugin, 3))
        assert code == 0, said
        files = list((tmp_path / "instances").glob("instance-*"))
        assert len(files) == (3 if plugin == "instance-file" else 0)


def test_plugins_with_a_socket_are_found_beside_those_that_are_built_in(tmp_path: Path) -> None:
    """A program that comes later is found as well; a name that nobody has is told with what there is."""
    machines = tmp_path / "machines"
    with served(tmp_path, "--cluster", "lab=tcp://127.0.0.1:1") as server:
        code, said = server.run("apply", "-f", "-", document=group("elsewhere", 2))
        assert code == 1
        assert "Properties.Instance.Plugin: Plugin not found: elsewhere; built in are flavor-combo, " in said
        words = [SKEP.with_name("infrakit-instance-file"), "--name", "elsewhere", "--dir", machines]
        program = subprocess.Popen(words, env=server.environ, stderr=subprocess.DEVNULL)
        try:
            deadline_s = time.monotonic() + WITHIN_S
            while not (tmp_path / "plugins" / "elsewhere").exists():
                assert time.monotonic() < deadline_s
                time.sleep(0.02)
            code, said = server.run("apply", "-f", "-", "--wait", "--timeout", "20s", document=group("elsewhere", 2))
            assert code == 0, said
            assert len(list(machines.glob("instance-*"))) == 2
        finally:
            program.terminate()
            program.wait(WITHIN_S)


def test_down_tells_which_files_it_removed_and_leaves_those_of_others(tmp_path: Path) -> None:
    folder = tmp_path / "instances"
    with served(tmp_path, "--cluster", "lab=tcp://127.0.0.1:1") as server:
        code, said = server.run("apply", "-f", "-", "--wait", "--timeout", "20s", document=group("instance-file", 2))
        assert code == 0, said
        (folder / "notes.txt").touch()
    made = sorted(file.name for file in folder.glob("instance-*"))
    code, said = server.run("down", "-o", "json")
    assert (code, sorted(json.loads(said))) == (0, [f"file {name}" for name in made])
    assert list(folder.iterdir()) == [folder / "notes.txt"]
    (folder / "notes.txt").unlink()
    assert server.run("down", "-o", "json") == (0, "[]\n")
    assert not folder.exists()


def test_http_on_loopback_is_served_beside_the_socket_when_asked_for(tmp_path: Path, dead_port: int) -> None:
    flags = ("--cluster", "lab=tcp://127.0.0.1:1", "--insecure-http", f"127.0.0.1:{dead_port}")
    with served(tmp_path, *flags) as server:
        assert answered(dead_port, "/healthz") == 200
        assert server.run("status")[0] == 0


def test_https_is_served_beside_the_socket_when_asked_for(tmp_path: Path, dead_port: int) -> None:
    files = Authority(tmp_path / "ca").issue("both", "127.0.0.1")
    tls = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-client-ca", files.ca)
    with served(tmp_path, "--cluster", "lab=tcp://127.0.0.1:1", "--tls-listen", f"127.0.0.1:{dead_port}", *tls):
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.cert, files.key)
        assert answered(dead_port, "/healthz", context) == 200


def test_certificates_of_no_use_end_it_before_anything_is_begun(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ca").issue("both", "127.0.0.1")
    state, missing = tmp_path / "state", str(tmp_path / "none.pem")
    state.mkdir()
    tls = ("--tls-cert", files.cert, "--tls-key", missing, "--tls-client-ca", files.ca)
    server = Served(state, "--cluster", "lab=tcp://127.0.0.1:1", "--tls-listen", "127.0.0.1:1", *tls)
    said, _ = server.process.communicate(timeout=WITHIN_S)
    assert server.process.returncode == 1
    assert said.splitlines()[-1].endswith(f"can't read the key {missing}: No such file or directory")
    assert list(state.iterdir()) == []


def test_an_address_that_is_taken_ends_it_with_the_reason(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        server = Served(tmp_path, "--cluster", "lab=tcp://127.0.0.1:1", "--insecure-http", address)
        said, _ = server.process.communicate(timeout=WITHIN_S)
    assert server.process.returncode == 1
    assert address in said.splitlines()[-1]


def test_a_cluster_of_the_settings_with_the_name_of_a_stored_one_is_refused_at_the_start(tmp_path: Path) -> None:
    managers = group("instance-simulator", 0)
    managers["Properties"] |= {  # type: ignore[operator]
        "Allocation": {"LogicalIDs": ["10.9.0.1"]},
        "Flavor": {"Plugin": "flavor-swarm", "Properties": {"Type": "manager"}},
    }
    with served(tmp_path, "--cluster", "lab=tcp://127.0.0.1:1") as server:
        code, said = server.run("apply", "-f", "-", document=managers)
        assert code == 0, said
    server = Served(tmp_path, "--cluster", "cattle=tcp://127.0.0.1:1")
    said, _ = server.process.communicate(timeout=WITHIN_S)
    assert server.process.returncode == 1
    assert "the settings have a cluster cattle" in said


def test_a_state_directory_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    below = "/proc/nowhere/state"
    run = subprocess.run(
        [SKEP, "serve", "--state-dir", below], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"skep: the store {below}/skep.db can't be used: ")
