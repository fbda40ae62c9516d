"""Programs come and go while groups run, as docs/infrakit.md promises: real processes, asked by the command line."""

import json
import signal
import subprocess
from pathlib import Path

from tests.e2e.infrakit_programs import ENDED_S, Programs, programs
from tests.e2e.waiting import eventually

GROUP = "infrakit-group-default --poll-interval 200ms"
IDS = [f"instance-{number}" for number in (1577006791947779410, 8674665223082153551, 953361862837282937)]


def _instances(user: Programs) -> str:
    return user.run("infrakit group describe cattle -q")


def _is_converged(user: Programs) -> bool:
    return bool(json.loads(user.run("infrakit group describe cattle --json"))["Converged"])


def _kill(program: subprocess.Popen[bytes]) -> None:
    """With what no program can tidy up after."""
    program.send_signal(signal.SIGKILL)
    program.wait(ENDED_S)


def _made_by_infrakit(folder: Path, id: str) -> None:
    """A file as InfraKit's own program wrote it (infrakit-compat.md 5.2), of the tutorial's group."""
    tags = {
        "infrakit.config_sha": "006438mMXW8gXeYtUxgf9Zbg94Y=",
        "infrakit.group": "cattle",
        "project": "infrakit",
        "tier": "web",
    }
    spec = {
        "Properties": {"Note": "Instance properties version 1.0"},
        "Tags": tags,
        "Init": "docker pull nginx:alpine\ndocker run -d -p 80:80 nginx-alpine",
        "LogicalID": None,
        "Attachments": None,
    }
    (folder / id).write_text(json.dumps({"ID": id, "LogicalID": None, "Tags": tags, "Spec": spec}, indent=2))


def test_machines_that_infrakit_made_are_taken_over_and_none_is_rolled(tmp_path: Path) -> None:
    """infrakit-compat.md 3.3 and 9: the hash is the same, so there is nothing to do but what is missing."""
    for id in IDS:
        _made_by_infrakit(tmp_path, id)
    with programs() as user:
        user.start(GROUP, "group")
        user.start(f"infrakit-instance-file --dir {tmp_path}", "instance-file")
        user.start("infrakit-flavor-vanilla", "flavor-vanilla")
        assert user.run("infrakit group commit docs/cattle.json") == "Committed cattle: Managing 5 instances\n"
        eventually(lambda: (_is_converged(user), user.lines("infrakit group describe cattle -q")), (True, 5))
        assert set(IDS) <= {line.split()[0] for line in _instances(user).splitlines()}
        user.stop()


def test_killed_programs_are_replaced_and_nothing_of_a_group_is_lost(tmp_path: Path) -> None:
    """infrakit-compat.md 3.10: G11 and G16, and what a swap of a running program is made of."""
    instance_file = f"infrakit-instance-file --dir {tmp_path}"
    with programs() as user:
        user.start(GROUP, "group")
        user.start(instance_file, "instance-file")
        user.start("infrakit-flavor-vanilla", "flavor-vanilla")
        user.run("infrakit group commit docs/cattle.json")
        eventually(lambda: (_is_converged(user), user.lines("infrakit group describe cattle -q")), (True, 5))
        before = _instances(user)
        for program in user.started:
            _kill(program)
        assert user.lines("infrakit plugin ls -q") == 3  # their sockets stay behind

        for line, socket in (
            (GROUP, "group"),
            (instance_file, "instance-file"),
            ("infrakit-flavor-vanilla", "flavor-vanilla"),
        ):
            user.start(line, socket)
        assert user.run("infrakit group ls -q") == "cattle\n"
        eventually(lambda: _is_converged(user), True)
        assert _instances(user) == before
        (tmp_path / before.split()[0]).unlink()
        eventually(lambda: user.lines("infrakit group describe cattle -q"), 5)

        assert user.run("infrakit group destroy cattle") == "destroy cattle initiated\n"
        assert list(tmp_path.iterdir()) == []
        assert user.stop()[3:] == [0, 0, 0]


def test_a_second_program_of_a_name_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with programs() as user:
        user.start("infrakit-flavor-vanilla", "flavor-vanilla")
        second = subprocess.run(
            user.command("infrakit-flavor-vanilla"), env=user.environ(), capture_output=True, timeout=60, check=False
        )
        assert second.returncode == 1
        assert f"process {user.started[0].pid}".encode() in second.stderr
        assert b"Traceback" not in second.stderr
        assert user.lines("infrakit plugin ls -q") == 1
        assert user.stop() == [0]
