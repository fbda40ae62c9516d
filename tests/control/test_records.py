"""Records: fenced by the term, written when they change, with the phases that actions reached meanwhile."""

import asyncio

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.documents import encode_record, record_path
from skep.control.records import Records
from skep.model.errors import BugError, ConflictError, RefusedError, StaleTermError, UnavailableError
from skep.model.state import Phase, Record
from skep.planning.backoff import RESTART_CAP_S
from tests.control.values import WORKERS, creation, failure, ledger
from tests.sim.loop import SimClock, run


async def begun(store: MemoryStore, clock: SimClock | None = None) -> Records:
    return Records(store, clock or SimClock(), await store.acquire("test"))


async def version(store: MemoryStore) -> int:
    stored = await store.get(record_path(WORKERS))
    return stored.version if stored else 0


async def test_a_key_without_a_record_has_an_empty_one() -> None:
    assert await (await begun(MemoryStore())).read(WORKERS) == Record(WORKERS)


async def test_of_a_question_about_a_key_nothing_is_kept() -> None:
    """Only a turn reads what it is going to write; a name that people made up is forgotten."""
    store = MemoryStore()
    records = await begun(store)
    assert await records.glance(WORKERS) == Record(WORKERS)
    with pytest.raises(ConflictError, match="since it was read"):
        await records.write(Record(WORKERS, 3))
    await records.read(WORKERS)
    await records.write(Record(WORKERS, 3))
    assert await records.glance(WORKERS) == await (await begun(store)).glance(WORKERS) == Record(WORKERS, 3)


async def test_a_record_that_did_not_change_is_not_written() -> None:
    store = MemoryStore()
    records = await begun(store)
    record = Record(WORKERS, 3, ledger=ledger(creation()))
    await records.read(WORKERS)
    await records.write(record)
    before = await version(store)
    await records.write(record)
    assert await version(store) == before > 0


async def test_a_turn_keeps_the_phases_that_actions_reached_since_it_began() -> None:
    store = MemoryStore()
    records = await begun(store)
    record = Record(WORKERS, 1, ledger=ledger(creation("r1"), creation("r2")))
    await records.read(WORKERS)
    await records.write(record)
    await records.advance(WORKERS, "r1", Phase.PREPARE)
    await records.write(Record(WORKERS, 2, ledger=record.ledger))
    kept = await (await begun(store)).read(WORKERS)
    assert (kept.observed_generation, [e.phase for e in kept.ledger.entries]) == (2, [Phase.PREPARE, Phase.BEGUN])


async def test_nobody_advances_after_the_term() -> None:
    """F15."""
    store = MemoryStore()
    old = await begun(store)
    await old.read(WORKERS)
    await old.write(Record(WORKERS, 1, ledger=ledger(creation())))
    await begun(store)
    with pytest.raises(StaleTermError):
        await old.advance(WORKERS, "r1", Phase.PROVISION)


async def test_a_phase_that_was_reached_before_is_asked_for_again() -> None:
    """The store is asked although nothing changes: after the term the same phase is refused too."""
    store = MemoryStore()
    old = await begun(store)
    await old.read(WORKERS)
    await old.write(Record(WORKERS, 1, ledger=ledger(creation(phase=Phase.PROVISION))))
    await old.advance(WORKERS, "r1", Phase.PROVISION)
    await begun(store)
    with pytest.raises(StaleTermError):
        await old.advance(WORKERS, "r1", Phase.PROVISION)


