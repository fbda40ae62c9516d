"""Python's garbage collector, kept from stopping everybody for long.

A full collection looks at every object that there is: with ten thousand workloads it takes a second, in which nobody is
answered (`bench/workload_status.py`). What has outlived one is set aside (`gc.freeze`), so that the next looks only at
what came since. Nearly all that ends is freed by its count of references, set aside or not; what only the collector can
free is found once an hour, when all is looked at again.

Python counts how many objects there are more than at the last collection, and not how many are new: where new ones
take the place of old ones, as in each turn of a key that saw nothing new, the young become tens of thousands before it
looks. So they are looked at ten times a second while there is work (`small_steps`).
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Never

WHOLE_EVERY_S = 3600.0
"""A pause of a second with ten thousand workloads, of milliseconds with a hundred."""


class Freezer:
    """A callback of the collector (`gc.callbacks`). `now_s` is monotonic."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._whole_at_s = now_s() + WHOLE_EVERY_S

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        if phase != "stop" or info["generation"] != 2:
            return
        if self._now_s() < self._whole_at_s:
            gc.freeze()
            return
        self._whole_at_s = self._now_s() + WHOLE_EVERY_S
        gc.unfreeze()


STEP_S, IDLE_STEP_S = 0.1, 1.0
"""200 turns of 8 objects each are looked at within a millisecond. Who has nothing to do wakes up once a second."""

BUSY = 0.1
"""Of a core since the last step: less makes so few objects that the collector's own count is soon enough."""


async def small_steps(
    cpu_s: Callable[[], float] = time.process_time, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> Never:
    """Collect the young while there is work, until cancelled. `cpu_s`: what this process has had of a core."""
    step_s = IDLE_STEP_S
    while True:
        before_s = cpu_s()
        await sleep(step_s)
        is_busy = cpu_s() - before_s > BUSY * step_s
        step_s = STEP_S if is_busy else IDLE_STEP_S
        if is_busy:
            gc.collect(1)


def keep_pauses_short() -> None:
    """From now on and for the whole process."""
    gc.callbacks.append(Freezer(time.monotonic))
