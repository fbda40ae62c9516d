"""`infrakit version`."""

from __future__ import annotations

import skep
from skep.cli.infrakit.tables import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.infrakit.command import Call


def version(_: Call) -> None:
    """Print which release this is; it is not stamped with a revision."""
    say(f"Version: {skep.__version__}", "Revision: Unspecified")
