"""The loop in virtual time: who has a turn when (semantics.md W1-W3, W6)."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from random import Random

import pytest
from structlog.testing import capture_logs

from skep.adapters.store_memory import MemoryStore
from skep.control.board import Board
from skep.control.catalog import Author, Catalog
from skep.control.controller import PAUSE_MAX_S, PAUSE_MIN_S, Bucket, Controller
from skep.control.documents import SpecDocument
from skep.control.reconcile import Turn
from skep.model.errors import BugError, StaleTermError, UnavailableError
from skep.model.spec import Key, Kind
from skep.model.view import KeyView
from tests.control.values import WEB, WORKERS
from tests.sim.loop import SimClock, run

RESYNC_S = 30.0
OTHER = Key(Kind.WORKLOAD, "other")


class Turns:
    """Stands where the reconciler does: notes who has a turn, and does what a test says."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self.times: dict[Key, list[float]] = {}
        self.at_once: Counter[Key] = Counter()
        self.most_at_once = 0
        self.does: Callable[[Key], Awaitable[Turn]] = self._nothing

    async def _nothing(self, key: Key) -> Turn:
        return Turn()

    async def reconcile(self, key: Key) -> Turn:
        self.times.setdefault(key, []).append(self._clock.monotonic_s())
        self.at_once[key] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[key])
        try:
            return await self.does(key)
        finally:
            self.at_once[key] -= 1

    def count(self, key: Key = WEB) -> int:
        return len(self.times.get(key, ()))


class Bench:
    def __init__(self, resync_s: float = RESYNC_S) -> None:
        self.clock = SimClock()
        self.turns = Turns(self.clock)
        self.catalog = Catalog(MemoryStore(), 10)
        self.controller = Controller(
            Kind.WORKLOAD,
            self.turns,  # type: ignore[arg-type]
            self.catalog,
            self.clock,
            Random(1),
            resync_s,
            Board(self._never),
        )

    async def _never(self, document: SpecDocument) -> tuple[KeyView, float | None]:
        raise AssertionError("nobody asks")

    async def add(self, *keys: Key) -> None:
        for key in keys:
            await self.catalog.write(key, b"{}", Author("ann", 0.0), uid="u")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.controller.run())
        await self.clock.sleep(1.0)
        yield task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def on_a_bench(body: Callable[[Bench], Awaitable[None]], resync_s: float = RESYNC_S) -> None:
    async def main() -> None:
        await body(Bench(resync_s))

    run(main)


def test_the_start_looks_at_every_key_of_its_kind() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB, OTHER, WORKERS)
        async with bench.running():
            assert set(bench.turns.times) == {WEB, OTHER}

    on_a_bench(body)


def test_a_hundred_wake_ups_during_a_turn_are_one_further_turn() -> None:
    """W2."""

    async def body(bench: Bench) -> None:
        await bench.add(WEB)
        blocked = asyncio.Event()

        async def wait(key: Key) -> Turn:
            await blocked.wait()
            return Turn()

        bench.turns.does = wait
        async with bench.running():
            for _ in range(100):
                bench.controller.wake(WEB)
                await asyncio.sleep(0)
            blocked.set()
            await bench.clock.sleep(5.0)
            assert (bench.turns.count(), bench.turns.most_at_once) == (2, 1)

    on_a_bench(body)


def test_a_burst_of_wake_ups_of_an_idle_key_is_at_most_two_turns() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB)
        async with bench.running():
            for _ in range(100):
                bench.controller.wake(WEB)
            await bench.clock.sleep(5.0)
            assert bench.turns.count() == 2

    on_a_bench(body)


def test_without_any_event_each_key_is_looked_at_every_resync() -> None:
    """W6: 30 s, 10 % to either side."""

    async def body(bench: Bench) -> None:
        await bench.add(WEB)
        async with bench.running():
            await bench.clock.sleep(20 * RESYNC_S)
        times = bench.turns.times[WEB]
        gaps = [late - early for early, late in pairwise(times)]
        assert 18 <= len(gaps) <= 23
        assert all(0.9 * RESYNC_S <= gap <= 1.1 * RESYNC_S for gap in gaps)
        assert len(set(gaps)) > 10

    on_a_bench(body)


