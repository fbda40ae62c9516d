"""Whose machines an update of a service waits for, told by the books of the groups."""

import pytest

from skep.control.documents import SpecDocument
from skep.control.surroundings import STANDSTILL_S, Groups, Standing, is_newer
from skep.control.topology import Place, Topology
from skep.model.plan import ActionKind, Reason
from skep.model.spec import Key, WorkloadSpec
from skep.model.state import Entry, Ledger, Record, Revision, Role
from skep.specs.canonical import to_json
from tests.control.values import WEB, WORKERS
from tests.sim.loop import SimClock, run

GROUP = SpecDocument(WORKERS, "u", 2, False, b"{}", ())
TOLD = "machines of group/workers come and go for its newer spec"


class Placed(Topology):
    """All groups are on one cluster."""

    def __init__(self) -> None:
        """It asks no plugins."""

    def places(self, documents: object) -> tuple[Place, ...]:
        return (Place(WORKERS, "blue", Role.WORKER, removed=False),)


def standing(settled: int, *kinds: ActionKind) -> Standing:
    entries = tuple(Entry(f"r{n}", kind, Reason.OUTDATED, 2) for n, kind in enumerate(kinds))
    return Standing(None, Record(WORKERS, settled=settled, ledger=Ledger(entries)), "")


@pytest.mark.parametrize(
    ("stands", "cluster", "at_once", "later"),
    [
        (standing(2), "blue", "", ""),
        (standing(2, ActionKind.CREATE), "blue", "", ""),
        (standing(2, ActionKind.DRAIN), "blue", TOLD, TOLD),
        (standing(1), "blue", TOLD, ""),
        (standing(1, ActionKind.UPDATE), "blue", TOLD, ""),
        (standing(1, ActionKind.CREATE), "blue", TOLD, TOLD),
        (standing(1, ActionKind.DRAIN), "blue", TOLD, TOLD),
        (standing(1, ActionKind.DRAIN), "green", "", ""),
    ],
    ids=["settled", "healing", "draining", "new", "given images", "making", "rolling", "elsewhere"],
)
def test_an_update_waits_for_machines_that_move_and_not_for_those_that_stand_still(
    stands: Standing, cluster: str, at_once: str, later: str
) -> None:
    async def main() -> None:
        clock = SimClock()

        async def ask(key: Key) -> Standing:
            return stands

        groups = Groups(Placed(), ask, clock)
        assert await groups.moves(cluster, [GROUP]) == at_once
        await clock.sleep(STANDSTILL_S)
        assert await groups.moves(cluster, [GROUP]) == later

    run(main)


def web(image: str, count: int) -> bytes:
    return to_json(WorkloadSpec("web", image, count=count))


OLD, SCALED, NEW = web("web:1", 2), web("web:1", 3), web("web:2", 2)


@pytest.mark.parametrize(
    ("spec", "settled", "removed", "newer"),
    [
        (NEW, 1, False, True),
        (NEW, 1, True, False),
        (NEW, 0, False, False),
        (NEW, 2, False, False),
        (SCALED, 1, False, False),
        (OLD, 1, False, False),
    ],
    ids=["new", "removed", "never there", "settled", "scaled", "as before"],
)
def test_newer_is_what_differs_from_what_was_settled_in_more_than_its_count(
    spec: bytes, settled: int, removed: bool, newer: bool
) -> None:
    history = (Revision(2, "x", 0.0, spec), Revision(1, "x", 0.0, OLD))
    document = SpecDocument(WEB, "u", 2, removed, spec, history)
    assert is_newer(document, Record(WEB, settled=settled)) == newer


def test_newer_is_an_image_that_was_looked_at_again() -> None:
    """W40."""
    document = SpecDocument(WEB, "u", 2, False, OLD, (Revision(1, "x", 0.0, OLD),))
    moved = Record(
        WEB,
        settled=1,
        image="web@sha256:2",
        image_spec="web:1",
        settled_image="web@sha256:1",
        settled_image_spec="web:1",
    )
    assert is_newer(document, moved)
