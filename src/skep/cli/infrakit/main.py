"""`infrakit`: InfraKit's command line. Reads the line, runs the command, and sees to how it ends."""

from __future__ import annotations

import io
import os
import sys

from skep.cli.infrakit.command import Call
from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.logline import Log
from skep.cli.infrakit.reading import read
from skep.cli.infrakit.tables import drop_output, flush, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a process that SIGPIPE ended."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit: 0, or 1 on any error (infrakit-compat.md 1.2)."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # As Go, whatever the locale; and an argument that is no text is no reason to fail.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(_run(sys.argv[1:] if arguments is None else list(arguments)))


def _open_what_is_closed() -> None:
    """Where standard output is closed, to print is an error like that of a full disk; of standard error it is none."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _run(words: list[str]) -> int:
    log = Log()
    try:
        code = _obey(words, log)
        flush()
        return code
    except Failure as error:
        log.fatal(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        drop_output()
        return BROKEN_PIPE
    except Exception as error:  # the outermost seam: told in a sentence, and raised for who asks
        if os.environ.get("SKEP_DEBUG"):
            raise
        log.fatal(f"internal error: {type(error).__name__}: {error}; SKEP_DEBUG=1 shows where")
        return 1


def _obey(words: list[str], log: Log) -> int:
    line = read(words)
    command = line.command
    log.set_level(line.flags["log"])
    if not line.help and line.is_counted and command is not None:
        command.load()(Call(line.arguments, line.flags, log))
        return 0
    from skep.cli.infrakit.usage import help_text, usage_text  # noqa: PLC0415 - for those who ask, or should have

    if line.help:
        say(*help_text(line).splitlines())
        return 0
    sys.stderr.write(usage_text(line))
    return 1


if __name__ == "__main__":
    main()
