"""Groups as InfraKit's programs commit and inspect them (infrakit-compat.md 1.3, 2.4), to specs and back. Pure.

Read as Go reads: names of fields in any case, unknown ones passed over, absent ones empty. The faults bear InfraKit's
texts, in InfraKit's order. What a spec may not be beyond that is told in skep's own words.
"""

from dataclasses import dataclass

from skep.model.errors import Fault, InvalidError, NotFoundError
from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup
from skep.model.spec import Allocation, GroupSpec, PluginRef, Updating
from skep.specs.source import SourceFile, parse
from skep.wire.go_decode import GoDecodeError, fields, object_of, string, text, texts, unsigned
from skep.wire.messages import allocation_to_wire

_UPDATING = ("MaxSurge", "MaxUnavailable")


@dataclass(frozen=True, slots=True)
class AskedGroup:
    """A group as it was sent. `sized`: a size was given, if only 0. `updating`: skep's part, each amount as sent."""

    id: str
    allocation: Allocation
    sized: bool
    instance: PluginRef
    flavor: PluginRef
    updating: dict[str, RawJson]


def asked_group(group: CommittedGroup) -> AskedGroup:
    """What is asked for. InvalidError with InfraKit's text for what InfraKit refuses before it asks the plugins."""
    if not group.id:
        raise _invalid("Group ID must not be blank")
    if group.properties == NULL:
        raise _invalid("Invalid properties: unexpected end of JSON input")
    try:
        asked = _read(group.id, group.properties)
    except GoDecodeError as error:
        raise _invalid(f"Invalid properties: {error}") from error
    allocation = asked.allocation
    if not allocation.logical_ids and not asked.sized:
        raise _invalid("Allocation must not be blank")
    if allocation.logical_ids and allocation.size:
        raise _invalid("Only one Allocation method may be used")
    return asked


def not_found(kind: str, name: str) -> NotFoundError:
    """InfraKit writes no space after the colon."""
    return NotFoundError(f"Failed to find {kind} plugin '{name}':Plugin not found: {name}")


def _invalid(message: str) -> InvalidError:
    return InvalidError([Fault(message)])


def _read(id: str, properties: RawJson) -> AskedGroup:
    found = fields(properties, ("Allocation", "Instance", "Flavor", "Updating"))
    allocation = fields(found.get("Allocation", NULL), ("Size", "LogicalIDs"), "Spec.Allocation")
    size = allocation.get("Size", NULL)
    return AskedGroup(
        id,
        Allocation(
            unsigned(size, "Spec.Allocation.Size"),
            texts(allocation.get("LogicalIDs"), "Spec.Allocation.LogicalIDs"),
        ),
        sized=size != NULL,
        instance=_plugin(found.get("Instance", NULL), "Spec.Instance"),
        flavor=_plugin(found.get("Flavor", NULL), "Spec.Flavor"),
        updating=fields(found.get("Updating", NULL), _UPDATING, "Spec.Updating"),
    )


def _plugin(raw: RawJson, place: str) -> PluginRef:
    found = fields(raw, ("Plugin", "Properties"), place)
    return PluginRef(text(found.get("Plugin"), f"{place}.Plugin"), found.get("Properties", NULL))


def group_spec(asked: AskedGroup) -> GroupSpec:
    """The very spec that an apply of the same group would make; InvalidError where that would be refused."""
    document = object_of(ID=string(asked.id), Properties=_properties(asked))
    try:
        [parsed] = parse([SourceFile("", document.decode())])
    except InvalidError as error:
        raise InvalidError([Fault(fault.message, fault.path) for fault in error.faults]) from error
    spec = parsed.spec
    assert isinstance(spec, GroupSpec)  # it has an ID and Properties
    return spec


def _properties(asked: AskedGroup) -> RawJson:
    updating = {name: value for name, value in asked.updating.items() if value != NULL}
    parts = {
        "Allocation": allocation_to_wire(asked.allocation),
        "Instance": _plugin_to_wire(asked.instance),
        "Flavor": _plugin_to_wire(asked.flavor),
        **({"Updating": object_of(**updating)} if updating else {}),
    }
    return object_of(**parts)


def committed(spec: GroupSpec) -> CommittedGroup:
    """The group as InspectGroups tells it: Instance, Flavor and Allocation in InfraKit's order, and Updating where it
    was given."""
    updating = _updating_to_wire(spec.updating)
    parts = {
        "Instance": _plugin_to_wire(spec.instance),
        "Flavor": _plugin_to_wire(spec.flavor),
        "Allocation": allocation_to_wire(spec.allocation),
        **({"Updating": updating} if updating else {}),
    }
    return CommittedGroup(spec.id, object_of(**parts))


def _plugin_to_wire(ref: PluginRef) -> RawJson:
    return object_of(Plugin=string(ref.plugin), Properties=ref.properties)


def _updating_to_wire(updating: Updating) -> RawJson | None:
    amounts = zip(_UPDATING, (updating.max_surge, updating.max_unavailable), strict=True)
    given = {name: str(amount).encode() for name, amount in amounts if amount is not None}
    return object_of(**given) if given else None
