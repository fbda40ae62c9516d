"""Each command against a real server: what it prints, and with what it exits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from skep.cli.commands import COMMANDS
from skep.cli.parameter import Command
from skep.model.errors import NotReadyError, RefusedError
from skep.model.spec import Key
from skep.model.state import Condition, ConditionType, Event
from skep.model.view import KeyView, MemberView
from tests.cli.shell import Shell, check_golden
from tests.server.front_double import GROUP, PAUSED, WORKLOAD, FrontDouble

MANAGERS = replace(
    GROUP,
    key="group/managers",
    name="managers",
    role="manager",
    desired=1,
    current=1,
    ready=0,
    converged=False,
    conditions=(
        Condition(ConditionType.REPLICA_FAILURE, True, "FailedCreate", "no space\n\x1b[31mleft on device", 1.0),
    ),
    members=(MemberView("0a1b2c3d4e5f6a7b8c9d0e1f", "10.20.0.10", "pending", "unknown", address="10.20.0.10"),),
)
BROKEN = replace(WORKLOAD, key="workload/api", name="api", conditions=(PAUSED,), doing=(), cluster="")
LEAVING = replace(WORKLOAD, key="workload/old", name="old", removed=True, doing=("drain a", "drain b"), desired=0)
NEW = replace(WORKLOAD, key="workload/new", name="new", generation=4, conditions=(), members=())


@pytest.fixture
def web(tmp_path: Path) -> str:
    file = tmp_path / "web.json"
    file.write_text('{"Name": "web", "Count": 3}')
    return str(file)


def _show(front: FrontDouble, *views: KeyView) -> None:
    front.shown = {Key.parse(view.key): view for view in views}


GOLDEN: list[tuple[str, tuple[str, ...]]] = [
    ("status", ("status",)),
    ("status-wide", ("status", "-o", "wide")),
    ("group-ls", ("group", "ls")),
    ("group-ls-wide", ("group", "ls", "-o", "wide")),
    ("workload-ls", ("workload", "ls")),
    ("group-describe", ("group", "describe", "managers")),
    ("workload-describe", ("workload", "describe", "web")),
    ("workload-describe-yaml", ("workload", "describe", "web", "-o", "yaml")),
    ("workload-history", ("workload", "history", "web")),
    ("events", ("events",)),
    ("events-json", ("events", "-o", "json")),
    ("image", ("image", "node")),
    ("version", ("version",)),
]


@pytest.mark.parametrize(("name", "arguments"), GOLDEN, ids=[name for name, _ in GOLDEN])
def test_what_is_printed_is_what_was_agreed(
    shell: Shell, front: FrontDouble, name: str, arguments: tuple[str, ...]
) -> None:
    _show(front, GROUP, MANAGERS, WORKLOAD, BROKEN, LEAVING, NEW)
    front.log = [
        Event(1, 1_795_329_000.0, "workload/web", "Missing", "create service web with 5 replicas"),
        Event(2, 1_795_329_060.0, "group/workers", "Dead", "start worker-1"),
    ]
    result = shell.skep(*arguments)
    assert (result.code, result.err) == (0, "")
    check_golden(name, result.out)


def test_the_status_of_nothing_says_what_to_do(shell: Shell, front: FrontDouble) -> None:
    _show(front)
    assert "skep apply -f FILE" in shell.skep("status").out


def test_json_is_what_the_server_said(shell: Shell) -> None:
    status = json.loads(shell.skep("status", "-o", "json").out)
    assert [view["key"] for view in (*status["groups"], *status["workloads"])] == ["group/workers", "workload/web"]
    shown = json.loads(shell.skep("workload", "describe", "web", "-o", "json").out)
    assert shown["members"]
    assert shown["endpoints"]
    assert {**shown, "members": [], "endpoints": []} == status["workloads"][0]


def test_a_wide_status_lists_machines_and_no_column_that_a_listing_never_fills(
    shell: Shell, front: FrontDouble
) -> None:
    """Containers and addresses of a workload are for who asks for it alone: its cluster is asked for them."""
    _show(front, MANAGERS, WORKLOAD)
    lines = shell.skep("status", "-o", "wide").out.splitlines()
    keys, machines = (at for at, line in enumerate(lines) if line.split()[:1] in (["NAME"], ["MEMBER"]))
    assert "ENDPOINTS" not in lines[keys]
    assert {line.split()[1] for line in lines[machines + 1 :]} == {"managers"}


def test_yaml_says_the_same_as_json(shell: Shell) -> None:
    printed = shell.skep("status", "-o", "yaml").out
    assert YAML(typ="safe").load(printed) == json.loads(shell.skep("status", "-o", "json").out)


def test_apply_prints_each_change(shell: Shell, front: FrontDouble, web: str, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('{"Name": "extra", "Count": 1}')
    result = shell.skep("apply", "-f", web, "-f", str(tmp_path / "new.json"), "--adopt")
    assert (result.code, result.err) == (0, "")
    check_golden("apply", result.out)
    assert front.adopted


def test_plan_exits_1_for_changes_and_0_for_none(shell: Shell, web: str) -> None:
    result = shell.skep("plan", "-f", web)
    assert (result.code, result.err) == (1, "")
    check_golden("plan", result.out)
    shell.skep("apply", "-f", web)
    result = shell.skep("plan", "-f", web)
    assert result.code == 0
    check_golden("plan-unchanged", result.out)


@pytest.mark.parametrize(
    "arguments", [("-f", "/nowhere.yaml"), ("--nonsense",), (), ("-f", "BAD"), ("-f", "GOOD", "-o", "xml")]
)
def test_every_error_of_plan_exits_255(shell: Shell, tmp_path: Path, web: str, arguments: tuple[str, ...]) -> None:
    (tmp_path / "bad.json").write_text("nonsense")
    given = [{"BAD": str(tmp_path / "bad.json"), "GOOD": web}.get(one, one) for one in arguments]
    result = shell.skep("plan", *given)
    assert result.code == 255
    assert result.out == ""
    assert result.err


def test_plan_without_a_server_exits_255(tmp_path: Path, web: str) -> None:
    assert Shell(tmp_path / "no.sock").skep("plan", "-f", web).code == 255


def test_delete_removes_and_says_so(shell: Shell, front: FrontDouble, web: str) -> None:
    result = shell.skep("delete", "-f", web, "--cascade")
    assert (result.code, result.out.splitlines()[1].split()) == (0, ["workload/web", "removed", "4"])
    assert front.cascaded


def test_delete_may_leave_the_members_as_they_are(shell: Shell, front: FrontDouble, tmp_path: Path) -> None:
    """`free` of what files name; what is removed with all that needs it can't stay as well."""
    file = tmp_path / "web.json"
    file.write_text('{"Name": "web", "Image": "web:1", "Count": 3}')
    result = shell.skep("delete", "-f", str(file), "--orphan", "--cascade")
    told = "skep: orphan: can't be together with cascade: one leaves what the other removes\n"
    assert (result.code, result.err) == (1, told)
    result = shell.skep("delete", "-f", str(file), "--orphan", "--wait")
    assert (result.code, result.out.splitlines()[1].split()) == (0, ["workload/web", "freed", "3"])
    assert shell.skep("workload", "describe", "web").code == 1


