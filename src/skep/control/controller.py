"""The loop: one worker per key, woken by keys and never by events, and a resync that needs no event at all.

semantics.md W1 (level-based), W2 (one turn of a key at a time, wake-ups merged), W3 (a failing key backs off alone),
W6 (resync whatever the event stream says).
"""

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass

import structlog

from skep.control.board import Board
from skep.control.catalog import Catalog
from skep.control.reconcile import Reconciler, Turn
from skep.model.errors import BugError, SkepError, StaleTermError
from skep.model.spec import Key, Kind
from skep.ports import Clock

log = structlog.get_logger()

PAUSE_MIN_S, PAUSE_MAX_S = 0.001, 0.02
"""Between two turns of a key: a burst of events becomes one look at the world. As long as the turn itself took within
these bounds, so that a key keeps nobody waiting for more than half of the time, and a quick one waits for little."""

ERROR_BASE_S, ERROR_CAP_S = 0.005, 1000.0
"""semantics.md W3: a turn that fails is repeated after 5 ms, then twice as long each time; the resync may be sooner."""

RESYNC_JITTER = 0.1
"""W6: 10 % to either side."""


REPEATS_A_SECOND, REPEATS_AT_ONCE = 10.0, 100
"""W3: of all keys of a kind together, so that what fails for everybody is not asked by everybody at once."""


class Bucket:
    """Repeats that may be made: a hundred at once, and ten more with each second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_s = -math.inf
        """When the bucket would be full again, had nobody asked since."""

    def delay_s(self) -> float:
        """How long the next repeat has to wait; it is counted."""
        now_s = self._clock.monotonic_s()
        self._free_s = max(self._free_s, now_s) + 1 / REPEATS_A_SECOND
        return max(0.0, self._free_s - now_s - REPEATS_AT_ONCE / REPEATS_A_SECOND)


class Turnstile:
    """Lets one key begin its turn in each round of the event loop, so that requests are answered in between: a resync
    wakes thousands of keys at once, and each turn takes a millisecond. What a turn waits for keeps nobody waiting."""

    def __init__(self) -> None:
        self._queue: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def enter(self) -> None:
        """Return when it is the caller's turn, in the order in which they came."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn)
            return
        self._queue.append(waiting := loop.create_future())
        await waiting

    def _turn(self) -> None:
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.done():
                waiting.set_result(None)
                waiting.get_loop().call_soon(self._turn)
                return
        self._turning = False


@dataclass(slots=True)
class _Worker:
    woken: asyncio.Event
    task: asyncio.Task[None]


class Controller:
    """Works on the keys of one kind. `run` ends only by cancellation, or when the term is over."""

    def __init__(
        self,
        kind: Kind,
        reconciler: Reconciler,
        catalog: Catalog,
        clock: Clock,
        rng: random.Random,
        resync_s: float,
        board: Board,
    ) -> None:
        self._kind, self._reconciler, self._catalog = kind, reconciler, catalog
        self._clock, self._rng, self._resync_s = clock, rng, resync_s
        self._repeats, self._turnstile, self._board = Bucket(clock), Turnstile(), board
        self._workers: dict[Key, _Worker] = {}
        self._group: asyncio.TaskGroup | None = None

    def wake(self, key: Key) -> None:
        """Look at this key soon. Before `run` and after its end nothing happens: the start looks at every key."""
        if self._group is None or key.kind is not self._kind:
            return
        worker = self._workers.get(key)
        if worker is None:
            woken = asyncio.Event()
            task = self._group.create_task(self._work(key, woken), name=f"worker {key}")
            worker = self._workers[key] = _Worker(woken, task)
        worker.woken.set()

    def wake_all(self) -> None:
        for key in list(self._workers):
            self.wake(key)

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                while True:
                    for document in await self._catalog.list(self._kind):
                        self.wake(document.key)
                    await self._clock.sleep(self._resync_s * self._jitter())
        finally:
            self._group = None
            self._workers.clear()

    def _jitter(self) -> float:
        return 1 - RESYNC_JITTER + 2 * RESYNC_JITTER * self._rng.random()

    async def _work(self, key: Key, woken: asyncio.Event) -> None:
        errors = 0
        while True:
            await self._turnstile.enter()
            woken.clear()
            began_s = self._clock.monotonic_s()
            turn, errors = await self._turn(key, errors)
            self._show(key, turn)
            if turn.over and not woken.is_set():
                del self._workers[key]
                return
            took_s = self._clock.monotonic_s() - began_s
            await self._clock.sleep(min(max(took_s, PAUSE_MIN_S), PAUSE_MAX_S))
            if turn.recheck_after_s is None:  # the resync wakes it
                await woken.wait()
            else:
                await self._wait(woken, turn.recheck_after_s)

    def _show(self, key: Key, turn: Turn) -> None:
        if turn.over:
            self._board.gone(key)
        elif turn.rested:
            self._board.looked(key, self._clock.monotonic_s())
        else:
            self._board.changed(key)

    async def _turn(self, key: Key, errors: int) -> tuple[Turn, int]:
        try:
            return await self._reconciler.reconcile(key), 0
        except StaleTermError:
            raise
        except BugError as error:
            log.error("a turn broke a promise", key=str(key), error=str(error))
        except SkepError as error:
            log.warning("a turn failed", key=str(key), error=str(error))
        except Exception:
            log.exception("a turn failed in a way that nobody planned for", key=str(key))
        delay_s = min(ERROR_BASE_S * 2.0**errors, ERROR_CAP_S)
        return Turn(max(delay_s, self._repeats.delay_s())), min(errors + 1, 30)

    async def _wait(self, woken: asyncio.Event, seconds: float) -> None:
        """Until the key is woken, or for `seconds`."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waiting = asyncio.ensure_future(woken.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
