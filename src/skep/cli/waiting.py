"""`wait`: until what is named is as wanted, whoever changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skep.cli.failures import Failure
from skep.cli.keys import key_named, whole_key
from skep.cli.wait import Goal, first_views, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skep.cli.client import Client
    from skep.cli.state import View


def wait(client: Client, keys: tuple[str, ...], gone: bool, timeout_s: float) -> None:
    """Wait until all is as wanted.

    Groups and workloads that are being removed are waited for until they are gone. A KEY is group/ID or
    workload/NAME, or the name alone where it can't mean two. Exits 0 only when all are as wanted or gone; else 1, with
    what is in the way.

    \b
    Examples:
      skep wait workload/web
      skep wait managers workers web --timeout 5m
      skep wait workload/old --gone
    """
    wait_for(client, _goals(first_views(client, timeout_s), keys, gone), timeout_s)


def _goals(views: Mapping[str, View], keys: tuple[str, ...], gone: bool) -> list[Goal]:
    named = list(dict.fromkeys(whole_key(key) if "/" in key else key_named(views.values(), key) or key for key in keys))
    if gone:
        return [Goal(key, 0, gone=True) for key in named]
    missing = [key for key in named if key not in views]
    if missing:
        raise Failure(f"there is no {', no '.join(missing)}; to wait until a removal is over, add --gone")
    return [Goal(key, views[key]["generation"], gone=views[key]["removed"]) for key in named]
