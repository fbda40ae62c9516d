"""The planner over a simulated world. One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_planner_sim.py."""

import os

import pytest

from skep.planning.planner import plan
from tests.sim.planner_run import run
from tests.sim.planner_world import BrokenPromiseError

SEEDS = 600
BATCH = 50
_ONE = os.environ.get("SKEP_SIM_SEED", "")


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_the_planner_is_safe_while_the_world_fails_and_arrives_when_it_stops(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        try:
            run(seed, plan)
        except BrokenPromiseError as error:
            pytest.fail(f"seed {seed}: {error}\nalone: SKEP_SIM_SEED={seed} pytest tests/sim/test_planner_sim.py")
