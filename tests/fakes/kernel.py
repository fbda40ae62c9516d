"""What all parts of the simulated world share: time, chance, faults, and who is told of changes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from skep.ports import Clock


@dataclass(frozen=True)
class Timings:
    """How long things take, in seconds; each is spread by `jitter` of itself.

    The rules of SwarmKit are its own: down after 15 s (three missed beats), tasks again after 5 s, a demotion that is
    not safe tried again after 5 s.
    """

    provision_s: float = 1.0
    boot_s: float = 2.0
    destroy_s: float = 1.0
    act_s: float = 0.02
    init_s: float = 0.3
    join_s: float = 0.5
    join_timeout_s: float = 20.0
    call_timeout_s: float = 10.0
    elect_s: float = 6.0
    unreachable_s: float = 3.0
    down_s: float = 15.0
    reconnect_s: float = 1.0
    demote_s: float = 1.0
    demote_retry_s: float = 5.0
    task_start_s: float = 0.6
    task_fail_s: float = 0.3
    task_stop_s: float = 1.0
    restart_s: float = 5.0
    update_begin_s: float = 0.1
    monitor_s: float = 5.0
    load_image_s: float = 2.0
    jitter: float = 0.2


QUICK = Timings(**{name: 0.02 for name in Timings.__dataclass_fields__ if name.endswith("_s")})
"""For contract tests in real time."""


@dataclass
class Faults:
    """How likely each fault is, once per act; all 0 is a calm world.

    refuse: the act is refused and not done. lose: it is done and its answer is lost. slow: it takes `slow_s` more.
    silent: a listing is not answered. stale: a listing is as old as `stale_s`.
    """

    refuse: float = 0.0
    lose: float = 0.0
    slow: float = 0.0
    slow_s: float = 20.0
    silent: float = 0.0
    stale: float = 0.0
    stale_s: float = 5.0


class Observer(Protocol):
    """Looks at the world after every change and says what is wrong with it, or None.

    `by_us` is True for changes that an outward act made, False for those that befell the world.
    """

    def __call__(self, what: str, by_us: bool) -> str | None: ...


@dataclass
class Kernel:
    """`acts` counts every outward act by name; `violations` is what observers said, with the time."""

    clock: Clock
    random: Random
    faults: Faults
    timings: Timings
    acts: Counter[str] = field(default_factory=Counter)
    observers: list[Observer] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    acting: bool = False

    @contextmanager
    def deed(self, by_us: bool) -> Iterator[None]:
        """Whatever changes within is a consequence of an act of ours, if `by_us`."""
        before, self.acting = self.acting, by_us
        try:
            yield
        finally:
            self.acting = before

    def now_s(self) -> float:
        return self.clock.monotonic_s()

    def later(self, seconds: float, act: Callable[..., None], *args: object) -> None:
        asyncio.get_running_loop().call_later(seconds, act, *args)

    def spread(self, seconds: float) -> float:
        jitter = self.timings.jitter
        return seconds * (1 + jitter * (2 * self.random.random() - 1)) if jitter else seconds

    def happens(self, chance: float) -> bool:
        return chance > 0 and self.random.random() < chance

    def identity(self, length: int = 25) -> str:
        return "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))

    async def take(self, seconds: float) -> None:
        """Let an act take its time, and more when it is a slow one."""
        extra_s = self.faults.slow_s if self.happens(self.faults.slow) else 0.0
        await self.clock.sleep(self.spread(seconds) + extra_s)

    def changed(self, what: str, *, by_us: bool) -> None:
        """Something is different now: note it, and let every observer look."""
        by_us = by_us or self.acting
        line = f"{self.now_s():9.3f} {'we' if by_us else '--'} {what}"
        self.history.append(line)
        for observer in self.observers:
            wrong = observer(what, by_us)
            if wrong:
                self.violations.append(f"{line}: {wrong}")
