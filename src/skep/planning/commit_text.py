"""What a commit involves, in InfraKit's words (infrakit-compat.md 3.2). Scripts read them: there are no singular forms.

Where InfraKit crashes or keeps silent (a takeover of machines that are outdated, changed logical IDs) it is said what
really happens, in words of the same kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.model.spec import Allocation


@dataclass(frozen=True, slots=True)
class Committed:
    """What the text is about of a group's spec: how many or who, and the hash of what they are made of."""

    allocation: Allocation
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Live:
    """A machine that is there. `current`: it is as the new spec wants it ("desired" in InfraKit's words)."""

    slot: str | None
    current: bool


def commit_text(before: Committed | None, after: Committed, live: Sequence[Live]) -> str:
    """`before` is None for a group that is not managed yet; `live` are the machines that bear its tag."""
    if before is None:
        return _managing(after.allocation, live)
    wanted = after.allocation.logical_ids
    if not wanted:
        return _sized(before, after, live)
    if frozenset(wanted) == frozenset(before.allocation.logical_ids):
        return _rolling(len(wanted))
    return _renamed(frozenset(wanted), live)


def _managing(allocation: Allocation, live: Sequence[Live]) -> str:
    text = f"Managing {allocation.count} instances"
    rolled = _rolled(allocation, live)
    return f"{text}, then {_lower(_rolling(rolled))}" if rolled else text


def _rolled(allocation: Allocation, live: Sequence[Live]) -> int:
    """Machines that are replaced for what they are made of; of too many, outdated ones go first."""
    wanted = frozenset(allocation.logical_ids)
    outdated = sum(not one.current for one in live if not wanted or one.slot in wanted)
    current = sum(one.current for one in live if not wanted or one.slot in wanted)
    return min(outdated, max(0, allocation.count - current))


def _sized(before: Committed, after: Committed, live: Sequence[Live]) -> str:
    """InfraKit's scaler. It compares the sizes of the specs, not how many machines there are."""
    size, undesired = after.allocation.count, sum(not one.current for one in live)
    more = size - before.allocation.count
    if more < 0:
        return _shrinking(-more, size, max(0, size - (len(live) - undesired)))
    growing = f"Adding {more} instances to increase the group size to {size}"
    if more > 0:
        return f"{_rolling(undesired)}, then {_lower(growing)}" if undesired else growing
    if undesired:
        return _rolling(undesired)
    return "Noop" if before == after else "Adjusting the instance configuration, no restarts necessary"


def _shrinking(fewer: int, size: int, rolled: int) -> str:
    """InfraKit writes two spaces after the comma."""
    text = f"Terminating {fewer} instances to reduce the group size to {size}"
    return f"{text},  then {_lower(_rolling(rolled))}" if rolled else text


def _renamed(wanted: frozenset[str], live: Sequence[Live]) -> str:
    """Other logical IDs than before. InfraKit means to refuse it, and crashes (infrakit-compat.md 3.10: G4, G5)."""
    there = [one for one in live if one.slot in wanted]
    missing = len(wanted - {one.slot for one in there})
    leaving, outdated = len(live) - len(there), sum(not one.current for one in there)
    parts = [
        f"Adding {missing} instances for new logical IDs" if missing else "",
        f"Terminating {leaving} instances without a logical ID of the group" if leaving else "",
        _rolling(outdated) if outdated else "",
    ]
    first, *others = [part for part in parts if part] or ["Noop"]
    return ", then ".join([first, *map(_lower, others)])


def _rolling(count: int) -> str:
    return f"Performing a rolling update on {count} instances"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
