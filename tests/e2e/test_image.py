"""skep's own image on a real engine: built without registry and network, run as somebody who may write nothing."""

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from skep import __version__
from skep.adapters.docker import DockerEngine
from skep.adapters.node_image import build_example_image
from tests.e2e.waiting import WITHIN_S
from tests.engines.certificates import Authority
from tests.engines.host import HostEngine

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
UID = 4321
BUILD_WITHIN_S = 600
SIZE_BYTES_MAX = 180_000_000
"""On this host's Python: 165 MB are measured, of which what is locked takes the most."""
MANAGER = "skep/swarm-cluster-state-manager"
LOCKED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.fixture(scope="module")
def images(host_engine: HostEngine) -> HostEngine:
    """The engine, with both images on a base of this host's Python."""
    subprocess.run(
        [ROOT / "scripts" / "image", "--base", "host", "--uid", str(UID)],
        env=os.environ | {"DOCKER_HOST": host_engine.endpoint},
        check=True,
        timeout=BUILD_WITHIN_S,
    )
    return host_engine


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """What docker-machine leaves in /etc/docker, readable by the image's user alone; a client's are the same."""
    files = Authority(tmp_path / "authority").issue("machine", "manager")
    folder = Path(files.ca).parent
    Path(files.cert).rename(folder / "server.pem")
    Path(files.key).rename(folder / "server-key.pem")
    for path in (folder, *folder.iterdir()):
        os.chown(path, UID, UID)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def test_it_answers_as_a_user_who_may_write_nothing(images: HostEngine) -> None:
    def run(*words: str, entry: str = "skep") -> str:
        return images.docker("run", "--rm", "--network", "none", *LOCKED, "--entrypoint", entry, "skep/skep", *words)

    assert __version__ in run("version")
    assert run("-u", entry="id") == run("-g", entry="id") == str(UID)
    with pytest.raises(subprocess.CalledProcessError):
        run("/opt/skep/new", entry="touch")
    assert run("-c", "command -v pip hatchling || echo none", entry="sh") == "none"


@pytest.mark.parametrize("image", ["skep/skep", MANAGER])
def test_it_is_small(images: HostEngine, image: str) -> None:
    assert int(images.docker("image", "inspect", "-f", "{{.Size}}", image)) < SIZE_BYTES_MAX


def test_the_manager_shows_its_flags(images: HostEngine) -> None:
    told = images.docker("run", "--rm", "--network", "none", *LOCKED, MANAGER, "--help")
    assert "127.0.0.1:2476" in told
    assert "--swarm-manager" in told


def test_a_key_of_somebody_else_is_told_with_its_owner(images: HostEngine, certificates: Path) -> None:
    os.chown(certificates / "server-key.pem", 0, 0)
    command = ["docker", "-H", images.endpoint, "run", "--rm", *LOCKED, *mounted(images, certificates), MANAGER, *FLAGS]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert [word in last for word in ("/etc/docker/server-key.pem", str(UID), "0600")] == [True, True, True]


COMPOSE_FILE = ROOT / "docker-compose.yml"
SERVICE = "swarm-cluster-state-manager"


def words_of_the_compose_file() -> list[str]:
    """Its command, split as a shell does."""
    read = YAML(typ="safe", pure=True).load(COMPOSE_FILE.read_text())
    return shlex.split(read["services"][SERVICE]["command"])


def compose() -> list[list[str]]:
    """How Compose 2 or newer is called here, if at all: nothing here installs it. Version 1 writes no v."""
    ways = [["docker", "compose"], ["docker-compose"]]
    return [way for way in ways if shutil.which(way[0]) and " version v" in asked([*way, "version"])]


def asked(command: list[str]) -> str:
    """What it prints, of whatever use that is."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def test_compose_reads_its_file_as_these_tests_do_where_it_is_installed() -> None:
    for way in compose():
        service = json.loads(asked([*way, "-f", str(COMPOSE_FILE), "config", "--format", "json"]))["services"][SERVICE]
        assert (service["command"], service["read_only"]) == (words_of_the_compose_file(), True)


def flags_of_the_compose_file() -> list[str]:
    """For a manager of this host."""
    flags = words_of_the_compose_file()
    return [flag.replace("tcp://203.0.113.13:3376", "unix:///var/run/docker.sock") for flag in flags]


FLAGS = flags_of_the_compose_file()


def mounted(host: HostEngine, certificates: Path) -> tuple[str, ...]:
    """The certificates and the engine's socket, which belongs to a group."""
    socket = host.folder / "docker.sock"
    group = str(socket.stat().st_gid)
    return ("-v", f"{certificates}:/etc/docker:ro", "-v", f"{socket}:/var/run/docker.sock", "--group-add", group)


@pytest.fixture
def manager(images: HostEngine, certificates: Path) -> Iterator[str]:
    """The manager's address in the engine's network; what it made goes with it."""
    id_ = images.docker("run", "-d", *LOCKED, "--tmpfs", "/tmp", *mounted(images, certificates), MANAGER, *FLAGS)
    yield images.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", id_)
    print(images.docker("logs", id_))
    images.docker("rm", "-fv", id_)
    if made := images.docker("ps", "-aq", "--filter", "label=swarm.cluster.state=imaged").split():
        images.docker("rm", "-fv", *made)


async def test_the_documents_commands_work_against_it(
    images: HostEngine, engine: DockerEngine, certificates: Path, manager: str
) -> None:
    def curl(path: str, *more: str) -> str:
        shown = ("--cert", f"{certificates}/server.pem", "--key", f"{certificates}/server-key.pem")
        files = ("--cacert", f"{certificates}/ca.pem", *shown)
        patience = ("--retry", "120", "--retry-delay", "1", "--retry-connrefused")
        there = ("--resolve", f"manager:2476:{manager}", f"https://manager:2476/{path}")
        return images.inside("curl", "-sSf", *patience, *files, *there, *more)

    image = await build_example_image(engine)
    curl("submit", "-d", json.dumps({"Name": "imaged", "Image": image, "Count": 2}))
    end_s = time.monotonic() + WITHIN_S
    while not is_there(told := curl("status")):
        assert time.monotonic() < end_s, told
        await asyncio.sleep(0.2)
    assert len(images.docker("ps", "-q", "--filter", "label=swarm.cluster.state=imaged").split()) == 2


def is_there(status: str) -> bool:
    """Whether the document's status shows both containers."""
    return {"Name": "imaged", "DesiredCount": 2, "CurrentCount": 2} in [
        {name: value for name, value in one.items() if name != "Image"} for one in json.loads(status)
    ]
