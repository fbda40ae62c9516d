"""Which key lives on which cluster."""

import pytest

from skep.control.topology import Topology
from skep.model.spec import Key
from skep.model.state import Role
from tests.control.desk import Desk
from tests.sim.controller import group, managers, workers, workload
from tests.sim.loop import run

FORMING = frozenset({Key.parse("group/managers"), Key.parse("group/others")})


def placed(
    *documents: object, removed: tuple[str, ...] = (), static: tuple[str, ...] = ()
) -> dict[str, tuple[str, Role | None]]:
    async def main() -> dict[str, tuple[str, Role | None]]:
        desk = Desk(static)
        await desk.apply(*documents)
        for key in removed:
            await desk.intake.remove(Key.parse(key), "ann", True)
        world = await desk.catalog.list()
        places = desk.topology.places(world)
        assert [desk.topology.cluster_of(d, world) for d in world] == [p.cluster for p in places]
        return {p.key.name: (p.cluster, p.role) for p in places}

    return run(main)


@pytest.mark.parametrize(
    ("document", "made_in", "place"),
    [
        (workers(1), "", ("", True)),
        (workers(1), "managers", ("managers", False)),
        (workers(1), "gone", ("gone", False)),
        (workload(), "", ("", True)),
        (workload(), "managers", ("managers", False)),
        (workload() | {"Cluster": "others"}, "managers", ("managers", False)),
    ],
)
def test_who_names_none_of_two_is_where_it_was_made_and_a_workload_is_there_in_any_case(
    document: dict[str, object], made_in: str, place: tuple[str, bool]
) -> None:
    """A spec that names another cluster is a hold of a workload; of a group it is a new place for new machines."""

    async def main() -> tuple[str, bool]:
        desk = Desk()
        await desk.apply(managers(1), group("others", {"LogicalIDs": ["10.9.1.1"]}, "manager"), document)
        world = await desk.catalog.list()
        topology = Topology(desk.plugins, desk.clusters.standing, lambda key: "" if key in FORMING else made_in)
        [found] = [p for p in topology.places(world) if p.key not in FORMING]
        return found.cluster, found.unclear

    assert run(main) == place


def test_a_group_is_where_its_spec_says_whatever_was_there_before() -> None:
    async def main() -> str:
        desk = Desk()
        await desk.apply(managers(1), elsewhere(workers(1), "others"))
        topology = Topology(desk.plugins, desk.clusters.standing, lambda key: "managers")
        [place] = [p for p in topology.places(await desk.catalog.list()) if p.role is Role.WORKER]
        return place.cluster

    assert run(main) == "others"


def test_workers_of_a_swarm_that_is_known_by_its_host_live_on_no_cluster_of_ours() -> None:
    named = workers(1)
    named["Properties"]["Flavor"]["Properties"]["Host"] = "sim://far"  # type: ignore[index]
    assert placed(managers(1), named)["workers"] == ("", Role.WORKER)


def elsewhere(document: dict[str, object], cluster: str) -> dict[str, object]:
    """The same group on a cluster that it names."""
    document["Properties"]["Flavor"]["Properties"]["Cluster"] = cluster  # type: ignore[index]
    return document


def test_managers_are_their_own_cluster_and_the_only_one_need_not_be_named() -> None:
    assert placed(managers(1), workers(1), workload()) == {
        "managers": ("managers", Role.MANAGER),
        "workers": ("managers", Role.WORKER),
        "web": ("managers", None),
    }


def test_without_managers_nobody_has_a_place_yet() -> None:
    assert placed(workers(1), workload()) == {"workers": ("", Role.WORKER), "web": ("", None)}


def test_of_several_clusters_one_has_to_be_named() -> None:
    others = group("others", {"LogicalIDs": ["10.9.1.1"]}, "manager")
    found = placed(
        managers(1), others, elsewhere(workers(1), "others"), workload(), workload("two") | {"Cluster": "managers"}
    )
    assert {name: cluster for name, (cluster, _) in found.items()} == {
        "managers": "managers",
        "others": "others",
        "workers": "others",
        "web": "",
        "two": "managers",
    }


def test_managers_that_are_being_removed_are_still_where_the_others_live() -> None:
    assert placed(managers(1), workload(), removed=("group/managers",))["web"] == ("managers", None)


def test_groups_of_another_flavor_join_nothing() -> None:
    plain = workers(1)
    plain["Properties"]["Flavor"] = {"Plugin": "flavor-vanilla"}  # type: ignore[index]
    assert placed(managers(1), plain)["workers"] == ("", None)


def test_machines_are_counted_by_cluster_without_those_that_are_to_go() -> None:
    async def main() -> int:
        desk = Desk()
        await desk.apply(managers(3), workers(4), group("more", {"Size": 5}, "worker"), workload(count=9))
        await desk.intake.remove(Key.parse("group/more"), "ann", False)
        return desk.topology.machines("managers", await desk.catalog.list())

    assert run(main) == 7


def test_a_swarm_of_the_settings_may_be_the_only_one_or_be_named() -> None:
    assert placed(workers(1), workload(), static=("prod",)) == {
        "workers": ("prod", Role.WORKER),
        "web": ("prod", None),
    }
    assert placed(managers(1), elsewhere(workers(1), "prod"), workload(), static=("prod",)) == {
        "managers": ("managers", Role.MANAGER),
        "workers": ("prod", Role.WORKER),
        "web": ("", None),
    }
    assert placed(workload(), workload("two") | {"Cluster": "b"}, static=("a", "b")) == {
        "web": ("", None),
        "two": ("b", None),
    }


def test_a_cluster_whose_managers_were_freed_is_still_one_of_all() -> None:
    async def main() -> dict[str, str]:
        desk = Desk()
        await desk.clusters.claim_bootstrap("managers", "10.9.0.10")
        others = group("others", {"LogicalIDs": ["10.9.1.1"]}, "manager")
        await desk.apply(managers(1), workers(1))
        await desk.intake.free(Key.parse("group/managers"), "ann")
        alone = {p.key.name: p.cluster for p in desk.topology.places(await desk.catalog.list())}
        await desk.apply(others)
        beside = {p.key.name: p.cluster for p in desk.topology.places(await desk.catalog.list())}
        return alone | {f"{name} beside": cluster for name, cluster in beside.items()}

    assert run(main) == {"workers": "managers", "workers beside": "", "others beside": "others"}
