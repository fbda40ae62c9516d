"""Flavor combo: several flavors on the same machines, each working on what the ones before it made."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from skep.model.errors import (
    Fault,
    InvalidError,
    NotFoundError,
    NotReadyError,
    RejectedError,
    SkepError,
    StaleTermError,
    UnavailableError,
)
from skep.model.json import RawJson
from skep.model.machine import Attachment, InstanceDescription, InstanceSpec, MemberHealth, Membership
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.plugins.flavor_templates import after
from skep.ports import Advance, DrainRequest, FlavorPlugin, Joins, Plugins
from skep.specs.properties import Properties, RawProperties, prefixed, read

DEPTH_MAX = 8
"""Combos within combos: a document that nests deeper is a mistake, or goes round in a circle of plugins."""


class PartProperties(Properties):
    """One of the flavors; `properties` are its own business."""

    plugin: str
    properties: RawProperties = "null"


class ComboProperties(Properties):
    """Flavors in the order in which they work. The bare list that later InfraKits take means the same."""

    flavors: tuple[PartProperties, ...] = ()


Part = tuple[FlavorPlugin, RawJson]


class ComboFlavor:
    """FlavorPlugin over others. It joins a Swarm where one of them does."""

    def __init__(self, plugins: Plugins, name: str = "flavor-combo", *, lenient: bool = False, depth: int = 0) -> None:
        """`plugins` finds the others; `name` is this one's own, for combos within combos.

        `lenient`: fields that are not known are ignored, as over InfraKit's wire.
        """
        self._plugins = plugins
        self._name = name
        self._lenient = lenient
        self._depth = depth

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        """Every fault of every flavor, with its path."""
        faults: list[Fault] = []
        for index, part in enumerate(_wanted(properties, self._lenient).flavors):
            faults += prefixed(await self._faults(part, allocation), f"Flavors[{index}]")
        if faults:
            raise InvalidError(faults)

    async def _faults(self, part: PartProperties, allocation: Allocation) -> Sequence[Fault]:
        try:
            await self._flavor(part.plugin).validate(_raw(part), allocation)
        except NotFoundError as error:
            return [Fault(str(error), "Plugin")]
        except InvalidError as error:
            return prefixed(error.faults, "Properties")
        except RejectedError as error:
            return [Fault(str(error), "Properties")]
        return []

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """Init, tags and attachments of all; later tags win. Properties and logical ID stay the machine's own."""
        for flavor, own in self._parts(properties):
            made = await flavor.prepare(own, spec, allocation)
            spec = replace(spec, init=_init(spec, made), tags={**spec.tags, **made.tags}, attachments=_kept(spec, made))
        return spec

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        """Healthy where all say so; else what the first says that does not. No flavors, no complaints."""
        answers = [MemberHealth(Health.HEALTHY) for _ in instances]
        for flavor, own in self._parts(properties):
            more = await flavor.healthy(own, instances)
            answers = [_both(first, second) for first, second in zip(answers, more, strict=True)]
        return answers

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        """All of them, also after one that failed; what failed is told together."""
        failures: list[SkepError] = []
        for flavor, own in self._parts(properties):
            try:
                await flavor.drain(own, instance, request, advance)
            except StaleTermError:
                raise
            except SkepError as error:
                failures.append(error)
        if failures:
            raise _together(failures)

    def membership(self, properties: RawJson) -> Membership | None:
        """That of the first flavor that joins a Swarm."""
        found = self._joins(properties)
        return found[0].membership(found[1]) if found else None

    async def strays(
        self, properties: RawJson, group: str, instances: Sequence[InstanceDescription], *, removed: bool = False
    ) -> Sequence[InstanceDescription]:
        found = self._joins(properties)
        return await found[0].strays(found[1], group, instances, removed=removed) if found else ()

    def _joins(self, properties: RawJson) -> tuple[Joins, RawJson] | None:
        try:
            parts = self._parts(properties)
        except NotFoundError:
            return None
        joins = ((flavor, own) for flavor, own in parts if isinstance(flavor, Joins))
        return next(((flavor, own) for flavor, own in joins if flavor.membership(own) is not None), None)

    def _parts(self, properties: RawJson) -> list[Part]:
        wanted = _wanted(properties, self._lenient)
        return [(self._flavor(part.plugin), _raw(part)) for part in wanted.flavors]

    def _flavor(self, name: str) -> FlavorPlugin:
        """NotFoundError as the plugins say it. Combos are not looked for: this one is at hand."""
        if name.removeprefix("flavor-") != self._name.removeprefix("flavor-"):
            return self._plugins.flavor(name)
        if self._depth >= DEPTH_MAX:
            raise InvalidError([Fault(f"combos are nested more than {DEPTH_MAX} deep", "Plugin")])
        return ComboFlavor(self._plugins, self._name, lenient=self._lenient, depth=self._depth + 1)


def _raw(part: PartProperties) -> RawJson:
    return RawJson(part.properties.encode())


@lru_cache(maxsize=1024)
def _wanted(properties: RawJson, lenient: bool) -> ComboProperties:
    if properties.startswith(b"["):
        properties = RawJson(b'{"Flavors":' + properties + b"}")
    return read(properties, ComboProperties, lenient=lenient)


def _init(before: InstanceSpec, made: InstanceSpec) -> str:
    """What a flavor made, behind what was there unless it kept that itself: InfraKit's own swarm flavor does not."""
    kept = not before.init or f"\n{before.init}\n" in f"\n{made.init}\n"
    return made.init if kept else after(before.init, made.init)


def _kept(before: InstanceSpec, made: InstanceSpec) -> tuple[Attachment, ...]:
    """Attachments of both, each once."""
    return tuple(dict.fromkeys((*before.attachments, *made.attachments)))


def _both(first: MemberHealth, second: MemberHealth) -> MemberHealth:
    worse = second if first.health is Health.HEALTHY else first
    detail = "; ".join(filter(None, (first.detail, second.detail))) if worse.health is Health.HEALTHY else worse.detail
    return MemberHealth(worse.health, first.leader or second.leader, detail)


def _together(failures: Sequence[SkepError]) -> SkepError:
    """The class says what to do: to try again is enough only where that is so for all of them."""
    text = ", ".join(map(str, failures))
    if all(isinstance(error, NotReadyError) for error in failures):
        return NotReadyError(text)
    if all(isinstance(error, NotReadyError | UnavailableError) for error in failures):
        return UnavailableError(text)
    return RejectedError(text)
