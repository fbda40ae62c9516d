"""One test for each defect of InfraKit's manager (infrakit-compat.md 3.10)."""

from pathlib import Path

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.group_store_file import FileGroupStore
from skep.adapters.leader_file import FileLeadership
from skep.control.infrakit_manager import Manager
from skep.model.errors import RejectedError
from tests.control.manager_site import POLL_S, Site
from tests.fakes.groups import FakeGroups, FakeGroupStore, group
from tests.sim.loop import run


async def test_m1_the_first_commit_needs_no_file(tmp_path: Path) -> None:
    """M1: `open …/global.config: no such file or directory` for whoever had committed nothing yet.

    Fails when a file that is not there is an error, or when nobody makes its folder.
    """
    (tmp_path / "leader").write_text("group\n")
    leadership, store = FileLeadership(tmp_path / "leader", "group"), FileGroupStore(tmp_path / "configs")
    manager = Manager(FakeGroups(), "group-stateless", leadership, store, SystemClock(), POLL_S)
    assert await manager.commit(group("cattle"), pretend=False) == "Managing 5 instances"
    assert list((await store.load()).groups) == ["cattle"]


def test_m2_what_is_refused_is_not_stored() -> None:
    """M2: a spec was stored before it was validated, and poisoned every later recovery.

    Fails when the store is written before the group plugin was asked.
    """

    async def main() -> None:
        site = Site(FakeGroupStore().store(group("cattle")))
        text = "Failed to find Instance plugin 'x':Plugin not found: x"
        site.backend().refuse |= {f"{act} {id}": RejectedError(text) for act in ("pretend", "commit") for id in "ab"}
        async with site.manager() as manager:
            for id in "ab":
                with pytest.raises(RejectedError, match=f"^{text}$"):
                    await manager.commit(group(id), pretend=False)
        assert set(site.store.document.groups) == {"cattle"}

    run(main)


def test_m2_one_failing_group_stops_no_other_on_fail_over() -> None:
    """M2: the loop that restores the groups stopped at the first that failed.

    Fails when an error of one commit ends the turn, or when it is not tried again.
    """

    async def main() -> None:
        ids = ["a", "b", "broken", "c", "d"]
        site = Site(FakeGroupStore().store(*map(group, ids)))
        for host in ("alpha", "bravo"):
            site.backend(host).refuse["commit broken"] = RejectedError("Unrecognized node Type")
        async with site.manager("alpha"), site.manager("bravo"):
            await site.until_watched("a", "b", "c", "d", by="alpha")
            site.throne.leader = "bravo"
            await site.until_watched("a", "b", "c", "d", by="bravo")
            site.backend("bravo").refuse.clear()
            await site.until_watched(*ids, by="bravo")

    run(main)


@pytest.mark.parametrize("act", ["destroy", "free"])
def test_m3_what_was_destroyed_or_freed_does_not_come_back(act: str) -> None:
    """M3: destroy and free went past the store, and the next leader committed the group again.

    Fails when either leaves the stored document as it is.
    """

    async def main() -> None:
        site = Site(FakeGroupStore().store(group("cattle"), group("pets")))
        async with site.manager("alpha") as alpha, site.manager("bravo"):
            await site.until_watched("cattle", "pets", by="alpha")
            await (alpha.destroy("cattle") if act == "destroy" else alpha.free("cattle"))
            for leader in ("bravo", "alpha"):
                site.throne.leader = leader
                await site.until_watched("pets", by=leader)
                assert site.cloud.machines["cattle"] == (0 if act == "destroy" else 5)
                assert site.cloud.made["cattle"] == 5

    run(main)


def test_m4_the_details_of_a_commit_are_the_group_plugins() -> None:
    """M4: the text was a note to the author, not what the commit does.

    Fails when the manager answers with a text of its own.
    """

    async def main() -> None:
        site = Site()
        async with site.manager() as manager:
            for spec, text in ((group("g", 5), "Managing 5 instances"), (group("g", 5), "Noop")):
                assert await manager.commit(spec, pretend=True) == text
                assert await manager.commit(spec, pretend=False) == text

    run(main)