def test_a_turn_says_when_time_alone_may_change_the_answer() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB)

        async def soon(key: Key) -> Turn:
            return Turn(recheck_after_s=1.0)

        bench.turns.does = soon
        async with bench.running():
            await bench.clock.sleep(8.7)
            assert bench.turns.count() == 10

    on_a_bench(body)


@pytest.mark.parametrize("error", [UnavailableError("no answer"), BugError("no"), ValueError("surprise")])
def test_a_failing_key_backs_off_alone(error: Exception) -> None:
    """W3."""

    async def body(bench: Bench) -> None:
        await bench.add(WEB, OTHER)

        async def fail(key: Key) -> Turn:
            if key == WEB:
                raise error
            return Turn(recheck_after_s=1.0)

        bench.turns.does = fail
        async with bench.running():
            await bench.clock.sleep(300.0)
        times = bench.turns.times[WEB]
        gaps = [late - early for early, late in pairwise(times)]
        assert gaps[:8] == pytest.approx([0.005 * 2**n + PAUSE_MIN_S for n in range(8)])
        assert max(gaps) <= RESYNC_S * 1.1
        assert len(gaps) < 30
        assert bench.turns.count(OTHER) > 250

    with capture_logs() as logs:
        on_a_bench(body)
    assert logs


def test_without_a_resync_the_wait_of_a_failing_key_ends_at_a_thousand_seconds() -> None:
    """W3."""

    async def body(bench: Bench) -> None:
        await bench.add(WEB)

        async def fail(key: Key) -> Turn:
            raise UnavailableError("no answer")

        bench.turns.does = fail
        async with bench.running():
            await bench.clock.sleep(3500.0)
        gaps = [late - early for early, late in pairwise(bench.turns.times[WEB])]
        assert gaps[15:] == pytest.approx([163.84, 327.68, 655.36, 1000.0, 1000.0], abs=0.1)

    with capture_logs():
        on_a_bench(body, resync_s=1e6)


def test_success_ends_the_back_off() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB)
        answers = iter([False] * 6 + [True, False])

        async def sometimes(key: Key) -> Turn:
            if next(answers, True):
                return Turn(recheck_after_s=1.0)
            raise UnavailableError("no answer")

        bench.turns.does = sometimes
        async with bench.running():
            await bench.clock.sleep(60.0)
        times = bench.turns.times[WEB]
        assert times[8] - times[7] == pytest.approx(0.005 + PAUSE_MIN_S)

    with capture_logs():
        on_a_bench(body)


def test_the_keys_that_fail_together_are_repeated_at_ten_a_second() -> None:
    """W3: after the first hundred, however many there are."""

    async def main() -> None:
        bucket, clock = Bucket(SimClock()), SimClock()
        assert [bucket.delay_s() for _ in range(100)] == [0.0] * 100
        assert [bucket.delay_s() for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
        await clock.sleep(1.0)
        assert bucket.delay_s() == 0.0
        await clock.sleep(100.0)
        assert [bucket.delay_s() for _ in range(101)] == pytest.approx([0.0] * 100 + [0.1])

    run(main)


def test_a_world_that_fails_for_every_key_is_not_asked_by_all_at_once() -> None:
    """W3."""

    async def body(bench: Bench) -> None:
        keys = [Key(Kind.WORKLOAD, f"w{number}") for number in range(200)]
        await bench.add(*keys)

        async def fail(key: Key) -> Turn:
            raise UnavailableError("no answer")

        bench.turns.does = fail
        async with bench.running():
            await bench.clock.sleep(9.0)
        assert sum(map(bench.turns.count, keys)) <= len(keys) + 100 + 10 * 10 + 1

    with capture_logs():
        on_a_bench(body)


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.0, PAUSE_MIN_S), (0.005, 0.005), (3.0, PAUSE_MAX_S)])
def test_a_key_rests_for_as_long_as_its_turn_took(took_s: float, pause_s: float) -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB)

        async def work(key: Key) -> Turn:
            await bench.clock.sleep(took_s)
            bench.controller.wake(WEB)
            return Turn()

        bench.turns.does = work
        async with bench.running():
            await bench.clock.sleep(10.0)
        first, second = bench.turns.times[WEB][:2]
        assert second - first == pytest.approx(took_s + pause_s)

    on_a_bench(body)


