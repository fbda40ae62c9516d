"""What a command changed: printed, and waited for."""

from __future__ import annotations

from skep.cli import tables
from skep.cli.exchange import quoted
from skep.cli.output import INDENT, emit, plain, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from skep.cli.client import Client


def reasoned(body: dict[str, Any], why: str) -> dict[str, Any]:
    """The body, and why it is sent if anybody said so."""
    return {**body, "why": why} if why else body


def asked(path: str, why: str, *others: str) -> str:
    """The path of a request that has no body: why it is sent stands behind it, as do its `others`."""
    query = "&".join(part for part in (*others, f"why={quoted(why)}" if why else "") if part)
    return f"{path}?{query}" if query else path


def report_changes(
    client: Client,
    changes: Sequence[Mapping[str, Any]],
    wait: bool,
    timeout_s: float,
    form: str,
    nothing: str = "Nothing was changed: the files hold no spec.",
    *,
    count: bool = False,
) -> None:
    """Print what was stored at once, and below each what became other; then wait for it, if asked to: with `count` for
    nothing but how many there are."""
    emit(changes, form, lambda: _with_details(show(tables.changes(changes), nothing), changes))
    if wait:
        from skep.cli.wait import goals, wait_for  # noqa: PLC0415 - most don't wait

        wait_for(client, goals(changes, count), timeout_s)


def _with_details(lines: Sequence[str], changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The header, then the line of each change with what became other below it: a spec that leaves out what the last
    one said takes it back, and whoever wrote it may have meant to change one thing alone."""
    header, *told = lines
    below = [[f"{INDENT}{plain(text)}" for text in one["changed"]] for one in changes]
    return [header, *(line for row, details in zip(told, below, strict=True) for line in (row, *details))]
