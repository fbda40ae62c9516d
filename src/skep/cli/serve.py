"""`serve`: the one command that is the server. Its flags are the table in skep.settings, read when they are needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from skep.cli.spoken import spoken

Flag = str | tuple[str, ...] | None
"""What a flag of the settings is given as: None or empty when it is not."""


def flags() -> list[click.Parameter]:
    """A flag for each setting; each may also stand in the environment or in the file."""
    from skep.settings import SETTINGS  # noqa: PLC0415 - only those who serve need them

    return [
        click.Option([row.flag, row.name], help=_help(row), metavar=_metavar(row), multiple=row.repeated)
        for row in SETTINGS
    ]


def _metavar(setting: Any) -> str:
    return str(setting.unit if setting.repeated else setting.type.__name__.upper())


def _help(setting: Any) -> str:
    unit = " s" if setting.unit == "s" else ""
    often = " May be repeated." if setting.repeated else ""
    return f"{setting.reason}{often} [env: {setting.env}; default: {setting.shown_default}{unit}]"


def serve(**flags: Flag) -> None:
    """Run the controller until stopped.

    It keeps everything as it was applied. A second one on the same state directory is refused, and told who holds it.

    \b
    Examples:
      skep serve
      skep serve --state-dir /srv/skep
    """
    from skep.app import serve as run  # noqa: PLC0415 - a second of imports that no client needs

    with spoken():
        run(settings_of(flags))


def settings_of(flags: Mapping[str, Flag]) -> Any:
    """The Settings that these flags, this environment and the file make."""
    from skep.settings import load  # noqa: PLC0415

    return load(given(flags), os.environ)


def given(flags: Mapping[str, Flag]) -> dict[str, Any]:
    """Only those flags that were given."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}
