"""`infrakit-group-default` with `infrakit-flavor-vanilla` and `infrakit-instance-file`, each a process of its own."""

import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import RejectedError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup
from tests.conditions import until
from tests.programs.running import Bench, bench

POLL = ("--poll-interval", "300ms")


class Three(Bench):
    """The three programs, and their client."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.machines = home / "machines"
        self.plugins_client = PluginFolder(self.plugins)
        self.group = self.plugins_client.group("group")

    def start_group(self, *flags: str) -> None:
        self.start("group_default", "group", *POLL, *flags)

    def start_instance(self) -> None:
        self.start("instance_file", "instance-file", "--dir", str(self.machines))

    def start_flavor(self) -> None:
        self.start("flavor_vanilla", "flavor-vanilla")

    def files(self) -> list[str]:
        return sorted(path.name for path in self.machines.glob("instance-*"))

    async def count(self) -> int:
        return len(self.files())

    async def is_converged(self) -> bool:
        return (await self.group.describe("cattle")).converged

    async def names(self) -> list[str]:
        return [group.id for group in await self.group.inspect()]


@pytest.fixture
def three() -> Iterator[Three]:
    """In a folder whose path leaves room for sockets."""
    with tempfile.TemporaryDirectory(prefix="g") as folder:
        made = Three(Path(folder))
        try:
            made.begin("group_default", "group", *POLL)
            made.begin("instance_file", "instance-file", "--dir", str(made.machines))
            made.begin("flavor_vanilla", "flavor-vanilla")
            for name in ("group", "instance-file", "flavor-vanilla"):
                made.wait(name)
            yield made
        finally:
            made.end()


def cattle(size: int, note: str = "1.0") -> CommittedGroup:
    """docs/cattle.json of InfraKit's tutorial."""
    properties = {
        "Allocation": {"Size": size},
        "Instance": {"Plugin": "instance-file", "Properties": {"Note": f"Instance properties version {note}"}},
        "Flavor": {
            "Plugin": "flavor-vanilla",
            "Properties": {
                "Init": ["docker pull nginx:alpine", "docker run -d -p 80:80 nginx-alpine"],
                "Tags": {"tier": "web", "project": "infrakit"},
            },
        },
    }
    return CommittedGroup("cattle", RawJson(json.dumps(properties).encode()))


async def test_a_group_lives_through_the_crash_of_each_program(three: Three) -> None:
    """Commit, kill -9 of each, healing, a rolling update, free, commit again and destroy, over real sockets."""
    group = three.group
    assert await group.commit(cattle(3), pretend=True) == "Managing 3 instances"
    assert await group.commit(cattle(3), pretend=False) == "Managing 3 instances"
    await until(three.is_converged, True)
    machines = three.files()
    written = json.loads((three.machines / machines[0]).read_text())
    assert written["Tags"]["infrakit.config_sha"] == "006438mMXW8gXeYtUxgf9Zbg94Y="

    three.kill("group")
    three.start_group()
    assert await three.names() == ["cattle"]
    await until(three.is_converged, True)
    assert three.files() == machines

    three.kill("instance-file")
    three.start_instance()
    (three.machines / machines[0]).unlink()
    await until(three.count, 3)
    await until(three.is_converged, True)

    three.kill("flavor-vanilla")
    text = "Performing a rolling update on 3 instances, then adding 1 instances to increase the group size to 4"
    with pytest.raises(RejectedError, match="flavor-vanilla"):
        await group.commit(cattle(4, "2.0"), pretend=False)
    three.start_flavor()
    assert await group.commit(cattle(4, "2.0"), pretend=False) == text
    await until(three.is_converged, True)
    assert len(three.files()) == 4
    assert set(machines).isdisjoint(three.files())

    await group.free("cattle")
    assert await three.names() == []
    assert await group.commit(cattle(4, "2.0"), pretend=False) == "Managing 4 instances"
    await group.destroy("cattle")
    assert (three.files(), await three.names()) == ([], [])
    with pytest.raises(RejectedError, match=r"^Group 'cattle' is not being watched$"):
        await group.describe("cattle")
    await three.plugins_client.close()


async def test_groups_are_kept_from_the_moment_they_are_committed(three: Three) -> None:
    """Killed a moment after the answer, it goes on where it was."""
    await three.group.commit(cattle(50), pretend=False)
    three.kill("group")
    three.start_group()
    await until(three.count, 50)
    await until(three.is_converged, True)
    assert await three.count() == 50
    await three.plugins_client.close()


async def test_a_name_and_its_state_are_held_by_one_process(three: Three) -> None:
    """The second is told who has it (infrakit-compat.md 3.10: G16), whether it asks for the socket or the state."""
    pid = three.pid("group")
    second = three.run("group_default")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"process {pid}" in second.stderr
    third = three.run("group_default", "--name", "other", "--state-dir", str(three.home / ".infrakit/skep/group"))
    assert third.returncode == 1
    assert f"process {pid}" in third.stderr
    assert "Traceback" not in second.stderr + third.stderr
    assert not (three.plugins / "other").exists()
    assert await three.names() == []
    await three.plugins_client.close()


@pytest.mark.parametrize("flags", [("--name", "group-stateless"), ("--store", "none")])
async def test_who_has_a_keeper_keeps_nothing(flags: tuple[str, ...]) -> None:
    """infrakit-compat.md 3.9: a manager keeps the groups then. They are taken over as they are after a restart."""
    with tempfile.TemporaryDirectory(prefix="g") as folder:
        made = Three(Path(folder))
        name = "group-stateless" if "--name" in flags else "group"
        more = () if "--name" in flags else flags
        group = made.plugins_client.group(name)
        try:
            made.start("group_default", name, *POLL, *more)
            made.start_instance()
            made.start_flavor()
            await group.commit(cattle(2), pretend=False)
            await until(made.count, 2)
            machines = made.files()
            made.kill(name)
            made.start("group_default", name, *POLL, *more)
            assert await group.inspect() == ()
            assert await group.commit(cattle(2), pretend=False) == "Managing 2 instances"
            assert made.files() == machines
            assert not (made.home / ".infrakit").exists()
        finally:
            made.end()
            await made.plugins_client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_cleanly_and_leaves_no_socket(three: Three, number: signal.Signals) -> None:
    await three.group.commit(cattle(2), pretend=False)
    await three.plugins_client.close()
    assert await three.stop("group", number) == 0
    assert not (three.plugins / "group").exists()
    assert "Traceback" not in three.log("group")


def test_what_can_not_be_a_pause_is_refused() -> None:
    with tempfile.TemporaryDirectory(prefix="g") as folder, bench(Path(folder)) as programs:
        for given in ("soon", "0s"):
            refused = programs.run("group_default", "--poll-interval", given)
            assert (refused.returncode, "--poll-interval" in refused.stderr) == (1, True)
        assert programs.run("group_default", "version").stdout.startswith("Version: ")
