"""What a service waits for of its cluster's groups: an image that they bring to their machines, and machines that come
and go for a newer spec. A task that a drain ends fails the update that has just made it, and the Swarm pauses that."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from skep.control.documents import SpecDocument, spec_of
from skep.control.fixing import is_another
from skep.control.reconcile import Seen
from skep.control.retention import revision_at
from skep.control.rollback import sized_like
from skep.control.topology import Topology
from skep.model.plan import ActionKind, NoteKind
from skep.model.spec import GroupSpec, Key, Kind
from skep.model.state import Record
from skep.ports import Clock
from skep.specs.canonical import to_json

STANDSTILL_S = 60.0
"""A group that is not as its newest spec says, and does nothing for so long, is waited for no more: a machine that was
made has joined by then, and what else it waits for may take for ever."""

_MOVES = frozenset({ActionKind.CREATE, ActionKind.DRAIN, ActionKind.DESTROY})

_FOR_PEOPLE = frozenset({NoteKind.ROLL_REFUSED, NoteKind.PAUSED})
"""What only people end is not waited for at all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands: the last look at it, what is on its books, and why its last turn failed."""

    seen: Seen | None
    record: Record
    trouble: str


class Surroundings(Protocol):
    """Of the services of a cluster."""

    async def image_to_come(self, cluster: str, image: str, world: Sequence[SpecDocument]) -> str:
        """Which groups of the cluster have machines that do not hold this image yet, in words; empty when all do."""

    async def moves(self, cluster: str, world: Sequence[SpecDocument]) -> str:
        """Which groups of the cluster take their machines to a newer spec, or drain any, in words; empty when none."""


class Groups:
    """Implements Surroundings. `standing` is asked for every group of the cluster, in each turn that waits."""

    def __init__(self, topology: Topology, standing: Callable[[Key], Awaitable[Standing]], clock: Clock) -> None:
        self._topology, self._standing, self._clock = topology, standing, clock
        self._idle: dict[Key, tuple[int, float]] = {}

    async def image_to_come(self, cluster: str, image: str, world: Sequence[SpecDocument]) -> str:
        late = [str(d.key) for d in self._on(cluster, world) if not d.removed and await self._lacks(d, image)]
        return f"{', '.join(late)} does not hold {image} yet" if late else ""

    async def moves(self, cluster: str, world: Sequence[SpecDocument]) -> str:
        moving = [str(d.key) for d in self._on(cluster, world) if await self._is_moving(d)]
        return f"machines of {', '.join(moving)} come and go for its newer spec" if moving else ""

    def _on(self, cluster: str, world: Sequence[SpecDocument]) -> list[SpecDocument]:
        here = {p.key for p in self._topology.places(world) if p.cluster == cluster and p.key.kind is Kind.GROUP}
        return [d for d in world if d.key in here]

    async def _lacks(self, document: SpecDocument, image: str) -> bool:
        spec = spec_of(document.spec)
        if not isinstance(spec, GroupSpec) or image not in spec.images:
            return False
        seen = _seen_of(document, await self._standing(document.key))
        return seen is None or any(f"image {image}" in member.drift for member in seen.observed.members)

    async def _is_moving(self, document: SpecDocument) -> bool:
        """Told by what was accepted and what is on the books: both keys may have their turns at the same moment."""
        standing = await self._standing(document.key)
        under_way = {e.kind for e in standing.record.ledger.entries}
        if standing.record.settled == document.generation:
            self._idle.pop(document.key, None)
            return ActionKind.DRAIN in under_way
        if under_way & _MOVES:
            self._idle.pop(document.key, None)
            return True
        seen = _seen_of(document, standing)
        is_for_people = seen is not None and any(n.kind in _FOR_PEOPLE for n in seen.plan.notes)
        return not is_for_people and self._idle_s(document) < STANDSTILL_S

    def _idle_s(self, document: SpecDocument) -> float:
        """Since it was first found to do nothing for this generation."""
        now_s = self._clock.monotonic_s()
        generation, since_s = self._idle.get(document.key, (0, now_s))
        if generation != document.generation:
            since_s = now_s
        self._idle[document.key] = (document.generation, since_s)
        return now_s - since_s


def _seen_of(document: SpecDocument, standing: Standing) -> Seen | None:
    """The last look, if it was for the newest generation."""
    seen = standing.seen
    return seen if seen is not None and seen.desired.generation == document.generation else None


def is_newer(document: SpecDocument, record: Record) -> bool:
    """Whether more than its count differs from what all its members followed last. What was never there is not newer,
    nor is what was rolled back."""
    if document.removed or not record.settled:
        return False
    if record.settled == document.generation or is_another(record):
        return is_another(record)
    before = revision_at(document.history, record.settled)
    return before is None or to_json(sized_like(spec_of(before.spec), spec_of(document.spec))) != document.spec
