"""Which key lives on which cluster."""

from skep.model.spec import Key
from skep.model.state import Role
from tests.control.desk import Desk
from tests.sim.controller import group, managers, workers, workload
from tests.sim.loop import run


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
