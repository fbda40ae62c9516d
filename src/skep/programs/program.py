"""What all executables have in common: flags, log, signals, and how they end (infrakit-compat.md 1.1)."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import structlog
from starlette.types import ASGIApp

from skep import __version__
from skep.logs import configure
from skep.model.errors import RefusedError, SkepError
from skep.server.plugin_socket import answer_on, plugin_socket
from skep.specs.home_folder import home_folder
from skep.specs.plugins_folder import plugins_folder

log = structlog.get_logger()

LEVELS = ("critical", "critical", "error", "warning", "info", "debug")
"""Go's panic, fatal, error, warn, info and debug, by their numbers."""

Serve = Callable[[AsyncExitStack, asyncio.Event], Awaitable[ASGIApp]]
"""Builds what is served: what must be closed goes onto the stack; the event tells when the program stops."""

Main = Callable[..., None]

SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}
"""Of Click, for all programs; InfraKit's know `-h` too."""


class ProgramGroup(click.Group):
    """A program whose mistakes of usage end with 1, as InfraKit's do."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """As Click's own."""
        with _ending_with_one():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """As Click's own, which reads the flags of subcommands here."""
        with _ending_with_one():
            return super().invoke(ctx)


@contextmanager
def _ending_with_one() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.__dict__["exit_code"] = 1
        raise


def name_option(default: str) -> Callable[[Main], Main]:
    """`--name`: the socket's."""
    return click.option("--name", default=default, show_default=True, help="Plugin name: that of its socket.")


def log_option() -> Callable[[Main], Main]:
    """`--log`: 0 to 5; what lies outside becomes the nearest."""
    levels = "0 is panic, 1 fatal, 2 error, 3 warn, 4 info, 5 debug."
    return click.option("--log", type=click.IntRange(0, 5, clamp=True), default=4, show_default="4", help=levels)


def plugin_command(default_name: str, summary: str) -> Callable[[Main], ProgramGroup]:
    """Makes a program of a function that takes `name`, `log` and the options of its own.

    It also has `version` and `--help`.
    """

    def decorated(main: Main) -> ProgramGroup:
        make = click.group(
            cls=ProgramGroup,
            name=f"infrakit-{default_name}",
            help=summary,
            invoke_without_command=True,
            context_settings=SETTINGS,
        )
        program = make(name_option(default_name)(log_option()(_unless_subcommand(main))))
        program.add_command(version_command())
        return program

    return decorated


def _unless_subcommand(main: Main) -> Main:
    """Click calls a group's function before its subcommands too."""

    @click.pass_context
    def called(context: click.Context, /, **options: Any) -> None:
        if context.invoked_subcommand is None:
            main(**options)

    called.__click_params__ = getattr(main, "__click_params__", [])  # type: ignore[attr-defined]
    return called


def temporary_folder() -> str:
    """As Go's os.TempDir: where machines are put unless it is said where."""
    return os.environ.get("TMPDIR") or "/tmp"


def default_folder(name: str, instead: str) -> Path:
    """`~/.infrakit/NAME`. ClickException where this user has no home: the flag `instead` is to be given."""
    try:
        return home_folder(instead) / ".infrakit" / name
    except RefusedError as error:
        raise click.ClickException(str(error)) from error


def version_command() -> click.Command:
    """`version`: two lines, as InfraKit's programs print them."""

    def version() -> None:
        click.echo(f"Version: {__version__}")
        click.echo("Revision: Unspecified")

    return click.Command("version", callback=version, help="Print the version.")


def run(name: str, level: int, serve: Serve) -> None:
    """Serve the plugin `name` until SIGINT or SIGTERM. Whatever SkepError stands in the way is told, and ends with 1.

    The name is taken before anything is built: a second program of that name changes nothing.
    """
    configure(LEVELS[level], "console")
    try:
        asyncio.run(_run(name, serve))
    except Exception as error:  # the outermost seam: told in a line each, with the place at --log 5 alone
        log.debug("ended", exc_info=error)
        for text in _texts(error):
            click.echo(f"{Path(sys.argv[0]).name}: {text}", err=True)
        raise SystemExit(1) from None
    # All is closed. Without this the interpreter searches everything for garbage on its way out.
    gc.freeze()


def _texts(error: BaseException) -> list[str]:
    """What ended it, for a group all of it."""
    if isinstance(error, BaseExceptionGroup):
        return [text for one in error.exceptions for text in _texts(one)]
    if isinstance(error, SkepError):
        return [str(error)]
    return [f"internal error ({type(error).__name__}): a bug in skep; --log 5 shows where"]


async def _run(name: str, serve: Serve) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    folder = plugins_folder(os.environ)
    with plugin_socket(name, folder) as listener:
        async with AsyncExitStack() as stack:
            app = await serve(stack, stop)
            log.info("serving", plugin=name, socket=str(folder / name))
            await answer_on(listener, app, stop)
    log.info("stopped", plugin=name)
