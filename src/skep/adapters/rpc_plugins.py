"""Plugins of other processes, as the core calls its own (infrakit-compat.md 2.4).

What a plugin refuses is raised in its own words. Where there is none of that name and kind, the calls that a user
waits for say NotFoundError and all others UnavailableError, so that a group outlives a restart of its plugins.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from skep.adapters.rpc_handshake import Peer
from skep.model.errors import Fault, InvalidError, NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, GroupDescription, InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.ports import Advance, DrainRequest
from skep.wire import calls
from skep.wire.envelope import RpcError
from skep.wire.go_decode import GoDecodeError, string

log = structlog.get_logger()

T = TypeVar("T")

GONE = ("not found in swarm", "without an association tag")
"""How InfraKit's swarm flavor ends its errors where there is no node to drain (infrakit-compat.md 4.1)."""


class _Remote:
    """One interface of a plugin. `tag` is the parameter in which later generations name one of several objects."""

    interface = ""
    tag = b"Type"

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def _asked(self, method: str, params: RawJson) -> RawJson:
        """The result, for a user who waits for it: NotFoundError where there is no such plugin."""
        return await self._peer.call(self.interface, method, self._tagged(params))

    def _tagged(self, params: RawJson) -> RawJson:
        """v0.1.0 knows no such parameter: it is sent where an object is named, and only there."""
        if not self._peer.kind:
            return params
        comma = b"" if params == calls.NOTHING else b","
        return RawJson(b'%s%s"%s":%s}' % (params[:-1], comma, self.tag, string(self._peer.kind)))

    async def _called(self, method: str, params: RawJson) -> RawJson:
        """The result; RejectedError in the plugin's words."""
        try:
            return await self._asked(method, params)
        except NotFoundError as error:
            raise UnavailableError(str(error)) from error
        except RpcError as error:
            raise RejectedError(error.message) from error

    def _read(self, method: str, answer: RawJson, read: Callable[[RawJson], T]) -> T:
        """What a result says. What came instead is not shown, for a join token may be in it."""
        try:
            return read(answer)
        except GoDecodeError as error:
            called = f"{self.interface}.{method}"
            raise UnavailableError(
                f"plugin {self._peer.name} answered {called} with something else: {error}"
            ) from error


class RemoteInstance(_Remote):
    """Implements ports.InstancePlugin."""

    interface = "Instance"

    async def validate(self, properties: RawJson) -> None:
        try:
            await self._asked("Validate", calls.instance_validate_params(properties))
        except RpcError as error:
            raise InvalidError([Fault(error.message)]) from error

    async def provision(self, spec: InstanceSpec) -> str:
        """A plugin that gives no ID fails this one call (G3); what it made shows in its listing."""
        answer = await self._called("Provision", calls.provision_params(spec))
        instance = self._read("Provision", answer, calls.read_provisioned)
        if not instance:
            raise RejectedError(f"plugin {self._peer.name} answered Instance.Provision without an ID")
        return instance

    async def destroy(self, instance: str) -> None:
        """InfraKit's plugins take one that is not there for an error, in words of their own: its listing tells."""
        try:
            await self._called("Destroy", calls.instance_destroy_params(instance))
        except RejectedError as error:
            if any(one.id == instance for one in await self.describe({})):
                raise
            log.warning("a machine is gone, with an error", instance=instance, error=str(error))

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        """A plugin that can't tell is silent, whether it says so or not. Some list more than was asked for (5.2)."""
        try:
            answer = await self._called("DescribeInstances", calls.describe_instances_params(tags))
        except RejectedError as error:
            raise UnavailableError(str(error)) from error
        found = self._read("DescribeInstances", answer, calls.read_descriptions)
        return [one for one in found if tags.items() <= one.tags.items()]


class RemoteFlavor(_Remote):
    """Implements ports.FlavorPlugin."""

    interface = "Flavor"

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        try:
            await self._asked("Validate", calls.flavor_validate_params(properties, allocation))
        except RpcError as error:
            raise InvalidError([Fault(error.message)]) from error

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """An error means not yet: preparing makes nothing, and InfraKit's flavors have no other word for a cluster that
        does not answer. So workers that were committed before their managers join once there are some.

        A flavor may change tags and not drop them: a machine without its group's would be made again and again.
        """
        try:
            answer = await self._called("Prepare", calls.prepare_params(properties, spec, allocation))
        except RejectedError as error:
            raise NotReadyError(str(error)) from error
        prepared = self._read("Prepare", answer, calls.read_spec)
        return replace(prepared, tags={**spec.tags, **prepared.tags})

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        """One question for each, all at once: an error is no answer about that one. The first that gets no answer ends
        the questions about all."""
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._health(properties, one)) for one in instances]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [answer.result() for answer in asked]

    async def _health(self, properties: RawJson, instance: InstanceDescription) -> MemberHealth:
        try:
            answer = await self._called("Healthy", calls.member_params(properties, instance))
        except RejectedError as error:
            return MemberHealth(Health.UNKNOWN, detail=str(error))
        return MemberHealth(self._read("Healthy", answer, calls.read_health))

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        """How patient to be is the plugin's own affair: nothing of `request` can be told to it. One that is not in the
        cluster is success, also where the plugin takes that for an error."""
        if request.cluster_ends:
            return
        try:
            await self._called("Drain", calls.member_params(properties, instance))
        except RejectedError as error:
            if not str(error).strip().endswith(GONE):
                raise


class RemoteGroup(_Remote):
    """Implements ports.GroupPlugin. Who asks is not told: the protocol has no place for it."""

    interface = "Group"
    tag = b"Name"

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        try:
            answer = await self._asked("CommitGroup", calls.commit_params(group, pretend=pretend))
        except RpcError as error:
            raise RejectedError(error.message) from error
        return self._read("CommitGroup", answer, calls.read_details)

    async def free(self, group: str, who: str = "") -> None:
        await self._called("FreeGroup", calls.id_object(group))

    async def describe(self, group: str) -> GroupDescription:
        answer = await self._called("DescribeGroup", calls.id_object(group))
        return self._read("DescribeGroup", answer, calls.read_group_description)

    async def destroy(self, group: str, who: str = "") -> None:
        await self._called("DestroyGroup", calls.id_object(group))

    async def inspect(self) -> Sequence[CommittedGroup]:
        answer = await self._called("InspectGroups", calls.NOTHING)
        return self._read("InspectGroups", answer, calls.read_groups)
