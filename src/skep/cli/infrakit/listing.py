"""`infrakit plugin ls`."""

from __future__ import annotations

from skep.cli.infrakit.discovery import every
from skep.cli.infrakit.json_text import indented, string
from skep.cli.infrakit.tables import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.infrakit.command import Call


def plugins(call: Call) -> None:
    """Print every plugin that the folder knows; whether they answer is not asked."""
    found = every(call.log)
    if call.flags["json"]:
        rows = [f'{{"Name":{string(one.name)},"Listen":{string(one.address)}}}' for one in found]
        say(indented(f"[{','.join(rows)}]", "", "  "))
        return
    header = [] if call.flags["quiet"] else [f"{'NAME':<20}\tLISTEN"]
    say(*header, *(f"{one.name:<20}\t{one.address}" for one in found))
