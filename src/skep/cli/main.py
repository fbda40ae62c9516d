"""`skep`: the commands, and what every one of them does when it ends."""

import os
import sys
from collections.abc import Sequence

import click

import skep
from skep.cli.down import down
from skep.cli.events import events
from skep.cli.keys import key_commands
from skep.cli.serve import serve
from skep.cli.specs import apply, delete, plan
from skep.cli.status import image, status, version

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a process that SIGPIPE ended."""
INTERNAL = 70


class OrderedGroup(click.Group):
    """Lists its commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(skep.__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Keep Docker Swarms at their desired state, from bare machines to running containers.

    \b
    Examples:
      skep serve &
      skep apply -f quickstart.yaml --wait
      skep status
    """


for _command in (
    apply,
    plan,
    delete,
    status,
    events,
    key_commands("group", removal="destroy"),
    key_commands("workload", removal="rm"),
    image,
    serve,
    down,
    version,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code; whatever happens, the user sees a sentence and no traceback."""
    sys.exit(_run(arguments))


def _invoke(arguments: list[str]) -> None:
    """As click's own main, which would print for Ctrl-C and end a broken pipe with 1; shells are completed by that."""
    if "_SKEP_COMPLETE" in os.environ:
        cli.main(arguments, prog_name="skep")
    with cli.make_context("skep", arguments) as context:
        cli.invoke(context)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        _invoke(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more: the interpreter's last flush shall not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # the outermost seam: told in a sentence, and raised for who asks
        if os.environ.get("SKEP_DEBUG"):
            raise
        click.echo(f"skep: internal error: {type(error).__name__}: {error}; SKEP_DEBUG=1 shows where", err=True)
        return INTERNAL
