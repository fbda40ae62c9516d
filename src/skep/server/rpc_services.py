"""skep's plugins as InfraKit's interfaces: each method of infrakit-compat.md 2.4 over one of ports.py."""

from collections.abc import Mapping

from skep.model.errors import BugError, Fault, InvalidError
from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Phase
from skep.ports import DrainRequest, FlavorPlugin, GroupPlugin, InstancePlugin
from skep.server.rpc import AnyMethod, Method, Service
from skep.wire import calls


def instance_methods(plugin: InstancePlugin) -> Service:
    """The interface `Instance`."""

    async def validate(properties: RawJson, who: str) -> RawJson:
        if properties == NULL:
            raise InvalidError([Fault("Request Properties must be set")])
        await plugin.validate(properties)
        return calls.OK

    async def provision(spec: InstanceSpec, who: str) -> RawJson:
        instance = await plugin.provision(spec)
        if not instance:  # InfraKit's group plugin dies of it (G3)
            raise BugError("the plugin made a machine and gave no ID for it")
        return calls.id_object(instance)

    async def destroy(instance: str, who: str) -> RawJson:
        await plugin.destroy(instance)
        return calls.OK

    async def describe(tags: Mapping[str, str], who: str) -> RawJson:
        return calls.descriptions_result(await plugin.describe(tags))

    methods: Mapping[str, AnyMethod] = {
        "Validate": Method(calls.read_properties, validate),
        "Provision": Method(calls.read_provision, provision),
        "Destroy": Method(calls.read_instance_destroy, destroy),
        "DescribeInstances": Method(calls.read_describe_instances, describe),
    }
    return Service("Instance", ("0.1.0", "0.3.0", "0.5.0"), "0.6.1", methods)


def flavor_methods(plugin: FlavorPlugin) -> Service:
    """The interface `Flavor`."""

    async def validate(asked: tuple[RawJson, Allocation], who: str) -> RawJson:
        await plugin.validate(*asked)
        return calls.OK

    async def prepare(asked: tuple[RawJson, InstanceSpec, Allocation], who: str) -> RawJson:
        return calls.spec_result(await plugin.prepare(*asked))

    async def healthy(asked: tuple[RawJson, InstanceDescription], who: str) -> RawJson:
        properties, instance = asked
        (answer,) = await plugin.healthy(properties, [instance])
        return calls.health_result(answer.health)

    async def drain(asked: tuple[RawJson, InstanceDescription], who: str) -> RawJson:
        properties, instance = asked
        await plugin.drain(properties, instance, DrainRequest(), _advance)
        return calls.OK

    methods: Mapping[str, AnyMethod] = {
        "Validate": Method(calls.read_flavor_validate, validate),
        "Prepare": Method(calls.read_prepare, prepare),
        "Healthy": Method(calls.read_member, healthy),
        "Drain": Method(calls.read_member, drain),
    }
    return Service("Flavor", ("0.1.0",), "0.1.1", methods)


async def _advance(phase: Phase) -> None:
    """Who drains over a socket keeps no ledger here: a drain that is asked again begins again."""


def group_methods(plugin: GroupPlugin) -> Service:
    """The interface `Group`."""

    async def commit(asked: tuple[CommittedGroup, bool], who: str) -> RawJson:
        group, pretend = asked
        return calls.details_result(await plugin.commit(group, pretend=pretend, who=who))

    async def free(group: str, who: str) -> RawJson:
        await plugin.free(group, who)
        return calls.OK

    async def describe(group: str, who: str) -> RawJson:
        return calls.group_description_result(await plugin.describe(group))

    async def destroy(group: str, who: str) -> RawJson:
        await plugin.destroy(group, who)
        return calls.OK

    async def inspect(asked: None, who: str) -> RawJson:
        return calls.groups_result(await plugin.inspect())

    methods: Mapping[str, AnyMethod] = {
        "CommitGroup": Method(calls.read_commit, commit),
        "FreeGroup": Method(calls.read_id, free),
        "DescribeGroup": Method(calls.read_id, describe),
        "DestroyGroup": Method(calls.read_id, destroy),
        "InspectGroups": Method(calls.read_nothing, inspect),
    }
    return Service("Group", ("0.1.0",), "0.1.1", methods)
