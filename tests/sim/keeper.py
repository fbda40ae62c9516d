"""A controller in trouble, and people who go on asking: what every seeded run of the whole controller has in common."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from random import Random
from typing import Any, TypeVar

import structlog

from skep.control.core import Core
from skep.control.documents import RECORD_BYTES_MAX
from skep.model.errors import ConflictError, RefusedError, UnavailableError
from skep.planning.census import LASTING_MAX_S
from skep.specs.source import SourceFile
from tests.sim.controller import Life, Simulation, texts
from tests.sim.harm import is_coincidence
from tests.sim.loop import run
from tests.sim.scenario import Document

T = TypeVar("T")
Befall = Callable[[], Awaitable[None]]

BOUND_S = 900.0
"""Three of the longest back-offs in a row."""
LOOK_S = 5.0
"""Within this, what is told by the age of a task alone is looked at again."""

QUIET_S = 180.0
RESYNC_S = 35.0
"""By then every key was looked at, whatever events were lost."""
HISTORY_TAIL = 80


def run_kept(keeper: "Keeper", main: Callable[[], Awaitable[None]], name: str) -> None:
    """Run it in virtual time; AssertionError with what is wrong, `name` and the end of the history."""
    with structlog.testing.capture_logs() as logs:
        try:
            run(main, max_virtual_s=7200.0)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}\n{keeper.tail()}") from error
    kernel = keeper.sim.world.kernel
    broken = [line for line in kernel.violations if not is_coincidence(line, kernel.history)]
    wrong = [*broken, *map(str, filter(_is_bug, logs))]
    if wrong:
        raise AssertionError(f"{name}: {wrong[0]}\n{keeper.tail()}")


def _is_bug(line: MutableMapping[str, Any]) -> bool:
    return line["log_level"] in ("error", "critical")


class Keeper:
    """What happens is drawn from one source of chance, what the world makes of it from another.

    Faults for minutes (`faulty_s`), then none: it has to arrive, and be still.
    """

    faulty_s = (60.0, 210.0)

    def __init__(self, seed: int, sim: Simulation) -> None:
        self.rng = Random(f"scenario {seed}")
        self.sim = sim
        self._later: list[asyncio.Task[None]] = []
        self._life: Life
        self._restless = True

    # --- what a run has to say ------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Before anything happens."""
        raise NotImplementedError

    def _first(self) -> Collection[Document]:
        """What people want at first."""
        raise NotImplementedError

    def _befalls(self) -> list[Befall]:
        """What may happen next, likelier things more than once."""
        raise NotImplementedError

    def _asked(self, document: Document) -> None:
        """People are about to ask for this."""

    async def _missing(self) -> str:
        """What is not as it shall be; empty when everything is."""
        raise NotImplementedError

    async def _mend(self) -> None:
        """After the last fault: people ask for what can be had."""

    async def _insist(self) -> None:
        """While it has not arrived."""

    # --- how it goes ----------------------------------------------------------------------------------------------

    async def main(self) -> None:
        """All of it."""
        self._prepare()
        self._life = self.sim.begin(self._crash_at())
        try:
            await self._suffer()
            await self._calm()
            await self._arrive()
            await self._rest()
        finally:
            await self._end()

    async def _crashed_once(self, crash_at: int, change: Befall, before: Befall | None = None) -> bool:
        """A controller is asked for a change and dies at that act of it; whether it acted so often (semantics.md F3).

        Another one has seen to `before` until then.
        """
        self._restless = False
        self._prepare()
        if before is not None:
            self._life = self.sim.begin()
            await before()
            await self._sleep(RESYNC_S)
            await self._life.kill()
        first = self._life = self.sim.begin(crash_at)
        try:
            await change()
            await self._sleep(RESYNC_S)
            died = first.gate.dead.is_set()
            await self._calm()
            await self._arrive()
            await self._rest()
        finally:
            await self._end()
        return died

    async def _end(self) -> None:
        for task in self._later:
            task.cancel()
        await self._life.kill()

    def tail(self) -> str:
        """The end of the history."""
        return "\n".join(self.sim.world.kernel.history[-HISTORY_TAIL:])

    async def _suffer(self) -> None:
        until_s = self._now_s() + self.rng.uniform(*self.faulty_s)
        first = list(self._first())
        self.rng.shuffle(first)
        await self._apply(*first)
        while self._now_s() < until_s:
            await self._sleep(self.rng.expovariate(1 / 12))
            await self._revive()
            await self.rng.choice(self._befalls())()

    async def _calm(self) -> None:
        self.sim.world.calm()
        self._life.gate.disarm()
        await self._mend()
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

    async def _rest(self) -> None:
        """Converged is the end of it: nothing is done any more, and nothing is written down."""
        for task in self._later:
            await task
        await self._sleep(LASTING_MAX_S + LOOK_S)  # until then a service may be told to end again and again
        acts, writes = self.sim.world.acts.copy(), await self._records()
        await self._sleep(QUIET_S)
        assert self.sim.world.acts == acts, f"done although nothing was wrong: {self.sim.world.acts - acts}"
        assert await self._records() == writes, "records were written although nothing was wrong"
        assert not await self._missing(), await self._missing()
        large = [v.key for v in await self.sim.store.list("record/") if len(v.value) > RECORD_BYTES_MAX]
        assert not large, f"{large} are too large"

    async def _records(self) -> Mapping[str, object]:
        """What changes when a record is written."""
        return {v.key: v.version for v in await self.sim.store.list("record/")}

    # --- what befalls the controller --------------------------------------------------------------------------------

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

    # --- people and the controller ----------------------------------------------------------------------------------

    async def _apply(self, *documents: Document) -> None:
        for document in documents:
            self._asked(document)
        files = [SourceFile("sim", texts(documents))]
        while True:
            try:
                await self._ask(lambda core: core.apply(files, "sim"))
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
