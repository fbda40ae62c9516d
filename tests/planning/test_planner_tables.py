"""The planner, row by row; each row also has to please the checker that stands apart."""

import pytest

from skep.planning.check import check_plan
from skep.planning.planner import plan
from tests.planning.notation import ledger, numbered, observed
from tests.planning.row import NOW_S, Row, answer, wanted
from tests.planning.rows import ROWS


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_planner_answers_as_the_table_says(row: Row) -> None:
    assert answer(plan, row) == wanted(row)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_answer_of_the_table_keeps_the_promises(row: Row) -> None:
    seen, under_way = observed(row.members, row.silent), ledger(row.under_way, row.applied)
    assert check_plan(plan(row.desired, seen, under_way, NOW_S), row.desired, seen, under_way) == ()


def test_no_two_rows_have_one_name() -> None:
    assert len({row.holds for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("marks", ["!", "-"], ids=["unhealthy", "stopped"])
def test_w8_no_more_is_done_at_once_than_a_record_holds(marks: str) -> None:
    """A workload may have ten thousand containers, and what is done to each of them is written down first."""
    desired, seen = numbered(700), observed(" ".join(f"{n}=m{n}{marks}@a" for n in range(1, 701)))
    begun = plan(desired, seen, ledger(""), NOW_S)
    assert len(begun.actions) == 500
    busy = ", ".join(f"stop m{n}" for n in range(1, 401))
    assert len(plan(desired, seen, ledger(busy), NOW_S).actions) == 100
    assert check_plan(begun, desired, seen, ledger("")) == ()
