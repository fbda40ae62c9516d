"""An asyncio loop whose time is virtual: nothing waits, the clock jumps to the next timer.

A simulation of minutes takes milliseconds and gives the same order of events every time. What would hang in real
time ends at once, with the list of tasks that wait and where.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

# More turns of the loop than this without a step of time is a task that spins.
SPIN_TURNS = 200_000


class StuckError(AssertionError):
    """The simulation can't go on: nothing is ready and no timer is set, time is up, or a task spins."""


class _VirtualSelector(selectors.BaseSelector):
    """Asked to wait, it moves the loop's time instead. Files are registered and never become ready."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.limit_s = float("inf")
        self._turns = 0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("nothing is ready and no timer is set" + _dump())
        if timeout <= 0:
            self._turns += 1
            if self._turns > SPIN_TURNS:
                raise StuckError(f"time stands still at {self.now_s:.3f} s: a task spins" + _dump())
            return []
        self._turns = 0
        if self.now_s + timeout > self.limit_s:
            raise StuckError(f"not done after {self.limit_s:.0f} s of virtual time" + _dump())
        self.now_s += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, number, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Any:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop over `_VirtualSelector`. Threads have no place in it and are refused."""

    def __init__(self, limit_s: float = float("inf")) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)
        self._virtual.limit_s = limit_s
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now_s

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        raise StuckError(f"a thread was asked for in virtual time: {func}")


def run(main: Callable[[], Awaitable[T]], max_virtual_s: float = 3600.0) -> T:
    """What `main()` returns, run in virtual time from 0 s on. StuckError when it can't end within `max_virtual_s`."""

    async def entry() -> T:
        return await main()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(max_virtual_s)) as runner:
        try:
            return runner.run(entry())
        finally:
            # Clean-up of cancelled tasks may take its own time.
            runner.get_loop()._virtual.limit_s = float("inf")  # type: ignore[attr-defined]


class SimClock:
    """ports.Clock over the running loop. `step` makes the wall clock jump, as an administrator or NTP does."""

    def __init__(self, base_s: float = 1_800_000_000.0) -> None:
        self._base_s = base_s

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    def wall_s(self) -> float:
        return self._base_s + self.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def step(self, seconds: float) -> None:
        self._base_s += seconds


def _dump() -> str:
    """Every pending task with the line at which it waits, in order of their names."""
    lines = []
    # No task runs inside select(), and the loop is still the thread's running one.
    for task in sorted(asyncio.all_tasks(asyncio.get_running_loop()), key=lambda task: task.get_name()):
        frames = task.get_stack(limit=1)
        place = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "not started"
        lines.append(f"\n  {task.get_name()} {task.get_coro().__qualname__} at {place}")
    return "".join(lines)
