"""Usage, help and the ways in which flags may be written."""

from pathlib import Path

import pytest

from tests.cli.infrakit.command_line import infrakit, printed
from tests.cli.infrakit.plugin_double import PluginDouble

COMMIT = """\
Usage:
  infrakit group commit <group configuration> [flags]

Flags:
      --pretend   Don't actually commit, only explain the commit

Global Flags:
  -h, --help          help for this command
      --log int       Logging level. 0 is least verbose. Max is 5 (default 4)
      --name string   Name of plugin (default "group")
"""


@pytest.mark.parametrize("arguments", [(), ("a.json", "b.json")])
def test_a_wrong_number_of_arguments_gets_usage_on_stderr(folder: Path, arguments: tuple[str, ...]) -> None:
    """infrakit-compat.md 1.2."""
    result = infrakit("group", "commit", *arguments)
    assert (result.code, result.out, result.err) == (1, "", COMMIT)


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("group free", 1),
        ("group describe", 1),
        ("group inspect", 1),
        ("group destroy", 1),
        ("instance validate", 1),
        ("instance provision", 1),
        ("instance destroy", 1),
        ("flavor validate", 1),
        ("flavor prepare", 2),
        ("flavor healthy", 1),
        ("flavor drain", 1),
    ],
)
def test_every_verb_counts_its_arguments(folder: Path, command: str, count: int) -> None:
    for given in {*range(4)} - {count}:
        result = infrakit(*command.split(), *["x"] * given)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"Usage:\n  infrakit {command} <")


@pytest.mark.parametrize(
    "arguments", [("group", "commit", "--help"), ("group", "commit", "-h"), ("help", "group", "commit")]
)
def test_help_goes_to_stdout(arguments: tuple[str, ...]) -> None:
    assert printed(*arguments) == f"Commit a group configuration; - reads stdin\n\n{COMMIT}"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("help",)])
def test_help_lists_what_there_is(arguments: tuple[str, ...]) -> None:
    text = printed(*arguments)
    assert text.startswith("infrakit cli\n\nUsage:\n  infrakit [command]\n\nAvailable Commands:\n")
    for section in ("flavor", "group", "instance", "plugin", "version"):
        assert f"\n  {section} " in text
    assert "commit" in printed("group")


@pytest.mark.parametrize(
    "line",
    [
        "group describe cattle --name g2 -q",
        "group --name g2 describe -q cattle",
        "group --name=g2 describe --quiet=true cattle",
        "--log 3 group describe --quiet --name g2 -- cattle",
        "group describe -q=1 cattle --name g2",
        "--name g2 group -q describe cattle",
    ],
)
def test_flags_may_stand_anywhere(folder: Path, group: PluginDouble, line: str) -> None:
    group.path.rename(folder / "g2")
    group.answers["Group.DescribeGroup"] = '{"Description":{"Instances":[],"Converged":true}}'
    assert printed(*line.split()) == ""
    assert group.params() == '{"ID":"cattle"}'


def test_listings_never_counted_what_stands_behind_them(folder: Path) -> None:
    assert printed("plugin", "ls", "-q", "more") == ""


def test_behind_two_dashes_nothing_is_a_flag(group: PluginDouble) -> None:
    group.answers["Group.FreeGroup"] = '{"OK":true}'
    assert printed("group", "free", "--", "--name") == "Freed --name\n"