class SlowStore(MemoryStore):
    """Takes a moment for each write, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        await asyncio.sleep(0.01)
        self.puts += 1
        return await super().put(key, value, version=version, term=term)


MANY = [f"r{number}" for number in range(100)]


async def begun_with_many(store: MemoryStore) -> Records:
    records = await begun(store)
    await records.read(WORKERS)
    await records.write(Record(WORKERS, 1, ledger=ledger(*map(creation, MANY))))
    return records


async def phases(store: MemoryStore) -> set[Phase]:
    return {entry.phase for entry in (await (await begun(store)).read(WORKERS)).ledger.entries}


def test_actions_that_advance_at_the_same_moment_share_a_write() -> None:
    async def body() -> None:
        store = SlowStore()
        records = await begun_with_many(store)
        await asyncio.gather(*(records.advance(WORKERS, request, Phase.PREPARE) for request in MANY))
        assert (store.puts, await phases(store)) == (2, {Phase.PREPARE})

    run(body)


def test_actions_that_advance_during_a_write_share_the_next_one() -> None:
    async def body() -> None:
        store = SlowStore()
        records = await begun_with_many(store)
        first = asyncio.ensure_future(records.advance(WORKERS, MANY[0], Phase.PREPARE))
        await asyncio.sleep(0.005)
        rest = [asyncio.ensure_future(records.advance(WORKERS, request, Phase.PREPARE)) for request in MANY[1:]]
        await first
        assert not any(task.done() for task in rest)
        await asyncio.gather(*rest)
        assert (store.puts, await phases(store)) == (3, {Phase.PREPARE})

    run(body)


def test_a_write_that_is_refused_forbids_all_who_share_it() -> None:
    """F15."""

    async def body() -> None:
        store = SlowStore()
        old = await begun_with_many(store)
        await begun(store)
        answers = await asyncio.gather(
            *(old.advance(WORKERS, request, Phase.PREPARE) for request in MANY), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {StaleTermError}
        assert await phases(store) == {Phase.BEGUN}

    run(body)


def test_who_shares_a_write_that_is_cut_off_may_not_act() -> None:
    async def body() -> None:
        store = SlowStore()
        records = await begun_with_many(store)
        first, other = (asyncio.ensure_future(records.advance(WORKERS, request, Phase.PREPARE)) for request in MANY[:2])
        await asyncio.sleep(0.001)
        first.cancel()
        with pytest.raises(UnavailableError):
            await other
        await records.advance(WORKERS, MANY[1], Phase.PREPARE)
        assert await phases(store) == {Phase.PREPARE, Phase.BEGUN}

    run(body)


async def test_after_a_conflict_the_record_is_read_again() -> None:
    store = MemoryStore()
    records = await begun(store)
    await records.read(WORKERS)
    await store.put(record_path(WORKERS), encode_record(Record(WORKERS, 7), 0.0, 0.0))
    with pytest.raises(ConflictError):
        await records.write(Record(WORKERS, 1))
    with pytest.raises(ConflictError):
        await records.write(Record(WORKERS, 1))
    assert (await records.read(WORKERS)).observed_generation == 7


async def test_what_is_erased_is_forgotten_and_only_under_the_term() -> None:
    store = MemoryStore()
    records = await begun(store)
    await records.read(WORKERS)
    await records.write(Record(WORKERS, 1))
    await records.erase(WORKERS)
    assert (await version(store), await records.read(WORKERS)) == (0, Record(WORKERS))
    await begun(store)
    with pytest.raises(StaleTermError):
        await records.erase(WORKERS)


def test_a_back_off_survives_a_restart_as_what_is_left_of_it() -> None:
    async def body() -> None:
        store, clock = MemoryStore(), SimClock()
        await clock.sleep(1000.0)
        records = await begun(store, clock)
        await records.read(WORKERS)
        await records.write(Record(WORKERS, 1, ledger=ledger(failures=(failure(retry_s=1050.0),))))
        await clock.sleep(20.0)
        assert await left(store, clock) == pytest.approx(30.0)
        clock.step(-3600.0)
        assert await left(store, clock) == pytest.approx(RESTART_CAP_S)
        clock.step(7200.0)
        assert await left(store, clock) < 0

    async def left(store: MemoryStore, clock: SimClock) -> float:
        [found] = (await (await begun(store, clock)).read(WORKERS)).ledger.failures
        return found.retry_s - clock.monotonic_s()

    run(body)


async def test_a_record_that_is_too_large_is_our_bug() -> None:
    records = await begun(MemoryStore())
    await records.read(WORKERS)
    with pytest.raises(BugError, match="more than 524288"):
        await records.write(Record(WORKERS, 1, image="x" * 530_000))


async def test_a_record_that_a_newer_skep_wrote_stops_no_start() -> None:
    store = MemoryStore()
    await store.put(record_path(WORKERS), b'{"format":99,"body":{}}', version=0)
    records = await begun(store)
    await records.recall({WORKERS})
    assert records.made_in(WORKERS) == ""
    with pytest.raises(RefusedError, match="format 99"):
        await records.read(WORKERS)


async def test_what_is_known_of_keys_is_read_and_what_nobody_knows_is_erased() -> None:
    store = MemoryStore()
    first = await begun(store)
    await first.read(WORKERS)
    await first.write(Record(WORKERS, made_in="prod"))
    second = await begun(store)
    await second.recall({WORKERS})
    assert (second.made_in(WORKERS), first.made_in(WORKERS)) == ("prod", "prod")
    third = await begun(store)
    await third.recall(())
    assert (third.made_in(WORKERS), await version(store)) == ("", 0)
