"""`serve`: the one command that is the server. Its flags are the table in skep.settings, read when they are needed."""

import os
from collections.abc import Mapping
from typing import Any

import click

from skep.cli.failures import spoken


class SettingsCommand(click.Command):
    """A command whose flags are the settings; each may also stand in the environment or in the file."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from skep.settings import SETTINGS  # noqa: PLC0415 - only those who serve need them

        flags: list[click.Parameter] = [
            click.Option([setting.flag, setting.name], help=_help(setting), metavar=setting.type.__name__.upper())
            for setting in SETTINGS
        ]
        return [*flags, *super().get_params(ctx)]


def _help(setting: Any) -> str:
    unit = " s" if setting.unit == "s" else ""
    return f"{setting.reason} [env: {setting.env}; default: {setting.shown_default}{unit}]"


@click.command(cls=SettingsCommand)
def serve(**flags: str | None) -> None:
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


def settings_of(flags: Mapping[str, str | None]) -> Any:
    """The Settings that these flags, this environment and the file make; None is a flag that was not given."""
    from skep.settings import load  # noqa: PLC0415

    return load({name: value for name, value in flags.items() if value is not None}, os.environ)
