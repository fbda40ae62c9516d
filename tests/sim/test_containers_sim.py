"""Containers in trouble: a controller that dies at any of its acts (semantics.md F3), and seeds of all troubles.

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_containers_sim.py.
"""

import os

import pytest

from tests.sim.container_run import run_crash, run_seed
from tests.sim.controller import workload
from tests.sim.scenario import Document

SEEDS = 200
BATCH = 20
_ONE = os.environ.get("SKEP_SIM_SEED", "")


# --- F3: crashes --------------------------------------------------------------------------------------------------


def swept(side: int, before: Document | None, after: Document | None) -> int:
    """A controller is killed before (1) or after (-1) each of its acts, run by run; how many those are."""
    act = 1
    while run_crash(side * act, before, after):
        act += 1
    return act - 1


@pytest.mark.parametrize("side", [1, -1], ids=["before", "after"])
def test_f3_a_controller_that_dies_at_any_act_of_a_scale_from_0_to_10_leaves_exactly_10(side: int) -> None:
    assert swept(side, None, workload("web", 10)) > 30


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (workload("web", 4), workload("web", 4, "web:2")),
        (workload("web", 6), workload("web", 2)),
        (workload("web", 4), workload("web", 5, "web:slow")),
        (workload("web", 4), None),
    ],
    ids=["rolls", "scales down", "rolls to another count", "removes"],
)
def test_w42_a_controller_that_dies_at_any_act_while_it_changes_them_is_safe_and_arrives(
    before: Document, after: Document | None
) -> None:
    assert swept(1, before, after) > 8


# --- seeds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_containers_are_right_while_everything_fails_and_arrive_when_it_stops(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        run_seed(seed)


def test_a_seed_tells_the_same_story_twice() -> None:
    assert run_seed(7) == run_seed(7)
