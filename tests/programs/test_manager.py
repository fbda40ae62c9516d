"""`infrakit-manager os` with the programs behind it, each a process of its own (infrakit-compat.md 3.9)."""

import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from skep.adapters.plugin_folder import PluginFolder
from skep.adapters.rpc_plugins import RemoteGroup
from skep.model.errors import RejectedError
from skep.programs.manager import main
from tests.conditions import until
from tests.fakes.groups import group
from tests.programs.running import Bench, bench

POLL = ("--poll-interval", "200ms")
PROGRAMS = ("instance-file", "flavor-vanilla", "alpha-stateless", "alpha", "bravo-stateless", "bravo")


class Hosts(Bench):
    """Two hosts that share machines, a leader file and a store: a manager and a group plugin on each."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.machines, self.leader = home / "machines", home / "leader"
        self.store = home / "configs" / "global.config"
        self.client = PluginFolder(self.plugins)

    def begin_host(self, name: str) -> None:
        self.begin("group_default", f"{name}-stateless", *POLL, "--store", "none")
        flags = ("--leader-file", str(self.leader), "--store-dir", str(self.store.parent))
        self.begin("manager", name, "os", "--proxy-for-group", f"{name}-stateless", *flags, *POLL)

    def kill_host(self, name: str) -> None:
        self.kill(name)
        self.kill(f"{name}-stateless")

    def elect(self, name: str) -> None:
        self.leader.write_text(f"{name}\n")

    def manager(self, name: str) -> RemoteGroup:
        return self.client.group(name)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.machines.glob("instance-*"))

    async def count(self) -> int:
        return len(self.files())

    def stored(self) -> list[str]:
        return sorted(json.loads(self.store.read_bytes())["Groups"])

    async def watched(self, name: str) -> list[str]:
        """What the group plugin behind a manager looks after."""
        return sorted(group.id for group in await self.client.group(f"{name}-stateless").inspect())

    async def until_watched(self, name: str, *ids: str) -> None:
        await until(lambda: self.watched(name), sorted(ids))


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """In a folder whose path leaves room for sockets."""
    with tempfile.TemporaryDirectory(prefix="m") as folder:
        made = Hosts(Path(folder))
        try:
            made.begin("instance_file", "instance-file", "--dir", str(made.machines))
            made.begin("flavor_vanilla", "flavor-vanilla")
            for host in ("alpha", "bravo"):
                made.begin_host(host)
            for name in PROGRAMS:
                made.wait(name)
            yield made
        finally:
            made.end()


async def test_groups_outlive_their_host_and_the_destroyed_stay_gone(hosts: Hosts) -> None:
    """M1 to M4, over real sockets and files, with hosts that die without a word."""
    alpha, bravo = hosts.manager("alpha"), hosts.manager("bravo")
    with pytest.raises(RejectedError, match=r"not-a-leader: .*leader: No such file or directory; write the leading"):
        await alpha.commit(group("cattle", 3), pretend=False)
    hosts.elect("alpha")
    assert await alpha.commit(group("cattle", 3), pretend=False) == "Managing 3 instances"
    assert await alpha.commit(group("pets", 1), pretend=True) == "Managing 1 instances"
    with pytest.raises(RejectedError, match=r"^not-a-leader: can't commit group 'pets' here; alpha leads: ask there$"):
        await bravo.commit(group("pets", 1), pretend=False)
    with pytest.raises(RejectedError, match="not-a-leader"):
        await bravo.destroy("cattle")
    bad = group("bad", -1)
    with pytest.raises(RejectedError, match="Invalid properties: "):
        await alpha.commit(bad, pretend=False)
    assert hosts.stored() == ["cattle"]
    assert hosts.store.stat().st_mode & 0o777 == 0o600
    await until(hosts.count, 3)
    machines = hosts.files()

    hosts.kill_host("alpha")
    hosts.elect("bravo")
    await hosts.until_watched("bravo", "cattle")
    assert [one.id for one in (await bravo.describe("cattle")).instances] == machines
    assert (
        await bravo.commit(group("cattle", 2), pretend=False) == "Terminating 1 instances to reduce the group size to 2"
    )
    await until(hosts.count, 2)

    hosts.begin_host("alpha")
    for name in ("alpha", "alpha-stateless"):
        hosts.wait(name)
    await bravo.destroy("cattle")
    assert hosts.files() == []
    hosts.elect("alpha")
    await hosts.until_watched("bravo")
    assert await alpha.commit(group("pets", 1), pretend=False) == "Managing 1 instances"
    await hosts.until_watched("alpha", "pets")
    assert hosts.stored() == ["pets"]
    await until(hosts.count, 1)

    hosts.elect("bravo")
    await hosts.until_watched("bravo", "pets")
    await hosts.until_watched("alpha")
    assert await hosts.stop("bravo") == 0
    assert await hosts.stop("alpha", signal.SIGINT) == 0
    assert not (hosts.plugins / "alpha").exists()
    assert await hosts.count() == 1
    await hosts.client.close()


def test_flags_stand_before_the_mode_or_after_it(tmp_path: Path) -> None:
    """As the original's persistent flags do (infrakit-compat.md 1.1)."""
    with bench(tmp_path) as programs:
        for flags in (
            ["--name", "x", "--proxy-for-group", "x", "os"],
            ["--name", "y", "swarm", "--name", "x", "--proxy-for-group", "x"],
        ):
            ended = programs.run("manager", *flags)
            assert ended.returncode == 1, flags
            assert "--proxy-for-group x is this manager itself: name another group plugin" in ended.stderr
            assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "flags", [["etcd"], [], ["os", "--poll-interval", "soon"], ["swarm", "--leader-file", "x"]], ids=" ".join
)
def test_what_is_no_mode_or_no_flag_is_told_with_the_usage(flags: list[str]) -> None:
    ended = CliRunner().invoke(main, flags)
    assert ended.exit_code == 1
    assert "Usage: " in ended.stderr


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("os", ["~/.infrakit/leader", "~/.infrakit/configs", "INFRAKIT_LEADER_FILE", "INFRAKIT_STORE_DIR"]),
        ("swarm", ["unix:///var/run/docker.sock", "True to verify the engine's certificate"]),
    ],
)
def test_help_tells_the_defaults(mode: str, told: list[str]) -> None:
    """infrakit-compat.md 1.1, 1.4."""
    ended = CliRunner().invoke(main, [mode, "--help"])
    assert ended.exit_code == 0
    shown = " ".join(ended.stdout.split()).replace("- ", "-")  # lines break at hyphens
    for text in [*told, "[default: 5s]", "[default: group]", "[default: group-stateless]"]:
        assert text in shown
