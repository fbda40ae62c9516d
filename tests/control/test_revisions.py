"""What the history tells: who, when, why, and what each revision changed (semantics.md W48)."""

from dataclasses import replace

import pytest

from skep.control.revisions import changes, history_view
from skep.model.json import RawJson
from skep.model.request import ApplyOptions
from skep.model.spec import Allocation, GroupSpec, PluginRef, Port, Spec, WorkloadSpec
from skep.specs.canonical import to_json
from tests.control.desk import Desk, file
from tests.control.test_intake import at_a_desk
from tests.control.values import WEB
from tests.sim.controller import workload

ONE = WorkloadSpec("web", "web:1", 3, env=(("TOKEN", "tell-no-one"), ("MODE", "a")))


def _group(size: int, data: str) -> GroupSpec:
    instance = PluginRef("instance-sim", RawJson(f'{{"Kind":"{data}"}}'.encode()))
    return GroupSpec("workers", Allocation(size=size), instance, PluginRef("flavor-vanilla"))


CHANGES: list[tuple[str, Spec, Spec, tuple[str, ...]]] = [
    ("nothing", ONE, ONE, ()),
    ("the count", ONE, WorkloadSpec("web", "web:1", 5, env=ONE.env), ("Count 3 -> 5",)),
    ("the image", ONE, WorkloadSpec("web", "web:2", 3, env=ONE.env), ("Image web:1 -> web:2",)),
    ("a field more", ONE, WorkloadSpec("web", "web:1", 3, env=ONE.env, user="u"), ("User none -> u",)),
    ("a list", ONE, WorkloadSpec("web", "web:1", 3, env=ONE.env, args=("a", "b")), ("Args added",)),
    ("another list", replace(ONE, args=("a",)), replace(ONE, args=("b",)), ("Args",)),
    ("no list any more", replace(ONE, ports=(Port(80),)), ONE, ("Ports removed",)),
    ("a long text", ONE, WorkloadSpec("web", "web:1", 3, env=ONE.env, user="u" * 81), ("User",)),
    ("values of Env only by name", ONE, WorkloadSpec("web", "web:1", 3, env=(("MODE", "b"),)), ("Env MODE, TOKEN",)),
    ("the order of Env", ONE, WorkloadSpec("web", "web:1", 3, env=ONE.env[::-1]), ("Env in another order",)),
    ("a group's size", _group(1, "a"), _group(2, "a"), ("Properties.Allocation.Size 1 -> 2",)),
    (
        "its properties",
        _group(1, "a"),
        _group(1, "b"),
        ("Properties.Instance.Properties.Kind a -> b",),
    ),
]


@pytest.mark.parametrize(("before", "after", "told"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_what_changed_is_told_as_users_write_it(before: Spec, after: Spec, told: tuple[str, ...]) -> None:
    assert changes(to_json(before), to_json(after)) == told


def test_each_revision_says_who_when_why_and_what() -> None:
    async def body(desk: Desk) -> None:
        await desk.intake.apply([file(workload("web", 3, "web:1"))], "ann", ApplyOptions(why="first"))
        await desk.intake.apply([file(workload("web", 3, "web:2"))], "bob", ApplyOptions(why="the fix"))
        await desk.intake.scale(WEB, 5, "cid", "the sale")
        await desk.intake.retry(WEB, "ann")
        await desk.intake.remove(WEB, "bob", False, why="over")
        await desk.intake.apply([file(workload("web", 1, "web:3"))], "ann")
        revisions = history_view(await desk.catalog.require(WEB), str)
        assert [(r.generation, r.who, r.why, r.removed, r.changed) for r in revisions] == [
            (6, "ann", "", False, ()),
            (5, "bob", "over", True, ()),
            (4, "ann", "", False, ()),
            (3, "cid", "the sale", False, ("Count 3 -> 5",)),
            (2, "bob", "the fix", False, ("Image web:1 -> web:2",)),
            (1, "ann", "first", False, ()),
        ]
        told = [event.message for event in desk.journal.since(0)]
        assert told[1:3] == ["generation 2 by bob: the fix", "generation 3 by cid: the sale"]
        assert (told[3], told[4]) == ("generation 4 by ann", "generation 5 by bob: over")

    at_a_desk(body)
