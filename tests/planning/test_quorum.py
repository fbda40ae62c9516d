"""semantics.md 4.1 and 4.2, number by number."""

import pytest

from skep.planning.quorum import majority, may_remove_reachable, may_remove_unreachable


@pytest.mark.parametrize(("members", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_a_majority_is_more_than_half(members: int, needed: int) -> None:
    assert majority(members) == needed


@pytest.mark.parametrize(
    ("reachable_others", "members", "may"),
    [
        (2, 3, True),  # one of three is dead
        (1, 3, False),  # two of three are
        (1, 2, True),
        (3, 5, True),
        (2, 5, False),
        (3, 4, True),
        (1, 4, False),
        (0, 1, False),  # the only one
    ],
)
def test_the_dead_may_leave_while_the_rest_is_a_majority(reachable_others: int, members: int, may: bool) -> None:
    assert may_remove_unreachable(reachable_others, members) is may


@pytest.mark.parametrize(
    ("reachable", "members", "target", "overridden", "may"),
    [
        (5, 5, 3, False, True),  # 4 >= 3 + 1
        (4, 4, 3, False, True),  # 3 >= 2 + 1
        (3, 3, 3, False, False),  # 2 < 2 + 1
        (3, 3, 3, True, True),
        (3, 3, 1, False, True),
        (2, 2, 1, False, True),
        (2, 2, 2, False, False),
        (2, 2, 2, True, True),
        (4, 5, 3, False, False),  # N3: one does not answer
        (4, 5, 3, True, False),
        (1, 1, 1, True, False),  # never the only one
    ],
)
def test_those_that_answer_leave_only_with_a_spare(
    reachable: int, members: int, target: int, overridden: bool, may: bool
) -> None:
    assert may_remove_reachable(reachable, members, target, overridden=overridden) is may
