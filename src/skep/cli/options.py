"""Options that many commands share."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from skep.cli.client import Client
from skep.cli.duration import Duration
from skep.cli.place import socket_path

Command = TypeVar("Command", bound=Callable[..., Any])

WAIT_S = 600.0
"""As long as a member may take to become healthy for the first time (semantics.md N27)."""


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Call `command` with a Client as its first argument."""

    @click.option("--socket", envvar="SKEP_SOCKET", metavar="PATH", help="The server's socket. [env: SKEP_SOCKET]")
    @click.option("--state-dir", envvar="SKEP_STATE_DIR", metavar="PATH", help="Where it lies. [env: SKEP_STATE_DIR]")
    @wraps(command)
    def with_client(*, socket: str | None, state_dir: str | None, **options: Any) -> None:
        command(Client(socket_path(socket, state_dir)), **options)

    return with_client


def output(*forms: str) -> Callable[[Command], Command]:
    """`-o`, with the first of `forms` as the default."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(forms), default=forms[0], show_default=True, help="How to print."
    )


PRINTS = output("table", "json", "yaml")
PRINTS_WIDE = output("table", "wide", "json", "yaml")


def waits(command: Command) -> Command:
    """`--wait` and `--timeout`."""
    timeout = click.option(
        "--timeout",
        "timeout_s",
        type=Duration(),
        default=WAIT_S,
        metavar="DURATION",
        help="With --wait. [default: 10m]",
    )
    wait = click.option("--wait", is_flag=True, help="Show progress; exit 0 only once all is as wanted.")
    return wait(timeout(command))


def files(command: Command) -> Command:
    """`-f`, as often as wanted and at least once."""
    return click.option(
        "-f",
        "--file",
        "names",
        multiple=True,
        required=True,
        metavar="PATH",
        help="A file, a folder or - for stdin; may be repeated.",
    )(command)
