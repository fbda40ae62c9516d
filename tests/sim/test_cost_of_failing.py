"""How many creations a workload costs that fails for ever, as docs/specs.md says (semantics.md W10, W30, W32, W33)."""

import pytest

from skep.model.errors import RejectedError
from tests.sim.container_farm import Farm, farmed

COUNT = 20


@pytest.mark.parametrize(
    ("image", "refuses", "fewest", "most"),
    [
        ("web:bad", False, 7 * COUNT, 7 * COUNT),
        ("web:1", True, 8, 10),
        ("web:new", False, 5, 7),
    ],
    ids=["its containers end: each slot by itself", "it is refused: one of all", "no image: one of all"],
)
def test_what_fails_costs_one_creation_in_each_retry_period_of_what_is_counted(
    image: str, refuses: bool, fewest: int, most: int
) -> None:
    async def body(farm: Farm) -> None:
        if refuses:
            [host] = farm.hosts
            host.refusal = lambda act, name: RejectedError("no such network") if act == "create" else None
        await farm.apply(COUNT, image)
        await farm.clock.sleep(400)
        assert fewest <= len(farm.attempts("create")) <= most

    farmed(body)
