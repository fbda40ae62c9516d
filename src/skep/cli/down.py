"""`down`: everything of this controller, taken back without a server."""

from collections.abc import Sequence

import click

from skep.cli.failures import spoken
from skep.cli.options import PRINTS
from skep.cli.output import Table, emit, show
from skep.cli.serve import SettingsCommand, settings_of


@click.command(cls=SettingsCommand)
@PRINTS
def down(form: str, **flags: str | None) -> None:
    """Remove all that is this controller's.

    Every machine, network and volume is found by its labels, and all specs are forgotten.
    Refused while a server runs on the state directory, for it would make them again.

    \b
    Example:
      skep down
    """
    from skep.app import tear_down  # noqa: PLC0415 - a second of imports that no client needs

    with spoken():
        removed = tear_down(settings_of(flags))
    emit(list(removed), form, lambda: _lines(removed))


def _lines(removed: Sequence[str]) -> list[str]:
    table = Table(("REMOVED",), tuple((one,) for one in removed))
    return show(table) if removed else ["There was nothing to remove."]