@pytest.mark.parametrize(("kind", "name", "removal"), [("group", "workers", "destroy"), ("workload", "web", "rm")])
def test_keys_are_scaled_and_removed_by_name(shell: Shell, kind: str, name: str, removal: str) -> None:
    result = shell.skep(kind, "scale", name, "7")
    assert (result.code, result.out.splitlines()[1].split()[:2]) == (0, [f"{kind}/{name}", "configured"])
    assert json.loads(shell.skep(kind, "describe", name, "-o", "json").out)["desired"] == 7
    assert shell.skep(kind, removal, name).code == 0
    result = shell.skep(kind, "describe", name)
    assert (result.code, result.err) == (1, f"skep: there is no {kind}/{name}\n")


def test_why_reaches_the_server_with_every_change(shell: Shell, front: FrontDouble, web: str) -> None:
    _show(front, GROUP)
    why = "more & more: für den Verkauf"
    for arguments in (
        ("apply", "-f", web),
        ("workload", "submit", web),
        ("group", "commit", web),
        ("workload", "scale", "web", "4"),
        ("workload", "retry", "web"),
        ("workload", "rollback", "web", "--to", "3"),
        ("workload", "pause", "web"),
        ("workload", "resume", "web"),
        ("group", "rollback", "workers"),
        ("delete", "-f", web),
        ("group", "free", "workers"),
        ("apply", "-f", web),
        ("workload", "rm", "web"),
    ):
        assert shell.skep(*arguments, "--why", why).code == 0, arguments
    assert front.reasons == [why] * 13
    assert front.rolled_to == [3, None]


