"""Instance plugin `simulator`: machines that exist in memory only, with the delays and faults that a spec asks for.

For trying out what skep does when machines are slow, fail and die. They are gone when skep ends.
"""

import asyncio
import hashlib
import heapq
import math
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from random import Random
from typing import Annotated

from pydantic import Field

from skep.model.errors import NotFoundError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.request import REQUEST_TAG
from skep.ports import Clock
from skep.specs.properties import Duration, Properties, read

GROUP_TAG = "infrakit.group"

Chance = Annotated[float, Field(ge=0)]
"""Below 1 a probability; from 1 on, every so many acts one: 1 is each, 3 is every third. 0 is none."""


class SimulatorProperties(Properties):
    """What machines of a group are like. Without any of these they are made at once and never fail."""

    provision_delay: Duration = 0.0
    boot_delay: Duration = 0.0
    destroy_delay: Duration = 0.0
    die_after: Duration = 0.0
    startable: bool = True
    fail_provision: Chance = 0.0
    lose_provision: Chance = 0.0
    fail_start: Chance = 0.0
    fail_destroy: Chance = 0.0
    seed: int = 0


class _Act(StrEnum):
    PROVISION = "FailProvision"
    ANSWER = "LoseProvision"
    START = "FailStart"
    DESTROY = "FailDestroy"


@dataclass(slots=True)
class _Machine:
    """Moments are monotonic; `up_s` is when it runs, infinite before Init; `over_s` when it ends by itself.

    `inits` counts how often it was given its Init.
    """

    id: str
    spec: InstanceSpec
    wanted: SimulatorProperties
    made_s: float
    created_s: float
    up_s: float = math.inf
    over_s: float = math.inf
    inits: int = 0

    @property
    def group(self) -> str:
        return self.spec.tags.get(GROUP_TAG, "")

    def life(self, now_s: float) -> Life:
        if now_s >= self.over_s:
            return Life.STOPPED if self.wanted.startable else Life.GONE
        return Life.RUNNING if now_s >= self.up_s else Life.PENDING

    def start(self, now_s: float) -> None:
        """It runs after the boot, and as long as it may."""
        self.up_s = now_s + self.wanted.boot_delay
        self.over_s = self.up_s + (self.wanted.die_after or math.inf)


