"""Virtual time: it jumps, it is the same every time, and nothing can hang."""

import asyncio
import random
import time

import pytest

from tests.sim.loop import SimClock, StuckError, run


def test_hours_pass_in_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(3000)
        return asyncio.get_running_loop().time()

    began_s = time.monotonic()
    assert run(main) == pytest.approx(3000)
    assert time.monotonic() - began_s < 300


def test_timers_fire_in_their_order_every_time() -> None:
    async def main() -> list[int]:
        order: list[int] = []
        chance = random.Random(7)

        async def member(number: int) -> None:
            for _ in range(5):
                await asyncio.sleep(chance.random())
                order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(member(number))
        return order

    assert run(main) == run(main)


def test_a_deadlock_is_reported_with_the_task_that_waits() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(waits_for_ever(), name="the-one")

    with pytest.raises(StuckError, match=r"the-one .*waits_for_ever"):
        run(main)


def test_time_that_is_up_is_reported() -> None:
    async def main() -> None:
        for _ in range(1_000_000):
            await asyncio.sleep(1)

    with pytest.raises(StuckError, match="not done after 60 s"):
        run(main, max_virtual_s=60)


def test_a_task_that_spins_is_reported() -> None:
    async def main() -> None:
        for _ in range(1_000_000):
            await asyncio.sleep(0)

    with pytest.raises(StuckError, match="spins"):
        run(main)


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(StuckError, match="thread"):
        run(main)


def test_errors_and_timeouts_come_through() -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(main)


def test_the_wall_clock_can_jump_and_the_monotonic_one_does_not() -> None:
    async def main() -> None:
        clock = SimClock(base_s=1000.0)
        await clock.sleep(5)
        clock.step(-3600)
        assert clock.wall_s() == pytest.approx(1005 - 3600)
        assert clock.monotonic_s() == pytest.approx(5)

    run(main)
