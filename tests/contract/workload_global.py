"""What workloads promise of `Mode: global`, on all clusters but a classic Swarm's, whose manager chooses the nodes."""

from collections.abc import Mapping

from tests.contract.workload_bed import OTHER_IMAGE, Bed, Check, Replica, name


async def a_global_workload_has_one_on_each_engine_and_is_rolled_there(bed: Bed) -> None:
    web, everywhere = name(), list(range(len(bed.engines)))
    view = await bed.apply(web, None)
    first = await bed.runs(web, len(everywhere))
    assert (_engines(first), view.desired, view.ready) == (everywhere, len(everywhere), len(everywhere))
    victim = next(r for r in first.values() if r.engine == everywhere[-1])
    await bed.kill(victim)
    await bed.until(lambda: _others(bed, web, victim), everywhere)
    healed = await bed.runs(web, len(everywhere))
    assert len(set(healed) - set(first)) == 1
    await bed.apply(web, None, OTHER_IMAGE, Updating={"MaxUnavailable": 1})
    rolled = await bed.runs(web, len(everywhere))
    assert _engines(rolled) == everywhere
    assert not set(rolled) & set(healed)
    assert {r.shown.image.partition("@")[0] for r in rolled.values()} == {OTHER_IMAGE}
    await bed.delete(web)
    await bed.runs(web, 0)


async def _others(bed: Bed, web: str, victim: Replica) -> list[int]:
    """The engines of those that run, without that one."""
    return _engines({id_: r for id_, r in (await bed.running(web)).items() if id_ != victim.id})


def _engines(replicas: Mapping[str, Replica]) -> list[int]:
    return sorted(r.engine for r in replicas.values())


GLOBAL_CHECKS: list[Check] = [a_global_workload_has_one_on_each_engine_and_is_rolled_there]
"""Not of a classic Swarm."""
