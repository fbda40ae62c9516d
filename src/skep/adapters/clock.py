"""The time of this machine."""

import asyncio
import time


class SystemClock:
    """ports.Clock over the operating system; `monotonic_s` stands still while the machine sleeps."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
