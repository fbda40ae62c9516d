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
    is_told: bool = False,
    count: bool = False,
) -> None:
    """Print what was stored at once; then wait for it, if asked to. `is_told`: also what became other of each.
    `count`: of nothing but how many there are."""
    emit(changes, form, lambda: [*show(tables.changes(changes), nothing), *_details(changes, is_told)])
    if wait:
        from skep.cli.wait import goals, wait_for  # noqa: PLC0415 - most don't wait

        wait_for(client, goals(changes, count), timeout_s)


def _details(changes: Sequence[Mapping[str, Any]], is_told: bool) -> list[str]:
    return [f"{INDENT}{plain(text)}" for one in changes for text in one["changed"]] if is_told else []
