"""One seeded run of the whole controller: faults for minutes, then none, and it has to arrive and be still.

`run_seed` raises AssertionError with what is wrong and the end of the history.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from random import Random
from typing import Any, TypeVar

import structlog

from skep.control.core import Core
from skep.control.documents import RECORD_BYTES_MAX, decode
from skep.model.errors import ConflictError, RefusedError, UnavailableError
from skep.model.plan import REMOVALS, NoteKind
from skep.model.state import Record
from skep.specs.source import SourceFile
from tests.fakes.instances import Machine
from tests.fakes.kernel import Faults
from tests.sim.arrival import in_short, wrong_in
from tests.sim.controller import Life, Simulation, managers, simulation, texts, workers, workload
from tests.sim.harm import change_by_hand, is_coincidence, may_vanish
from tests.sim.loop import run
from tests.sim.scenario import BAD_IMAGE, IMAGES, Document, Wishes, drawn_faults, size_of, surge_of

T = TypeVar("T")

FAULTY_S = (60.0, 210.0)
BOUND_S = 900.0
"""Three of the longest back-offs in a row."""
QUIET_S = 180.0
MEMORY_S = 150.0
"""An act for a spec that was replaced may still be under way so long after."""
RESYNC_S = 35.0
"""By then every key was looked at, whatever events were lost."""
HISTORY_TAIL = 80


def run_seed(seed: int) -> list[str]:
    """The history of the seed's world."""
    scenario = Scenario(seed)
    _run(scenario, scenario.main, f"seed {seed}; alone: SKEP_SIM_SEED={seed} pytest tests/sim/test_controller_sim.py\n")
    return scenario.sim.world.kernel.history


def run_crash(crash_at: int) -> bool:
    """A small cluster comes up, and its first controller dies at this act; False when it did not act so often."""
    scenario = Scenario(1)
    died: list[bool] = []

    async def main() -> None:
        died.append(await scenario.crash_once(crash_at))

    _run(scenario, main, f"crash at act {crash_at}")
    return died[0]


def _run(scenario: "Scenario", main: Callable[[], Awaitable[None]], name: str) -> None:
    with structlog.testing.capture_logs() as logs:
        try:
            run(main, max_virtual_s=7200.0)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}\n{scenario.tail()}") from error
    kernel = scenario.sim.world.kernel
    broken = [line for line in kernel.violations if not is_coincidence(line, kernel.history)]
    wrong = [*broken, *map(str, filter(_is_bug, logs))]
    if wrong:
        raise AssertionError(f"{name}: {wrong[0]}\n{scenario.tail()}")


def _is_bug(line: MutableMapping[str, Any]) -> bool:
    return line["log_level"] in ("error", "critical")


