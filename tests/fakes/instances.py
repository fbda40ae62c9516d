"""Simulated machines behind the Instance interface, with all of its optional parts."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.model.errors import Fault, InvalidError, NotFoundError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from tests.fakes.engine import SCHEME
from tests.fakes.host import Host
from tests.fakes.kernel import Kernel
from tests.fakes.script import run_script

REQUEST_TAG = "skep.request"


@dataclass
class Machine:
    """`life` is what a describe says. `up` is set while its engine answers, and once it is gone."""

    id: str
    spec: InstanceSpec
    host: Host
    created_s: float
    life: Life = Life.PENDING
    init_done: bool = False
    init_runs: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def group(self) -> str:
        return self.spec.tags.get("infrakit.group", "")

    def described(self) -> InstanceDescription:
        return InstanceDescription(
            id=self.id,
            logical_id=self.spec.logical_id,
            tags=dict(self.spec.tags),
            life=self.life,
            created_s=self.created_s,
        )


class Machines:
    """All machines that there are, in the order of their making, and the subnet that they are on."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.all: dict[str, Machine] = {}
        self.host_images: dict[str, str] = {}
        self.not_to_be_had: set[str] = set()
        """Logical IDs for which no machine can be made."""
        self._counter = 0
        self._past: list[tuple[float, tuple[InstanceDescription, ...]]] = [(0.0, ())]
        self._watchers: list[asyncio.Queue[str]] = []

    def add(self, spec: InstanceSpec) -> Machine:
        self._counter += 1
        id = f"machine-{self._counter}"
        address = (
            spec.logical_id
            if _is_address(spec.logical_id)
            else f"10.99.{self._counter // 250}.{self._counter % 250 + 1}"
        )
        machine = Machine(id, spec, Host(id, address or "", self.kernel), self.kernel.clock.wall_s())
        self.all[id] = machine
        self.turned(machine, "created", by_us=True)
        self.kernel.later(self.kernel.spread(self.kernel.timings.boot_s), self.booted, machine)
        return machine

    def booted(self, machine: Machine) -> None:
        """Its engine answers now, unless the machine was stopped or removed in the meantime."""
        if machine.life is Life.PENDING and machine.id in self.all:
            machine.life = Life.RUNNING
            machine.host.boot()
            machine.up.set()
            self.turned(machine, "up", by_us=False)

    def halt(self, machine: Machine, *, by_us: bool) -> None:
        machine.life = Life.STOPPED
        machine.up.clear()
        with self.kernel.deed(by_us):
            machine.host.halt()
        self.turned(machine, "stopped", by_us=by_us)

    def remove(self, machine: Machine, *, by_us: bool) -> None:
        if self.all.pop(machine.id, None) is not None:
            machine.life = Life.GONE
            machine.up.set()
            with self.kernel.deed(by_us):
                machine.host.halt()
            self.turned(machine, "removed", by_us=by_us)

    def turned(self, machine: Machine, what: str, *, by_us: bool) -> None:
        """Something about a machine is different now: tell who watches."""
        self._note()
        for watcher in self._watchers:
            watcher.put_nowait(machine.group)
        self.kernel.changed(f"machine {machine.id} {what}", by_us=by_us)

    def tag(self, machine: Machine, spec: InstanceSpec) -> None:
        """What is known of it from now on: the tags that came after the boot are listed, and nobody is woken."""
        machine.spec = replace(machine.spec, init=spec.init, tags=spec.tags)
        self._note()

    def _note(self) -> None:
        self._past.append((self.kernel.now_s(), tuple(known.described() for known in self.all.values())))
        del self._past[:-200]

    def listing(self, age_s: float) -> tuple[InstanceDescription, ...]:
        """What a describe said `age_s` ago."""
        if age_s <= 0:
            return self._past[-1][1]
        until_s = self.kernel.now_s() - age_s
        older = [shown for at_s, shown in self._past if at_s <= until_s]
        return older[-1] if older else ()

    def holder(self, address: str) -> Host | None:
        for machine in self.all.values():
            if machine.host.address == address:
                return machine.host
        return None

    def watch(self) -> "asyncio.Queue[str]":
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._watchers.append(queue)
        return queue

    def unwatch(self, queue: "asyncio.Queue[str]") -> None:
        self._watchers.remove(queue)


