"""`status`, `version` and `image`."""

from __future__ import annotations

import skep
from skep.cli import tables
from skep.cli.failures import NoServer
from skep.cli.output import Table, emit, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.client import Client
    from skep.cli.state import View

IMAGE_S = 900.0
"""A node image is built in seconds from the host's own engine; a pull over a slow line takes minutes."""


def status(client: Client, form: str) -> None:
    """Show every group and workload.

    Also who answers and, with -o wide, all machines; describe shows the containers of a workload.

    \b
    Examples:
      skep status
      skep status -o wide
      skep status -o json
    """
    found = client.get("/v1/status?fresh=true")
    emit(found, form, lambda: _status_lines(found, wide=form == "wide"))


def _status_lines(found: View, wide: bool) -> list[str]:
    server = found["server"]
    views = [*found["groups"], *found["workloads"]]
    engine = server["engine"] or "none on this host"
    head = [f"skep {server['version']}, controller {server['controller']}, engine {engine}", ""]
    if not views:
        return [*head, "Nothing is wanted yet: say what, with `skep apply -f FILE`."]
    lines = [*head, *show(tables.keys(views, tables.WIDE if wide else tables.STATUS))]
    members = tables.members(views)
    return [*lines, "", *show(members)] if wide and members.rows else lines


def version(client: Client, form: str) -> None:
    """Show the versions of client and server.

    \b
    Example:
      skep version
    """
    try:
        server = client.get("/v1/status")["server"]["version"]
    except NoServer:
        server = ""
    rows = (("client", skep.__version__), ("server", server))
    emit(dict(rows), form, lambda: show(Table(("COMPONENT", "VERSION"), rows)))


def image(client: Client, which: str, form: str) -> None:
    """Make an image that needs no registry.

    It is made on this host's engine. `node` is what a machine runs: a Docker Engine.
    `example` is the web server of the examples.

    \b
    Example:
      skep image node
    """
    made = client.post(f"/v1/images/{which}", timeout_s=IMAGE_S)
    emit(made, form, lambda: show(Table(("IMAGE",), ((made["image"],),))))