class Scenario:
    """What happens is drawn from one source of chance, what the world makes of it from another."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"scenario {seed}")
        self.sim: Simulation = simulation(seed)
        self.wishes = Wishes(self.rng)
        self._sizes: dict[str, list[tuple[float, int]]] = {}
        self._later: list[asyncio.Task[None]] = []
        self._life: Life
        self._restless = True

    def _prepare(self) -> None:
        world = self.sim.world
        world.host_images.update({image: f"sha256:{image}" for image in (*IMAGES, BAD_IMAGE)})
        world.registry.update({image: f"sha256:{image}" for image in IMAGES if self.rng.random() < 0.5})
        world.watch(self._too_many)

    async def main(self) -> None:
        self._prepare()
        self._life = self.sim.begin(self._crash_at())
        try:
            await self._suffer()
            await self._calm()
            await self._arrive()
            await self._rest()
        finally:
            for task in self._later:
                task.cancel()
            await self._life.kill()

    async def crash_once(self, crash_at: int) -> bool:
        """semantics.md F3: whatever act it dies at, exactly what is wanted is there in the end."""
        self._restless = False
        self._prepare()
        first = self._life = self.sim.begin(crash_at)
        self.wishes.documents = {"managers": managers(1), "workers": workers(1), "web0": workload("web0", 2)}
        try:
            await self._apply(*self.wishes.documents.values())
            await self._sleep(RESYNC_S)
            died = first.gate.dead.is_set()
            await self._calm()
            await self._arrive()
            await self._rest()
        finally:
            await self._life.kill()
        return died

    def tail(self) -> str:
        return "\n".join(self.sim.world.kernel.history[-HISTORY_TAIL:])

    # --- phase one ------------------------------------------------------------------------------------------------

    async def _suffer(self) -> None:
        until_s = self._now_s() + self.rng.uniform(*FAULTY_S)
        first = list(self.wishes.first())
        self.rng.shuffle(first)
        await self._apply(*first)
        while self._now_s() < until_s:
            await self._sleep(self.rng.expovariate(1 / 12))
            await self._revive()
            await self.rng.choice(self._befalls())()

    def _befalls(self) -> list[Callable[[], Awaitable[None]]]:
        machines = [self._stop, self._stop, self._vanish, self._vanish, self._sicken, self._cut]
        services = [self._kill_task, self._by_hand]
        people = [self._change, self._change, self._change, self._delete]
        controller = [self._crash, self._crash, self._doze, self._step_clock]
        return [*machines, *services, *people, *controller, self._other_faults, self._other_faults]

    async def _stop(self) -> None:
        for machine in self._some_machine():
            self.sim.world.stop(machine)

    async def _vanish(self) -> None:
        """Never so many managers that only a run-book helps."""
        for machine in self._some_machine():
            swarm = machine.host.swarm
            staying = set(self.sim.world.machines) - self._leaving("managers")
            if swarm is None or may_vanish(swarm, machine, staying):
                self.sim.world.vanish(machine)

    async def _sicken(self) -> None:
        for machine in self._some_machine():
            self.sim.world.sicken(machine)
            self._after(self.rng.uniform(5.0, 400.0), partial(self._recover, machine))

    async def _recover(self, machine: Machine) -> None:
        if machine.host.sick and machine.id in self.sim.world.machines:
            self.sim.world.sicken(machine, sick=False)

    async def _cut(self) -> None:
        for machine in self._some_machine():
            self.sim.world.cut(machine, self.rng.uniform(1.0, 60.0))

    def _some_machine(self) -> list[Machine]:
        """One, as a list; none where there is none."""
        machines = list(self.sim.world.machines.values())
        return [self.rng.choice(machines)] if machines else []

    async def _kill_task(self) -> None:
        self.sim.world.kill_task(self.rng.choice(["web0", "web1", "web2"]))

    async def _by_hand(self) -> None:
        change_by_hand(self.sim.world, self.rng)

    async def _change(self) -> None:
        await self._apply(self.wishes.changed())

    async def _delete(self) -> None:
        """A key, or now and then everything; and after a while, or at once, it is wanted again."""
        names = sorted(set(self.wishes.documents) - {"managers"})
        if self.rng.random() < 0.1 or not names:
            await self._start_over()
            return
        name = self.rng.choice(names)
        document = self.wishes.documents[name]
        await self._remove(document)
        if self.rng.random() < 0.7:
            await self._sleep(self.rng.choice([0.0, 1.0, 5.0, 30.0]))
            await self._apply(document)
        else:
            del self.wishes.documents[name]

    async def _start_over(self) -> None:
        documents = list(self.wishes.documents.values())
        self.sim.ending.add("managers")
        self.sim.world.kernel.history.append("everything is deleted")
        await self._remove(*documents)
        for _ in range(self.rng.randint(0, 240)):
            await self._sleep(1.0)
            await self._revive()
        await self._apply(*documents)
        self.sim.ending.discard("managers")

    async def _crash(self) -> None:
        self._life.gate.die()

    async def _doze(self) -> None:
        """The controller stops for a while; another takes its term; then it goes on, as if nothing had been."""
        old = self._life
        if not old.core.ready.is_set():
            return
        old.gate.pause()
        await self._sleep(self.rng.uniform(0.0, 5.0))
        self._life = self.sim.begin(self._crash_at())
        await self._life.ready()
        old.gate.superseded = True
        self.sim.world.kernel.history.append("a successor has taken the term")
        self._after(self.rng.uniform(0.0, 40.0), lambda: self._wake_up(old))

    async def _wake_up(self, old: Life) -> None:
        old.gate.go_on()
        await self._sleep(45.0)
        await old.kill()

    async def _step_clock(self) -> None:
        self.sim.clock.step(self.rng.choice([-3600.0, 3600.0]))

    async def _other_faults(self) -> None:
        self.sim.world.kernel.faults = drawn_faults(self.rng) if self.rng.random() < 0.7 else Faults()

    # --- people and the controller ----------------------------------------------------------------------------------

    async def _apply(self, *documents: Document) -> None:
        for document in documents:
            self._remember_size(document)
        files = [SourceFile("sim", texts(documents))]
        while True:
            try:
                await self._ask(lambda core: core.apply(files, "sim", False))
            except RefusedError as error:
                assert "is being removed" in str(error), error
                await self._sleep(5.0)
                continue
            self.sim.world.kernel.history.append(f"{self._now_s():9.3f} .. applied {files[0].text}")
            return

    async def _remove(self, *documents: Document) -> None:
        files = [SourceFile("sim", texts(documents))]
        await self._ask(lambda core: core.delete(files, "sim", True))
        self.sim.world.kernel.history.append(f"{self._now_s():9.3f} .. deleted {files[0].text}")

    async def _ask(self, request: Callable[[Core], Awaitable[T]]) -> T:
        """Asked again until a controller has lived long enough to answer."""
        for _ in range(1000):
            await self._revive()
            if await self._life.ready():
                doing = asyncio.ensure_future(request(self._life.core))
                dying = asyncio.ensure_future(self._life.gate.dead.wait())
                await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
                dying.cancel()
                try:
                    if doing.done() and not doing.cancelled():
                        return doing.result()
                except (ConflictError, UnavailableError):
                    pass
                doing.cancel()
            await self._sleep(1.0)
        raise AssertionError("no controller answers")

    async def _revive(self) -> None:
        """A dead controller is started again after some seconds, as a service manager does."""
        if self._life.gate.dead.is_set() or self._life.task.done():
            self.sim.world.kernel.history.append(f"{self._now_s():9.3f} .. the controller died")
            await self._life.kill()
            await self._sleep(self.rng.uniform(0.0, 8.0))
            self._life = self.sim.begin(self._crash_at())

    def _crash_at(self) -> int:
        """Before or after one of its first acts; or not so."""
        return self.rng.choice([1, -1]) * self.rng.randint(1, 80) if self._restless and self.rng.random() < 0.5 else 0

    # --- phase two --------------------------------------------------------------------------------------------------

    async def _calm(self) -> None:
        self.sim.world.calm()
        self._life.gate.disarm()
        for name, document in list(self.wishes.documents.items()):
            if document.get("Image") == BAD_IMAGE:
                await self._apply(self.wishes.of_workload(name, IMAGES[0]))
        await self._revive()
        self._life.gate.disarm()
        self.sim.world.kernel.history.append(f"{self._now_s():9.3f} .. calm")

    async def _arrive(self) -> None:
        deadline_s = self._now_s() + BOUND_S
        await self._sleep(RESYNC_S)
        while wrong := await self._missing():
            await self._insist()
            if self._now_s() > deadline_s:
                raise AssertionError(f"not there {BOUND_S:.0f} s after the last fault: {wrong}")
            await self._sleep(1.0)

    async def _insist(self) -> None:
        """A revision that Swarm gave up is tried again only as a new one: people ask for another count."""
        for view in await self._life.core.views():
            gave_up = any(c.reason == NoteKind.REVISION_FAILED for c in view.conditions)
            if gave_up and view.observed_generation == view.generation:
                await self._apply(self.wishes.of_workload(view.name, IMAGES[0]))

    async def _missing(self) -> str:
        """What is not as it shall be; empty when everything is."""
        await self._life.ready()
        views = await self._life.core.views()
        late = [v for v in views if not v.converged]
        if late:
            return "\n".join(map(in_short, late))
        if {v.name for v in views} != set(self.wishes.documents):
            return f"there are {[v.key for v in views]}"
        return wrong_in(self.sim.world, self.wishes.documents)

    async def _rest(self) -> None:
        """Converged is the end of it: nothing is done any more, and nothing is written down."""
        for task in self._later:
            await task
        acts, writes = self.sim.world.acts.copy(), await self._records()
        await self._sleep(QUIET_S)
        assert self.sim.world.acts == acts, f"done although nothing was wrong: {self.sim.world.acts - acts}"
        assert await self._records() == writes, "records were written although nothing was wrong"
        assert not await self._missing(), await self._missing()
        large = [v.key for v in await self.sim.store.list("record/") if len(v.value) > RECORD_BYTES_MAX]
        assert not large, f"{large} are too large"

    async def _records(self) -> dict[str, int]:
        return {v.key: v.version for v in await self.sim.store.list("record/")}

    # --- promises ---------------------------------------------------------------------------------------------------

    def _remember_size(self, document: Document) -> None:
        if "ID" in document:
            sizes = self._sizes.setdefault(str(document["ID"]), [])
            sizes.append((self._now_s(), size_of(document) + surge_of(document)))
            while len(sizes) > 1 and sizes[1][0] < self._now_s() - MEMORY_S:
                sizes.pop(0)

    def _too_many(self, what: str, by_us: bool) -> str | None:
        """Never more than size and surge of a group, besides those that are being removed (semantics.md W42, W7)."""
        if not what.endswith(" created") or not what.startswith("machine"):
            return None
        newest = self.sim.world.machines[what.split()[1]]
        if newest.group not in self._sizes:
            return f"{newest.id} is in a group that nobody asked for"
        allowed = max(size for at_s, size in self._sizes[newest.group])
        leaving = self._leaving(newest.group)
        there = [m.id for m in self.sim.world.group(newest.group) if m.id not in leaving]
        if len(there) <= allowed:
            return None
        return f"{len(there)} machines in {newest.group} ({', '.join(there)}), {allowed} are allowed"

    def _leaving(self, group: str) -> set[str]:
        stored = self.sim.store._documents.get(f"record/group/{group}")
        entries = decode(Record, stored.value).ledger.entries if stored else ()
        return {e.member for e in entries if e.kind in REMOVALS}

    # --- small things -----------------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return self.sim.clock.monotonic_s()

    async def _sleep(self, seconds: float) -> None:
        await self.sim.clock.sleep(seconds)

    def _after(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        async def later() -> None:
            await self._sleep(seconds)
            await do()

        self._later.append(asyncio.create_task(later(), name="later"))
