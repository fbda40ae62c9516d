"""What skep had only written down when it died is decided anew: much may have ended since then (semantics.md W42)."""

import asyncio
import contextlib
from functools import partial

import pytest

from skep.control.documents import decode
from skep.model.state import Phase, Record
from tests.sim.container_farm import HOUR_S, Farm
from tests.sim.container_run import farm
from tests.sim.container_watch import FewestAvailable
from tests.sim.loop import run

PACE = {"Updating": {"MaxSurge": 0, "MaxUnavailable": 1}}


async def _was_to_stop(farm: Farm) -> bool:
    """Whether the stop of one that runs was the next call, or on its way: nobody can tell these apart."""
    [stored] = await farm.sim.store.list("record/workload/web")
    entries = decode(Record, stored.value).ledger.entries
    running = {c.shown.id for _, c in farm.containers()}
    return any(e.phase is Phase.DRAIN and e.member in running for e in entries)


async def _rolled(crash_at: int, left: int) -> bool:
    """Whether skep died in a roll of two. All but one end then, by themselves."""
    new = Farm(farm(1, 2))
    async with new.sim.running():
        await new.up(2, surge=0, **PACE)
    FewestAvailable(new.world, "web", 1)
    life = new.sim.begin(crash_at)
    new.sim.core = life.core
    with contextlib.suppress(asyncio.CancelledError):
        await life.ready()
        await new.apply(2, "web:2", surge=0, **PACE)
    await new.clock.sleep(20)
    died = life.gate.dead.is_set()
    await life.kill()
    if await _was_to_stop(new):
        return died
    there = new.containers()
    for host, container in there[:left] + there[left + 1 :]:
        host.end(container)
    await new.clock.sleep(1)
    async with new.sim.running():
        await new.apply(2, "web:2", surge=0, **PACE)
        await new.right(120)
    assert not new.world.violations, f"{crash_at}, {left}: {new.world.violations[0]}\n{new.tail()}"
    return died


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_w42_the_last_one_that_serves_is_not_removed_for_what_was_decided_before_skep_died(
    sign: int, left: int
) -> None:
    crash_at = 1
    while run(partial(_rolled, sign * crash_at, left), HOUR_S):
        crash_at += 1
    assert crash_at > 10
