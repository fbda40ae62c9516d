"""Plugins that say what they were told to say, and remember what they were asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, GroupDescription, InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.ports import Advance, DrainRequest


class Scripted:
    """`answers` by the method's name; an exception is raised, a callable is awaited. `asked` has every call."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    async def said(self, name: str, *asked: Any) -> Any:
        self.asked.append((name, *asked))
        answer = self.answers.get(name)
        if callable(answer):
            answer = await answer(*asked)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class InstancesDouble(Scripted):
    """An InstancePlugin."""

    async def validate(self, properties: RawJson) -> None:
        await self.said("validate", properties)

    async def provision(self, spec: InstanceSpec) -> str:
        made: str = await self.said("provision", spec)
        return made

    async def destroy(self, instance: str) -> None:
        await self.said("destroy", instance)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        return await self.said("describe", tags) or ()


class FlavorDouble(Scripted):
    """A FlavorPlugin; without an answer it prepares nothing and everything is healthy."""

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        await self.said("validate", properties, allocation)

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        return await self.said("prepare", properties, spec, allocation) or spec

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        health = await self.said("healthy", properties, *instances) or Health.HEALTHY
        return [MemberHealth(health) for _ in instances]

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        await self.said("drain", properties, instance, request)


class GroupsDouble(Scripted):
    """A GroupPlugin."""

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        details: str = await self.said("commit", group, pretend, who)
        return details

    async def free(self, group: str, who: str = "") -> None:
        await self.said("free", group, who)

    async def describe(self, group: str) -> GroupDescription:
        return await self.said("describe", group) or GroupDescription()

    async def destroy(self, group: str, who: str = "") -> None:
        await self.said("destroy", group, who)

    async def inspect(self) -> Sequence[CommittedGroup]:
        return await self.said("inspect") or ()
