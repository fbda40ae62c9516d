"""Groups of machines as InfraKit writes them (infrakit-compat.md 1.3), with what skep adds, to `GroupSpec`."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from skep.model.errors import Fault
from skep.model.json import RawJson
from skep.model.spec import Allocation, Amount, GroupSpec, PluginRef, Updating, share
from skep.specs.binding import Properties, RawProperties
from skep.specs.fields import COUNT_MAX, Image, Name, refusing, twice
from skep.specs.references import name_fault
from skep.specs.updating import amount_of, both_zero

_LOGICAL_ID = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9._:]*")
LOGICAL_ID_MAX = 253
"""The length of a host name, the longest thing that a logical ID is used for."""


def _logical_id_fault(text: str) -> str:
    if _LOGICAL_ID.fullmatch(text) and len(text) <= LOGICAL_ID_MAX:
        return ""
    return f"must be an address or a host name: up to {LOGICAL_ID_MAX} letters, digits and - . _ :"


def _plugin_fault(text: str) -> str:
    """A plugin's name is that of its socket; one that serves several kinds is asked for one of them (`lookup/kind`)."""
    lookup, slash, kind = text.partition("/")
    return name_fault(lookup) or (name_fault(kind) if slash else "")


Machines = Annotated[Amount, amount_of("machines")]
"""A number of machines, or a percentage of the group's size."""


class AllocationPart(Properties):
    """`Properties.Allocation`: how many, or who."""

    size: Annotated[int, Field(ge=0, le=COUNT_MAX)] | None = None
    logical_ids: Annotated[tuple[Annotated[str, refusing(_logical_id_fault)], ...], Field(max_length=COUNT_MAX)] = ()

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        """Exactly one is meant; InfraKit itself writes `Size: 0` beside LogicalIDs, and null for none."""
        ids = given.get("LogicalIDs")
        if ids and given.get("Size"):
            yield Fault("takes only one of Size and LogicalIDs")
        if not ids and "Size" not in given:
            yield Fault("needs Size or LogicalIDs")
        yield from twice(given, "LogicalIDs")


class PluginPart(Properties):
    """A plugin by name, and properties that only it understands."""

    plugin: Annotated[str, refusing(_plugin_fault)]
    properties: RawProperties = "null"


class UpdatingPart(Properties):
    """`Properties.Updating`: how far a roll may stray from the size."""

    max_surge: Machines | None = None
    max_unavailable: Machines | None = None

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        yield from both_zero(given)


class GroupPart(Properties):
    """`Properties` of a group."""

    allocation: AllocationPart
    instance: PluginPart
    flavor: PluginPart
    images: tuple[Image, ...] = ()
    updating: UpdatingPart = UpdatingPart()

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        yield from twice(given, "Images")
        allocation, updating = given.get("Allocation"), given.get("Updating")
        if not (isinstance(allocation, Mapping) and allocation.get("LogicalIDs") and isinstance(updating, Mapping)):
            return
        if updating.get("MaxSurge", 0) not in (0, "0%"):
            yield Fault("must be 0 with LogicalIDs: a logical ID can't exist twice", "Updating.MaxSurge")
        if updating.get("MaxUnavailable") in (0, "0%"):
            yield Fault("must be at least 1 with LogicalIDs: a logical ID can't exist twice", "Updating.MaxUnavailable")


class GroupDocument(Properties):
    """A group as it is written."""

    kind: Literal["group"] = "group"
    id: Name
    properties: GroupPart

    def spec(self) -> GroupSpec:
        part = self.properties
        allocation = Allocation(part.allocation.size or 0, part.allocation.logical_ids)
        return GroupSpec(
            id=self.id,
            allocation=allocation,
            instance=_plugin(part.instance),
            flavor=_plugin(part.flavor),
            images=part.images,
            updating=resolve_updating(part.updating.max_surge, part.updating.max_unavailable, allocation.count),
        )


def _plugin(part: PluginPart) -> PluginRef:
    return PluginRef(part.plugin, RawJson(part.properties.encode()))


def resolve_updating(surge: Amount | None, unavailable: Amount | None, count: int) -> Updating:
    """In members: surge rounded up, unavailable down (semantics.md W41).

    Where both come to 0, one may be missing: Kubernetes' ResolveFenceposts, and the same for `MaxSurge: 0` alone.
    """
    max_surge = None if surge is None else share(surge, count, up=True)
    max_unavailable = None if unavailable is None else share(unavailable, count, up=False)
    if max_surge == 0 and not max_unavailable:
        max_unavailable = 1
    return Updating(max_surge, max_unavailable)
