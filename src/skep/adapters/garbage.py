"""Python's garbage collector, kept from stopping everybody for long.

A full collection looks at every object that there is: with ten thousand workloads it takes a second, in which nobody is
answered (`bench/workload_status.py`). What has outlived one is set aside (`gc.freeze`), so that the next looks only at
what came since. Nearly all that ends is freed by its count of references, set aside or not; what only the collector can
free is found once an hour, when all is looked at again.
"""

import gc
import time
from collections.abc import Callable, Mapping

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


def keep_pauses_short() -> None:
    """From now on and for the whole process."""
    gc.callbacks.append(Freezer(time.monotonic))
