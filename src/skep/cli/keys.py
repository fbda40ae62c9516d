"""`group` and `workload`: what works on one key by its name. Both have the same commands."""

from typing import Any
from urllib.parse import quote

import click

from skep.cli import tables
from skep.cli.client import Client
from skep.cli.options import PRINTS, PRINTS_WIDE, connected, waits
from skep.cli.output import emit, show
from skep.cli.specs import report_changes
from skep.cli.state import View

EXAMPLES = {"group": "workers", "workload": "web"}


def key_commands(kind: str, removal: str) -> click.Group:
    """The commands for a kind of keys; `removal` is what its users call removing one."""
    group = click.Group(kind, help=f"Look at {kind}s, scale and remove them.")
    name = click.argument("name", metavar="ID" if kind == "group" else "NAME")
    for command, function, decorators in (
        ("ls", _ls, (PRINTS_WIDE,)),
        ("describe", _describe, (name, PRINTS)),
        ("scale", _scale, (name, click.argument("count", type=click.IntRange(0)), waits, PRINTS)),
        ("history", _history, (name, PRINTS)),
        (removal, _remove, (name, CASCADE, waits, PRINTS)),
    ):
        group.add_command(_bind(kind, command, function, decorators))
    return group


CASCADE = click.option("--cascade", is_flag=True, help="Also remove what needs it.")


def _bind(kind: str, name: str, function: Any, decorators: tuple[Any, ...]) -> click.Command:
    def call(client: Client, **options: Any) -> None:
        function(kind, client, **options)

    command: Any = connected(call)
    for decorate in reversed(decorators):
        command = decorate(command)
    text = (function.__doc__ or "").format(kind=kind, name=EXAMPLES[kind], command=name)
    return click.command(name, help=text)(command)


def _ls(kind: str, client: Client, form: str) -> None:
    """List all {kind}s.

    \b
    Examples:
      skep {kind} {command}
      skep {kind} {command} -o json
    """
    views = client.get(f"/v1/{kind}s")
    emit(views, form, lambda: show(tables.keys(views, tables.WIDE if form == "wide" else tables.BY_KIND[kind])))


def _describe(kind: str, client: Client, name: str, form: str) -> None:
    """Show all about a {kind}: its state and why, its conditions, its members.

    \b
    Example:
      skep {kind} {command} {name}
    """
    view = client.get(_path(kind, name))
    emit(view, form, lambda: _description(view))


def _description(view: View) -> list[str]:
    lines = tables.facts(view)
    for table in (tables.conditions(view), tables.members([view])):
        lines += ["", *show(table)] if table.rows else []
    return lines


def _scale(kind: str, client: Client, name: str, count: int, wait: bool, timeout_s: float, form: str) -> None:
    """Change how many members a {kind} has, and nothing else of it.

    \b
    Example:
      skep {kind} {command} {name} 3 --wait
    """
    change = client.post(_path(kind, name) + "/scale", {"count": count})
    report_changes(client, [change], wait, timeout_s, form)


def _history(kind: str, client: Client, name: str, form: str) -> None:
    """List the revisions of a {kind}, newest first: when it was changed, and by whom.

    \b
    Example:
      skep {kind} {command} {name}
    """
    revisions = client.get(_path(kind, name) + "/history")
    emit(revisions, form, lambda: show(tables.history(revisions)))


def _remove(kind: str, client: Client, name: str, cascade: bool, wait: bool, timeout_s: float, form: str) -> None:
    """Remove a {kind} and all its members.

    \b
    Example:
      skep {kind} {command} {name} --wait
    """
    change = client.delete(_path(kind, name) + ("?cascade=true" if cascade else ""))
    report_changes(client, [change], wait, timeout_s, form)


def _path(kind: str, name: str) -> str:
    return f"/v1/{kind}s/{quote(name, safe='')}"
