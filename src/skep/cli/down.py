"""`down`: everything of this controller, taken back without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skep.cli.output import Table, emit, show
from skep.cli.serve import settings_of
from skep.cli.spoken import spoken

if TYPE_CHECKING:
    from skep.cli.serve import Flag


def down(form: str, **flags: Flag) -> None:
    """Remove all that is this controller's.

    Every machine, network, volume, container and service is found by its labels, on this host's engine and on the
    clusters of the settings, and all specs are forgotten. Nothing is removed while one of the engines is silent.
    Refused while a server runs on the state directory, for it would make them again.

    \b
    Example:
      skep down
    """
    from skep.app import tear_down  # noqa: PLC0415 - a second of imports that no client needs

    with spoken():
        removed = tear_down(settings_of(flags))
    table = Table(("REMOVED",), tuple((one,) for one in removed))
    emit(list(removed), form, lambda: show(table, "There was nothing to remove."))
