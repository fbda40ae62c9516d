"""The loop: one worker per key, woken by keys and never by events, and a resync that needs no event at all.

semantics.md W1 (level-based), W2 (one turn of a key at a time, wake-ups merged), W3 (a failing key backs off alone),
W6 (resync whatever the event stream says).
"""

import asyncio
import random
from dataclasses import dataclass

import structlog

from skep.control.catalog import Catalog
from skep.control.reconcile import Reconciler, Turn
from skep.model.errors import BugError, SkepError, StaleTermError
from skep.model.spec import Key, Kind
from skep.ports import Clock

log = structlog.get_logger()

PAUSE_S = 0.02
"""Between two turns of a key: a burst of events becomes one look at the world."""

ERROR_BASE_S, ERROR_CAP_S = 0.1, 30.0
"""A turn that fails is repeated after 0.1 s, then twice as long each time, and at least as often as the resync."""

RESYNC_JITTER = 0.1
"""W6: 10 % to either side."""


@dataclass(slots=True)
class _Worker:
    woken: asyncio.Event
    task: asyncio.Task[None]


class Controller:
    """Works on the keys of one kind. `run` ends only by cancellation, or when the term is over."""

    def __init__(
        self, kind: Kind, reconciler: Reconciler, catalog: Catalog, clock: Clock, rng: random.Random, resync_s: float
    ) -> None:
        self._kind, self._reconciler, self._catalog = kind, reconciler, catalog
        self._clock, self._rng, self._resync_s = clock, rng, resync_s
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
            woken.clear()
            turn, errors = await self._turn(key, errors)
            if turn.over and not woken.is_set():
                del self._workers[key]
                return
            await self._clock.sleep(PAUSE_S)
            await self._wait(woken, turn.recheck_after_s)

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
        return Turn(min(ERROR_BASE_S * 2.0**errors, ERROR_CAP_S)), min(errors + 1, 30)

    async def _wait(self, woken: asyncio.Event, seconds: float | None) -> None:
        """Until the key is woken, or for `seconds`; None waits for the wake-up of the resync."""
        if seconds is None:
            await woken.wait()
            return
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waiting = asyncio.ensure_future(woken.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
