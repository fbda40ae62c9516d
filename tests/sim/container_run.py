"""One seeded run of workloads on engines that stand alone: they lie, fall silent and come back, and so does skep."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from random import Random

from skep.control.documents import decode
from skep.model.cluster import StaticCluster
from skep.model.engine import Container
from skep.model.errors import RejectedError, SkepError, UnavailableError
from skep.model.state import Record
from tests.fakes.host import FakeContainer
from tests.fakes.kernel import Faults
from tests.sim.arrival import in_short
from tests.sim.container_hosts import AloneHost, Behaviour
from tests.sim.container_watch import ContainerWatch, Fewest, wrong_in_containers
from tests.sim.controller import Simulation, simulation, workload
from tests.sim.keeper import RESYNC_S, Befall, Keeper, run_kept
from tests.sim.scenario import Document, drawn_faults

IMAGES = ("web:1", "web:2", "web:slow")
BAD_IMAGES = ("web:bad", "web:sick")
MEMORY_S = 150.0
"""An act for a count that was replaced may still be under way so long after."""
CACHED = 4
"""In every fourth run lists may be old ones. What was made meanwhile is remembered, which a crash would end."""

RESTART = {"Window": "60s"}
"""Deaths are forgotten after a minute, so that a run can see it."""


def farm(seed: int, engines: int, faults: Faults | None = None) -> Simulation:
    """A world with a cluster `farm` of engines that hold all images, and nothing else."""
    sim = simulation(seed, faults)
    names = [f"e{n}" for n in range(1, engines + 1)]
    for name in names:
        sim.world.add_engine(name, *IMAGES, *BAD_IMAGES)
    sim.world.behaviours["web:bad"] = Behaviour(exits_after_s=0.2)
    sim.world.behaviours["web:sick"] = Behaviour(health="unhealthy")
    sim.world.behaviours["web:slow"] = Behaviour(health="healthy", health_after_s=3.0)
    sim.static = (StaticCluster("farm", tuple(f"sim://{name}" for name in names)),)
    return sim


def run_seed(seed: int) -> list[str]:
    """The history of the seed's world; AssertionError with what is wrong."""
    scenario = ContainerScenario(seed)
    name = f"seed {seed}; alone: SKEP_SIM_SEED={seed} pytest tests/sim/test_containers_sim.py\n"
    run_kept(scenario, scenario.main, name)
    return scenario.sim.world.kernel.history


def run_crash(crash_at: int, before: Document | None, after: Document | None) -> bool:
    """One workload on two engines becomes another (None: there is none), and the controller that sees to it dies at
    this act; False when it did not act so often."""
    scenario = ContainerScenario(1, engines=2)
    died: list[bool] = []

    async def main() -> None:
        died.append(await scenario.crash_once(crash_at, before, after))

    run_kept(scenario, main, f"crash at act {crash_at}")
    return died[0]


