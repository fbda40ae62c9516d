"""Events: numbered for ever, kept up to a number, written down when the store is there."""

import asyncio

from skep.adapters.store_memory import MemoryStore
from skep.control.journal import Journal
from skep.model.errors import UnavailableError
from tests.control.values import WEB
from tests.sim.loop import SimClock, run


class Moody(MemoryStore):
    """Writes fail while it is away."""

    away = False

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        if self.away:
            raise UnavailableError("the disk is full")
        return await super().put(key, value, version=version, term=term)


async def loaded(store: MemoryStore, kept: int = 3) -> Journal:
    journal = Journal(store, SimClock(), kept)
    await journal.load()
    return journal


def test_the_next_controller_goes_on_counting() -> None:
    async def body() -> None:
        store = MemoryStore()
        journal = await loaded(store)
        for n in range(5):
            journal.say(WEB, "Missing", f"event {n}")
        await journal.flush()
        again = await loaded(store)
        assert [e.message for e in again.since(0)] == ["event 2", "event 3", "event 4"]
        assert again.say(WEB, "Missing", "one more").seq == 6
        assert [e.seq for e in again.since(4)] == [5, 6]

    run(body)


def test_no_more_events_are_stored_than_are_kept() -> None:
    async def body() -> None:
        store = MemoryStore()
        journal = await loaded(store)
        for n in range(10):
            journal.say(WEB, "Missing", f"event {n}")
            await journal.flush()
        assert len(await store.list("event/")) == 3

    run(body)


def test_what_could_not_be_written_is_written_later() -> None:
    async def body() -> None:
        store = Moody()
        journal = await loaded(store)
        store.away = True
        journal.say(WEB, "Missing", "event 1")
        await journal.flush()
        store.away = False
        journal.say(WEB, "Missing", "event 2")
        await journal.flush()
        assert [e.message for e in (await loaded(store)).since(0)] == ["event 1", "event 2"]

    run(body)


def test_what_many_keys_say_at_once_is_written_once() -> None:
    async def body() -> None:
        store = Slow()
        journal = await loaded(store, kept=1000)
        await asyncio.gather(*(say(journal, n) for n in range(300)))
        assert store.puts == 300
        assert [e.message for e in (await loaded(store, kept=1000)).since(0)] == [f"event {n}" for n in range(300)]

    async def say(journal: Journal, number: int) -> None:
        journal.say(WEB, "Missing", f"event {number}")
        await journal.flush()

    run(body)


def test_an_event_and_the_end_of_the_oldest_are_asked_of_the_store_together() -> None:
    async def body() -> None:
        store = Slow()
        journal = await loaded(store, kept=1)
        for n in range(2):
            journal.say(WEB, "Missing", f"event {n}")
            await journal.flush()
        assert store.ended_during_puts == 1

    run(body)


class Slow(MemoryStore):
    """Takes a moment for each write, and counts them and the removals that were asked for meanwhile."""

    puts = ended_during_puts = waiting = 0

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        self.puts += 1
        self.waiting += 1
        await asyncio.sleep(0.01)
        self.waiting -= 1
        return await super().put(key, value, version=version, term=term)

    async def delete(self, key: str, *, version: int | None = None, term: int | None = None) -> None:
        self.ended_during_puts += bool(self.waiting)
        await super().delete(key, version=version, term=term)
