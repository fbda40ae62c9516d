"""Who may come in, and what never goes out: one server a state directory, private files, no token, every fault."""

import os
import stat
from pathlib import Path

import pytest

from tests.e2e.machine import ask, docker
from tests.e2e.waiting import phase
from tests.e2e.world import World

pytestmark = pytest.mark.docker

TOKEN = "SWMTKN-1-"
"""What every join token begins with; the part before the number stands in the pattern that hides them."""

BAD = """\
ID: workers
Properties:
  Allocation: {Size: lots}
  Instance:
    Plugin: instance-docker
    Properties: {Memry: 1GiB}
  Flavor: {Plugin: flavor-swarm, Properties: {Type: worker}}
---
Name: web
Image: skep/web:1
Count: -1
"""


def test_neither_a_server_nor_a_removal_from_elsewhere_touches_the_machines_of_a_living_one(
    world: World, tmp_path: Path
) -> None:
    """One name on one engine has one home: from another state directory it is refused while that one lives."""
    skep, before = world.skep, world.machines()
    for command in ("down", "serve"):
        elsewhere = skep.call(command, "--state-dir", str(tmp_path / "other"))
        assert elsewhere.returncode == 1
        assert f"are kept from {skep.state} by process" in elsewhere.stderr
    assert world.machines() == before


def test_a_second_server_on_the_same_state_directory_is_told_who_holds_it(world: World) -> None:
    skep = world.skep
    assert skep.server is not None
    second = skep.call("serve")
    assert second.returncode == 1
    assert f"{skep.state} is in use by process {skep.server.pid}" in second.stderr
    assert "--state-dir" in second.stderr
    assert "Traceback" not in second.stderr
    assert skep.server.poll() is None
    assert world.skep.views()


def test_nobody_else_can_open_what_is_kept(world: World) -> None:
    """A machine's own engine makes its socket for root and its group; the folder around it lets nobody in."""
    state = world.skep.state
    assert mode(state) == 0o700
    assert mode(state / "skep.sock") == 0o600
    entries = [Path(folder) / name for folder, folders, files in os.walk(state) for name in (*folders, *files)]
    assert len(entries) > 10
    open_to_others = {str(one): oct(mode(one)) for one in entries if mode(one) & 0o077 and one.name != "e.sock"}
    assert open_to_others == {}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_no_join_token_is_anywhere_but_in_the_swarm(world: World) -> None:
    skep, manager = world.skep, world.manager()
    assert docker(manager, "swarm", "join-token", "-q", "worker").startswith(TOKEN)
    files = [path for path in skep.state.rglob("*") if path.is_file()]
    assert {"skep.db", "skep.db-wal", "secret.key"} <= {path.name for path in files}
    assert [str(path) for path in (*files, skep.log) if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in "".join(answers(world))
    host = skep.engine.folder / "docker.sock"
    for machine in world.machines():
        assert TOKEN not in str(ask(host, f"/containers/{machine.id}/json"))
        assert TOKEN not in skep.engine.docker("logs", machine.name)


def answers(world: World) -> list[str]:
    """All that the command line tells, with a plan that would make a machine."""
    skep = world.skep
    bigger = skep.call("plan", "-f", "-", "-o", "json", text=skep_specs_with_one_more_worker(world))
    assert bigger.returncode == 1, bigger.stderr
    commands = [("status",), ("events",), ("group", "ls"), ("workload", "ls")]
    commands += [(kind, what, name) for kind, name in KEYS for what in ("describe", "history")]
    return [bigger.stdout, *(skep.run(*command, "-o", "json") for command in commands)]


KEYS = (("group", "managers"), ("group", "workers"), ("workload", "web"))


def skep_specs_with_one_more_worker(world: World) -> str:
    """The group of workers as it is, with a third."""
    revisions = world.skep.read("group", "history", "workers")
    spec = str(revisions[0]["spec"])
    assert '"Size":2' in spec
    return spec.replace('"Size":2', '"Size":3')


def test_every_fault_of_a_bad_spec_is_told_with_its_place_and_nothing_changes(world: World, tmp_path: Path) -> None:
    skep, machines, last = world.skep, world.machines(), world.skep.last_event()
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    with phase("a bad spec refused"):
        refused = skep.call("apply", "-f", str(bad))
    assert refused.returncode == 1
    assert "nothing was changed" in refused.stderr
    assert f"{bad}:3: Properties.Allocation.Size: " in refused.stderr
    assert f"{bad}:11: Count: " in refused.stderr
    assert skep.call("plan", "-f", str(bad)).returncode == 255
    assert world.machines() == machines
    assert skep.last_event() == last


def test_a_fault_that_only_the_plugin_knows_has_its_place_too(world: World, tmp_path: Path) -> None:
    skep = world.skep
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD.replace("lots", "2").replace("Count: -1", "Count: 1"))
    refused = skep.call("apply", "-f", str(bad))
    assert refused.returncode == 1
    assert f"{bad}:6: Properties.Instance.Properties.Memry: " in refused.stderr
