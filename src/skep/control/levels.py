"""What the reconciler needs of a level: specs made into what the planner wants, and hands to carry it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from skep.control.documents import SpecDocument
from skep.model.state import Desired, Record
from skep.ports import Actuator


@dataclass(frozen=True, slots=True)
class Resolved:
    """A spec as the planner needs it, the record with what was fixed on the way, and an actuator bound to this spec.

    An action keeps the actuator it was started with, whatever is accepted meanwhile. `cluster` is empty where the
    key lives on none, or while it can't be told. `poll_s`: look at least this often, for want of a stream of changes.
    `refusal`: the hold, where waiting does not end it and somebody has to change something; a dry run shows it too.
    """

    desired: Desired
    record: Record
    actuator: Actuator
    cluster: str = ""
    poll_s: float | None = None
    refusal: str = ""


class Level(Protocol):
    """Machines or workloads."""

    async def resolve(self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]) -> Resolved:
        """`world` are all documents, this one included. What is not there yet is a hold, not an error."""

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        """All members of the key are gone; drop what was kept for it. May be asked again."""
