"""Parameters and results of InfraKit's methods (infrakit-compat.md 2.3, 2.4), as clients and servers need them.

What later generations add to parameters (`Type`, `Name`, `Context`, `Index`, `Properties` as a bool) is passed over,
and what they leave out of results is the zero value (2.6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup, GroupDescription, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.wire.go_decode import (
    boolean,
    fields,
    items,
    list_of,
    members,
    object_of,
    optional_text,
    string,
    string_map,
    text,
    text_map,
    truth,
    written,
)
from skep.wire.messages import (
    allocation_from_wire,
    allocation_to_wire,
    description_from_wire,
    description_to_wire,
    descriptions_from_wire,
    descriptions_to_wire,
    group_description_from_wire,
    group_description_to_wire,
    group_from_wire,
    group_to_wire,
    health_from_wire,
    health_to_wire,
    instance_spec_from_wire,
    instance_spec_to_wire,
)

OK = RawJson(b'{"OK":true}')
"""The result of most acts."""

NOTHING = RawJson(b"{}")
"""Parameters of handshakes and of `Group.InspectGroups`."""


# --- handshakes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Interface:
    """What a plugin is: `Instance` `0.1.0`."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


def implements_result(interfaces: Sequence[Interface]) -> RawJson:
    """Of `Plugin.Implements` and `Handshake.Implements`: `{"APIs":[{"Name":…,"Version":…}]}`."""
    return object_of(
        APIs=list_of([object_of(Name=string(one.name), Version=string(one.version)) for one in interfaces])
    )


def read_implements(result: RawJson) -> tuple[Interface, ...]:
    """GoDecodeError, as from all that read, for another shape."""
    apis = items(fields(result, ("APIs",)).get("APIs"), "ImplementsResponse.APIs", "[]spi.InterfaceSpec")
    return tuple(_interface(fields(one, ("Name", "Version"))) for one in apis)


def _interface(found: Mapping[str, RawJson]) -> Interface:
    return Interface(text(found.get("Name")), text(found.get("Version")))


def hello_result(interfaces: Sequence[Interface]) -> RawJson:
    """Of `Handshake.Hello`, master's: one object without a name for each interface."""
    unnamed = RawJson(b'[{"Name":".","ProxyFor":""}]')
    objects = b",".join(string(str(one)) + b":" + unnamed for one in interfaces)
    return object_of(Objects=b"{" + objects + b"}")


def read_hello(result: RawJson) -> Mapping[Interface, tuple[str, ...]]:
    """The names of the objects of each interface; `.` is the one without a name."""
    objects = fields(result, ("Objects",)).get("Objects", NOTHING)
    found = {} if objects == NULL else members(objects, "HelloResponse.Objects", "map[string][]rpc.Object")
    return {_named(name): _object_names(value) for name, value in found.items()}


def _named(name: str) -> Interface:
    kind, _, version = name.partition("/")
    return Interface(kind, version)


def _object_names(raw: RawJson) -> tuple[str, ...]:
    objects = items(raw, "HelloResponse.Objects", "[]rpc.Object")
    return tuple(text(fields(one, ("Name",)).get("Name")) for one in objects)


def types_result(interfaces: Sequence[Interface]) -> RawJson:
    """Of `Handshake.Types`, v0.5's: interfaces without sub-types."""
    return object_of(Types=b"{" + b",".join(string(str(one)) + b":[]" for one in interfaces) + b"}")


# --- one ID, one text -------------------------------------------------------------------------------------------


def id_object(id: str) -> RawJson:
    """Parameters of `Group.FreeGroup`, `DescribeGroup` and `DestroyGroup`; the result of `Instance.Provision`."""
    return object_of(ID=string(id))


def read_id(raw: RawJson) -> str:
    """Empty where it is null or missing."""
    return text(fields(raw, ("ID",)).get("ID"), "FreeGroupRequest.ID")


def read_provisioned(result: RawJson) -> str | None:
    """The ID of the machine; None where the plugin gave none."""
    return optional_text(fields(result, ("ID",)).get("ID"), "ProvisionResponse.ID")


# --- Instance ---------------------------------------------------------------------------------------------------


def instance_validate_params(properties: RawJson) -> RawJson:
    """Of `Instance.Validate`."""
    return object_of(Properties=written(properties))


def read_properties(params: RawJson) -> RawJson:
    """Null where there are none."""
    return fields(params, ("Properties",)).get("Properties", NULL)


def provision_params(spec: InstanceSpec) -> RawJson:
    """Of `Instance.Provision`. It may hold a join token."""
    return object_of(Spec=instance_spec_to_wire(spec))


def read_provision(params: RawJson) -> InstanceSpec:
    """An empty spec where there is none."""
    return instance_spec_from_wire(fields(params, ("Spec",)).get("Spec", NULL), "ProvisionRequest.Spec")


def instance_destroy_params(instance: str) -> RawJson:
    """Of `Instance.Destroy`."""
    return object_of(Instance=string(instance))


def read_instance_destroy(params: RawJson) -> str:
    """The machine's ID."""
    return text(fields(params, ("Instance",)).get("Instance"), "DestroyRequest.Instance")


