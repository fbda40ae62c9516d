"""The planner over simulated engines, and two fault scenarios to the second.

One seed alone: SKEP_SIM_SEED=17 pytest tests/sim/test_planner_containers_sim.py.
"""

import os

import pytest

from skep.model.plan import ActionKind, NoteKind, Plan, Reason
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Ledger, Life, Limits, Observed
from skep.planning.planner import plan
from tests.sim.planner_containers import ContainerSimulation
from tests.sim.planner_containers_run import run_containers
from tests.sim.planner_world import BrokenPromiseError

SEEDS = 200
BATCH = 50
_ONE = os.environ.get("SKEP_SIM_SEED", "")

ACTIONS = {ActionKind.CREATE, ActionKind.START, ActionKind.STOP, ActionKind.DRAIN, ActionKind.DESTROY}
REASONS = {*Reason} - {Reason.DRIFTED}
NOTES = {
    NoteKind.HELD,
    NoteKind.PAUSED,
    NoteKind.SOURCE_SILENT,
    NoteKind.BACKING_OFF,
    NoteKind.CRASH_LOOPING,
    NoteKind.RETRIES_EXHAUSTED,
    NoteKind.UNPLACEABLE,
    NoteKind.PARTITION_SUSPECTED,
}


@pytest.mark.parametrize("first", [int(_ONE)] if _ONE else range(0, SEEDS, BATCH))
def test_containers_are_safe_while_the_world_fails_and_arrive_when_it_stops(first: int) -> None:
    for seed in [first] if _ONE else range(first, first + BATCH):
        try:
            run_containers(seed, plan)
        except BrokenPromiseError as error:
            alone = f"SKEP_SIM_SEED={seed} pytest tests/sim/test_planner_containers_sim.py"
            pytest.fail(f"seed {seed}: {error}\nalone: {alone}")


def test_the_simulation_sees_all_that_can_happen_to_numbered_members() -> None:
    """What never comes up is not tested, however many seeds pass."""
    seen: set[ActionKind | Reason | NoteKind] = set()
    as_before = 0

    def watched(desired: Desired, observed: Observed, ledger: Ledger, now_s: float) -> Plan:
        made = plan(desired, observed, ledger, now_s)
        seen.update(a.kind for a in made.actions)
        seen.update(a.reason for a in made.actions)
        seen.update(n.kind for n in made.notes)
        return made

    for seed in range(60):
        as_before += len(run_containers(seed, watched).as_before)
    assert as_before > 10
    assert (ACTIONS | REASONS | NOTES) - seen == set()


def test_a_seed_gives_the_same_run_each_time_for_containers() -> None:
    first, second = run_containers(7, plan), run_containers(7, plan)
    assert (first.engines, first.ledger, first.requests) == (second.engines, second.ledger, second.requests)


# --- scenarios --------------------------------------------------------------------------------------------------------


def web(size: int, sources: str = "a") -> Desired:
    limits = Limits(parallel=20, unhealthy_after_s=0.0)
    return Desired(
        Key(Kind.WORKLOAD, "web"), 1, size, "f1", max_surge=1, limits=limits, numbered=True, sources=tuple(sources)
    )


def calm(desired: Desired) -> ContainerSimulation:
    """Engines on which nothing goes wrong by itself, and all that is asked for there."""
    simulation = ContainerSimulation(1, plan, desired)
    simulation.faults = False
    settled(simulation)
    return simulation


def settled(simulation: ContainerSimulation) -> None:
    for _ in range(200):
        made = simulation.turn(0.2)
        if not made.actions and not simulation.ledger.entries:
            return
    raise AssertionError(f"not settled: {simulation.ledger}")


def alive(simulation: ContainerSimulation) -> int:
    return sum(c.life is Life.RUNNING for c in simulation.engines.containers.values())


def test_one_that_is_killed_is_replaced_by_exactly_one() -> None:
    """F1."""
    simulation = calm(web(5, "ab"))
    simulation.creations.clear()
    simulation.engines.containers["c0003"].life = Life.DEAD
    settled(simulation)
    assert (len(simulation.creations), alive(simulation)) == (1, 5)


