"""Which engine is this host's own, and which are refused for machines."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from skep.adapters.docker_host import check_for_machines, find_engine, host_tls, is_local, own_socket
from skep.model.cluster import TlsFiles
from skep.model.engine import EngineInfo
from skep.model.errors import NotFoundError, RefusedError
from tests.adapters import docker_settings


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


def write_context(home: Path, name: str, host: str, *, current: bool) -> None:
    docker_settings.write_context(home / ".docker", name, host)
    if current:
        (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))


def find(home: Path, explicit: str = "", default: Path | None = None, **environ: str) -> str:
    return find_engine(explicit, environ, home, home / "state", default or home / "nothing.sock")


def test_what_was_given_comes_first(tmp_path: Path, listening: Path) -> None:
    assert find(tmp_path, "unix:///mine", listening, DOCKER_HOST="tcp://h:1") == "unix:///mine"


def test_then_docker_host_then_the_context_then_the_default_socket(tmp_path: Path, listening: Path) -> None:
    write_context(tmp_path, "box", "unix:///box.sock", current=True)
    assert find(tmp_path, "", listening, DOCKER_HOST="tcp://h:1") == "tcp://h:1"
    assert find(tmp_path, "", listening) == "unix:///box.sock"
    assert find(tmp_path, "", listening, DOCKER_CONTEXT="default") == f"unix://{listening}"


def test_a_context_by_environment(tmp_path: Path) -> None:
    write_context(tmp_path, "other", "tcp://1.2.3.4:2375", current=False)
    assert find(tmp_path, DOCKER_CONTEXT="other") == "tcp://1.2.3.4:2375"


def test_a_broken_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="'gone' is chosen: docker knows no context 'gone'"):
        find(tmp_path, DOCKER_CONTEXT="gone")


def test_an_own_engine_is_found_last(tmp_path: Path) -> None:
    path = own_socket(tmp_path / "state")
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert find(tmp_path) == f"unix://{path}"


def test_without_any_engine_it_says_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(dead))  # and nobody listens any more
    with pytest.raises(NotFoundError) as caught:
        find(tmp_path, default=dead)
    for part in ("DOCKER_HOST is not set", str(dead), "state/engine/docker.sock", "scripts/up"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("unix:///x", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://localhost:2375", True),
        ("tcp://[::1]:2375", True),
        ("tcp://10.0.0.1:2375", False),
        ("tcp://build-host:2375", False),
        ("ssh://root@h", False),
    ],
)
def test_what_is_on_this_host(endpoint: str, local: bool) -> None:
    assert is_local(endpoint) is local


@dataclass
class EngineOf:
    endpoint: str
    operating_system: str = "Debian GNU/Linux 12"

    async def info(self) -> EngineInfo:
        return EngineInfo(
            "i", "n", "20", "1.41", self.operating_system, "inactive", "", "", False, "", "", "2", "overlay2"
        )


async def test_machines_are_made_on_an_engine_of_this_host() -> None:
    await check_for_machines(EngineOf("unix:///x"))


@pytest.mark.parametrize(
    ("engine", "part"),
    [
        (EngineOf("tcp://10.0.0.1:2375"), "remote engine tcp://10.0.0.1"),
        (EngineOf("unix:///x", "Docker Desktop"), "VM"),
    ],
)
async def test_other_engines_are_refused_for_machines_in_one_sentence(engine: EngineOf, part: str) -> None:
    with pytest.raises(RefusedError, match=part) as caught:
        await check_for_machines(engine)
    assert "\n" not in str(caught.value)


def test_a_context_with_tls_files_stays_one(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    docker_settings.write_context(tmp_path / ".docker", "box", "tcp://h:2376", TlsFiles(ca=str(tmp_path / "ca.pem")))
    assert find(tmp_path, DOCKER_CONTEXT="box") == "context://box"
    assert not is_local("context://localhost")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"DOCKER_CERT_PATH": "/c"}, None),
        ({"DOCKER_TLS_VERIFY": ""}, None),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"}, TlsFiles("/c/ca.pem", "/c/cert.pem", "/c/key.pem")),
        (
            {"DOCKER_TLS": "1", "DOCKER_CERT_PATH": "/c"},
            TlsFiles("", "/c/cert.pem", "/c/key.pem", verify=False),
        ),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": "/none"}, TlsFiles()),
    ],
)
def test_the_tls_of_docker_host_is_that_of_docker_s_client(
    tmp_path: Path, environ: dict[str, str], expected: TlsFiles | None
) -> None:
    assert host_tls(environ, tmp_path) == expected


def test_without_a_path_the_files_are_those_in_docker_s_own_folder(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "ca.pem").write_text("")
    assert host_tls({"DOCKER_TLS_VERIFY": "1"}, tmp_path) == TlsFiles(f"{tmp_path}/.docker/ca.pem")
