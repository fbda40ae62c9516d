"""The full reader of command lines, with Click: help, completion, every spelling, and words for what is wrong."""

from __future__ import annotations

from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

import skep
from skep.cli.commands import COMMANDS, SECTIONS
from skep.cli.parameter import Command, Parameter

EXAMPLES = {"group": "workers", "workload": "web"}

Read = tuple[Command, dict[str, Any]]


def read(arguments: list[str]) -> Read:
    """The command and its values. ClickException: what is wrong; Exit: help was wanted, and given."""
    with cli.make_context("skep", list(arguments)) as context:
        found: Read = cli.invoke(context)
        return found


def complete(arguments: list[str]) -> NoReturn:
    """Answer a shell that asks what may come next."""
    cli.main(arguments, prog_name="skep")
    raise AssertionError("Click ends the process itself")


class _Type(click.ParamType[Any]):
    """Text by the parameter's own conversion."""

    def __init__(self, parameter: Parameter) -> None:
        self.name = parameter.metavar or "text"
        self._convert = parameter.convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._convert(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _parameter(one: Parameter) -> click.Parameter:
    if one.switch:
        return click.Option([*one.flags, one.name], is_flag=True, help=one.help)
    # Click takes a None that is passed for a value: what is required has no default at all.
    default: dict[str, Any] = {} if one.required or one.many else {"default": one.default}
    kind: click.ParamType[Any] = click.Choice(one.choices) if one.choices else _Type(one)
    if not one.flags:
        return click.Argument(
            [one.name],
            type=kind,
            metavar=one.metavar,
            nargs=-1 if one.many else 1,
            required=one.required,
            shell_complete=_offer(one),
            **default,
        )
    return click.Option(
        [*one.flags, one.name],
        type=kind,
        metavar=one.metavar,
        multiple=one.many,
        required=one.required,
        show_default=bool(one.choices),
        help=one.help,
        shell_complete=_offer(one),
        **default,
    )


def _offer(one: Parameter) -> Any:
    if not one.completes:
        return None

    def names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        from skep.cli.completion import offered  # noqa: PLC0415 - asks the server, for completion alone

        return [CompletionItem(name) for name in offered(one.completes, begun, context.params)]

    return names


def _help(row: Command) -> str:
    """What its function says; with the words in place where several rows have the same function."""
    text = row.load().__doc__ or ""
    words = {"kind": row.path[0], "command": row.path[-1], "name": EXAMPLES.get(row.path[0], "")}
    return text.format(**words) if row.fixed else text


class TableCommand(click.Command):
    """A row of the table; called, it gives the row and its values."""

    def __init__(self, row: Command) -> None:
        self.row = row
        super().__init__(
            row.path[-1],
            params=[_parameter(one) for one in row.parameters],
            callback=lambda **values: (row, {**values, **self._passed}),
            help=_help(row),
        )
        self._passed: dict[str, Any] = {row.passes_on: ()} if row.passes_on else {}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not self.row.settings:
            return super().get_params(ctx)
        from skep.cli.serve import flags  # noqa: PLC0415 - only those who serve need the settings

        return [*flags(), *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click drops `--` and takes what follows for more arguments."""
        if self.row.passes_on and "--" in args:
            at = args.index("--")
            self._passed = {self.row.passes_on: tuple(args[at + 1 :])}
            args = args[:at]
        return super().parse_args(ctx, args)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*args, **options)
        except click.ClickException as error:
            if self.row.failure_code:
                error.__dict__["exit_code"] = self.row.failure_code
            raise


class TableGroup(click.Group):
    """The commands whose path begins with `path`, in the order of the table; each is made when it is wanted."""

    def __init__(self, path: tuple[str, ...], **options: Any) -> None:
        super().__init__(**options)
        self._rows = {row.path[len(path)]: row for row in COMMANDS if row.path[: len(path)] == path}
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self._rows.get(cmd_name)
        if row is None:
            return None
        path = (*self._path, cmd_name)
        if row.path == path:
            return TableCommand(row)
        return TableGroup(path, name=cmd_name, help=SECTIONS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click looks for what may have been meant among commands that are made already, and none is."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=self._rows, ctx=ctx) from error


@click.version_option(skep.__version__, message="%(prog)s %(version)s")
def _cli() -> None:
    """Keep Docker Swarms at their desired state, from bare machines to running containers.

    \b
    Examples:
      skep serve &
      skep apply -f quickstart.yaml --wait
      skep status
    """


cli = click.command(
    cls=TableGroup, path=(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)(_cli)
