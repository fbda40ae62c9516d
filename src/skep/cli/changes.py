"""What a command changed: printed, and waited for."""

from __future__ import annotations

from skep.cli import tables
from skep.cli.output import emit, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from skep.cli.client import Client


def report_changes(
    client: Client,
    changes: Sequence[Mapping[str, Any]],
    wait: bool,
    timeout_s: float,
    form: str,
    nothing: str = "Nothing was changed: the files hold no spec.",
) -> None:
    """Print what was stored at once; then wait for it, if asked to."""
    emit(changes, form, lambda: show(tables.changes(changes), nothing))
    if wait:
        from skep.cli.wait import goals, wait_for  # noqa: PLC0415 - most don't wait

        wait_for(client, goals(changes), timeout_s)
