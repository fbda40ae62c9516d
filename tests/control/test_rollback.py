"""Going back to an older revision as a new one (semantics.md W48)."""

import pytest

from skep.control.catalog import Author
from skep.control.documents import spec_of
from skep.control.rollback import sized_like
from skep.model.errors import NotFoundError, RefusedError
from skep.model.spec import Allocation, GroupSpec, PluginRef, Spec, WorkloadSpec
from tests.control.desk import Desk, file
from tests.control.test_intake import MANAGERS, at_a_desk
from tests.control.values import WEB
from tests.sim.controller import group, managers, workload

WEB_OF = WorkloadSpec("web", "web:1", 3)
GLOBAL = WorkloadSpec("web", "web:1", 0, mode="global")
PLUGIN = PluginRef("p")
SIZED, NAMED = (GroupSpec("g", allocation, PLUGIN, PLUGIN) for allocation in (Allocation(2), Allocation(0, ("a", "b"))))

SIZES: list[tuple[str, Spec, Spec, int]] = [
    ("a workload has the count of today", WEB_OF, WorkloadSpec("web", "web:2", 7), 7),
    ("one that was global stays without", GLOBAL, WorkloadSpec("web", "web:2", 7), 0),
    ("of a global one there is none to take over", WEB_OF, GLOBAL, 3),
    ("a group has the size of today", SIZED, GroupSpec("g", Allocation(5), PLUGIN, PLUGIN), 5),
    ("and the logical IDs", NAMED, GroupSpec("g", Allocation(0, ("c",)), PLUGIN, PLUGIN), 1),
    ("names are no size", SIZED, NAMED, 2),
    ("a size is no names", NAMED, SIZED, 2),
]


@pytest.mark.parametrize(("older", "present", "count"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_who_scaled_since_then_did_it_for_a_reason(older: Spec, present: Spec, count: int) -> None:
    spec = sized_like(older, present)
    assert (spec.count if isinstance(spec, WorkloadSpec) else spec.allocation.count) == count


async def _three(desk: Desk) -> None:
    """web:1 three times, then five times, then web:2."""
    await desk.apply(workload("web", 3, "web:1"))
    await desk.intake.scale(WEB, 5, "ann")
    await desk.apply(workload("web", 5, "web:2"))


async def _now(desk: Desk) -> tuple[int, str, int, str]:
    document = await desk.catalog.require(WEB)
    spec = spec_of(document.spec)
    assert isinstance(spec, WorkloadSpec)
    return document.generation, spec.image, spec.count, document.history[0].why


def test_w48_it_is_a_new_generation_with_the_old_template_and_the_count_of_today() -> None:
    async def body(desk: Desk) -> None:
        await _three(desk)
        change = await desk.intake.rollback(WEB, 1, "bob")
        assert (change.change, change.generation) == ("configured", 4)
        assert await _now(desk) == (4, "web:1", 5, "rollback to generation 1")
        assert desk.woken == [WEB] * 4

    at_a_desk(body)


def test_without_a_number_it_is_the_last_that_differs_in_more_than_the_count() -> None:
    async def body(desk: Desk) -> None:
        await _three(desk)
        await desk.intake.scale(WEB, 2, "ann")
        await desk.intake.rollback(WEB, None, "bob", "2 loses orders")
        assert await _now(desk) == (5, "web:1", 2, "2 loses orders")
        await desk.intake.rollback(WEB, None, "bob")
        assert (await _now(desk))[:3] == (6, "web:2", 2)

    at_a_desk(body)


async def _undo(desk: Desk) -> None:
    """As skep does when a roll has failed."""
    document = await desk.catalog.require(WEB)
    author = Author("skep", 0.0, f"generation {document.generation} failed: 1 of 3 failed")
    spec = next(r.spec for r in document.history if b"web:2" in r.spec)
    await desk.catalog.undo(document, spec, author, await desk.store.acquire("one"))


def test_w47_what_failed_and_was_undone_is_gone_back_to_only_by_its_number() -> None:
    """Also where it was scaled before it failed."""

    async def body(desk: Desk) -> None:
        for image, count in (("web:1", 3), ("web:2", 3), ("web:bad", 3), ("web:bad", 4)):
            await desk.apply(workload("web", count, image))
        await _undo(desk)
        change = await desk.intake.rollback(WEB, None, "bob")
        assert (await _now(desk))[:2] == (6, "web:1")
        assert change.changed == ("Image web:2 -> web:1",)
        assert (await desk.intake.rollback(WEB, 4, "bob")).changed == ("Image web:1 -> web:bad",)

    at_a_desk(body)


def test_where_all_that_differs_was_undone_there_is_nothing_to_go_back_to() -> None:
    async def body(desk: Desk) -> None:
        for image in ("web:2", "web:bad"):
            await desk.apply(workload("web", 3, image))
        await _undo(desk)
        with pytest.raises(RefusedError, match="differs in more than the count and was not undone"):
            await desk.intake.rollback(WEB, None, "bob")

    at_a_desk(body)


def test_what_it_is_already_is_no_new_generation() -> None:
    async def body(desk: Desk) -> None:
        await _three(desk)
        assert (await desk.intake.rollback(WEB, 3, "bob")).change == "unchanged"
        assert (await _now(desk))[0] == 3

    at_a_desk(body)


def test_what_is_not_kept_was_a_removal_or_is_the_same_is_told() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload("web", 3, "web:1"))
        with pytest.raises(RefusedError, match="no older revision that differs"):
            await desk.intake.rollback(WEB, None, "bob")
        with pytest.raises(NotFoundError, match="no revision 7; it has 1"):
            await desk.intake.rollback(WEB, 7, "bob")
        await desk.intake.remove(WEB, "bob", False)
        with pytest.raises(RefusedError, match="being removed"):
            await desk.intake.rollback(WEB, 1, "bob")
        await desk.apply(workload("web", 3, "web:2"))
        with pytest.raises(RefusedError, match="revision 2 of workload/web is a removal"):
            await desk.intake.rollback(WEB, 2, "bob")
        await desk.intake.rollback(WEB, None, "bob")
        assert (await _now(desk))[1] == "web:1"

    at_a_desk(body)


def test_it_is_refused_where_an_apply_would_be() -> None:
    """N4, N7: the only manager is not replaced."""

    async def body(desk: Desk) -> None:
        three = group("managers", {"LogicalIDs": [f"10.9.0.{n}" for n in (10, 11, 12)]}, "manager", Note="new")
        one = group("managers", {"LogicalIDs": ["10.9.0.10"]}, "manager", Note="new")
        await desk.apply(managers(3))
        await desk.apply(three)
        await desk.intake.apply([file(one)], "ann")
        with pytest.raises(RefusedError, match="has one manager"):
            await desk.intake.rollback(MANAGERS, None, "ann")

    at_a_desk(body)
