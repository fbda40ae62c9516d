"""Plugins that know nothing of skep: what InfraKit's Instance and Flavor interfaces ask for, and nothing more."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from skep.model.errors import Fault, InvalidError, NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.json import NULL, RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.ports import Advance, Clock, DrainRequest, FlavorPlugin, InstancePlugin


class ForeignInstances:
    """Machines in memory, `i-001` and so on. The attributes are what befalls them.

    counts: how many there were after each change. destroyed: every destroy that was asked for, in order. busy: most
    provisions at once. `stuck` are machines that can't be destroyed. `lost` is raised instead of the ID of a new one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.machines: dict[str, InstanceSpec] = {}
        self.provision_s, self.destroy_s, self.describe_s = 0.0, 0.0, 0.0
        self.refusal, self.silent, self.invalid = "", False, ""
        self.lost: Exception | None = None
        self.stuck: set[str] = set()
        self.counts: list[int] = [0]
        self.destroyed: list[str] = []
        self.attempts: list[float] = []
        self.busy, self._provisioning, self._made = 0, 0, 0

    async def validate(self, properties: RawJson) -> None:
        if self.invalid:
            raise InvalidError([Fault(self.invalid)])

    async def provision(self, spec: InstanceSpec) -> str:
        self.attempts.append(self._clock.monotonic_s())
        self._provisioning += 1
        self.busy = max(self.busy, self._provisioning)
        try:
            await self._clock.sleep(self.provision_s)
        finally:
            self._provisioning -= 1
        if self.refusal:
            raise RejectedError(self.refusal)
        made = self.add(spec)
        if self.lost is not None:
            raise self.lost
        return made

    def add(self, spec: InstanceSpec) -> str:
        """A machine that is there, whoever made it."""
        self._made += 1
        id = f"i-{self._made:03}"
        self.machines[id] = spec
        self.counts.append(len(self.machines))
        return id

    async def destroy(self, instance: str) -> None:
        self.destroyed.append(instance)
        await self._clock.sleep(self.destroy_s)
        if instance in self.stuck:
            raise RejectedError(f"{instance} is locked")
        self.machines.pop(instance, None)
        self.counts.append(len(self.machines))

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        await self._clock.sleep(self.describe_s)
        if self.silent:
            raise UnavailableError("no answer")
        return [
            InstanceDescription(id, spec.logical_id, spec.tags)
            for id, spec in self.machines.items()
            if tags.items() <= spec.tags.items()
        ]

    @property
    def slots(self) -> list[str | None]:
        return sorted((spec.logical_id for spec in self.machines.values()), key=str)

    @property
    def hashes(self) -> Counter[str]:
        return Counter(spec.tags["infrakit.config_sha"] for spec in self.machines.values())


class ForeignFlavor:
    """A machine is as `health` says of its ID, else as `judge` does: healthy. `dead`: nobody answers for its health.

    `never_ready` are logical IDs for which nothing can be prepared.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.prepare_s = 0.0
        self.health: dict[str, Health] = {}
        self.judge: Callable[[InstanceDescription], Health] = lambda instance: Health.HEALTHY
        self.invalid, self.not_ready, self.dead = "", "", False
        self.never_ready: set[str | None] = set()
        self.undrainable: set[str] = set()
        self.drained: list[str] = []
        self.prepared, self.asked = 0, 0

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        if self.invalid:
            raise InvalidError([Fault(self.invalid)])

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        self.prepared += 1
        await self._clock.sleep(self.prepare_s)
        if self.not_ready or spec.logical_id in self.never_ready:
            raise NotReadyError(self.not_ready or f"{spec.logical_id} has no attachments")
        return spec

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        self.asked += len(instances)
        if self.dead:
            raise UnavailableError("no answer")
        return [MemberHealth(self.health.get(one.id) or self.judge(one)) for one in instances]

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        self.drained.append(instance.id)
        if instance.id in self.undrainable:
            raise RejectedError(f"{instance.id} can't be drained")


class ForeignPlugins:
    """Implements ports.Plugins as a folder of sockets does: a name is looked for when its plugin is asked."""

    def __init__(self, instances: Mapping[str, InstancePlugin], flavors: Mapping[str, FlavorPlugin]) -> None:
        self._instances, self._flavors = dict(instances), dict(flavors)

    def add(self, instance_name: str, instance: InstancePlugin, flavor_name: str, flavor: FlavorPlugin) -> None:
        self._instances[instance_name], self._flavors[flavor_name] = instance, flavor

    def instance(self, name: str) -> InstancePlugin:
        if name not in self._instances:
            raise NotFoundError(f"Plugin not found: {name}")
        return self._instances[name]

    def flavor(self, name: str) -> FlavorPlugin:
        if name not in self._flavors:
            raise NotFoundError(f"Plugin not found: {name}")
        return self._flavors[name]


def tagged(group: str, sha: str, slot: str | None = None) -> InstanceSpec:
    """A machine as InfraKit's group plugin asks for it."""
    return InstanceSpec(NULL, {"infrakit.group": group, "infrakit.config_sha": sha}, logical_id=slot)
