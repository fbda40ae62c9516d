"""docs/cli.md says what the command line does."""

from pathlib import Path

import click
import pytest

from skep.cli import tables
from skep.cli.main import cli
from skep.cli.state import TROUBLES
from tests.cli.shell import GOLDEN

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cli.md").read_text()


def test_every_command_is_described() -> None:
    for name, command in cli.commands.items():
        commands = [f"{name} {one}" for one in command.commands] if isinstance(command, click.Group) else [name]
        for one in commands:
            assert f"`skep {one}" in PAGE


@pytest.mark.parametrize("columns", [tables.STATUS, tables.GROUPS, tables.WORKLOADS, tables.WIDE])
def test_the_columns_of_keys_are_listed(columns: tuple[tables.Column, ...]) -> None:
    assert f"| {' '.join(name for name, _ in columns)} |" in PAGE


@pytest.mark.parametrize("name", ["apply", "plan", "workload-history", "events", "image", "version"])
def test_the_columns_that_are_printed_are_listed(name: str) -> None:
    header = (GOLDEN / f"{name}.txt").read_text().splitlines()[0]
    assert f"| {' '.join(header.split())}" in PAGE


def test_every_state_is_explained() -> None:
    for word in ("Ready", "Pending", "Progressing", "Removing", *(word for _, _, word in TROUBLES)):
        assert f"| {word} |" in PAGE
