"""Stands in for an instance plugin that can't work here, and says why wherever it is named."""

from collections.abc import Mapping, Sequence

from skep.model.errors import Fault, InvalidError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec


class RefusedInstances:
    """An InstancePlugin that makes no machines. It has none either, unless they are `out_of_sight`."""

    def __init__(self, why: str, *, out_of_sight: bool = False) -> None:
        self._why, self._out_of_sight = why, out_of_sight

    async def validate(self, properties: RawJson) -> None:
        raise InvalidError([Fault(self._why)])

    async def provision(self, spec: InstanceSpec) -> str:
        raise RejectedError(self._why)

    async def destroy(self, instance: str) -> None:
        raise RejectedError(self._why)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        if self._out_of_sight:
            raise UnavailableError(self._why)
        return ()