class SimulatorInstances:
    """Implements ports.InstancePlugin, Bootable, Startable and Watchable.

    The same calls in the same order with the same `Seed` meet the same faults, each group for itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._machines: dict[str, _Machine] = {}
        self._made = 0
        self._chances: dict[tuple[str, int], Random] = {}
        self._acts: Counter[tuple[str, _Act]] = Counter()
        self._watchers: list[_Watcher] = []

    async def validate(self, properties: RawJson) -> None:
        _wanted(properties)

    async def boot(self, spec: InstanceSpec) -> str:
        return (await self._make(spec)).id

    async def provision(self, spec: InstanceSpec) -> str:
        machine = await self._make(spec)
        if machine.up_s == math.inf:
            machine.spec = spec
            machine.inits += 1
            machine.start(self._clock.monotonic_s())
            self._tell(machine)
        if self._happens(machine.group, machine.wanted, _Act.ANSWER, machine.wanted.lose_provision):
            raise UnavailableError(f"machine {machine.id} was made and its answer lost: LoseProvision")
        return machine.id

    async def _make(self, spec: InstanceSpec) -> _Machine:
        """The machine of this request, after the time that making one takes."""
        wanted, request = _wanted(spec.properties), spec.tags.get(REQUEST_TAG, "")
        machine = self._machines.get(_id(request)) if request else None
        now_s = self._clock.monotonic_s()
        if machine is None:
            if self._happens(spec.tags.get(GROUP_TAG, ""), wanted, _Act.PROVISION, wanted.fail_provision):
                await self._clock.sleep(wanted.provision_delay)
                raise RejectedError("the simulator refuses to make this machine: FailProvision")
            self._made += 1
            id = _id(request or f"{self._made}th")
            machine = self._machines[id] = _Machine(id, spec, wanted, now_s, self._clock.wall_s())
        if (left_s := machine.made_s + machine.wanted.provision_delay - now_s) > 0:
            await self._clock.sleep(left_s)
        return machine

    def _happens(self, group: str, wanted: SimulatorProperties, act: _Act, chance: float) -> bool:
        """Counted, or drawn from a row of numbers that is the group's own."""
        if chance >= 1:
            self._acts[group, act] += 1
            return self._acts[group, act] % int(chance) == 0
        if not chance:
            return False
        row = self._chances.setdefault((group, wanted.seed), Random(f"{group} {wanted.seed}"))
        return row.random() < chance

    async def start(self, instance: str) -> None:
        machine = self._machines.get(instance)
        now_s = self._clock.monotonic_s()
        if machine is None or machine.life(now_s) is Life.GONE:
            raise NotFoundError(f"could not start machine {instance}: it is not there")
        if self._happens(machine.group, machine.wanted, _Act.START, machine.wanted.fail_start):
            raise RejectedError(f"the simulator refuses to start machine {instance}: FailStart")
        if machine.life(now_s) is Life.STOPPED:
            machine.start(now_s)
            self._tell(machine)

    async def destroy(self, instance: str) -> None:
        machine = self._machines.get(instance)
        if machine is None:
            return
        if self._happens(machine.group, machine.wanted, _Act.DESTROY, machine.wanted.fail_destroy):
            raise RejectedError(f"the simulator refuses to remove machine {instance}: FailDestroy")
        if machine.wanted.destroy_delay:
            await self._clock.sleep(machine.wanted.destroy_delay)
        if self._machines.pop(instance, None):
            self._tell(machine)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        now_s = self._clock.monotonic_s()
        for machine in [m for m in self._machines.values() if m.life(now_s) is Life.GONE]:
            del self._machines[machine.id]
        found = [m for m in self._machines.values() if tags.items() <= m.spec.tags.items()]
        return [InstanceDescription(m.id, m.spec.logical_id, m.spec.tags, m.life(now_s), m.created_s) for m in found]

    def stop(self, instance: str) -> None:
        """End a machine now, as DieAfter would."""
        machine = self._machines[instance]
        machine.over_s = self._clock.monotonic_s()
        self._tell(machine)

    def inits(self, instance: str) -> int:
        """How often the machine was given its Init."""
        return self._machines[instance].inits

    def _tell(self, machine: _Machine) -> None:
        for watcher in self._watchers:
            watcher.told(machine)

    async def changes(self) -> AsyncIterator[str]:
        watcher = _Watcher(self._clock)
        self._watchers.append(watcher)
        try:
            for machine in self._machines.values():
                watcher.told(machine)
            while True:
                for group in await watcher.groups():
                    yield group
        finally:
            self._watchers.remove(watcher)


class _Watcher:
    """Who is to be told of what happens, and of what time brings: a machine that comes up, or ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, str]] = []
        self._news = asyncio.Event()

    def told(self, machine: _Machine) -> None:
        moments = (self._clock.monotonic_s(), machine.up_s, machine.over_s)
        for moment_s in (m for m in moments if m != math.inf):
            heapq.heappush(self._due, (moment_s, machine.group))
        self._news.set()

    async def groups(self) -> set[str]:
        """Those of which something is due; waits until something is."""
        while not (found := self._taken(self._clock.monotonic_s())):
            self._news.clear()
            await self._until(self._due[0][0] if self._due else None)
        return found

    def _taken(self, now_s: float) -> set[str]:
        found = set()
        while self._due and self._due[0][0] <= now_s:
            found.add(heapq.heappop(self._due)[1])
        return found

    async def _until(self, moment_s: float | None) -> None:
        """The moment, or the next news."""
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._news.wait())]
        if moment_s is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(moment_s - self._clock.monotonic_s())))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


@lru_cache(maxsize=1024)
def _wanted(properties: RawJson) -> SimulatorProperties:
    return read(properties, SimulatorProperties)


def _id(request: str) -> str:
    """The same for the same request."""
    return f"sim-{hashlib.sha256(request.encode()).hexdigest()[:12]}"
