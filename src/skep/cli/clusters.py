"""`cluster`: where workloads run."""

from __future__ import annotations

from skep.cli.failures import Failure
from skep.cli.output import Table, emit, plain, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.client import Client
    from skep.cli.state import View


def listed(client: Client, form: str) -> None:
    """List all clusters: those of the settings, and those that groups of managers form.

    \b
    Examples:
      skep cluster ls
      skep cluster ls -o json
    """
    views = client.get("/v1/clusters")
    nothing = "There are no clusters: name one to `skep serve` with --cluster NAME=URL, or apply a group of managers."
    emit(views, form, lambda: show(clusters(views), nothing))


def described(client: Client, name: str, form: str) -> None:
    """Show all about a cluster: what kind it is, and each of its engines.

    \b
    Example:
      skep cluster describe production
    """
    views = client.get("/v1/clusters")
    found = [view for view in views if view["name"] == name]
    if not found:
        known = ", ".join(view["name"] for view in views) or "none"
        raise Failure(f"there is no cluster {name}; known: {known}")
    emit(found[0], form, lambda: _description(found[0]))


def clusters(views: list[View]) -> Table:
    """A line for each cluster."""
    rows = tuple(
        (
            view["name"],
            view["kind"],
            ",".join(engine["endpoint"] for engine in view["engines"]),
            state_of(view),
            ",".join(dict.fromkeys(engine["version"] for engine in view["engines"] if engine["version"])),
        )
        for view in views
    )
    return Table(("NAME", "KIND", "ENDPOINTS", "STATE", "VERSION"), rows)


def state_of(view: View) -> str:
    """The word of all its engines; of several words the worst, behind how many there are of it."""
    if view["partitioned"]:
        return "partitioned"
    found = [engine["state"] for engine in view["engines"]]
    for word in ("lost", "silent", "unknown", "answering"):
        if word in found:
            return word if found.count(word) == len(found) else f"{word} {found.count(word)}/{len(found)}"
    return "unknown"


PARTITIONED = "most engines are silent at once: rather the network is cut, so nobody new is declared lost"


def _description(view: View) -> list[str]:
    state = state_of(view)
    pairs = (
        ("Name", view["name"]),
        ("Kind", view["kind"]),
        ("Origin", view["origin"]),
        ("State", f"{state}: {PARTITIONED}" if view["partitioned"] else state),
    )
    table = engines(view)
    return [f"{name + ':':<12}{plain(value)}" for name, value in pairs] + (["", *show(table)] if table.rows else [])


def engines(view: View) -> Table:
    """A line for each engine of a cluster."""
    rows = tuple(
        (
            one["name"],
            one["endpoint"],
            one["kind"],
            one["hostname"],
            one["version"],
            one["apiVersion"],
            one["operatingSystem"],
            one["state"],
            one["error"],
        )
        for one in view["engines"]
    )
    return Table(("ENGINE", "ENDPOINT", "KIND", "HOSTNAME", "VERSION", "API", "SYSTEM", "STATE", "DETAIL"), rows)
