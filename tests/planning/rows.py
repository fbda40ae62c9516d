"""All rows of the planner's tables."""

from collections.abc import Iterator

from tests.planning.row import Planner, Row, answer, wanted
from tests.planning.rows_of_batches import BATCHES
from tests.planning.rows_of_containers import CONTAINERS
from tests.planning.rows_of_jobs_and_images import JOBS_AND_IMAGES
from tests.planning.rows_of_managers import MANAGERS, SERVICES
from tests.planning.rows_of_pauses import PAUSES
from tests.planning.rows_of_readiness import READINESS
from tests.planning.rows_of_settled import SETTLED
from tests.planning.rows_of_workers import CATTLE, PETS

ROWS = [*CATTLE, *PETS, *MANAGERS, *SERVICES, *BATCHES, *CONTAINERS, *PAUSES, *READINESS, *SETTLED, *JOBS_AND_IMAGES]


def wrong_rows(plan: Planner) -> Iterator[Row]:
    """Rows that this planner answers otherwise."""
    return (row for row in ROWS if answer(plan, row) != wanted(row))
