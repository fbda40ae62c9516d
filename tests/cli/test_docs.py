"""docs/cli.md says what the command line does."""

from pathlib import Path

import pytest

from skep.cli import certs, clusters, plugins, tables
from skep.cli.commands import COMMANDS
from skep.cli.output import Table
from skep.cli.state import TROUBLES
from skep.model.plan import NoteKind
from skep.model.state import ConditionType
from tests.cli.shell import GOLDEN

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cli.md").read_text()


def test_every_command_is_described() -> None:
    assert [" ".join(row.path) for row in COMMANDS if f"`skep {' '.join(row.path)}" not in PAGE] == []


@pytest.mark.parametrize("columns", [tables.STATUS, tables.GROUPS, tables.WORKLOADS, tables.WIDE])
def test_the_columns_of_keys_are_listed(columns: tuple[tuple[str, object], ...]) -> None:
    assert f"| {' '.join(name for name, _ in columns)} |" in PAGE


@pytest.mark.parametrize(
    "table",
    [clusters.clusters([]), clusters.engines({"engines": []}), plugins.plugins([]), certs.certificates([])],
)
def test_the_columns_of_clusters_plugins_and_certificates_are_listed(table: Table) -> None:
    assert f"| {' '.join(table.columns)} |" in PAGE


@pytest.mark.parametrize("name", ["apply", "plan", "workload-history", "events", "image", "version"])
def test_the_columns_that_are_printed_are_listed(name: str) -> None:
    header = (GOLDEN / f"{name}.txt").read_text().splitlines()[0]
    assert f"| {' '.join(header.split())}" in PAGE


def test_every_state_is_explained() -> None:
    for word in ("Ready", "Pending", "Progressing", "Removing", *(word for _, _, word in TROUBLES)):
        assert f"| {word} |" in PAGE


def test_every_condition_and_every_reason_of_the_planner_is_explained() -> None:
    rows = [line for line in PAGE.splitlines() if line.count("|") == 5]
    told = {line.split("|")[1].split()[0] for line in rows if line.split("|")[1].split()}
    assert [kind.value for kind in ConditionType if kind.value not in told] == []
    reasons = " ".join(line.split("|")[2] for line in rows)
    # what backs off is told by the condition of the act that failed
    assert [kind.value for kind in NoteKind if kind.value not in reasons and kind is not NoteKind.BACKING_OFF] == []


def test_the_columns_of_a_description_are_listed() -> None:
    assert f"| {' '.join(tables.replicas({'members': []}).columns)} |" in PAGE
