"""Groups and services whose roll-outs stand still, under the whole controller (semantics.md W49)."""

from collections.abc import Awaitable, Callable

from skep.model.spec import Key
from skep.model.state import ConditionType
from skep.model.view import KeyView
from tests.sim.controller import Simulation, group
from tests.sim.test_controller import quickstart, simulated

WORKERS = Key.parse("group/workers")


def _new(count: int) -> dict[str, object]:
    return group("workers", {"Size": count}, "worker", Note="new")


async def _workers(sim: Simulation) -> KeyView:
    assert sim.core is not None
    return await sim.core.view(WORKERS)


def _progress(view: KeyView) -> tuple[bool, str]:
    return next((c.status, c.reason) for c in view.conditions if c.type is ConditionType.PROGRESSING)


async def _seen(sim: Simulation, holds: Callable[[KeyView], bool]) -> KeyView:
    for _ in range(600):
        view = await _workers(sim)
        if holds(view):
            return view
        await sim.clock.sleep(1)
    raise AssertionError(view)


def _of_the_second(view: KeyView) -> int:
    """Machines that follow the newer template."""
    return sum(member.current for member in view.members)


async def _rolling(sim: Simulation) -> None:
    """The second generation is under way: there are machines of either."""
    await quickstart(sim)
    await sim.apply(_new(2))
    await _seen(sim, lambda view: view.outdated == 1 and view.ready >= 2)


def _paused(body: Callable[[Simulation], Awaitable[None]]) -> None:
    async def whole(sim: Simulation) -> None:
        assert sim.core is not None
        await _rolling(sim)
        await sim.core.pause(WORKERS, "ann", "to look")
        view = await _seen(sim, lambda view: _progress(view) == (False, "Paused"))
        assert (view.converged, view.paused) == (False, "by ann: to look")
        await body(sim)
        assert sim.core is not None
        await sim.core.resume(WORKERS, "ann")
        view = await _seen(sim, lambda view: view.converged)
        assert (view.outdated, view.paused, _progress(view)) == (0, "", (True, "Complete"))

    simulated(whole)


def test_in_the_middle_of_a_roll_nobody_is_replaced_any_more() -> None:
    async def body(sim: Simulation) -> None:
        before = sorted(machine.id for machine in sim.world.group("workers"))
        await sim.clock.sleep(600)
        assert sorted(machine.id for machine in sim.world.group("workers")) == before

    _paused(body)


def test_what_is_lost_and_what_is_added_is_as_it_was_before_the_roll() -> None:
    async def body(sim: Simulation) -> None:
        new = _of_the_second(await _workers(sim))
        await sim.apply(_new(4))
        view = await _seen(sim, lambda view: view.ready == 4)
        assert _of_the_second(view) == new > 0
        for machine in sim.world.group("workers"):
            sim.world.vanish(machine)
        view = await _seen(sim, lambda view: view.ready == 4 and view.outdated == 4)
        assert _of_the_second(view) == 0

    _paused(body)


def test_a_controller_that_comes_after_it_keeps_it_so() -> None:
    async def body(sim: Simulation) -> None:
        assert sim.core is not None
        before = sorted(machine.id for machine in sim.world.group("workers"))
        life = sim.begin()
        sim.core = life.core
        await life.ready()
        await sim.clock.sleep(600)
        assert sorted(machine.id for machine in sim.world.group("workers")) == before

    _paused(body)
