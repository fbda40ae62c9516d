"""`events`: what was decided and done."""

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from skep.cli import tables
from skep.cli.client import Client
from skep.cli.duration import seconds
from skep.cli.options import PRINTS, connected
from skep.cli.output import emit, moment, plain, show

LISTEN_S = 25.0
"""How long the server holds one question open; then it is asked again."""


class Since(click.ParamType[tuple[int, float]]):
    """An event's number, or how long ago: (number, wall time)."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, float]:
        if value.isdigit():
            return int(value), 0.0
        ago_s = seconds(value)
        if ago_s is None:
            self.fail(f"{value!r} is neither an event's number nor a duration such as 10m", param, ctx)
        return 0, time.time() - ago_s


@click.command()
@click.option("--follow", is_flag=True, help="Go on with new events as they happen; with -o json, one on each line.")
@click.option("--since", type=Since(), default="0", metavar="SEQ|DURATION", help="Only those after this. [default: 0]")
@PRINTS
@connected
def events(client: Client, follow: bool, since: tuple[int, float], form: str) -> None:
    """List what was decided and done, oldest first.

    \b
    Examples:
      skep events --since 10m
      skep events --follow
      skep events --since 120 -o json
    """
    number, time_s = since
    if follow:
        for found in _follow(client, number, time_s):
            _tell(found, form)
        return
    listed = [one for one in client.get(f"/v1/events?since={number}") if one["atSeconds"] >= time_s]
    emit(listed, form, lambda: show(tables.events(listed)))


def _follow(client: Client, number: int, time_s: float) -> Iterator[dict[str, Any]]:
    wait_s = 0.0
    while True:
        for found in client.get(f"/v1/events?since={number}&wait_s={wait_s:g}", LISTEN_S + 10):
            number = found["seq"]
            if found["atSeconds"] >= time_s:
                yield found
        wait_s = LISTEN_S


def _tell(found: dict[str, Any], form: str) -> None:
    """A stream has no widths to wait for: fixed ones, and a document for each event."""
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False))
    elif form == "yaml":
        click.echo("---")
        emit(found, form, list)
    else:
        click.echo(
            f"{moment(found['atSeconds'])}  {found['key']:<24}  {found['reason']:<12}  {plain(found['message'])}"
        )
