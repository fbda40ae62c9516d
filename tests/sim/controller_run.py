"""One seeded run of the whole controller: faults for minutes, then none, and it has to arrive and be still.

`run_seed` raises AssertionError with what is wrong and the end of the history.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from skep.control.documents import decode
from skep.model.plan import REMOVALS, NoteKind
from skep.model.state import Record
from skep.model.view import KeyView
from tests.fakes.instances import Machine
from tests.fakes.kernel import Faults
from tests.sim.arrival import in_short, wrong_in
from tests.sim.controller import managers, simulation, workers, workload
from tests.sim.harm import change_by_hand, may_vanish
from tests.sim.keeper import Keeper, run_kept
from tests.sim.scenario import ADDRESSES, BAD_IMAGE, IMAGES, Document, Wishes, drawn_faults, size_of, surge_of

MEMORY_S = 150.0
"""An act for a spec that was replaced may still be under way so long after."""


def run_seed(seed: int) -> list[str]:
    """The history of the seed's world."""
    scenario = Scenario(seed)
    run_kept(
        scenario, scenario.main, f"seed {seed}; alone: SKEP_SIM_SEED={seed} pytest tests/sim/test_controller_sim.py\n"
    )
    return scenario.sim.world.kernel.history


def run_crash(crash_at: int) -> bool:
    """A small cluster comes up, and its first controller dies at this act; False when it did not act so often."""
    scenario = Scenario(1)
    died: list[bool] = []

    async def main() -> None:
        died.append(await scenario.crash_once(crash_at))

    run_kept(scenario, main, f"crash at act {crash_at}")
    return died[0]


class Scenario(Keeper):
    """Groups that form a Swarm, and services on it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, simulation(seed))
        self.wishes = Wishes(self.rng)
        self._sizes: dict[str, list[tuple[float, int]]] = {}

    def _prepare(self) -> None:
        world = self.sim.world
        world.host_images.update({image: f"sha256:{image}" for image in (*IMAGES, BAD_IMAGE)})
        world.registry.update({image: f"sha256:{image}" for image in IMAGES if self.rng.random() < 0.5})
        world.watch(self._too_many)

    async def crash_once(self, crash_at: int) -> bool:
        """semantics.md F3: whatever act it dies at, exactly what is wanted is there in the end."""
        self.wishes.documents = {"managers": managers(1), "workers": workers(1), "web0": workload("web0", 2)}
        return await self._crashed_once(crash_at, lambda: self._apply(*self.wishes.documents.values()))

    def _first(self) -> Sequence[Document]:
        return self.wishes.first()

    # --- phase one ------------------------------------------------------------------------------------------------

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

    async def _other_faults(self) -> None:
        self.sim.world.kernel.faults = drawn_faults(self.rng) if self.rng.random() < 0.7 else Faults()

    # --- phase two --------------------------------------------------------------------------------------------------

    async def _mend(self) -> None:
        for name, document in list(self.wishes.documents.items()):
            if document.get("Image") == BAD_IMAGE:
                await self._apply(self.wishes.of_workload(name, IMAGES[0]))

    async def _insist(self) -> None:
        """A revision that Swarm gave up is tried again only as a new one: people ask for another count. Where faults
        took the very manager that was to stay, the last one can't be exchanged for it (N7): people ask for three."""
        for view in await self._life.core.views():
            if view.key == "group/managers" and view.desired == 1 and self._is_another(view):
                self.wishes.managers = 3
                await self._apply(self.wishes.of_managers())
            gave_up = any(c.reason == NoteKind.REVISION_FAILED for c in view.conditions)
            if gave_up and view.observed_generation == view.generation:
                await self._apply(self.wishes.of_workload(view.name, IMAGES[0]))

    def _is_another(self, view: KeyView) -> bool:
        """Whether the only manager that there is has a logical ID that is not wanted any more."""
        slots = [machine.spec.logical_id for machine in self.sim.world.group(view.name)]
        return len(slots) == 1 and slots[0] not in ADDRESSES[:1]

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

    # --- promises ---------------------------------------------------------------------------------------------------

    def _asked(self, document: Document) -> None:
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