def test_what_a_rollback_changes_is_told_below_its_answer(shell: Shell, front: FrontDouble) -> None:
    _show(front, WORKLOAD)
    lines = shell.skep("workload", "rollback", "web").out.splitlines()
    assert lines[1].split()[:2] == ["workload/web", "configured"]
    assert lines[2:] == ["  Image web:2 -> web:1", "  Env MODE"]


def test_whatever_changes_a_spec_tells_what_became_other(shell: Shell, web: str) -> None:
    """A spec is whole: `--image` alone means one container and no ports."""
    told = [
        ("workload", "submit", "web", "--image", "web:1"),
        ("workload", "scale", "web", "4"),
        ("workload", "submit", web),
        ("workload", "scale", "web", "4"),
        ("apply", "-f", web),
    ]
    lines = [shell.skep(*arguments).out.splitlines() for arguments in told]
    counts = ["Count 5 -> 1", "Count 1 -> 4", "Count 4 -> 3", "Count 3 -> 4", "Count 4 -> 3"]
    assert [line[2:] for line in lines] == [[f"  {count}"] for count in counts]
    assert shell.skep("apply", "-f", web).out.splitlines()[2:] == []


def test_who_paused_it_and_what_to_do_is_told(shell: Shell, front: FrontDouble) -> None:
    waiting = Condition(ConditionType.PROGRESSING, False, "Paused", "the roll-out is paused: by ann: to look", 1.0)
    _show(front, replace(WORKLOAD, paused="by ann: to look", conditions=(waiting,)))
    lines = shell.skep("workload", "describe", "web").out.splitlines()
    assert "State:      Paused: the roll-out is paused: by ann: to look" in lines
    assert "Paused:     by ann: to look" in lines
    assert "To do:      resume it, or go back with rollback" in lines


def test_a_refusal_is_told_and_cascade_overrules_it(shell: Shell, front: FrontDouble) -> None:
    _show(front, GROUP, MANAGERS)
    result = shell.skep("group", "destroy", "managers")
    assert (result.code, result.out) == (1, "")
    assert result.err == "skep: group/managers is named by group/workers: remove that first, or use --cascade\n"
    assert shell.skep("group", "destroy", "managers", "--cascade").code == 0


def test_names_with_any_character_reach_the_server_whole(shell: Shell) -> None:
    assert shell.skep("workload", "describe", "a b?é").err == "skep: there is no workload/a b?é\n"


NAMED = [row for row in COMMANDS if "kind" in row.fixed and any(one.name == "name" for one in row.parameters)]


@pytest.mark.parametrize("row", NAMED, ids=lambda row: " ".join(row.path))
def test_an_empty_name_is_refused_before_the_server_is_asked(row: Command, tmp_path: Path) -> None:
    """As `skep workload rm "$NAME"` has it where NAME is not set: it must not mean all, nor anything else."""
    needed = [one for one in row.parameters if one.required]
    words = ["" if one.name == "name" else "3" for one in needed]
    result = Shell(tmp_path / "no.sock").skep(*row.path, *words)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"skep: the name of the {row.path[0]} is empty\n"


def test_every_fault_of_a_spec_is_told_with_its_place(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("nonsense")
    (tmp_path / "b.yaml").write_text('{"Name": "x"}')
    result = shell.skep("apply", "-f", str(tmp_path))
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[0] == "skep: 2 faults, nothing was changed:"
    assert result.err.splitlines()[1].startswith(f"{tmp_path}/a.yaml:1: no JSON")
    assert result.err.splitlines()[2] == f"{tmp_path}/b.yaml:1: Count: is missing"


@pytest.mark.parametrize("error", [RefusedError("no, and why"), NotReadyError("not yet"), ZeroDivisionError("secret")])
def test_errors_of_the_server_are_a_sentence_and_exit_1(shell: Shell, front: FrontDouble, error: Exception) -> None:
    front.error = error
    result = shell.process("status")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith("skep: ")
    assert "secret" not in result.err


def test_events_since_a_number_or_a_time(shell: Shell, front: FrontDouble) -> None:
    front.log = [Event(1, 10.0, "workload/web", "Missing", "long ago"), Event(2, 4e9, "workload/web", "Dead", "new")]
    for since in ("1", "10m"):
        result = shell.skep("events", "--since", since)
        assert [line.split()[0] for line in result.out.splitlines()] == ["SEQ", "2"]
    result = shell.skep("events", "--since", "yesterday")
    assert (result.code, "neither" in result.err) == (2, True)


def test_version_answers_without_a_server(tmp_path: Path) -> None:
    result = Shell(tmp_path / "no.sock").skep("version")
    assert (result.code, result.out.splitlines()[-1].split()) == (0, ["server", "-"])
