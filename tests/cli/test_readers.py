"""The quick reader of command lines reads as Click does, or leaves it to Click."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.cli import clicked, quick
from skep.cli.commands import COMMANDS
from skep.cli.main import run
from skep.cli.parameter import Command, Parameter
from skep.model.spec import Key
from skep.model.state import Event
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running

QUICK = [row for row in COMMANDS if not row.settings]
WORDS = (
    "web",
    "-",
    "workload/web",
    "7",
    "0",
    "5m",
    "10",
    "a.yaml",
    "json",
    "table",
    "node",
    "bash",
    "-1",
    "--",
    "é",
    "",
)
TEXTS = {"duration": "90s", "since": "10m", "count": "3", "days": "3"}


def _text(one: Parameter) -> str:
    return one.choices[-1] if one.choices else TEXTS.get(one.convert.__name__, "web")


def _full(row: Command) -> list[str]:
    """A line with all that a command takes."""
    words = [*row.path]
    for one in row.parameters:
        if one.switch:
            words.append(one.flags[-1])
        elif one.flags:
            words += [one.flags[0], _text(one)] * (2 if one.many else 1)
        else:
            words += [_text(one)] * (2 if one.many else 1)
    return words


def _short(row: Command) -> list[str]:
    """A line with only what it needs."""
    needed = [one for one in row.parameters if one.required]
    return [*row.path, *(word for one in needed for word in (*one.flags[:1], _text(one)))]


def _attached(flag: str, text: str) -> str:
    """Both in one word."""
    return f"{flag}={text}" if flag[:2] == "--" else flag + text


def _by_click(words: list[str]) -> tuple[Command, dict[str, Any]] | None:
    """None where Click has something to say itself."""
    try:
        return clicked.read(words)
    except (click.ClickException, click.exceptions.Exit):
        return None


@pytest.mark.parametrize("row", QUICK, ids=lambda row: " ".join(row.path))
@pytest.mark.parametrize("line", [_full, _short])
def test_every_command_is_read_quickly_and_as_click_does(row: Command, line: Any) -> None:
    found = quick.read(line(row))
    assert found is not None
    assert found[0] is row
    assert found == clicked.read(line(row))


@pytest.mark.parametrize("row", QUICK, ids=lambda row: " ".join(row.path))
def test_values_that_are_written_with_their_flag_are_read_quickly_too(row: Command) -> None:
    for one in row.parameters:
        for flag in () if one.switch else one.flags:
            words = [*_short(row), _attached(flag, _text(one))]
            assert quick.read(words) == clicked.read(words) == quick.read([*_short(row), flag, _text(one)])
            assert quick.read(words) is not None


@st.composite
def _lines(draw: st.DrawFn) -> list[str]:
    """Lines that are nearly right, in any order."""
    row = draw(st.sampled_from(QUICK))
    flags = [flag for one in row.parameters for flag in one.flags]
    attached = [_attached(flag, word) for flag in flags for word in ("web", "json", "7", "-", "")]
    loose = st.sampled_from([*WORDS, *flags, *attached, "--help", "-x", "-o=json", "--wait=1"])
    paired = st.sampled_from(
        [(one.flags[-1], _text(one)) for one in row.parameters if one.flags and not one.switch] or [("-x",)]
    )
    pieces = draw(st.lists(st.one_of(loose.map(lambda word: (word,)), paired), max_size=5))
    needed = _short(row)[len(row.path) :] if draw(st.booleans()) else []
    words = [word for piece in pieces for word in piece]
    return [*row.path, *(needed + words if draw(st.booleans()) else words + needed)]


@given(words=_lines())
def test_what_is_read_quickly_is_what_click_would_read(words: list[str]) -> None:
    found = quick.read(words)
    assert found is None or found == _by_click(words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["status", "--help"],
        ["-h"],
        ["--version"],
        ["nonsense"],
        ["group"],
        ["apply"],
        ["apply", "-f"],
        ["apply", "-f", "-x"],
        ["status", "-o", "xml"],
        ["status", "too", "many"],
        ["status", "--output="],
        ["status", "-o=json"],
        ["apply", "-fx", "--wait=1"],
        ["group", "scale", "workers", "many"],
        ["group", "scale", "workers", "-1"],
        ["wait"],
        ["wait", "web", "--timeout", "soon"],
        ["serve"],
        ["config", "check"],
    ],
)
def test_what_is_unusual_is_left_to_click(words: list[str]) -> None:
    assert quick.read(words) is None


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("status --output=json", "status -o json"),
        ("workload ls -owide", "workload ls -o wide"),
        ("workload describe -- web", "workload describe web"),
        ("events --since=1h -ojson", "events -o json --since 1h"),
    ],
)
def test_odd_spellings_mean_the_same(odd: str, plain: str) -> None:
    assert clicked.read(odd.split()) == quick.read(plain.split())


@pytest.mark.parametrize("name", ["web", "workers", "workload/web"])
def test_both_readers_lead_to_the_same_output_and_exit_code(
    server: Running,
    front: FrontDouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setenv("SKEP_STATE_DIR", str(tmp_path / "state"))
    file = tmp_path / "web.json"
    file.write_text('{"Name": "web", "Count": 3}')
    front.log = [Event(1, 1.0, "workload/web", "Missing", "create service web")]
    for row in QUICK:
        value = str(file) if row.function.startswith(("specs", "submit")) else name
        words = [value if word == "web" else word for word in _short(row)]
        words += ["--socket", str(server.path)] if row.client else []
        ends = []
        for reader in (quick.read, clicked.read):
            front.shown = {Key.parse(view.key): view for view in (GROUP, replace(WORKLOAD, converged=True))}
            found = reader(words)
            assert found is not None
            shutil.rmtree(tmp_path / "state", ignore_errors=True)  # commands that are no clients keep things there
            ends.append((words, run(*found), *capsys.readouterr()))
        assert ends[0] == ends[1]


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: " ".join(row.path))
def test_every_command_has_help_with_an_example_that_fits(row: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit):
        clicked.read([*row.path, "--help"])
    shown = capsys.readouterr().out
    assert f"skep {' '.join(row.path)}" in shown.split("Example")[1]
    assert "{" not in shown.split("Options:")[0].split("\n", 1)[1].replace("${fpath[1]}", "")
    assert all(len(line) <= 100 for line in shown.splitlines())


@pytest.mark.parametrize(
    "row", [row for row in QUICK if len(_short(row)) > len(row.path)], ids=lambda row: " ".join(row.path)
)
def test_what_is_missing_is_wrong_usage(row: Command) -> None:
    with pytest.raises(click.MissingParameter) as raised:
        clicked.read([*row.path])
    assert raised.value.exit_code == (row.failure_code or 2)


def test_words_for_the_parts_of_a_line_are_unique() -> None:
    for row in COMMANDS:
        names = [one.name for one in row.parameters]
        flags = [flag for one in row.parameters for flag in one.flags]
        assert (len(set(names)), len(set(flags))) == (len(names), len(flags))
