"""`skep`: reads the command line, runs the command, and sees to how it ends."""

from __future__ import annotations

import io
import os
import sys

from skep.cli import quick
from skep.cli.failures import Failure
from skep.cli.output import drop_output, flush, printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from skep.cli.parameter import Command

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a process that SIGPIPE ended."""
INTERNAL = 70
COMPLETES = "_SKEP_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code; whatever happens, the user sees a sentence and no traceback."""
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: what an encoding lacks is no reason to fail
    sys.exit(_run(sys.argv[1:] if arguments is None else list(arguments)))


def _open_what_is_closed() -> None:
    """Where standard output is closed, to print is an error like that of a full disk; of standard error it is none."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _run(arguments: list[str]) -> int:
    try:
        found = None if COMPLETES in os.environ else quick.read(arguments)
        return _run_unusual(arguments) if found is None else run(*found)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        drop_output()
        return BROKEN_PIPE
    except Exception as error:  # the outermost seam: told in a sentence, and raised for who asks
        if os.environ.get("SKEP_DEBUG"):
            raise
        sys.stderr.write(f"skep: internal error: {type(error).__name__}: {error}; SKEP_DEBUG=1 shows where\n")
        return INTERNAL


def _run_unusual(arguments: list[str]) -> int:
    """With Click: help, completion, and what is wrong with the line."""
    import click  # noqa: PLC0415 - takes longer to load than all the rest

    from skep.cli import clicked  # noqa: PLC0415

    try:
        if COMPLETES in os.environ:
            printing(lambda: clicked.complete(arguments))
        return run(*printing(lambda: clicked.read(arguments)))
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except Failure as error:
        error.show()
        return 1


def run(command: Command, values: dict[str, Any]) -> int:
    """Call the command's function; its exit code. Nothing is done until what it printed is written."""
    code = _code(command, lambda: _call(command, values))
    return _code(command, flush) or code


def _code(command: Command, act: Callable[[], int | None]) -> int:
    try:
        return act() or 0
    except Failure as error:
        error.show()
        return command.failure_code or 1


def _call(command: Command, values: dict[str, Any]) -> int | None:
    if not command.client:
        return command.load()(**command.fixed, **values)
    from skep.cli.client import Client  # noqa: PLC0415 - not for the commands without a server
    from skep.cli.place import socket_path  # noqa: PLC0415

    socket, folder, no_color = (values.pop(name) for name in ("socket", "state_dir", "no_color"))
    if no_color:
        os.environ["NO_COLOR"] = "1"  # what rich draws goes by it, too
    return command.load()(Client(socket_path(socket, folder)), **command.fixed, **values)


if __name__ == "__main__":
    main()