def test_a_key_that_is_over_is_no_longer_looked_at_until_it_comes_back() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB)

        async def over(key: Key) -> Turn:
            await bench.catalog.forget(WEB, 1)
            return Turn(over=True)

        bench.turns.does = over
        async with bench.running():
            await bench.clock.sleep(100.0)
            assert bench.turns.count() == 1
            bench.controller.wake_all()
            await bench.clock.sleep(1.0)
            assert bench.turns.count() == 1
            bench.controller.wake(WEB)
            await bench.clock.sleep(1.0)
            assert bench.turns.count() == 2

    on_a_bench(body)


def test_a_key_that_comes_back_during_its_last_turn_gets_another() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB)

        async def over(key: Key) -> Turn:
            if bench.turns.count() == 1:
                bench.controller.wake(WEB)
            return Turn(over=True)

        bench.turns.does = over
        async with bench.running():
            await bench.clock.sleep(5.0)
            assert bench.turns.count() == 2

    on_a_bench(body)


def test_all_ends_when_the_term_is_over() -> None:
    async def body(bench: Bench) -> None:
        await bench.add(WEB, OTHER)

        async def stale(key: Key) -> Turn:
            if key == WEB:
                raise StaleTermError("another controller has taken over")
            return Turn(recheck_after_s=0.1)

        bench.turns.does = stale
        with pytest.raises(ExceptionGroup) as caught:
            await bench.controller.run()
        assert caught.group_contains(StaleTermError)
        turns = bench.turns.count(OTHER)
        bench.controller.wake(OTHER)
        await bench.clock.sleep(60.0)
        assert bench.turns.count(OTHER) == turns

    on_a_bench(body)


def test_keys_of_another_kind_are_not_woken() -> None:
    async def body(bench: Bench) -> None:
        async with bench.running():
            bench.controller.wake(WORKERS)
            await bench.clock.sleep(1.0)
            assert not bench.turns.times

    on_a_bench(body)


def test_while_thousands_have_their_turn_others_are_answered_in_between() -> None:
    """A request is a few rounds of the loop: it takes as many turns' time, and not that of all that were woken."""

    async def body(bench: Bench) -> None:
        keys = [Key(Kind.WORKLOAD, f"w{n}") for n in range(1000)]
        await bench.add(*keys)
        async with bench.running():
            before = sum(map(bench.turns.count, keys))
            bench.controller.wake_all()
            for _ in range(20):
                await asyncio.sleep(0)
            assert 0 < sum(map(bench.turns.count, keys)) - before <= 20
            await bench.clock.sleep(1.0)
            assert sum(map(bench.turns.count, keys)) - before == len(keys)

    on_a_bench(body)


def test_one_that_waits_in_its_turn_keeps_no_other_waiting() -> None:
    """F7: an engine that does not answer is a matter of its own keys."""

    async def body(bench: Bench) -> None:
        await bench.add(WEB, OTHER)

        async def hang(key: Key) -> Turn:
            await (asyncio.Event().wait() if key == WEB else asyncio.sleep(0))
            return Turn()

        bench.turns.does = hang
        async with bench.running():
            for _ in range(5):
                bench.controller.wake(OTHER)
                await bench.clock.sleep(1.0)
            assert (bench.turns.count(WEB), bench.turns.count(OTHER)) == (1, 6)

    on_a_bench(body)
