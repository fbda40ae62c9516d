"""One seeded run of jobs on engines that stand alone: they are killed, lost, paused, scaled and rolled back (W54)."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from skep.control.core import Core
from skep.model.engine import Container
from skep.model.errors import RefusedError
from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from skep.model.view import KeyView
from tests.sim.arrival import in_short
from tests.sim.container_hosts import AloneHost, Behaviour
from tests.sim.container_run import ContainerScenario, count_of
from tests.sim.keeper import Befall, run_kept
from tests.sim.scenario import Document
from tests.sim.world import World

QUICK, LONG, FAILING = "web:1", "web:2", "web:bad"
"""Images of jobs: they end well at once or after a while, or badly."""

CERTAIN_S = 100.0
"""What had completed for so long, on an engine that answered all the time, was seen to, however old its lists are."""

FAULTS_S = (60.0, 200.0)

Slot = tuple[str, str, str]
"""Workload, fingerprint, number."""


class JobWatch:
    """Nothing is made again that had completed for CERTAIN_S, wherever its container is now; by our hand.

    `forget`: people ask for another template, and so for all of it anew.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: set[str] = set()
        self._completed_s: dict[str, float] = {}
        self._certain: set[Slot] = set()
        self.made: Counter[Slot] = Counter()
        world.watch(self._look)

    def forget(self, workload: str) -> None:
        self._certain = {slot for slot in self._certain if slot[0] != workload}
        self._completed_s.clear()

    def _look(self, what: str, by_us: bool) -> str | None:
        faults = [
            fault
            for host in self._world.alone.values()
            for c in host.containers.values()
            if (fault := self._looked_at(host, c.shown))
        ]
        return faults[0] if faults and by_us else None

    def _looked_at(self, host: AloneHost, shown: Container) -> str:
        if not shown.labels.get("skep.workload"):
            return ""
        slot = slot_of(shown)
        is_new = shown.id not in self._known
        self._known.add(shown.id)
        self.made[slot] += is_new
        if shown.exit_code == 0:
            self._count(host, shown, slot)
        return f"{slot} is made again, and had completed" if is_new and slot in self._certain else ""

    def _count(self, host: AloneHost, shown: Container, slot: Slot) -> None:
        now_s = self._world.kernel.now_s()
        since_s = self._completed_s.setdefault(shown.id, now_s)
        if not host.answers() or host.silent_for_s(since_s):
            self._completed_s[shown.id] = now_s
        elif now_s - since_s >= CERTAIN_S:
            self._certain.add(slot)


def slot_of(shown: Container) -> Slot:
    labels = shown.labels
    return labels["skep.workload"], labels["skep.fingerprint"], labels["skep.slot"]


def job(name: str, count: int, image: str, attempts: int = 3, note: str = "") -> Document:
    """`note` tells one template from another that does the same."""
    restart = {"Policy": "never", "MaxAttempts": attempts}
    return {"Name": name, "Image": image, "Count": count, "Restart": restart, "Env": {"NOTE": note}}


def run_jobs(seed: int) -> list[str]:
    """The history of the seed's world; AssertionError with what is wrong."""
    scenario = JobScenario(seed)
    run_kept(scenario, scenario.main, f"seed {seed}; alone: SKEP_SIM_SEED={seed} pytest tests/sim/test_jobs_sim.py\n")
    return scenario.sim.world.kernel.history


def run_job_crash(crash_at: int, before: Document | None, after: Document) -> tuple[bool, Counter[Slot]]:
    """A job becomes another (None: there is none), and the controller dies at this act of that. Whether it acted so
    often, and how many containers each slot had in all."""
    scenario = JobScenario(1, engines=2)
    died: list[bool] = []

    async def main() -> None:
        died.append(await scenario.crash_once(crash_at, before, after))

    run_kept(scenario, main, f"crash at act {crash_at}")
    return died[0], scenario.jobs.made


