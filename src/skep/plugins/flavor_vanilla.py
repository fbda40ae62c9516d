"""Flavor vanilla: Init, tags and attachments as written, and nothing known of what runs (infrakit-compat.md 4.2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from pydantic import Field

from skep.model.errors import Fault, InvalidError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.plugins.flavor_attachments import AttachmentProperties, attachment_faults, attachments_of
from skep.plugins.flavor_templates import FIELD, after, check_template, sample_values, script_of, template_values
from skep.plugins.go_types import Decode, check_types, without_nulls
from skep.ports import Advance, DrainRequest, Fetch
from skep.specs.properties import Properties, read
from skep.wire.go_decode import text_map, texts

_TYPES: Mapping[str, Decode] = {"Init": texts, "Tags": text_map}
_ZEROS = {"Init": RawJson(b'""'), "Tags": RawJson(b'""'), "Attachments": RawJson(b"[]")}


class VanillaProperties(Properties):
    """`Init` are lines of a script, run after those that the spec has already; a template takes their place."""

    init: tuple[str, ...] = ()
    init_script_template_url: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    attachments: dict[str, tuple[AttachmentProperties, ...]] = Field(default_factory=dict)

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        if given.get("Init") and given.get(FIELD):
            yield Fault("takes the place of Init: give one of them", FIELD)


class VanillaFlavor:
    """Every machine that there is counts as healthy, and leaves without ceremony."""

    def __init__(self, fetch: Fetch | None = None, *, lenient: bool = False) -> None:
        """`lenient`: as over InfraKit's wire, fields that are not known are ignored, and faults have its words."""
        self._fetch = fetch
        self._lenient = lenient

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        wanted = _wanted(properties, self._lenient)
        faults = list(attachment_faults(wanted.attachments, allocation.logical_ids, self._lenient))
        if faults:
            raise InvalidError(faults)
        if wanted.init_script_template_url:
            sample = sample_values(properties, allocation)
            await check_template(self._fetch, wanted.init_script_template_url, sample)

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """Lines are joined without a shebang and without a last line break; the flavor's tags win."""
        wanted = _wanted(properties, self._lenient)
        init = "\n".join([*([spec.init] if spec.init else []), *wanted.init])
        if wanted.init_script_template_url:
            values = template_values(properties, spec, allocation)
            init = after(spec.init, await script_of(self._fetch, wanted.init_script_template_url, values))
        return replace(
            spec,
            init=init,
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
def _wanted(properties: RawJson, lenient: bool) -> VanillaProperties:
    """Read once for all machines of a group."""
    if lenient:
        check_types(properties, "Spec", _TYPES)
        properties = without_nulls(properties, _ZEROS)
    return read(properties, VanillaProperties, lenient=lenient)
