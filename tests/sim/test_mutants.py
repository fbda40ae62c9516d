"""Every breakage of the planner is noticed, and by what: a row of the tables, checker, observer, liveness or waste."""

from collections.abc import Iterator

import pytest

from tests.planning.rows import wrong_rows
from tests.sim.mutants import OF_GROUPS, LostSnippetError, Mutant, forget, planner_of
from tests.sim.mutants_of_containers import OF_CONTAINERS
from tests.sim.planner_containers_run import run_containers
from tests.sim.planner_run import run
from tests.sim.planner_world import BrokenPromiseError, Planner

SEEDS = 80
CONTAINER_SEEDS = 30


@pytest.fixture(autouse=True)
def _clean_modules() -> Iterator[None]:
    yield
    forget()


def killers(plan: Planner, numbered: bool) -> Iterator[str]:
    """Who noticed: the first wrong row, then the first broken run."""
    simulate = run_containers if numbered else run
    row = next(wrong_rows(plan), None)
    if row is not None:
        yield f"table: {row}"
    for seed in range(CONTAINER_SEEDS if numbered else SEEDS):
        try:
            simulate(seed, plan)
        except BrokenPromiseError as error:
            yield f"{error.rule}, seed {seed}"
            return


@pytest.mark.parametrize("mutant", [*OF_GROUPS, *OF_CONTAINERS], ids=str)
def test_a_broken_planner_is_noticed(mutant: Mutant) -> None:
    noticed = list(killers(planner_of(mutant), mutant.numbered))
    print(f"{mutant}: {'; '.join(noticed)}")
    assert noticed


def test_a_mutant_whose_snippet_is_gone_fails_loudly() -> None:
    with pytest.raises(LostSnippetError):
        planner_of(Mutant("nothing", "planner", "no such line in the planner", ""))


def test_an_unbroken_copy_survives() -> None:
    same = Mutant("nothing", "recheck", "CONVERGING_S = 1.0", "CONVERGING_S = 1.0")
    assert list(wrong_rows(planner_of(same))) == []
