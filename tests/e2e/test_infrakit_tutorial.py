"""InfraKit's classic tutorial, check for check and text for text, with real programs and their command line.

The nine checks are those of InfraKit's own acceptance script (infrakit-compat.md 9).
"""

from pathlib import Path

from tests.e2e.infrakit_programs import Programs, programs
from tests.e2e.waiting import eventually

PLAN = "Performing a rolling update on 5 instances, then adding 5 instances to increase the group size to 10"
IN_GROUP = "infrakit group describe cattle -q"
IN_ALL = "infrakit instance describe -q --name instance-file"
FIRST, SECOND = "006438mMXW8gXeYtUxgf9Zbg94Y=", "eB2JuP0c5Sf41X5e2vc2gJ4ZTVg="


def _hashes(user: Programs) -> dict[str, int]:
    """How many instances of the group have which hash."""
    shas = [line.partition("infrakit.config_sha=")[2].partition(",")[0] for line in user.run(IN_GROUP).splitlines()]
    return {sha: shas.count(sha) for sha in shas}


def _follow(user: Programs, machines: Path, plugins: int) -> None:
    """The tutorial from its first command to its last."""
    assert user.lines("infrakit plugin ls -q") == plugins
    assert user.lines(IN_ALL) == 0

    assert user.run("infrakit group commit docs/cattle.json") == "Committed cattle: Managing 5 instances\n"
    eventually(lambda: (user.lines(IN_GROUP), user.lines(IN_ALL)), (5, 5))
    assert _hashes(user) == {FIRST: 5}
    before = user.run(IN_GROUP)

    assert user.run("infrakit group free cattle") == "Freed cattle\n"
    assert user.run("infrakit group commit docs/cattle.json") == "Committed cattle: Managing 5 instances\n"
    assert user.run("infrakit group ls -q") == "cattle\n"
    assert user.run(IN_GROUP) == before

    pretended = user.run("infrakit group commit docs/cattle2.json --pretend")
    assert pretended == f"Committing cattle would involve: {PLAN}\n"
    assert user.run(IN_GROUP) == before

    assert user.run("infrakit group commit docs/cattle2.json") == f"Committed cattle: {PLAN}\n"
    eventually(lambda: _hashes(user), {SECOND: 10})

    doomed = sorted(file.name for file in machines.iterdir())[:3]
    for name in doomed:
        (machines / name).unlink()
    eventually(lambda: _hashes(user), {SECOND: 10})
    assert not set(doomed) & {line.split("\t")[0].strip() for line in user.run(IN_GROUP).splitlines()}

    assert user.run("infrakit group destroy cattle") == "destroy cattle initiated\n"
    assert user.lines(IN_ALL) == 0
    assert list(machines.iterdir()) == []
    assert user.run("infrakit group ls -q") == ""


def test_the_tutorial_holds_check_for_check(tmp_path: Path) -> None:
    with programs() as user:
        user.start("infrakit-group-default --poll-interval 500ms", "group")
        user.start(f"infrakit-instance-file --dir {tmp_path}", "instance-file")
        user.start("infrakit-flavor-vanilla", "flavor-vanilla")
        _follow(user, tmp_path, plugins=3)
        assert user.stop() == [0, 0, 0]
        assert list(user.plugins.iterdir()) == []


def test_the_tutorial_holds_behind_a_manager(tmp_path: Path) -> None:
    """As InfraKit's script of later days has it, where a manager keeps the groups (infrakit-compat.md 3.9)."""
    with programs() as user:
        (user.home / ".infrakit").mkdir()
        (user.home / ".infrakit" / "leader").write_text("group\n")
        user.start("infrakit-manager --proxy-for-group group-stateless os --poll-interval 200ms", "group")
        user.start("infrakit-group-default --poll-interval 500ms --name group-stateless", "group-stateless")
        user.start(f"infrakit-instance-file --dir {tmp_path}", "instance-file")
        user.start("infrakit-flavor-vanilla", "flavor-vanilla")
        _follow(user, tmp_path, plugins=4)
        assert user.stop() == [0, 0, 0, 0]
        assert list(user.plugins.iterdir()) == []
