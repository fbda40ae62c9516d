import time

from skep.adapters.clock import SystemClock


async def test_the_system_clock_measures_its_own_sleep_and_tells_the_time_of_day() -> None:
    clock = SystemClock()
    before_s = clock.monotonic_s()
    await clock.sleep(0.02)
    assert 0.02 <= clock.monotonic_s() - before_s < 5
    assert abs(clock.wall_s() - time.time()) < 5
