"""What skep writes by itself when a roll has failed (semantics.md W46, W47), and under which term."""

from typing import Literal

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.documents import SpecDocument
from skep.control.failed_rolls import FailedRolls
from skep.control.pauses import as_settled
from skep.control.records import Records
from skep.model.errors import StaleTermError, UnavailableError
from skep.model.plan import ActionKind
from skep.model.state import Desired, Failure, Ledger, Limits, Record
from tests.control.desk import Desk
from tests.control.test_intake import at_a_desk
from tests.control.values import WEB
from tests.sim.controller import workload
from tests.sim.loop import SimClock

ENDED = Failure("1", ActionKind.START, 3, 300.0, "exit 1", "m1")
SETTLED = Record(WEB, observed_generation=2, ledger=Ledger(failures=(ENDED,)), begun=2, settled=1)


class Unwritable(MemoryStore):
    """The store of records of a controller that dies before it writes one."""

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        raise UnavailableError("it is gone")


async def _answered(
    desk: Desk, term: int, action: Literal["pause", "rollback"], store: MemoryStore | None = None, **first: object
) -> SpecDocument:
    """The document after the answer to a second generation that failed; `store` is for the records, and `first` what
    the first generation said besides."""
    await desk.apply(workload("web", 2, "web:1") | first)
    await desk.apply(workload("web", 2, "web:2"))
    clock = SimClock()
    records = Records(store or desk.store, clock, term)
    await records.read(WEB)
    desired = Desired(WEB, 2, 2, "f", numbered=True, limits=Limits(failure_action=action))
    rolls = FailedRolls(desk.catalog, records, desk.journal, clock)
    assert await rolls.answer(await desk.catalog.require(WEB), SETTLED, desired, "1 of 2 failed")
    return await desk.catalog.require(WEB)


def test_w47_it_goes_back_as_a_new_generation_or_stands_still_as_the_same() -> None:
    async def body(desk: Desk) -> None:
        after = await _answered(desk, await desk.store.acquire("one"), "rollback")
        assert (after.generation, after.history[0].automatic, after.spec) == (3, True, after.history[2].spec)
        assert after.history[0].why == "generation 2 failed: 1 of 2 failed"

    async def still(desk: Desk) -> None:
        after = await _answered(desk, await desk.store.acquire("one"), "pause")
        assert after.generation == 2
        assert after.paused
        assert (after.paused.automatic, after.paused.settled) == (True, after.history[1].spec)

    at_a_desk(body)
    at_a_desk(still)


def test_w42_w54_what_serves_does_not_go_back_to_a_job_that_has_completed() -> None:
    async def body(desk: Desk) -> None:
        after = await _answered(desk, await desk.store.acquire("one"), "rollback", Restart="never")
        assert after.generation == 2
        assert after.paused
        assert as_settled(after).spec == after.spec

    at_a_desk(body)


@pytest.mark.parametrize("action", ["pause", "rollback"])
def test_f15_whose_term_is_over_neither_goes_back_nor_pauses(action: Literal["pause", "rollback"]) -> None:
    """Its look is an old one, and another controller has the roll now."""

    async def body(desk: Desk) -> None:
        term = await desk.store.acquire("one")
        await desk.store.acquire("another")
        with pytest.raises(StaleTermError):
            await _answered(desk, term, action)
        document = await desk.catalog.require(WEB)
        assert (document.generation, document.paused) == (2, None)

    at_a_desk(body)


def test_w38_what_stands_still_has_forgiven_what_the_failed_template_did_even_after_a_crash() -> None:
    """Else slots that ended too often stay empty, and nothing but a new spec fills them."""

    async def body(desk: Desk) -> None:
        with pytest.raises(UnavailableError):
            await _answered(desk, await desk.store.acquire("one"), "pause", Unwritable())
        assert (await desk.catalog.require(WEB)).paused is None

    at_a_desk(body)
