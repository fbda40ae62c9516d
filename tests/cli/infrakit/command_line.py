"""Runs `infrakit` as its users do."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

from skep.cli.infrakit.main import main
from tests.cli.shell import Result

PROGRAM = (sys.executable, "-m", "skep.cli.infrakit.main")
TIME = re.compile(r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)" ')


def infrakit(*arguments: str) -> Result:
    """In this process: quick, without a terminal or standard input."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = _exit_code(arguments)
    return Result(code, out.getvalue(), err.getvalue())


def process(*arguments: str, given: bytes = b"", environ: Mapping[str, str] | None = None) -> Result:
    """In a process of its own."""
    run = subprocess.run(
        [*PROGRAM, *arguments],
        input=given,
        capture_output=True,
        env={**os.environ, **(environ or {})},
        timeout=30,
        check=False,
    )
    return Result(run.returncode, run.stdout.decode(), run.stderr.decode())


def printed(*arguments: str) -> str:
    """What a command printed that has to succeed."""
    result = infrakit(*arguments)
    assert (result.code, result.err) == (0, "")
    return result.out


def refused(*arguments: str) -> str:
    """The message of a command that has to fail with one line of logrus, exit code 1 and nothing on stdout."""
    result = infrakit(*arguments)
    assert (result.code, result.out) == (1, "")
    line = TIME.sub("", result.err, count=1)
    assert line != result.err
    assert line.startswith("level=fatal msg=") and line.endswith(" \n"), line
    return line.removeprefix("level=fatal msg=").removesuffix(" \n")


def _exit_code(arguments: tuple[str, ...]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main returned")