def describe_instances_params(tags: Mapping[str, str]) -> RawJson:
    """Of `Instance.DescribeInstances`; no tags are null."""
    return object_of(Tags=string_map(tags))


def read_describe_instances(params: RawJson) -> dict[str, str]:
    """Empty for all machines."""
    return text_map(fields(params, ("Tags",)).get("Tags"), "DescribeInstancesRequest.Tags")


def descriptions_result(descriptions: Sequence[InstanceDescription]) -> RawJson:
    """Of `Instance.DescribeInstances`."""
    return object_of(Descriptions=descriptions_to_wire(descriptions))


def read_descriptions(result: RawJson) -> tuple[InstanceDescription, ...]:
    """None for null."""
    return descriptions_from_wire(fields(result, ("Descriptions",)).get("Descriptions"))


# --- Flavor -----------------------------------------------------------------------------------------------------


def flavor_validate_params(properties: RawJson, allocation: Allocation) -> RawJson:
    """Of `Flavor.Validate`."""
    return object_of(Properties=written(properties), Allocation=allocation_to_wire(allocation))


def read_flavor_validate(params: RawJson) -> tuple[RawJson, Allocation]:
    """Null properties where there are none."""
    found = fields(params, ("Properties", "Allocation"))
    allocation = allocation_from_wire(found.get("Allocation", NULL), "ValidateRequest.Allocation")
    return found.get("Properties", NULL), allocation


def prepare_params(properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> RawJson:
    """Of `Flavor.Prepare`."""
    return object_of(
        Properties=written(properties), Spec=instance_spec_to_wire(spec), Allocation=allocation_to_wire(allocation)
    )


def read_prepare(params: RawJson) -> tuple[RawJson, InstanceSpec, Allocation]:
    """As `prepare_params` takes them."""
    found = fields(params, ("Properties", "Spec", "Allocation"))
    spec = instance_spec_from_wire(found.get("Spec", NULL), "PrepareRequest.Spec")
    allocation = allocation_from_wire(found.get("Allocation", NULL), "PrepareRequest.Allocation")
    return found.get("Properties", NULL), spec, allocation


def spec_result(spec: InstanceSpec) -> RawJson:
    """Of `Flavor.Prepare`: the whole spec, which replaces the one that was sent."""
    return object_of(Spec=instance_spec_to_wire(spec))


def read_spec(result: RawJson) -> InstanceSpec:
    """An empty spec where there is none."""
    return instance_spec_from_wire(fields(result, ("Spec",)).get("Spec", NULL), "PrepareResponse.Spec")


def member_params(properties: RawJson, instance: InstanceDescription) -> RawJson:
    """Of `Flavor.Healthy` and `Flavor.Drain`."""
    return object_of(Properties=written(properties), Instance=description_to_wire(instance))


def read_member(params: RawJson) -> tuple[RawJson, InstanceDescription]:
    """As `member_params` takes them."""
    found = fields(params, ("Properties", "Instance"))
    instance = description_from_wire(found.get("Instance", NULL), "HealthyRequest.Instance")
    return found.get("Properties", NULL), instance


def health_result(health: Health) -> RawJson:
    """Of `Flavor.Healthy`."""
    return object_of(Health=health_to_wire(health))


def read_health(result: RawJson) -> Health:
    """Unknown where it is missing."""
    return health_from_wire(fields(result, ("Health",)).get("Health"))


# --- Group ------------------------------------------------------------------------------------------------------


def commit_params(group: CommittedGroup, *, pretend: bool) -> RawJson:
    """Of `Group.CommitGroup`."""
    return object_of(Spec=group_to_wire(group), Pretend=boolean(pretend))


def read_commit(params: RawJson) -> tuple[CommittedGroup, bool]:
    """The group, and whether it is only pretended."""
    found = fields(params, ("Spec", "Pretend"))
    group = group_from_wire(found.get("Spec", NULL), "CommitGroupRequest.Spec")
    return group, truth(found.get("Pretend"), "CommitGroupRequest.Pretend")


def details_result(details: str) -> RawJson:
    """Of `Group.CommitGroup`."""
    return object_of(Details=string(details))


def read_details(result: RawJson) -> str:
    """Empty where there are none."""
    return text(fields(result, ("Details",)).get("Details"), "CommitGroupResponse.Details")


def group_description_result(description: GroupDescription) -> RawJson:
    """Of `Group.DescribeGroup`."""
    return object_of(Description=group_description_to_wire(description))


def read_group_description(result: RawJson) -> GroupDescription:
    """An empty one where there is none."""
    return group_description_from_wire(fields(result, ("Description",)).get("Description", NULL))


def groups_result(groups: Sequence[CommittedGroup]) -> RawJson:
    """Of `Group.InspectGroups`; null for none."""
    return object_of(Groups=list_of([group_to_wire(one) for one in groups]) if groups else NULL)


def read_groups(result: RawJson) -> tuple[CommittedGroup, ...]:
    """None for null."""
    groups = items(fields(result, ("Groups",)).get("Groups"), "InspectGroupsResponse.Groups", "[]group.Spec")
    return tuple(group_from_wire(one) for one in groups)


def read_nothing(params: RawJson) -> None:
    """Whatever is in the object; GoTypeError for what is none."""
    fields(params, ())
