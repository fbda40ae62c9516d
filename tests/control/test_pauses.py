"""Roll-outs that stand still (semantics.md W49): what is kept with the spec, and which template is followed then."""

from dataclasses import replace

import pytest

from skep.control.catalog import Author
from skep.control.documents import SpecDocument, decode, encode, spec_of
from skep.control.pauses import as_begun, as_settled, paused_by, standing_still
from skep.model.errors import NotFoundError, RefusedError
from skep.model.spec import Key, WorkloadSpec
from skep.model.state import Desired, Record
from tests.control.desk import Desk
from tests.control.test_intake import at_a_desk
from tests.control.values import WEB, WORKERS
from tests.sim.controller import workers, workload


def _follows(document: SpecDocument) -> tuple[str, int]:
    spec = spec_of(document.spec)
    assert isinstance(spec, WorkloadSpec)
    return spec.image, spec.count


async def _web(desk: Desk) -> SpecDocument:
    return await desk.catalog.require(WEB)


def test_a_pause_is_no_revision_and_is_told_with_its_reason() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        before = await _web(desk)
        change = await desk.intake.pause(WEB, Record(WEB, begun=1, settled=1), "ann", "to look")
        assert (change.change, change.generation) == ("paused", 1)
        after = await _web(desk)
        assert replace(after, paused=None) == before
        assert paused_by(after) == "by ann: to look"
        assert (await desk.intake.pause(WEB, Record(WEB), "bob")).change == "unchanged"
        assert paused_by(await _web(desk)) == "by ann: to look"
        assert (await desk.intake.resume(WEB, "bob")).change == "resumed"
        assert (await desk.intake.resume(WEB, "bob")).change == "unchanged"
        assert await _web(desk) == before
        assert [(e.reason, e.message) for e in desk.journal.since(0)][1:] == [
            ("Paused", "generation 1 by ann: to look"),
            ("Resumed", "generation 1 by bob"),
        ]
        assert desk.woken == [WEB] * 3

    at_a_desk(body)


def test_what_is_applied_meanwhile_is_stored_and_only_its_count_is_followed() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        await desk.intake.pause(WEB, Record(WEB, begun=1, settled=1), "ann")
        for n in range(2, 20):  # more than the history remembers
            await desk.apply(workload("web", n, f"web:{n}"))
        document = await _web(desk)
        assert (document.generation, _follows(document)) == (19, ("web:19", 19))
        assert _follows(as_settled(document)) == _follows(as_begun(document)) == ("web:1", 19)
        await desk.intake.resume(WEB, "ann")
        document = await _web(desk)
        assert as_settled(document) is as_begun(document) is document

    at_a_desk(body)


def test_in_the_middle_of_a_roll_healing_follows_what_was_there_before_and_a_swarm_ends_what_it_began() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        await desk.apply(workload("web", 2, "web:2"))
        await desk.intake.pause(WEB, Record(WEB, begun=2, settled=1), "ann")
        document = await _web(desk)
        assert _follows(as_settled(document)) == ("web:1", 2)
        assert _follows(as_begun(document)) == ("web:2", 2)

    at_a_desk(body)


def test_what_nobody_has_looked_at_yet_is_not_begun() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        await desk.apply(workload("web", 2, "web:2"))
        await desk.intake.pause(WEB, Record(WEB, begun=1, settled=1), "ann")
        assert _follows(as_begun(await _web(desk))) == ("web:1", 2)

    at_a_desk(body)


def test_one_that_never_ran_follows_what_was_asked_for() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        await desk.intake.pause(WEB, Record(WEB), "ann")
        document = await _web(desk)
        assert as_settled(document).spec == as_begun(document).spec == document.spec

    at_a_desk(body)


def test_it_goes_with_the_life_of_the_name_and_not_before() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        await desk.intake.pause(WEB, Record(WEB), "ann")
        await desk.intake.free(WEB, "ann")
        await desk.apply(workload("web", 2, "web:2"))
        assert paused_by(await _web(desk)) == "by ann"
        await desk.intake.remove(WEB, "ann", False)
        document = await _web(desk)
        assert as_settled(document) is as_begun(document) is document
        with pytest.raises(RefusedError, match="being removed"):
            await desk.intake.pause(WEB, Record(WEB), "ann")
        await desk.apply(workload("web", 2, "web:3"))
        assert paused_by(await _web(desk)) == ""

    at_a_desk(body)


def test_groups_are_paused_alike_and_what_is_not_there_is_told() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workers(2))
        await desk.intake.pause(WORKERS, Record(WORKERS, begun=1, settled=1), "ann")
        await desk.apply(workers(5))
        document = await desk.catalog.require(WORKERS)
        assert as_settled(document).spec == document.spec
        nobody = Key.parse("group/nobody")
        with pytest.raises(NotFoundError):
            await desk.intake.pause(nobody, Record(nobody), "ann")
        with pytest.raises(NotFoundError):
            await desk.intake.resume(nobody, "ann")

    at_a_desk(body)


def test_a_document_keeps_its_pause_and_one_from_before_there_were_pauses_has_none() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 2, "web:1"))
        before = await _web(desk)
        older = encode(before).replace(b',"paused":null', b"")
        assert older != encode(before)
        assert decode(SpecDocument, older) == before
        await desk.intake.pause(WEB, Record(WEB), "ann")
        assert decode(SpecDocument, encode(await _web(desk))) == await _web(desk)

    at_a_desk(body)


def test_the_planner_is_told_who_paused_it_and_whether_anything_waits() -> None:
    async def body(desk: Desk) -> None:
        desired = Desired(WEB, 2, 2, "f")
        await desk.apply(workload("web", 2, "web:1"))
        document = await _web(desk)
        assert standing_still(desired, document, as_settled(document)) is desired
        await desk.intake.pause(WEB, Record(WEB, begun=1, settled=1), "ann")
        document = await _web(desk)
        still = standing_still(desired, document, as_settled(document))
        assert (still.paused, still.withheld) == ("by ann", False)
        await desk.apply(workload("web", 4, "web:1"))
        document = await _web(desk)
        assert not standing_still(desired, document, as_settled(document)).withheld
        await desk.apply(workload("web", 4, "web:2"))
        document = await _web(desk)
        assert standing_still(desired, document, as_settled(document)).withheld
        removed = await desk.catalog.mark_removed(WEB, Author("ann", 1.0))
        assert standing_still(desired, removed, as_settled(removed)) is desired

    at_a_desk(body)
