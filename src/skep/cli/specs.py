"""`apply`, `plan`, `delete` and `group commit`: what works on files."""

from __future__ import annotations

from skep.cli import tables
from skep.cli.changes import reasoned, report_changes
from skep.cli.files import read_files
from skep.cli.output import emit, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skep.cli.client import Client


def apply(
    client: Client,
    names: tuple[str, ...],
    adopt: bool,
    resolve: bool,
    why: str,
    wait: bool,
    timeout_s: float,
    form: str,
) -> None:
    """Make it as the files say.

    Groups of machines and workloads may come at once and in any order. It returns once all is stored;
    --wait stays until all is done.

    \b
    Examples:
      skep apply -f quickstart.yaml --wait
      skep apply -f groups/ -f web.json --why "more room for the sale"
      cat web.yaml | skep apply -f -
    """
    body = {"files": read_files(names), "adopt": adopt, "resolve": resolve}
    changes = client.post("/v1/apply", reasoned(body, why))
    report_changes(client, changes, wait, timeout_s, form)


def plan(client: Client, names: tuple[str, ...], form: str) -> int:
    """Show what apply would do, to what and why. Changes nothing.

    Exits 0 when nothing would change, 1 when something would, 255 on errors.

    \b
    Examples:
      skep plan -f quickstart.yaml
      skep plan -f groups/ -o json
    """
    plans = _planned(client, {"files": read_files(names)}, form)
    return 1 if any(one["change"] != "unchanged" or one["actions"] for one in plans) else 0


def delete(
    client: Client,
    names: tuple[str, ...],
    cascade: bool,
    orphan: bool,
    why: str,
    wait: bool,
    timeout_s: float,
    form: str,
) -> None:
    """Remove what the files name.

    Workloads go first, then workers, then managers. With --orphan their members stay as they are, and nobody keeps them
    from then on: free does the same for one name.

    \b
    Examples:
      skep delete -f quickstart.yaml --wait
      skep delete -f managers.yaml --cascade
      skep delete -f web.yaml --orphan
    """
    body = {"files": read_files(names), "cascade": cascade, "orphan": orphan}
    changes = client.post("/v1/delete", reasoned(body, why))
    nothing = "There was nothing to remove: none of what the files name is there."
    report_changes(client, changes, wait, timeout_s, form, nothing)


def commit(
    client: Client, kind: str, file: str, pretend: bool, adopt: bool, why: str, wait: bool, timeout_s: float, form: str
) -> None:
    """Make groups of machines as a file says.

    As apply, but of one file or - for stdin, that holds nothing but groups. --pretend shows what it would do.

    \b
    Examples:
      skep group commit workers.json --pretend
      skep group commit workers.json --wait
    """
    store(client, {"files": read_files([file]), "kind": kind}, pretend, adopt, why, wait, timeout_s, form)


def store(
    client: Client, body: dict[str, Any], pretend: bool, adopt: bool, why: str, wait: bool, timeout_s: float, form: str
) -> None:
    """Apply the body's files, or only print the plan of that."""
    if pretend:
        _planned(client, body, form)
        return
    changes = client.post("/v1/apply", reasoned({**body, "adopt": adopt}, why))
    report_changes(client, changes, wait, timeout_s, form)


def _planned(client: Client, body: dict[str, Any], form: str) -> list[dict[str, Any]]:
    plans: list[dict[str, Any]] = client.post("/v1/plan", body)
    emit(plans, form, lambda: show(tables.plans(plans), "Nothing would change: the files hold no spec."))
    return plans
