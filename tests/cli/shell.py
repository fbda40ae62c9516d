"""Runs the command line as its users do, and compares what it prints with what was agreed."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from skep.cli.main import main

GOLDEN = Path(__file__).parent / "golden"
PROGRAM = (sys.executable, "-c", "from skep.cli.main import main; main()")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Commands against the server on `socket`."""

    socket: Path

    def skep(self, *arguments: str) -> Result:
        """In this process: quick, without a terminal or standard input."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = _exit_code([*arguments, "--socket", str(self.socket)])
        return Result(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, given: bytes = b"", environ: Mapping[str, str] | None = None) -> Result:
        """In a process of its own, which finds its server by the environment alone."""
        run = subprocess.run(
            [*PROGRAM, *arguments],
            input=given,
            capture_output=True,
            env=self.environ(environ),
            timeout=30,
            check=False,
        )
        return Result(run.returncode, run.stdout.decode(), run.stderr.decode())

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "SKEP_SOCKET": str(self.socket), "TZ": "UTC", **(more or {})}


def _exit_code(arguments: list[str]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main returned")


def check_golden(name: str, text: str) -> None:
    """What was agreed on is in golden/NAME.txt; with UPDATE_GOLDEN=1 it is what is printed now."""
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
