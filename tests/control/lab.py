"""Engines that stand alone, and one workload on them: what tests of containers work with."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random

from skep.adapters.store_memory import MemoryStore
from skep.control.adoptions import Adoptions
from skep.control.container_level import ContainerLevel
from skep.control.containers import ContainerActuator
from skep.control.documents import SpecDocument
from skep.control.endpoints import EngineBook
from skep.control.levels import Resolved
from skep.model.cluster import StaticCluster
from skep.model.engine import Container, EngineInfo, Image
from skep.model.plan import ActionKind, Reason
from skep.model.spec import WorkloadSpec
from skep.model.state import Entry, Limits, Observed, Phase, Record
from skep.specs.canonical import to_json
from tests.fakes.engine import SCHEME, FakeEngine, FakeEngines
from tests.fakes.host import FakeContainer, Host
from tests.fakes.kernel import QUICK, Faults, Kernel
from tests.sim.controller import PlainSecrets
from tests.sim.loop import SimClock, run

IMAGE = "skep/web:1"
WEB = WorkloadSpec("web", IMAGE, 3, "lab")


class Lab:
    """Engines by name; implements tests.fakes.engine.Net. `told` are the clusters that were woken.

    `refuse`: what an act of an engine answers, by name of the act; a `list` hangs. `late_s`: how long an engine takes
    for a listing. `cached`: the listing that an engine answers with. `is_more`: what an engine says of itself beyond
    what a plain one does.
    """

    def __init__(self, *names: str) -> None:
        self.clock = SimClock()
        self.kernel = Kernel(self.clock, Random(1), Faults(), QUICK)
        self.registry: dict[str, str] = {}
        self.hosts = {n: Host(n, f"10.0.0.{i}", self.kernel, images={IMAGE: "sha256:1"}) for i, n in enumerate(names)}
        for host in self.hosts.values():
            host.boot()
        self.told: list[str] = []
        self.refuse: dict[str, Exception] = {}
        self.late_s: dict[str, float] = {}
        self.cached: dict[str, Sequence[Container]] = {}
        self.is_more: dict[str, Mapping[str, object]] = {}
        self.book = EngineBook(
            [StaticCluster("lab", tuple(f"{SCHEME}{n}" for n in names))], LabEngines(self), self.clock, self.told.append
        )
        self.store = MemoryStore()
        self.adoptions = Adoptions(self.store, None)
        self.level = self.new_level()

    def new_level(self) -> ContainerLevel:
        """As after a restart: nothing is remembered."""
        return ContainerLevel(self.book, self.adoptions, PlainSecrets(), "skep", Limits(), 4)

    def host(self, name: str) -> Host | None:
        return self.hosts.get(name)

    async def resolve(
        self, spec: WorkloadSpec = WEB, record: Record | None = None, *, refusal: str = "", **more: object
    ) -> Resolved:
        document = document_of(spec, **more)
        return await self.level.resolve(document, record or Record(spec.key), await self.book.sight("lab"), refusal)

    async def actuator(self, spec: WorkloadSpec = WEB, **more: object) -> ContainerActuator:
        found = (await self.resolve(spec, **more)).actuator
        assert isinstance(found, ContainerActuator)
        return found

    async def look(self, spec: WorkloadSpec = WEB, **more: object) -> Observed:
        resolved = await self.resolve(spec, **more)
        return await resolved.actuator.observe(resolved.desired)

    async def create(self, entry: Entry, spec: WorkloadSpec = WEB, **more: object) -> list[Phase]:
        """Observe and create, as a turn does; the phases that were written down."""
        resolved, phases = await self.resolve(spec, **more), list[Phase]()
        await resolved.actuator.observe(resolved.desired)

        async def advance(phase: Phase) -> None:
            phases.append(phase)

        await resolved.actuator.create(resolved.desired, entry, advance)
        return phases

    def put(
        self, host: str, state: str = "running", slot: str = "1", labels: Mapping[str, str] | None = None
    ) -> FakeContainer:
        """A container that is there already, of this workload unless its labels say otherwise."""
        own = {"swarm.cluster.state": "web", "skep.controller": "skep", "skep.workload": "web"}
        own |= {"skep.uid": "u1", "skep.slot": slot}
        id = self.kernel.identity(64)
        shown = Container(id, f"web.{slot}.{id[:8]}", IMAGE, state, {**own, **(labels or {})}, 1.0, state)
        self.hosts[host].containers[id] = FakeContainer(shown, {"Image": IMAGE})
        return self.hosts[host].containers[id]

    def there(self, host: str = "alpha") -> list[Container]:
        return [c.shown for c in self.hosts[host].containers.values()]

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        """Whatever is done meanwhile is done, and nobody hears of it (F4)."""
        self.kernel.faults = replace(self.kernel.faults, lose=1.0)
        yield
        self.kernel.faults = Faults()


class LabEngines(FakeEngines):
    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self._lab = lab

    def engine(self, endpoint: str) -> FakeEngine:
        return LabEngine(self._lab, endpoint)


class LabEngine(FakeEngine):
    """An engine whose refusals and listings the test decides."""

    def __init__(self, lab: Lab, endpoint: str) -> None:
        super().__init__(lab, endpoint)
        self._lab, self._name = lab, endpoint.removeprefix(SCHEME)

    async def info(self) -> EngineInfo:
        return replace(await super().info(), **self._lab.is_more.get(self._name, {}))  # type: ignore[arg-type]

    async def container(self, container: str) -> Container | None:
        await self._refused("inspect")
        return await super().container(container)

    async def image(self, image: str) -> Image | None:
        await self._refused("image")
        return await super().image(image)

    async def resolve_digest(self, image: str) -> str | None:
        await self._refused("digest")
        return await super().resolve_digest(image)

    async def start_container(self, container: str) -> None:
        await self._refused("start")
        await super().start_container(container)

    async def create_container(self, name: str, body: Mapping[str, object]) -> str:  # type: ignore[override]
        await self._refused("create")
        return await super().create_container(name, body)  # type: ignore[arg-type]

    async def _refused(self, act: str) -> None:
        await asyncio.sleep(0)
        if act in self._lab.refuse:
            raise self._lab.refuse[act]

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        if "list" in self._lab.refuse:
            await self._lab.clock.sleep(1000.0)
        if late_s := self._lab.late_s.get(self._name):
            await self._lab.clock.sleep(late_s)
        fresh = await super().containers(labels)
        return self._lab.cached.get(self._name, fresh)


def document_of(spec: WorkloadSpec = WEB, **more: object) -> SpecDocument:
    return replace(SpecDocument(spec.key, "u1", 1, False, to_json(spec), ()), **more)  # type: ignore[arg-type]


def creation(slot: str = "1", source: str = "alpha", phase: Phase = Phase.BEGUN, request: str = "r" * 16) -> Entry:
    return Entry(request, ActionKind.CREATE, Reason.MISSING, 1, slot, fingerprint="f1", phase=phase, source=source)


def removal(kind: ActionKind = ActionKind.DRAIN, member: str = "", phase: Phase = Phase.BEGUN) -> Entry:
    return Entry("q" * 16, kind, Reason.SURPLUS, 1, member=member, phase=phase)


async def nobody(phase: Phase) -> None:
    """Nobody writes the phase down."""


def on(*names: str) -> Callable[[Callable[[Lab], Awaitable[None]]], Callable[[], None]]:
    """The test's body runs in virtual time, on engines of these names."""

    def test(body: Callable[[Lab], Awaitable[None]]) -> Callable[[], None]:
        def inner() -> None:
            async def main() -> None:
                await body(Lab(*(names or ("alpha",))))

            run(main)

        inner.__doc__ = body.__doc__
        return inner

    return test
