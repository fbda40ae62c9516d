"""Specs by the command line: commit and submit, inspect, free and retry, and what is told when nothing or more goes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from skep.cli.submit import typed
from skep.model.errors import Fault, InvalidError
from skep.model.spec import Key, Kind
from skep.model.view import ChangeView
from tests.cli.shell import Shell
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running

MANAGERS = replace(GROUP, key="group/managers", name="managers", role="manager")


@pytest.fixture
def web(tmp_path: Path) -> str:
    file = tmp_path / "web.json"
    file.write_text('{"Name": "web", "Count": 3}')
    return str(file)


@pytest.mark.parametrize(
    ("command", "kind"), [(("group", "commit"), Kind.GROUP), (("workload", "submit"), Kind.WORKLOAD)]
)
def test_a_file_of_one_kind_is_applied_as_that(
    shell: Shell, front: FrontDouble, web: str, command: tuple[str, ...], kind: Kind
) -> None:
    more = ("--resolve",) if kind is Kind.WORKLOAD else ()
    result = shell.skep(*command, web, "--adopt", *more)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[1].split() == ["workload/web", "configured", "4"]
    assert (front.kind, front.adopted, front.resolved) == (kind, True, bool(more))


@pytest.mark.parametrize("command", [("group", "commit"), ("workload", "submit")])
def test_pretending_shows_the_plan_and_changes_nothing(
    shell: Shell, front: FrontDouble, web: str, command: tuple[str, ...]
) -> None:
    result = shell.skep(*command, web, "--pretend")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0].split() == ["KEY", "CHANGE", "ACTION", "REASON", "DETAIL"]
    assert front.shown[Key(Kind.WORKLOAD, "web")] == WORKLOAD


@pytest.mark.parametrize("size", [5_000_000, 50_000_000])
def test_what_is_too_large_is_refused_in_the_servers_words(shell: Shell, tmp_path: Path, size: int) -> None:
    """The server hangs up before it has read all; why, stands in its answer."""
    file = tmp_path / "web.json"
    file.write_text("x" * size)
    result = shell.skep("apply", "-f", str(file))
    assert (result.code, result.err) == (1, "skep: the request is larger than 4 MiB: send fewer files at once\n")


@pytest.mark.parametrize("command", [("group", "commit"), ("workload", "submit")])
def test_a_spec_may_come_from_standard_input(shell: Shell, command: tuple[str, ...]) -> None:
    result = shell.process(*command, "-", given=b'{"Name": "web", "Count": 3}')
    assert (result.code, result.out.splitlines()[1].split()) == (0, ["workload/web", "configured", "4"])


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("Name: must not be empty", "NAME: must not be empty"),
        ("Image: is no image reference", "--image: is no image reference"),
        ("Ports[0].Target: must be at most 65535", "--publish: Ports[0].Target: must be at most 65535"),
        ("Env[1]: must look like NAME=value", "--env: Env[1]: must look like NAME=value"),
        ("Restart: is odd", "the command line: Restart: is odd"),
    ],
)
def test_a_fault_of_what_was_typed_is_told_by_its_option(fault: str, told: str) -> None:
    before = "2 faults, nothing was changed:"
    assert typed(f"{before}\nthe command line:1: {fault}") == f"{before}\n{told}"


def test_a_refused_workload_of_the_command_line_has_no_line(shell: Shell, front: FrontDouble) -> None:
    front.error = InvalidError([Fault("must be at most 65535", "Ports[0].Target", "the command line", 1)])
    result = shell.skep("workload", "submit", "web", "--image", "nginx", "--publish", "70000")
    assert (result.code, result.err) == (1, "skep: --publish: Ports[0].Target: must be at most 65535\n")


def test_a_workload_of_the_command_line_is_the_spec_that_people_would_write(
    shell: Shell, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    class Recording(FrontDouble):
        async def apply(self, files, who, options):  # type: ignore[no-untyped-def]
            sent.extend(file.text for file in files)
            return await super().apply(files, who, options)

    socket = server.path.with_name("recording.sock")
    with running(Recording(), socket):
        recording = Shell(socket)
        assert recording.skep("workload", "submit", "web", "--image", "nginx").code == 0
        options = ("--count", "5", "--cluster", "three", "--env", "A=b c", "--env", "C=", "--publish", "8080:80")
        assert recording.skep("workload", "submit", "api", "--image", "nginx:1", *options).code == 0
    assert [json.loads(text) for text in sent] == [
        {"Name": "web", "Image": "nginx", "Count": 1},
        {
            "Name": "api",
            "Image": "nginx:1",
            "Count": 5,
            "Cluster": "three",
            "Env": ["A=b c", "C="],
            "Ports": ["8080:80"],
        },
    ]


def test_options_of_a_workload_need_an_image(shell: Shell, web: str) -> None:
    result = shell.skep("workload", "submit", web, "--count", "3", "--env", "A=b")
    assert (result.code, result.out) == (1, "")
    assert result.err == "skep: --count, --env need --image: a file says for itself how it is run\n"


def test_a_name_without_an_image_is_told_how_to_go_on(shell: Shell) -> None:
    result = shell.skep("workload", "submit", "web")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("skep: no such file or folder: web")
    assert "--image" in result.err


def test_inspect_prints_the_stored_spec(shell: Shell) -> None:
    result = shell.skep("workload", "inspect", "web")
    assert (result.code, result.out) == (0, '{\n  "Name": "web",\n  "Count": 5\n}\n')
    assert shell.skep("group", "inspect", "workers", "-o", "yaml").out == "Name: workers\nCount: 2\n"
    assert shell.skep("group", "inspect", "lost").err == "skep: there is no group/lost\n"


@pytest.mark.parametrize(("kind", "name"), [("group", "workers"), ("workload", "web")])
def test_free_forgets_and_retry_makes_a_new_generation(shell: Shell, kind: str, name: str) -> None:
    result = shell.skep(kind, "retry", name)
    assert (result.code, result.out.splitlines()[1].split()[:2]) == (0, [f"{kind}/{name}", "configured"])
    result = shell.skep(kind, "free", name, "--wait")
    assert (result.code, result.out.splitlines()[1].split()[:2]) == (0, [f"{kind}/{name}", "freed"])
    assert result.err.endswith(f"{kind}/{name} - Gone\n")
    for command in ("retry", "free"):
        assert shell.skep(kind, command, name).err == f"skep: there is no {kind}/{name}\n"


def test_cascade_tells_all_that_goes(tmp_path: Path) -> None:
    class Cascading(FrontDouble):
        """Takes a workload with it."""

        async def remove(self, key: Key, who: str, cascade: bool, *, why: str = "") -> tuple[ChangeView, ...]:
            return (ChangeView("workload/web", "removed", 4), *await super().remove(key, who, cascade, why=why))

    with running(Cascading([GROUP, MANAGERS, WORKLOAD]), tmp_path / "s"):
        result = Shell(tmp_path / "s").skep("group", "destroy", "managers", "--cascade")
    assert (result.code, result.err) == (0, "")
    assert [line.split() for line in result.out.splitlines()[1:]] == [
        ["workload/web", "removed", "4"],
        ["group/managers", "removed", "2"],
    ]


def test_deleting_nothing_is_a_sentence(shell: Shell, tmp_path: Path) -> None:
    class Nothing(FrontDouble):
        async def delete(self, files, who, cascade, why=""):  # type: ignore[no-untyped-def]
            return ()

    file = tmp_path / "web.json"
    file.write_text('{"Name": "web", "Count": 3}')
    with running(Nothing(), tmp_path / "s"):
        result = Shell(tmp_path / "s").skep("delete", "-f", str(file), "--wait")
    assert (result.code, result.err) == (0, "")
    assert result.out == "There was nothing to remove: none of what the files name is there.\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [(("group", "ls"), "There are no groups."), (("events",), "Nothing has been done since then.")],
)
def test_a_list_of_nothing_is_a_sentence_and_as_json_a_list(
    shell: Shell, front: FrontDouble, command: tuple[str, ...], words: str
) -> None:
    front.shown = {}
    assert shell.skep(*command).out == f"{words}\n"
    assert shell.skep(*command, "-o", "json").out == "[]\n"
