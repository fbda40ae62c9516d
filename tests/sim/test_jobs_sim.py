"""Jobs in trouble: nothing is run twice that completed, all of it is run, and what fails does so in a stable way (W38,
W54).

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_jobs_sim.py.
"""

import os
from collections import Counter

import pytest

from skep.model.spec import Key
from tests.sim.container_farm import Farm, farmed
from tests.sim.container_hosts import Behaviour
from tests.sim.job_run import LONG, QUICK, Slot, job, run_job_crash, run_jobs, runs_of
from tests.sim.scenario import Document

SEEDS = 60
BATCH = 10
_ONE = os.environ.get("SKEP_SIM_SEED", "")


def swept(side: int, before: Document | None, after: Document) -> list[Counter[Slot]]:
    """A controller is killed before (1) or after (-1) each of its acts, run by run; what was made in each of them."""
    runs: list[Counter[Slot]] = []
    died = True
    while died:
        died, made = run_job_crash(side * (len(runs) + 1), before, after)
        runs.append(made)
    return runs


@pytest.mark.parametrize("side", [1, -1], ids=["before", "after"])
@pytest.mark.parametrize("image", [QUICK, LONG], ids=["quick", "long"])
def test_f3_a_controller_that_dies_at_any_act_of_a_job_runs_each_part_of_it_once(side: int, image: str) -> None:
    runs = swept(side, None, job("web0", 5, image))
    assert len(runs) > 15
    assert all(runs_of(made, "web0") == [1] * 5 for made in runs), runs


def test_f3_more_of_a_job_that_has_completed_makes_only_the_new_ones() -> None:
    runs = swept(1, job("web0", 3, QUICK), job("web0", 6, QUICK))
    assert all(runs_of(made, "web0") == [1] * 6 for made in runs), runs


def test_f3_another_template_of_a_job_is_run_once_too() -> None:
    runs = swept(1, job("web0", 3, QUICK), job("web0", 3, QUICK, note="another"))
    assert all(runs_of(made, "web0") == [1] * 6 for made in runs), runs


@pytest.mark.parametrize("after_s", [0.5, 3.0, 10.0, 40.0])
def test_w49_w54_a_job_that_is_paused_in_its_second_run_neither_repeats_the_first_nor_the_second(
    after_s: float,
) -> None:
    async def body(farm: Farm) -> None:
        assert farm.sim.core is not None
        web = Key.parse("workload/web")
        farm.world.behaviours["web:1"] = Behaviour(exits_after_s=0.5, exit_code=0)
        farm.world.behaviours["web:2"] = Behaviour(exits_after_s=20.0, exit_code=0)
        await farm.apply(3, "web:1", Restart="never")
        await farm.sim.converged(60)
        await farm.apply(3, "web:2", Restart="never")
        await farm.clock.sleep(after_s)
        await farm.sim.core.pause(web, "ann", "to look")
        await farm.clock.sleep(90.0)
        await farm.sim.core.resume(web, "ann")
        await farm.sim.converged(60)
        assert len(farm.made_s()) == 6

    farmed(body, engines=2)


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_jobs_are_right_while_everything_fails_and_complete_when_it_stops(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        run_jobs(seed)
