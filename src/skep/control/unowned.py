"""Containers that bear a workload's name and are nobody's (semantics.md W21), such as those that the state manager of
2015 made: it gave them the label `swarm.cluster.state` alone."""

from collections.abc import Iterable

from skep.control.container_listings import Found
from skep.model.state import Life
from skep.planning import container as containers
from skep.planning.service import STATE_LABEL

NAMED_MAX = 5
"""So many are told by name: enough to find them, and a sentence can still be read."""


def left_alone(workload: str, unowned: Iterable[Found]) -> str:
    """Which of them run, and what to do about them; empty where none does. What has ended serves nobody."""
    there = sorted((f for f in unowned if containers.life_of(f.container) is not Life.DEAD), key=_order)
    if not there:
        return ""
    names = ", ".join(f"{f.container.name} on {f.source}" for f in there[:NAMED_MAX])
    more = f" and {len(there) - NAMED_MAX} more" if len(there) > NAMED_MAX else ""
    return (
        f"left alone, for skep has not made them, though they bear the label {STATE_LABEL}={workload}: {names}{more}; "
        "remove them where they are not needed"
    )


def _order(found: Found) -> tuple[str, str]:
    return found.source, found.container.name