class SimInstances:
    """InstancePlugin, Startable, Bootable, Reachable, HoldsImages and Watchable over the simulated machines."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self._kernel = machines.kernel

    async def validate(self, properties: RawJson) -> None:
        value = json.loads(properties)
        unknown = sorted(set(value or {}) - {"Size", "Note"})
        if unknown:
            raise InvalidError([Fault("unknown field", name) for name in unknown])

    async def provision(self, spec: InstanceSpec) -> str:
        """The answer can be lost after the act, as a real one's can; then a repeat finds the machine."""
        machine = await self._made(spec, "provision")
        self._machines.tag(machine, spec)
        await self._run_init(machine, spec)
        if self._kernel.happens(self._kernel.faults.lose):
            raise UnavailableError(f"provision of {machine.id}: connection reset before the answer came")
        return machine.id

    async def boot(self, spec: InstanceSpec) -> str:
        """Returns when the machine's engine answers, as the docker plugin does."""
        machine = await self._made(spec, "boot")
        await self._come_up(machine)
        return machine.id

    async def _made(self, spec: InstanceSpec, act: str) -> Machine:
        """The machine of this request, made now if there is none. A caller that goes away leaves it as it is."""
        kernel = self._kernel
        await self.validate(spec.properties)
        kernel.acts[act] += 1
        await kernel.take(kernel.timings.provision_s / 2)
        if kernel.happens(kernel.faults.refuse):
            raise UnavailableError("provision refused: out of capacity")
        if spec.logical_id in self._machines.not_to_be_had:
            raise RejectedError(f"{spec.logical_id} is no address of this subnet")
        machine = self._of_request(spec) or self._machines.add(spec)
        if machine.life is Life.STOPPED:
            self._set_out(machine)
        await kernel.clock.sleep(kernel.spread(kernel.timings.provision_s / 2))
        return machine

    def _of_request(self, spec: InstanceSpec) -> Machine | None:
        request = spec.tags.get(REQUEST_TAG)
        known = [machine for machine in self._machines.all.values() if machine.spec.tags.get(REQUEST_TAG) == request]
        return known[0] if request and known else None

    async def _run_init(self, machine: Machine, spec: InstanceSpec) -> None:
        """Once per disk; Init is kept there, so that a machine that is started again runs what was left undone."""
        async with machine.lock:
            await self._come_up(machine)
            if not machine.init_done:
                machine.init_runs += 1
                await run_script(machine.host, spec.init, self._machines.holder)
                machine.init_done = True

    async def _come_up(self, machine: Machine) -> None:
        try:
            async with asyncio.timeout(120):
                await machine.up.wait()
        except TimeoutError as error:
            raise UnavailableError(f"{machine.id} did not come up within 120 s") from error
        if machine.life is Life.GONE:
            raise UnavailableError(f"{machine.id} went away while it was made")

    def _set_out(self, machine: Machine) -> None:
        """A stopped machine boots with its disk."""
        machine.life = Life.PENDING
        self._machines.turned(machine, "starting", by_us=True)
        self._kernel.later(self._kernel.spread(self._kernel.timings.boot_s), self._machines.booted, machine)

    async def destroy(self, instance: str) -> None:
        await self._act("destroy", self._kernel.timings.destroy_s)
        machine = self._machines.all.get(instance)
        if machine is not None:
            self._machines.remove(machine, by_us=True)
        self._answer("destroy", instance)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        kernel = self._kernel
        await asyncio.sleep(0)
        if kernel.happens(kernel.faults.silent):
            raise UnavailableError("describe: no answer")
        age_s = kernel.faults.stale_s if kernel.happens(kernel.faults.stale) else 0.0
        listing = self._machines.listing(age_s)
        return [shown for shown in listing if tags.items() <= shown.tags.items()]

    async def start(self, instance: str) -> None:
        await self._act("start", self._kernel.timings.provision_s / 2)
        machine = self._known(instance)
        if machine.life is Life.STOPPED:
            self._set_out(machine)
            await self._run_init(machine, machine.spec)
        self._answer("start", instance)

    async def endpoint(self, instance: str) -> str | None:
        return f"{SCHEME}{instance}" if instance in self._machines.all else None

    async def outdated_images(self, instance: str, images: Sequence[str]) -> Sequence[str]:
        holds = self._running(instance).host.images
        return [image for image in images if self._machines.host_images.get(image) not in (None, holds.get(image))]

    async def load_images(self, instance: str, images: Sequence[str]) -> None:
        missing = [image for image in images if image not in self._machines.host_images]
        if missing:
            raise RejectedError(f"this host's engine has no image {', '.join(missing)}")
        await self._act("load images", self._kernel.timings.load_image_s)
        host = self._running(instance).host
        host.images |= {image: self._machines.host_images[image] for image in images}
        self._kernel.changed(f"{instance} holds {', '.join(images)}", by_us=True)

    async def changes(self) -> AsyncIterator[str]:
        queue = self._machines.watch()
        try:
            yield ""
            while True:
                yield await queue.get()
        finally:
            self._machines.unwatch(queue)

    async def _act(self, name: str, seconds: float) -> None:
        self._kernel.acts[name] += 1
        if self._kernel.happens(self._kernel.faults.refuse):
            raise UnavailableError(f"{name}: connection refused")
        await self._kernel.take(seconds)

    def _answer(self, name: str, instance: str) -> None:
        if self._kernel.happens(self._kernel.faults.lose):
            raise UnavailableError(f"{name} of {instance}: connection reset before the answer came")

    def _known(self, instance: str) -> Machine:
        if instance not in self._machines.all:
            raise NotFoundError(f"there is no machine {instance}")
        return self._machines.all[instance]

    def _running(self, instance: str) -> Machine:
        machine = self._known(instance)
        if not machine.host.answers():
            raise UnavailableError(f"the engine of {instance} does not answer")
        return machine


def retagged(machine: Machine, **tags: str) -> None:
    """Tags as another tool might change them."""
    machine.spec = replace(machine.spec, tags={**machine.spec.tags, **tags})


def _is_address(text: str | None) -> bool:
    return text is not None and text.count(".") == 3 and text.replace(".", "").isdigit()
