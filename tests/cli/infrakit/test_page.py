"""docs/infrakit.md says what the command line and the programs do."""

import subprocess
import sys
import tomllib
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


SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
TOLD = """
from {module} import main
programs = [main, *main.commands.values()]
print(*(flag for program in programs for one in program.params for flag in one.opts))
"""


@pytest.mark.parametrize("program", sorted(name for name in SCRIPTS if name.startswith("infrakit-")))
def test_every_program_and_every_flag_of_it_is_described(program: str) -> None:
    code = TOLD.format(module=SCRIPTS[program].partition(":")[0])
    flags = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {flag for flag in flags if f"`{flag}" not in _row(program)} <= {"--name", "--log"}


@pytest.mark.parametrize("defect", [*(f"G{number}" for number in range(1, 22)), "M1", "M2", "M3", "M4"])
def test_every_defect_of_infrakit_has_a_row(defect: str) -> None:
    """infrakit-compat.md 3.10."""
    assert f"\n| {defect} " in PAGE
