"""`config check`: whether the settings and the specs would be taken, before anybody takes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from skep.cli.client import Client
from skep.cli.failures import Failure, NoServer, Refusal
from skep.cli.files import read_files
from skep.cli.output import Table, emit, show
from skep.cli.place import socket_path
from skep.cli.serve import given, settings_of
from skep.cli.spoken import texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skep.cli.serve import Flag

DEFAULT = "default"


def check(names: tuple[str, ...], form: str, **flags: Flag) -> None:
    """Check the settings that `serve` would run with, and with -f also specs. Changes nothing.

    Every fault is told at once, and it exits 1. Else it shows what was set and where; -o wide shows all settings.
    Specs are read here, and by the server where one answers: it also knows what the plugins take.

    \b
    Examples:
      skep config check
      skep config check -o wide --parallel 20
      skep config check -f groups/ -f web.json
    """
    faults: list[str] = []
    settings = _tried(lambda: settings_of(flags), faults)
    keys, asked = _checked_specs(names, str(settings.socket) if settings else socket_path(None, None), faults)
    if faults:
        raise Failure("\n".join(([f"{len(faults)} faults:"] if len(faults) > 1 else []) + faults))
    rows = _origins(settings, flags)
    found = {
        "settings": [{"name": name, "value": value, "from": origin} for name, value, origin in rows],
        "specs": keys,
        "asked": asked,
    }
    emit(
        found, form, lambda: _lines(rows if form == "wide" else [row for row in rows if row[2] != DEFAULT], keys, asked)
    )


def _tried(act: Callable[[], Any], faults: list[str]) -> Any:
    """What `act` gives; None where it tells faults, which are added."""
    try:
        return act()
    except Exception as error:
        texts = [str(error)] if isinstance(error, Failure) else texts_of(error)
        if texts is None:
            raise
        faults += [line for text in texts for line in text.splitlines()]
        return None


def _checked_specs(names: tuple[str, ...], socket: str, faults: list[str]) -> tuple[list[str], bool]:
    """The keys that the files hold, and whether a server was asked. It finds again what is wrong in the files alone."""
    if not names:
        return [], False
    files = _tried(lambda: read_files(names), faults)
    keys = _tried(lambda: _parsed(files), faults) if files is not None else None
    if keys is None:
        return [], False
    try:
        return Client(socket).post("/v1/check", {"files": files}), True
    except NoServer:
        return keys, False
    except Refusal as error:
        faults += str(error).splitlines()[1 if error.faults > 1 else 0 :]
    except Failure as error:
        faults.append(str(error))
    return [], True


def _parsed(files: list[dict[str, str]]) -> list[str]:
    from skep.specs.source import SourceFile, parse  # noqa: PLC0415 - half a second of imports

    return [str(one.spec.key) for one in parse([SourceFile(file["name"], file["text"]) for file in files])]


def _origins(settings: Any, flags: Mapping[str, Flag]) -> list[tuple[str, str, str]]:
    """Name, value and where it comes from, for every setting."""
    from skep.settings import SETTINGS  # noqa: PLC0415

    flagged, filed = given(flags), _in_file(str(settings.config))
    rows = []
    for row in SETTINGS:
        value = getattr(settings, row.name)
        in_file = bool(value) and "clusters" in filed if row.repeated else row.name in filed
        places = ((row.name in flagged, row.flag), (os.environ.get(row.env), row.env), (in_file, str(settings.config)))
        found = [place for is_given, place in places if is_given] or [DEFAULT]
        # What may be repeated is gathered from all places; of the others, the first one wins.
        rows.append((row.name, _shown(value), ", ".join(found) if row.repeated else found[0]))
    return rows


def _in_file(config: str) -> frozenset[str]:
    from pathlib import Path  # noqa: PLC0415
    from tomllib import loads  # noqa: PLC0415

    file = Path(config)
    return frozenset(loads(file.read_text(encoding="utf-8"))) if file.exists() else frozenset()


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _lines(rows: list[tuple[str, str, str]], keys: list[str], asked: bool) -> list[str]:
    lines = show(Table(("SETTING", "VALUE", "FROM"), tuple(rows)), "The settings are fine: all are defaults.")
    if not keys:
        return lines
    by = "" if asked else " as far as can be told without a server"
    return [*lines, "", f"The specs are fine{by}: {', '.join(keys)}."]
