"""The texts of infrakit-compat.md 3.2, byte for byte, and those for what InfraKit can't do."""

import pytest

from skep.model.spec import Allocation
from skep.planning.commit_text import Committed, Live, commit_text


def sized(size: int, sha: str = "new") -> Committed:
    return Committed(Allocation(size), sha)


def named(*ids: str, sha: str = "new") -> Committed:
    return Committed(Allocation(logical_ids=ids), sha)


def live(current: int, outdated: int = 0) -> list[Live]:
    return [Live(None, True)] * current + [Live(None, False)] * outdated


def pets(current: str, outdated: str = "") -> list[Live]:
    return [*(Live(slot, True) for slot in current), *(Live(slot, False) for slot in outdated)]


@pytest.mark.parametrize(
    ("before", "after", "there", "text"),
    [
        (None, sized(5), live(0), "Managing 5 instances"),
        (None, named("a", "b"), live(0), "Managing 2 instances"),
        (None, sized(1), live(1), "Managing 1 instances"),
        (sized(2), sized(2), live(2), "Noop"),
        (sized(2), sized(2), live(1), "Noop"),
        (sized(2, "old"), sized(2), live(2), "Adjusting the instance configuration, no restarts necessary"),
        (sized(2, "old"), sized(2), live(0, 2), "Performing a rolling update on 2 instances"),
        (sized(2), sized(2), live(1, 1), "Performing a rolling update on 1 instances"),
        (sized(5), sized(3), live(5), "Terminating 2 instances to reduce the group size to 3"),
        (sized(5, "old"), sized(3), live(3, 2), "Terminating 2 instances to reduce the group size to 3"),
        (
            sized(5, "old"),
            sized(3),
            live(0, 5),
            "Terminating 2 instances to reduce the group size to 3,  then performing a rolling update on 3 instances",
        ),
        (
            sized(5, "old"),
            sized(3),
            live(2, 3),
            "Terminating 2 instances to reduce the group size to 3,  then performing a rolling update on 1 instances",
        ),
        (sized(5), sized(0), live(5), "Terminating 5 instances to reduce the group size to 0"),
        (sized(5), sized(10), live(5), "Adding 5 instances to increase the group size to 10"),
        (
            sized(5, "old"),
            sized(10),
            live(0, 5),
            "Performing a rolling update on 5 instances, then adding 5 instances to increase the group size to 10",
        ),
        (named("a", "b", sha="old"), named("a", "b"), pets("", "ab"), "Performing a rolling update on 2 instances"),
        (named("a", "b"), named("a", "b"), pets("ab"), "Performing a rolling update on 2 instances"),
    ],
)
def test_infrakits_own_cases(before: Committed | None, after: Committed, there: list[Live], text: str) -> None:
    assert commit_text(before, after, there) == text


@pytest.mark.parametrize(
    ("before", "after", "there", "text"),
    [
        (None, sized(2), live(0, 2), "Managing 2 instances, then performing a rolling update on 2 instances"),
        (None, sized(2), live(1, 4), "Managing 2 instances, then performing a rolling update on 1 instances"),
        (None, sized(2), live(2, 1), "Managing 2 instances"),
        (None, named("a"), pets("x", "a"), "Managing 1 instances, then performing a rolling update on 1 instances"),
        (None, named("a"), pets("a", "x"), "Managing 1 instances"),
        (named("a", "b"), named("b", "a"), pets("ab"), "Performing a rolling update on 2 instances"),
        (named("a", "b"), named("a", "b", "c"), pets("ab"), "Adding 1 instances for new logical IDs"),
        (named("a", "b"), named("a"), pets("ab"), "Terminating 1 instances without a logical ID of the group"),
        (
            named("a", "b", sha="old"),
            named("a", "c"),
            pets("", "ab"),
            "Adding 1 instances for new logical IDs, then terminating 1 instances without a logical ID of the group, "
            "then performing a rolling update on 1 instances",
        ),
        (
            sized(2),
            named("a", "b"),
            live(2),
            "Adding 2 instances for new logical IDs, then terminating 2 instances without a logical ID of the group",
        ),
        (sized(1), named("a"), pets("a"), "Noop"),
        (named("a", "b"), sized(2), pets("ab"), "Adjusting the instance configuration, no restarts necessary"),
        (named("a", "b"), sized(1), pets("ab"), "Terminating 1 instances to reduce the group size to 1"),
    ],
)
def test_what_infrakit_can_not_do_is_told_in_its_words(
    before: Committed | None, after: Committed, there: list[Live], text: str
) -> None:
    """infrakit-compat.md 3.10: G4, G5, G11."""
    assert commit_text(before, after, there) == text
