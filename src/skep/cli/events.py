"""`events` and `logs`: what was decided and done."""

from __future__ import annotations

import time

from skep.cli import tables
from skep.cli.exchange import quoted
from skep.cli.output import emit, flush, is_utf8, moment, plain, say, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from skep.cli.client import Client

LISTEN_S = 25.0
"""How long the server holds one question open; then it is asked again."""


def events(client: Client, follow: bool, since: tuple[int, float], form: str) -> None:
    """List what was decided and done, oldest first.

    \b
    Examples:
      skep events --since 10m
      skep events --follow
      skep events --since 120 -o json
    """
    if follow:
        _follow(client, "", since, form)
        return
    found = _read(client, "", since)
    emit(found, form, lambda: show(tables.events(found), "Nothing has been done since then."))


def logs(client: Client, key: str, follow: bool, since: tuple[int, float], form: str) -> None:
    """Tell what skep decided, and why.

    A line for each decision about a group or workload, oldest first; without KEY, about all of them. What the
    containers themselves say, `docker logs` tells.

    \b
    Examples:
      skep logs workload/web
      skep logs web --follow
      skep logs --since 10m
    """
    from skep.cli.keys import full_key  # noqa: PLC0415

    named = full_key(client, key) if key else ""
    if follow:
        _follow(client, named, since, form)
        return
    found = _read(client, named, since)
    emit(found, form, lambda: [_line(one) for one in found])


def _read(client: Client, key: str, since: tuple[int, float]) -> list[dict[str, Any]]:
    number, ago_s = since
    earliest_s = time.time() - ago_s if ago_s else 0.0
    return [one for one in client.get(_query(key, number)) if one["atSeconds"] >= earliest_s]


def _follow(client: Client, key: str, since: tuple[int, float], form: str) -> None:
    """Print each as it happens, until somebody ends it."""
    for found in _coming(client, key, since):
        if form == "json":
            from json import dumps  # noqa: PLC0415

            say(dumps(found, ensure_ascii=not is_utf8()))
        elif form == "yaml":
            say("---")
            emit(found, form, list)
        else:
            say(_line(found))
        flush()


def _coming(client: Client, key: str, since: tuple[int, float]) -> Iterator[dict[str, Any]]:
    number, ago_s = since
    earliest_s = time.time() - ago_s if ago_s else 0.0
    wait_s = 0.0
    while True:
        for found in client.get(f"{_query(key, number)}&wait_s={wait_s:g}", LISTEN_S + 10):
            number = found["seq"]
            if found["atSeconds"] >= earliest_s:
                yield found
        wait_s = LISTEN_S


def _query(key: str, number: int) -> str:
    return f"/v1/events?since={number}" + (f"&key={quoted(key)}" if key else "")


def _line(found: dict[str, Any]) -> str:
    """A stream has no widths to wait for: fixed ones."""
    return f"{moment(found['atSeconds'])}  {found['key']:<24}  {found['reason']:<12}  {plain(found['message'])}"
