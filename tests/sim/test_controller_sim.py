"""The whole controller in seeded trouble. One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_controller_sim.py."""

import os

import pytest

from tests.sim.controller_run import run_crash, run_seed

SEEDS = 500
BATCH = 20
_ONE = os.environ.get("SKEP_SIM_SEED", "")


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_the_controller_is_safe_while_everything_fails_and_arrives_when_it_stops(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        run_seed(seed)


@pytest.mark.parametrize("side", [1, -1], ids=["before", "after"])
def test_a_controller_that_dies_at_any_of_its_acts_leaves_nothing_too_much_or_too_little(side: int) -> None:
    """semantics.md F3: swept over every act of a cluster that comes up from nothing."""
    act = 1
    while run_crash(side * act):
        act += 1
    assert act > 30


def test_a_seed_tells_the_same_story_twice() -> None:
    assert run_seed(7) == run_seed(7)