class ContainerScenario(Keeper):
    """Workloads on a cluster of one to four engines. `wanted` is what people want now, by name."""

    faulty_s = (40.0, 120.0)

    def __init__(self, seed: int, engines: int = 0) -> None:
        rng = Random(f"farm {seed}")
        super().__init__(seed, farm(seed, engines or rng.randint(1, 4)))
        self.wanted: dict[str, Document] = {}
        self._watch = ContainerWatch(self.sim.world, MEMORY_S)
        self._hosts = list(self.sim.world.alone.values())
        self._foreign: set[str] = set()
        self._restless = seed % CACHED != 0
        self._swept = False

    def _prepare(self) -> None:
        """Somebody else's containers are there, and one looks like a name of ours."""
        for host in self._hosts:
            foreign = Container(f"foreign-{host.name}", "web0.1", "web:1", "running", {"skep.workload": ""}, 0.0)
            host.containers[foreign.id] = FakeContainer(foreign, {})
            self._foreign.add(foreign.id)

    async def crash_once(self, crash_at: int, before: Document | None, after: Document | None) -> bool:
        """semantics.md F3: exactly what is wanted, and within one resync nothing that was made and not started."""
        self._swept = True

        async def change() -> None:
            if before and after:
                least = min(count_of(before), count_of(after))
                Fewest(self.sim.world, str(after["Name"]), least - least // 4)
            await self._want(before, after)

        return await self._crashed_once(crash_at, change, partial(self._want, None, before) if before else None)

    async def _want(self, before: Document | None, after: Document | None) -> None:
        """People apply another document, or delete what there is."""
        self.wanted = {str(after["Name"]): after} if after else {}
        if after:
            await self._apply(after)
        elif before:
            await self._remove(before)

    # --- what befalls the engines ---------------------------------------------------------------------------------

    def _befalls(self) -> list[Befall]:
        containers = [self._kill, self._kill, self._kill, self._kill_all, self._lose, self._lose]
        engines = [self._cut, self._cut, self._halt, self._sicken, self._cut_streams, self._twist_events, self._refuse]
        images = [self._forget_image, self._stop_registry]
        people = [self._change, self._change, self._change, self._delete]
        controller = [self._crash, self._crash, self._doze] if self._restless else [self._grow_old] * 3
        return [
            *containers,
            *engines,
            *images,
            *people,
            *controller,
            self._step_clock,
            self._other_faults,
            self._other_faults,
        ]

    def _some(self) -> tuple[AloneHost, list[FakeContainer]]:
        """An engine, and what runs on it of ours."""
        host = self.rng.choice(self._hosts)
        return host, [c for c in host.containers.values() if c.shown.labels.get("skep.workload")]

    async def _kill(self) -> None:
        host, containers = self._some()
        for container in self.rng.sample(containers, min(1, len(containers))):
            host.end(container)

    async def _kill_all(self) -> None:
        host, containers = self._some()
        for container in containers:
            host.end(container)

    async def _lose(self) -> None:
        host, containers = self._some()
        for container in self.rng.sample(containers, min(1, len(containers))):
            host.lose(container)

    async def _cut(self) -> None:
        self.rng.choice(self._hosts).cut(self.rng.choice([1.0, 10.0, 60.0, 120.0]))

    async def _halt(self) -> None:
        host = self.rng.choice(self._hosts)
        if host.running:
            seconds = self.rng.choice([0.5, 20.0, 90.0])
            host.silences.append((self._now_s(), self._now_s() + seconds))
            host.halt()
            self.sim.world.kernel.changed(f"engine {host.name} stopped", by_us=False)
            self._after(seconds, partial(self._boot, host))

    async def _boot(self, host: AloneHost) -> None:
        host.boot()

    async def _sicken(self) -> None:
        """Requests hang."""
        host = self.rng.choice(self._hosts)
        if not host.sick:
            seconds = self.rng.choice([5.0, 45.0, 150.0])
            host.silences.append((self._now_s(), self._now_s() + seconds))
            host.sicken(True)
            self.sim.world.kernel.changed(f"engine {host.name} hangs for {seconds:.0f} s", by_us=False)
            self._after(seconds, partial(self._recover, host))

    async def _recover(self, host: AloneHost) -> None:
        host.sicken(False)

    async def _cut_streams(self) -> None:
        self.rng.choice(self._hosts).cut_streams(self.rng.choice([0.0, 60.0]))

    async def _grow_old(self) -> None:
        """Its lists come from a cache from now on, or no longer (semantics.md F9)."""
        self.rng.choice(self._hosts).list_age_s = self.rng.choice([0.0, 5.0, 30.0, 60.0])

    async def _twist_events(self) -> None:
        """W1: dropped, duplicated and shuffled."""
        host = self.rng.choice(self._hosts)
        host.events_lost = self.rng.choice([0.0, 0.5, 1.0])
        host.events_doubled, host.events_shuffled = self.rng.choice([0.0, 0.5]), self.rng.choice([0.0, 0.5, 1.0])

    async def _refuse(self) -> None:
        """For a while an engine's disk is full, or one act of it is refused."""
        host, act = self.rng.choice(self._hosts), self.rng.choice(["create", "start"])
        error = self.rng.choice([RejectedError, UnavailableError])
        host.refusal = lambda what, name: _error(error) if what == act else None
        self._after(self.rng.uniform(1.0, 60.0), partial(self._accept, host))

    async def _accept(self, host: AloneHost) -> None:
        host.refusal = lambda what, name: None

    async def _forget_image(self) -> None:
        """Somebody removes an image from an engine; what runs of it runs on."""
        self.rng.choice(self._hosts).images.pop(self.rng.choice(IMAGES), None)

    async def _stop_registry(self) -> None:
        """Nobody gets an image from it for a while, or ever again before the end."""
        self.sim.world.registry.clear()
        self._after(self.rng.uniform(1.0, 60.0), self._start_registry)

    async def _start_registry(self) -> None:
        self.sim.world.registry.update({image: f"sha256:{image}" for image in (*IMAGES, *BAD_IMAGES)})

    async def _other_faults(self) -> None:
        self.sim.world.kernel.faults = drawn_faults(self.rng) if self.rng.random() < 0.7 else Faults()

    # --- people ---------------------------------------------------------------------------------------------------

    def _first(self) -> Collection[Document]:
        names = [f"web{n}" for n in range(self.rng.randint(1, 3))]
        self.wanted = {name: self._drawn(name) for name in names}
        return self.wanted.values()

    def _drawn(self, name: str, image: str = "") -> Document:
        """Another count, or another image, or both."""
        before = self.wanted.get(name, {})
        kept = before.get("Image") if self.rng.random() < 0.4 else None
        images = [*IMAGES, *IMAGES, *BAD_IMAGES]
        count = self.rng.choice([0, 1, 2, 3, 5, 8])
        drawn = workload(name, count, image or str(kept or self.rng.choice(images))) | {"Restart": RESTART}
        self.wanted[name] = drawn
        return drawn

    def _asked(self, document: Document) -> None:
        self._watch.asked(str(document["Name"]), count_of(document))

    async def _change(self) -> None:
        if self.wanted:
            await self._apply(self._drawn(self.rng.choice(sorted(self.wanted))))

    async def _delete(self) -> None:
        """And after a while, or at once, it is wanted again."""
        if not self.wanted:
            return
        name = self.rng.choice(sorted(self.wanted))
        await self._remove(self.wanted.pop(name))
        if self.rng.random() < 0.7:
            await self._sleep(self.rng.choice([0.0, 1.0, 30.0]))
            await self._apply(self._drawn(name))

    # --- phase two ------------------------------------------------------------------------------------------------

    async def _mend(self) -> None:
        await self._start_registry()
        for name, document in list(self.wanted.items()):
            if document["Image"] in BAD_IMAGES:
                await self._apply(self._drawn(name, IMAGES[0]))

    async def _arrive(self) -> None:
        await self._sleep(RESYNC_S)
        left = [
            c.name for host in self._hosts for c in (f.shown for f in host.containers.values()) if c.state == "created"
        ]
        assert not (self._swept and left), f"{left} were never started"
        await super()._arrive()

    async def _missing(self) -> str:
        await self._life.ready()
        views = await self._life.core.views()
        if late := [v for v in views if not v.converged]:
            return "\n".join(map(in_short, late))
        if {v.name for v in views} != set(self.wanted):
            return f"there are {[v.key for v in views]}"
        if self._foreign - {id for host in self._hosts for id in host.containers}:
            return "somebody else's container is gone"
        wanted = {name: (count_of(d), str(d["Image"])) for name, d in self.wanted.items()}
        return wrong_in_containers(self.sim.world, wanted) or await self._remembered()

    async def _remembered(self) -> str:
        """Deaths and failures that are not forgotten yet: their end is told in conditions, and is no unrest."""
        ledgers = [decode(Record, v.value).ledger for v in await self.sim.store.list("record/")]
        return "; ".join(str(f) for ledger in ledgers for f in ledger.failures if f.count)

    async def _records(self) -> Mapping[str, object]:
        """What they say, but for what failed, which is forgotten in time."""
        stored = await self.sim.store.list("record/")
        records = {v.key: decode(Record, v.value) for v in stored}
        return {key: replace(r, ledger=replace(r.ledger, failures=(), setbacks=())) for key, r in records.items()}


def count_of(document: Document) -> int:
    """How many a workload asks for."""
    return int(str(document["Count"]))


def _error(kind: type[SkepError]) -> SkepError:
    return kind("the engine answered 500: no space left on device")
