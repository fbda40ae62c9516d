"""Stands in for an instance plugin that can't work here, and says why wherever it is named."""

from collections.abc import Mapping, Sequence

from skep.model.errors import Fault, InvalidError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec


class RefusedInstances:
    """An InstancePlugin that has no machines and makes none."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def validate(self, properties: RawJson) -> None:
        raise InvalidError([Fault(self._why)])

    async def provision(self, spec: InstanceSpec) -> str:
        raise RejectedError(self._why)

    async def destroy(self, instance: str) -> None:
        raise RejectedError(self._why)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        return ()
