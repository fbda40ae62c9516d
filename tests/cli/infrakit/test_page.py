"""docs/infrakit.md says what the command line and the programs do."""

import subprocess
import sys
from pathlib import Path

import pytest

from skep.cli.infrakit.commands import COMMANDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "infrakit.md").read_text()
ROWS = [row for row in PAGE.splitlines() if row.startswith("| `infrakit")]


def _row(what: str) -> str:
    """The row of the last table that tells about it."""
    return next(row for row in reversed(ROWS) if f"`{what}`" in row or f"`{what} " in row)


def test_every_command_and_flag_is_described() -> None:
    for command in COMMANDS:
        row = _row(f"infrakit {' '.join(command.path)}")
        for flag in command.flags:
            assert f"`--{flag.name}" in row or f"`-{flag.short}`" in row


@pytest.mark.parametrize(
    "module",
    [
        "group_default",
        "manager",
        "flavor_swarm",
        "flavor_vanilla",
        "instance_file",
        "instance_vagrant",
        "instance_terraform",
    ],
)
def test_every_flag_of_a_program_is_described(module: str) -> None:
    code = (
        f"from skep.programs.{module} import main as m; c = [m, *m.commands.values()]; "
        "print(*(o for x in c for p in x.params for o in p.opts))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    row = _row(f"infrakit-{module.replace('_', '-')}")
    assert {flag for flag in told if f"`{flag}" not in row} <= {"--name", "--log"}


@pytest.mark.parametrize("defect", [*(f"G{number}" for number in range(1, 22)), "M1", "M2", "M3", "M4"])
def test_every_defect_of_infrakit_has_a_row(defect: str) -> None:
    """infrakit-compat.md 3.10."""
    assert f"\n| {defect} " in PAGE
