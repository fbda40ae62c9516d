"""`apply`, `plan` and `delete`: what works on files."""

from typing import IO, Any

import click

from skep.cli import tables
from skep.cli.client import Client
from skep.cli.files import read_files
from skep.cli.options import PRINTS, connected, files, waits
from skep.cli.output import emit, show
from skep.cli.wait import goals, wait_for

PLAN_FAILED = 255


@click.command()
@files
@click.option("--adopt", is_flag=True, help="Take over what exists already and is not skep's.")
@waits
@PRINTS
@connected
def apply(client: Client, names: tuple[str, ...], adopt: bool, wait: bool, timeout_s: float, form: str) -> None:
    """Make it as the files say.

    Groups of machines and workloads may come at once and in any order. It returns once all is stored;
    --wait stays until all is done.

    \b
    Examples:
      skep apply -f quickstart.yaml --wait
      skep apply -f groups/ -f web.json
      cat web.yaml | skep apply -f -
    """
    changes = client.post("/v1/apply", {"files": read_files(names), "adopt": adopt})
    report_changes(client, changes, wait, timeout_s, form)


@click.command()
@files
@click.option("--cascade", is_flag=True, help="Also remove what needs what is removed.")
@waits
@PRINTS
@connected
def delete(client: Client, names: tuple[str, ...], cascade: bool, wait: bool, timeout_s: float, form: str) -> None:
    """Remove what the files name.

    Workloads go first, then workers, then managers.

    \b
    Examples:
      skep delete -f quickstart.yaml --wait
      skep delete -f managers.yaml --cascade
    """
    changes = client.post("/v1/delete", {"files": read_files(names), "cascade": cascade})
    report_changes(client, changes, wait, timeout_s, form)


class PlanFailure(click.ClickException):
    """Any error of a plan: it exits 255, because 1 means that there are changes."""

    exit_code = PLAN_FAILED

    def __init__(self, cause: click.ClickException) -> None:
        super().__init__(cause.message)
        self._cause = cause

    def show(self, file: IO[Any] | None = None) -> None:
        self._cause.show(file)


class PlanCommand(click.Command):
    """A command whose every error is a PlanFailure, those of its arguments included."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*args, **options)
        except click.ClickException as error:
            raise PlanFailure(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise PlanFailure(error) from error


@click.command(cls=PlanCommand)
@files
@PRINTS
@connected
@click.pass_context
def plan(context: click.Context, client: Client, names: tuple[str, ...], form: str) -> None:
    """Show what apply would do, to what and why. Changes nothing.

    Exits 0 when nothing would change, 1 when something would, 255 on errors.

    \b
    Examples:
      skep plan -f quickstart.yaml
      skep plan -f groups/ -o json
    """
    plans = client.post("/v1/plan", {"files": read_files(names)})
    emit(plans, form, lambda: show(tables.plans(plans)))
    if any(one["change"] != "unchanged" or one["actions"] for one in plans):
        context.exit(1)


def report_changes(client: Client, changes: list[dict[str, Any]], wait: bool, timeout_s: float, form: str) -> None:
    """Print what was stored at once; then wait for it, if asked to."""
    emit(changes, form, lambda: show(tables.changes(changes)))
    if wait:
        wait_for(client, goals(changes), timeout_s)
