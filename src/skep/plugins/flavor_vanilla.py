"""Flavor vanilla: Init, tags and attachments as written, and nothing known of what runs (infrakit-compat.md 4.2)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from pydantic import Field

from skep.model.errors import InvalidError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.plugins.flavor_attachments import AttachmentProperties, attachment_faults, attachments_of
from skep.ports import Advance, DrainRequest
from skep.specs.properties import Properties, read


class VanillaProperties(Properties):
    """`Init` are lines of a script, run after those that the spec has already."""

    init: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    attachments: dict[str, tuple[AttachmentProperties, ...]] = Field(default_factory=dict)


class VanillaFlavor:
    """Every machine that there is counts as healthy, and leaves without ceremony."""

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        wanted = _wanted(properties)
        faults = list(attachment_faults(wanted.attachments, allocation.logical_ids))
        if faults:
            raise InvalidError(faults)

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """Lines are joined without a shebang and without a last line break; the flavor's tags win."""
        wanted = _wanted(properties)
        lines = ([spec.init] if spec.init else []) + list(wanted.init)
        return replace(
            spec,
            init="\n".join(lines),
            tags={**spec.tags, **wanted.tags},
            attachments=spec.attachments + attachments_of(wanted.attachments, spec.logical_id),
        )

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        return [MemberHealth(Health.HEALTHY) for _ in instances]

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        return None


@lru_cache(maxsize=1024)
def _wanted(properties: RawJson) -> VanillaProperties:
    """Read once for all machines of a group."""
    return read(properties, VanillaProperties)