def test_all_that_are_killed_at_once_come_back_in_growing_batches() -> None:
    """F2: 1, 2, 4, 8 and then all that are left; nothing twice."""
    simulation = calm(web(20, "ab"))
    assert simulation.batches == [1, 2, 4, 8, 5]
    simulation.batches.clear()
    for container in simulation.engines.containers.values():
        container.life = Life.DEAD
    settled(simulation)
    assert simulation.batches == [1, 2, 4, 8, 5]
    assert alive(simulation) == 20
    assert sorted(c.slot for c in simulation.engines.containers.values()) == sorted([*map(str, range(1, 21))] * 2)


def test_a_crash_loop_is_restarted_on_the_curve_of_kubernetes() -> None:
    """F7: at 0, 10, 30, 70, 150, 310 s, then every 300 s: 16 in the first hour. `unit` 0.5 is its middle."""
    simulation = calm(web(1))
    simulation.creations.clear()
    started_s: list[float] = []
    ended_s = simulation.now_s
    while simulation.now_s < ended_s + 3600:
        for container in simulation.engines.containers.values():
            container.life = Life.DEAD
        before = len(simulation.creations)
        simulation.turn(0.5)
        started_s += [simulation.now_s - ended_s] * (len(simulation.creations) - before)
        dead = [c for c in simulation.engines.containers.values() if c.life is Life.DEAD]
        assert len(dead) <= 2, "only the last one is kept, and the one before until it is removed"
    assert len(started_s) == 16
    nominal = [0, 10, 30, 70, 150, 310, *range(610, 3600, 300)]
    late = [at_s - due_s for at_s, due_s in zip(started_s, nominal, strict=True)]
    assert all(0 <= s <= 2 * (number + 1) for number, s in enumerate(late)), started_s


def test_other_slots_are_not_held_up_by_one_that_ends_again_and_again() -> None:
    """W30 is a matter of each slot."""
    simulation = calm(web(3))
    for _ in range(120):
        for container in simulation.engines.containers.values():
            if container.slot == "1":
                container.life = Life.DEAD
        simulation.turn(0.25)
    next(c for c in simulation.engines.containers.values() if c.slot == "2").life = Life.DEAD
    for _ in range(60):
        simulation.turn(0.25)
    running = [c.slot for c in simulation.engines.containers.values() if c.life is Life.RUNNING and c.slot != "1"]
    assert sorted(running) == ["2", "3"]


def test_a_lost_engine_is_replaced_elsewhere_and_its_return_costs_nobody() -> None:
    """F10: the returning ones are too many and go; never fewer than asked for serve once they were replaced."""
    simulation = calm(web(6, "abc"))
    simulation.engines.silent_since["a"] = simulation.now_s
    for _ in range(120):
        simulation.turn(0.5)
    answering = [c for c in simulation.engines.containers.values() if c.source != "a"]
    assert (simulation.engines.lost, len(answering)) == ({"a"}, 6)
    simulation.engines.silent_since.clear()
    for _ in range(60):
        simulation.turn(0.5)
        assert alive(simulation) >= 6
    assert alive(simulation) == 6
    assert len({c.slot for c in simulation.engines.containers.values()}) == 6


def test_two_silent_engines_of_three_are_a_partition_and_nobody_is_replaced() -> None:
    """W36, F14."""
    simulation = calm(web(6, "abc"))
    simulation.creations.clear()
    simulation.engines.silent_since = dict.fromkeys("ab", simulation.now_s)
    for _ in range(120):
        made = simulation.turn(0.5)
    assert NoteKind.PARTITION_SUSPECTED in {n.kind for n in made.notes}
    assert simulation.creations == []


def test_a_roll_never_leaves_too_few_nor_too_many() -> None:
    """W41, W42."""
    simulation = calm(web(4, "ab"))
    simulation.desired = Desired(
        Key(Kind.WORKLOAD, "web"),
        2,
        4,
        "f2",
        max_surge=1,
        max_unavailable=1,
        limits=Limits(unhealthy_after_s=0.0),
        numbered=True,
        sources=("a", "b"),
    )
    for _ in range(200):
        simulation.turn(0.25)
        serving = sum(c.healthy(simulation.now_s) for c in simulation.engines.containers.values())
        assert 3 <= serving <= 5
    assert {c.fingerprint for c in simulation.engines.containers.values() if c.life is Life.RUNNING} == {"f2"}
    assert alive(simulation) == 4
