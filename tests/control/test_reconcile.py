"""Turns that fail, and what people are told meanwhile; turns that find nothing new, and what stays of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.actions import Actions
from skep.control.catalog import Author, Catalog
from skep.control.containers import ContainerActuator
from skep.control.documents import SpecDocument
from skep.control.journal import Journal
from skep.control.levels import Resolved
from skep.control.moment import Now
from skep.control.reconcile import Reconciler, Turn
from skep.control.records import Records
from skep.control.views import key_view
from skep.model.errors import SkepError, StaleTermError, UnavailableError
from skep.model.state import ConditionType, Record
from skep.model.view import KeyView
from skep.specs.canonical import to_json
from tests.control.lab import WEB, Lab
from tests.sim.loop import run


class Plugged:
    """Implements control.levels.Level: on the lab's engine, by way of something that can be away."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self.away = lab, False
        self.error: type[SkepError] = UnavailableError

    async def resolve(self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]) -> Resolved:
        if self.away:
            raise self.error("plugin vagrant does not answer")
        return await self._lab.level.resolve(document, record, await self._lab.book.sight("lab"))

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        await self._lab.level.forget(document.key)


class Desk:
    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.lab, self.store = Lab("alpha"), (store := MemoryStore())
        clock, self.level = self.lab.clock, Plugged(self.lab)
        self.catalog, self.records = Catalog(store, 10), Records(store, clock, 1)
        self.journal, actions = Journal(store, clock, 100), Actions(group, clock, lambda key: None)
        self.reconciler = Reconciler(self.level, self.catalog, self.records, self.journal, actions, clock, Random(1))

    async def turn(self) -> Turn:
        return await self.reconciler.reconcile(WEB.key)

    async def settle(self) -> None:
        await self.catalog.write(WEB.key, to_json(WEB), Author("ann", 0.0), uid="u1")
        while not (await self.turn()).rested:
            await self.lab.clock.sleep(1.0)

    def actuator(self) -> ContainerActuator:
        seen = self.reconciler.seen(WEB.key)
        assert seen
        assert isinstance(seen.actuator, ContainerActuator)
        return seen.actuator

    async def view(self) -> KeyView:
        key, now = WEB.key, Now(self.lab.clock.monotonic_s(), 1000.0)
        document, record = await self.catalog.require(key), await self.records.read(key)
        return key_view(document, record, self.reconciler.seen(key), now, self.reconciler.trouble(key))


def test_nothing_counts_as_done_after_a_look_that_failed_until_the_next_one() -> None:
    """W50, W54: what nobody could look at may be so no more, and who waits is told why."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            desk = Desk(group)
            await desk.settle()
            assert (await desk.view()).converged
            desk.level.away = True
            await desk.lab.clock.sleep(30.0)
            with pytest.raises(UnavailableError):
                await desk.turn()
            view = await desk.view()
            (told,) = [c for c in view.conditions if c.type is ConditionType.UNREACHABLE]
            assert (view.converged, told.status, told.reason) == (False, True, "LookFailed")
            assert told.message == "the last look failed: plugin vagrant does not answer"
            assert told.since_s == pytest.approx(970.0, abs=2.0)
            desk.level.away = False
            assert not (await desk.turn()).rested, "what is shown of it is to be made anew"
            assert (await desk.view()).converged
            assert (await desk.turn()).rested

    run(main)


@pytest.mark.parametrize(("error", "written"), [(UnavailableError, 1), (StaleTermError, 0)])
def test_a_turn_that_fails_writes_what_was_said_unless_somebody_else_numbers_the_events(
    error: type[SkepError], written: int
) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            desk = Desk(group)
            await desk.settle()
            before = len(await desk.store.list("event/"))
            desk.level.away, desk.level.error = True, error
            desk.journal.say(WEB.key, "Configured", "generation 2")
            with pytest.raises(error):
                await desk.turn()
            assert len(await desk.store.list("event/")) == before + written

    run(main)


def test_what_stays_as_it_was_is_as_wanted_for_longer_with_each_look() -> None:
    """W54: who waits is told as soon as it was for long enough, also where no look brings anything new."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            desk = Desk(group)
            await desk.settle()
            left_s = [(await desk.view()).unproven_s]
            while left_s[-1]:
                await desk.lab.clock.sleep(0.5)
                assert (await desk.turn()).rested
                left_s.append((await desk.view()).unproven_s)
            assert 0.0 < left_s[0] <= 2.0
            assert len(left_s) == 1 + -(-left_s[0] // 0.5)

    run(main)


def test_what_stays_as_it_was_stays_the_same_objects() -> None:
    """Of ten thousand keys at rest, new ones in each resync would keep the garbage collector busy."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            desk = Desk(group)
            await desk.settle()
            before, kept = desk.actuator(), {f.container.id: f.container for f in desk.actuator().found}
            assert len(kept) == WEB.count
            held = desk.lab.hosts["alpha"].containers.values()
            for container in held:
                container.shown = replace(container.shown)
            assert (await desk.turn()).rested
            assert desk.actuator() is before
            changed = next(iter(held))
            changed.shown = replace(changed.shown, status="Up 5 minutes")
            assert (await desk.turn()).rested
            now = {f.container.id: f.container for f in desk.actuator().found}
            assert now[changed.shown.id].status == "Up 5 minutes"
            assert [id for id in now if now[id] is not kept[id]] == [changed.shown.id]

    run(main)