class JobScenario(ContainerScenario):
    """`wanted` are the jobs that people want now, by name."""

    faulty_s = FAULTS_S

    def __init__(self, seed: int, engines: int = 0) -> None:
        super().__init__(seed, engines)
        behaviours = self.sim.world.behaviours
        behaviours[QUICK] = Behaviour(exits_after_s=0.5, exit_code=0)
        behaviours[LONG] = Behaviour(exits_after_s=20.0, exit_code=0)
        self.jobs = JobWatch(self.sim.world)

    async def crash_once(self, crash_at: int, before: Document | None, after: Document | None) -> bool:
        """semantics.md F3; nobody is served by a job, so that none need run meanwhile."""
        return await self._crashed_once(
            crash_at, partial(self._want, before, after), partial(self._want, None, before) if before else None
        )

    def _befalls(self) -> list[Befall]:
        people = [self._pause, self._resume, self._resume, self._scale, self._scale, self._roll_back, self._retry]
        return [*super()._befalls(), *people, self._change]

    # --- people ---------------------------------------------------------------------------------------------------

    def _drawn(self, name: str, image: str = "") -> Document:
        """Another count, or another template, or both."""
        before = self.wanted.get(name)
        count = self.rng.choice([0, 1, 2, 3, 5, 8])
        if before and not image and self.rng.random() < 0.5:
            drawn = before | {"Count": count}
        else:
            image = image or self.rng.choice([QUICK, QUICK, LONG, FAILING])
            drawn = job(name, count, image, self.rng.choice([0, 2, 4]), str(self.rng.randint(1, 2)))
        self.wanted[name] = drawn
        return drawn

    def _asked(self, document: Document) -> None:
        """Whatever is asked for may be another template."""
        super()._asked(document)
        self.jobs.forget(str(document["Name"]))

    async def _pause(self) -> None:
        await self._with_one(lambda core, key: core.pause(key, "sim", "to look"))

    async def _resume(self) -> None:
        await self._with_one(lambda core, key: core.resume(key, "sim"))

    async def _retry(self) -> None:
        await self._with_one(lambda core, key: core.retry(key, "sim"))

    async def _roll_back(self) -> None:
        """To what it was before, in all but the count."""
        for name in self._one():
            self.jobs.forget(name)
            if await self._said(name, lambda core, key: core.rollback(key, None, "sim")):
                self.wanted[name] = await self._stored(name)

    async def _scale(self) -> None:
        count = self.rng.choice([0, 1, 3, 8])
        for name in self._one():
            self._watch.asked(name, count)
            if await self._said(name, partial(_scaled, count)):
                self.wanted[name] = self.wanted[name] | {"Count": count}

    def _one(self) -> list[str]:
        return [self.rng.choice(sorted(self.wanted))] if self.wanted else []

    async def _with_one(self, do: Callable[[Core, Key], Awaitable[object]]) -> None:
        for name in self._one():
            await self._said(name, do)

    async def _said(self, name: str, do: Callable[[Core, Key], Awaitable[object]]) -> bool:
        """Whether it was taken: there may be nothing to roll back to."""

        async def ask(core: Core) -> bool:
            try:
                await do(core, Key(Kind.WORKLOAD, name))
            except RefusedError:
                return False
            return True

        return await self._ask(ask)

    async def _stored(self, name: str) -> Document:
        """What it is now, as far as this scenario tells jobs apart."""
        document = await self._ask(lambda core: core.document(Key(Kind.WORKLOAD, name)))
        assert document is not None
        image = next(i for i in (QUICK, LONG, FAILING) if f'"{i}"'.encode() in document.spec)
        return self.wanted[name] | {"Image": image}

    # --- phase two ------------------------------------------------------------------------------------------------

    async def _mend(self) -> None:
        """Whoever failed as often as he may is tried again, and what can't end well is another job now."""
        await self._start_registry()
        for name, document in list(self.wanted.items()):
            await self._said(name, lambda core, key: core.resume(key, "sim"))
            if document["Image"] == FAILING:
                await self._apply(self._drawn(name, QUICK))

    async def _insist(self) -> None:
        for view in await self._life.core.views():
            if _progress(view) == "Failed":
                await self._said(view.name, lambda core, key: core.retry(key, "sim"))

    async def _missing(self) -> str:
        await self._life.ready()
        views = await self._life.core.views()
        if late := [v for v in views if not v.converged]:
            return "\n".join(map(in_short, late))
        wanted = {name: count_of(document) for name, document in self.wanted.items()}
        if {v.name: v.desired for v in views} != wanted:
            return f"there are {[(v.key, v.desired) for v in views]} and not {wanted}"
        if strange := [v.key for v in views if v.completed < v.desired or v.ready > v.desired]:
            return f"{strange} have not completed"
        return self._left() or await self._remembered()

    def _left(self) -> str:
        """Nothing runs on, and the last of each number is kept at most."""
        shown = [c.shown for host in self._hosts for c in host.containers.values() if c.shown.id not in self._foreign]
        if alive := [c.name for c in shown if c.state != "exited"]:
            return f"{alive} are there still"
        kept = Counter((c.labels["skep.workload"], c.labels["skep.slot"]) for c in shown)
        return f"{kept} are kept" if any(number > 1 for number in kept.values()) else ""


async def _scaled(count: int, core: Core, key: Key) -> object:
    return await core.scale(key, count, "sim")


def _progress(view: KeyView) -> str:
    """The reason of what stands in the way; empty where nothing does."""
    found = (c.reason for c in view.conditions if c.type is ConditionType.PROGRESSING and not c.status)
    return next(found, "")


def runs_of(made: Mapping[Slot, int], workload: str) -> Collection[int]:
    """How many containers each slot of a workload had."""
    return [number for slot, number in made.items() if slot[0] == workload]
