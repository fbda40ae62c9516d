"""What holds of every plan, whatever the world."""

import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.model.plan import Action, ActionKind, NoteKind, Plan
from skep.model.state import Desired, Entry, Ledger, Observed
from skep.planning.check import check_plan
from skep.planning.planner import plan
from tests.planning.worlds import NOW_S, any_worlds

EXAMPLES = int(os.environ.get("SKEP_EXAMPLES", "200"))

World = tuple[Desired, Observed, Ledger]
often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def make(world: World) -> Plan:
    return plan(*world, NOW_S)


def under_way(world: World, actions: tuple[Action, ...]) -> World:
    """The world a moment later: the same members, and these actions in the ledger."""
    desired, seen, ledger = world
    entries = tuple(_entry(desired, number, action) for number, action in enumerate(actions))
    return desired, seen, replace(ledger, entries=ledger.entries + entries)


def _entry(desired: Desired, number: int, action: Action) -> Entry:
    made = action.kind is ActionKind.CREATE
    fingerprint, replace_sha = (desired.fingerprint, desired.replace_sha) if made else ("", "")
    return Entry(
        f"p{number}",
        action.kind,
        action.reason,
        1,
        action.slot,
        action.member,
        fingerprint,
        replace_sha,
        source=action.source,
    )


@often
@given(any_worlds())
def test_every_plan_keeps_the_promises(world: World) -> None:
    assert check_plan(make(world), *world) == ()


@often
@given(any_worlds(), st.randoms(use_true_random=False))
def test_the_order_of_members_and_entries_does_not_matter(world: World, rng: object) -> None:
    desired, seen, ledger = world
    members, entries = list(seen.members), list(ledger.entries)
    rng.shuffle(members)  # type: ignore[attr-defined]
    rng.shuffle(entries)  # type: ignore[attr-defined]
    shuffled = replace(ledger, entries=tuple(entries))
    assert plan(desired, replace(seen, members=tuple(members)), shuffled, NOW_S) == make(world)


@often
@given(any_worlds(), st.integers(0, 12))
def test_any_prefix_of_a_plan_may_be_carried_out(world: World, length: int) -> None:
    later = under_way(world, make(world).actions[:length])
    assert check_plan(make(later), *later) == ()


@often
@given(any_worlds())
def test_planning_again_with_all_of_it_under_way_adds_nothing(world: World) -> None:
    assert make(under_way(world, make(world).actions)).actions == ()


@often
@given(any_worlds())
def test_a_plan_that_waits_says_when_to_look_again(world: World) -> None:
    made = make(world)
    comes_by_itself = world[0].numbered  # the end of an act wakes its key, and so does what an engine tells
    waits = {NoteKind.BACKING_OFF} & {n.kind for n in made.notes}
    if world[1].silent or waits or (not comes_by_itself and (made.actions or world[2].entries)):
        assert made.recheck_after_s is not None
        assert made.recheck_after_s > 0
