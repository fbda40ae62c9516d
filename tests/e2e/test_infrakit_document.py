"""The origin document, command for command: InfraKit's programs, real Vagrant, real Docker, two machines in one Swarm.

The document is InfraKit's README of the Swarm flavor. Its programs run as the document starts them, in a folder where
`build/` and `example/` are what it says; the machines are containers (tests/engines/vagrant_box.py).
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.waiting import eventually, phase
from tests.engines.vagrant_box import VagrantHost, vagrant_host

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
GROUP = "build/infrakit-group-default"
VANILLA = "build/infrakit-flavor-vanilla"
VAGRANT = "build/infrakit-instance-vagrant"
SWARM = "build/infrakit-flavor-swarm --host tcp://192.168.2.200:4243"
COMMIT_MANAGER = "build/infrakit group commit example/flavor/swarm/swarm-vagrant-manager.json"
COMMIT_WORKERS = "build/infrakit group commit example/flavor/swarm/swarm-vagrant-workers.json"
NODES = "docker -H tcp://192.168.2.200:4243 node ls"

STATES = " --format '{{.Status}} {{.Availability}} {{.ManagerStatus}}'"
STOPS_WITHIN_S = 15
"""InfraKit's ten seconds for what is under way, and some for the way out."""


@dataclass
class Site:
    """A folder in which the document's commands work, and the programs that run in it."""

    host: VagrantHost
    folder: Path
    programs: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, command: str) -> None:
        """One of the document's programs: returns when its socket is there."""
        sockets = len(self.sockets())
        log = self.folder / f"{len(self.programs)}.log"
        with log.open("wb") as file:
            words = self.host.inside("bash", "-c", f"exec {command}")
            options = {"cwd": self.folder, "env": self._environment, "start_new_session": True}
            self.programs.append(subprocess.Popen(words, stdout=file, stderr=file, **options))  # type: ignore[call-overload]
        eventually(lambda: len(self.sockets()), sockets + 1, within_s=30)

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """A command as somebody types it."""
        return subprocess.run(
            self.host.inside("bash", "-c", command),
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=170,
        )

    def said(self, command: str) -> str:
        """What it prints, when it succeeds."""
        run = self.run(command)
        assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}\n{self.logs()}"
        return run.stdout

    def nodes(self) -> list[str]:
        """State, availability and role of the Swarm's nodes; none while there is no Swarm."""
        run = self.run(NODES + STATES)
        return sorted(line.rstrip() for line in run.stdout.splitlines()) if run.returncode == 0 else []

    def sockets(self) -> list[str]:
        """The names under which plugins listen."""
        return sorted(path.name for path in (self.folder / "plugins").iterdir())

    def machines(self) -> list[str]:
        """What is left of machines: their folders, their containers, and the networks and volumes of those."""
        docker = self.host.engine.docker
        networks = {*docker("network", "ls", "--format", "{{.Name}}").split()} - {"bridge", "host", "none"}
        folders = [path.name for path in self.folder.glob("*infrakit-*")]
        return [*folders, *docker("ps", "-aq").split(), *networks, *docker("volume", "ls", "-q").split()]

    def stop(self) -> list[int]:
        """How each of the programs ended."""
        for program in self.programs:
            program.send_signal(signal.SIGTERM)
        return [program.wait(STOPS_WITHIN_S) for program in self.programs]

    def logs(self) -> str:
        """The ends of what the programs said."""
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))

    @property
    def _environment(self) -> dict[str, str]:
        return {**self.host.environment, "INFRAKIT_PLUGINS_DIR": str(self.folder / "plugins")}


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Iterator[VagrantHost]:
    with ExitStack() as stack:
        with phase("document: engine, image and box for Vagrant"):
            host = stack.enter_context(vagrant_host(request.config.cache.mkdir("vagrant-box")))
        yield host


@pytest.fixture
def site(host: VagrantHost, tmp_path: Path) -> Iterator[Site]:
    site = Site(host, host.home / tmp_path.name)
    (site.folder / "plugins").mkdir(parents=True)
    (site.folder / ".venv").symlink_to(sys.prefix)
    (site.folder / "example").symlink_to(ROOT / "example")
    linked = 'source "$0"; cd "$1"; venv=$1/.venv; link_binaries'  # as `scripts/up --binaries` does
    subprocess.run(["bash", "-c", linked, ROOT / "scripts" / "lib.sh", site.folder], check=True, capture_output=True)
    yield site
    print(site.logs())  # shown when the test failed
    for program in site.programs:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    shutil.rmtree(site.folder)


def ids(site: Site, group: str) -> list[str]:
    """The first column: `-q` leaves out the header alone."""
    return [line.split()[0] for line in site.said(f"build/infrakit group describe {group} -q").splitlines()]


def destroy(site: Site) -> None:
    """The document's last commands."""
    with phase("document: destroy both groups"):
        assert site.said("build/infrakit group destroy swarm-workers") == "destroy swarm-workers initiated\n"
        assert site.said("build/infrakit group destroy swarm-managers") == "destroy swarm-managers initiated\n"
    assert site.machines() == []
    assert site.said("build/infrakit group ls -q") == ""
    assert site.stop() == [0, 0, 0, 0]
    assert site.sockets() == []


def test_the_document_works_as_it_is_written(site: Site) -> None:
    for command in (GROUP, VANILLA, VAGRANT, SWARM):
        site.start(command)
    assert site.sockets() == ["flavor-swarm", "flavor-vanilla", "group", "instance-vagrant"]

    with phase("document: manager group to Leader"):
        assert site.said(COMMIT_MANAGER) == "Committed swarm-managers: Managing 1 instances\n"
        eventually(site.nodes, ["Ready Active Leader"])
    with phase("document: worker group to two nodes Ready"):
        assert site.said(COMMIT_WORKERS) == "Committed swarm-workers: Managing 1 instances\n"
        eventually(site.nodes, ["Ready Active", "Ready Active Leader"])

    described = site.said("build/infrakit group describe swarm-managers").splitlines()
    assert described[0].split() == ["ID", "LOGICAL", "TAGS"]
    assert [line.split()[1] for line in described[1:]] == ["192.168.2.200"]
    # infrakit-compat.md 3.3: a group plugin of InfraKit would find its own machines in these.
    assert "infrakit.config_sha=oEztfTbk_UCCPGqL1EnCjNhXEV0=,infrakit.group=swarm-managers" in described[1]
    eventually(lambda: len(ids(site, "swarm-workers")), 1)  # its node may be Ready before Vagrant is done
    (worker,) = ids(site, "swarm-workers")
    assert (site.folder / worker / "boot.sh").stat().st_mode & 0o777 == 0o600
    destroy(site)


def test_workers_before_managers_heal_by_themselves(site: Site) -> None:
    """infrakit-compat.md 6, 7 #4: the mistake that the document invites. InfraKit said nothing of it but in a log."""
    for command in (GROUP, VANILLA, VAGRANT, SWARM):
        site.start(command)
    assert site.said(COMMIT_WORKERS) == "Committed swarm-workers: Managing 1 instances\n"
    assert ids(site, "swarm-workers") == []
    eventually(lambda: "192.168.2.200" in site.run("build/infrakit group describe swarm-workers").stderr, True)
    with phase("document: both groups, workers first"):
        assert site.said(COMMIT_MANAGER) == "Committed swarm-managers: Managing 1 instances\n"
        eventually(site.nodes, ["Ready Active", "Ready Active Leader"])
    eventually(lambda: [len(ids(site, group)) for group in ("swarm-workers", "swarm-managers")], [1, 1])
    destroy(site)
