"""InfraKit's objects on the wire (infrakit-compat.md 2.4): every field is written, and read as Go reads."""

from collections.abc import Sequence

from skep.model.json import NULL, RawJson
from skep.model.machine import Attachment, CommittedGroup, GroupDescription, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.wire.go_decode import (
    boolean,
    fields,
    items,
    list_of,
    object_of,
    optional_text,
    string,
    string_map,
    text,
    text_map,
    texts,
    truth,
    unsigned,
    written,
)

_HEALTHS = (Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY)


def instance_spec_to_wire(spec: InstanceSpec) -> RawJson:
    """`{"Properties":…,"Tags":…,"Init":…,"LogicalID":…,"Attachments":…}`; no tags and no attachments are null."""
    attachments = [object_of(ID=string(one.id), Type=string(one.type)) for one in spec.attachments]
    return object_of(
        Properties=written(spec.properties),
        Tags=string_map(spec.tags),
        Init=string(spec.init),
        LogicalID=string(spec.logical_id),
        Attachments=list_of(attachments) if attachments else NULL,
    )


def instance_spec_from_wire(raw: RawJson, place: str = "Spec") -> InstanceSpec:
    """GoTypeError, as from all that follow, where a field has another type; `place` is how it calls the object."""
    found = fields(raw, ("Properties", "Tags", "Init", "LogicalID", "Attachments"), place)
    attachments = items(found.get("Attachments"), f"{place}.Attachments", "[]instance.Attachment")
    return InstanceSpec(
        properties=found.get("Properties", NULL),
        tags=text_map(found.get("Tags"), f"{place}.Tags"),
        init=text(found.get("Init"), f"{place}.Init"),
        logical_id=optional_text(found.get("LogicalID"), f"{place}.LogicalID"),
        attachments=tuple(_attachment(one, f"{place}.Attachments") for one in attachments),
    )


def _attachment(raw: RawJson, place: str) -> Attachment:
    found = fields(raw, ("ID", "Type"), place)
    return Attachment(text(found.get("ID"), f"{place}.ID"), text(found.get("Type"), f"{place}.Type"))


def description_to_wire(description: InstanceDescription) -> RawJson:
    """`{"ID":…,"LogicalID":…,"Tags":…}`. How the machine lives is not told: InfraKit has no word for it."""
    return object_of(
        ID=string(description.id), LogicalID=string(description.logical_id), Tags=string_map(description.tags)
    )


def description_from_wire(raw: RawJson, place: str = "Description") -> InstanceDescription:
    """A machine that runs, as far as InfraKit's plugins tell."""
    found = fields(raw, ("ID", "LogicalID", "Tags"), place)
    return InstanceDescription(
        text(found.get("ID"), f"{place}.ID"),
        optional_text(found.get("LogicalID"), f"{place}.LogicalID"),
        text_map(found.get("Tags"), f"{place}.Tags"),
    )


def descriptions_to_wire(descriptions: Sequence[InstanceDescription]) -> RawJson:
    """`[]` where there are none."""
    return list_of([description_to_wire(one) for one in descriptions])


def descriptions_from_wire(raw: RawJson | None, place: str = "Descriptions") -> tuple[InstanceDescription, ...]:
    """None for null."""
    return tuple(description_from_wire(one, place) for one in items(raw, place, "[]instance.Description"))


def allocation_to_wire(allocation: Allocation) -> RawJson:
    """`{"Size":…,"LogicalIDs":…}`; no logical IDs are null, and with some the size is 0."""
    names = allocation.logical_ids
    size = 0 if names else allocation.size
    return object_of(Size=str(size).encode(), LogicalIDs=list_of([string(name) for name in names]) if names else NULL)


def allocation_from_wire(raw: RawJson, place: str = "Allocation") -> Allocation:
    """Both fields as sent; who takes it says whether both may be set."""
    found = fields(raw, ("Size", "LogicalIDs"), place)
    return Allocation(
        unsigned(found.get("Size"), f"{place}.Size"), texts(found.get("LogicalIDs"), f"{place}.LogicalIDs")
    )


def group_to_wire(group: CommittedGroup) -> RawJson:
    """`{"ID":…,"Properties":…}`."""
    return object_of(ID=string(group.id), Properties=written(group.properties))


def group_from_wire(raw: RawJson, place: str = "Spec") -> CommittedGroup:
    """Null properties are those that were not sent."""
    found = fields(raw, ("ID", "Properties"), place)
    return CommittedGroup(text(found.get("ID"), f"{place}.ID"), found.get("Properties", NULL))


def group_description_to_wire(description: GroupDescription) -> RawJson:
    """`{"Instances":[…],"Converged":…}`, and `"Error":"…"` where there is one, which InfraKit's programs pass over."""
    error = {"Error": string(description.error)} if description.error else {}
    instances = descriptions_to_wire(description.instances)
    return object_of(Instances=instances, Converged=boolean(description.converged), **error)


def group_description_from_wire(raw: RawJson, place: str = "Description") -> GroupDescription:
    """No instances for null."""
    found = fields(raw, ("Instances", "Converged", "Error"), place)
    return GroupDescription(
        descriptions_from_wire(found.get("Instances"), f"{place}.Instances"),
        truth(found.get("Converged"), f"{place}.Converged"),
        text(found.get("Error"), f"{place}.Error"),
    )


def health_to_wire(health: Health) -> RawJson:
    """0 unknown, 1 healthy, 2 unhealthy."""
    return RawJson(str(_HEALTHS.index(health)).encode())


def health_from_wire(raw: RawJson | None) -> Health:
    """Unknown for numbers that have no meaning."""
    number = unsigned(raw, "HealthyResponse.Health")
    return _HEALTHS[number] if number < len(_HEALTHS) else Health.UNKNOWN
