"""One seeded run of numbered members: faults for a while, then none, and they have to arrive.

Phase one is about safety, phase two about liveness and waste. `run_containers` raises BrokenPromiseError.
"""

import random
from dataclasses import replace

from skep.model.plan import NoteKind, Plan
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Life, Limits
from tests.sim.planner_containers import Container, ContainerSimulation
from tests.sim.planner_world import BrokenPromiseError, Planner

FAULTY_TURNS = 60
BOUND_S = 600.0
"""The longest back-off that phase one can leave behind (5 min), and a roll of ten."""

LIMITS = Limits(parallel=6, unhealthy_after_s=0.0, startup_s=60.0, restart_window_s=120.0)


def run_containers(seed: int, plan: Planner) -> ContainerSimulation:
    """The simulation at its end."""
    rng = random.Random(seed * 104729 + 3)
    simulation = ContainerSimulation(seed, plan, _first(rng))
    for _ in range(FAULTY_TURNS):
        if rng.random() < 0.08:
            _change(simulation, rng)
        if rng.random() < 0.35:
            rng.choice(_HARMS)(simulation, rng)
        simulation.turn(rng.choice([0.1, 1.0, 3.0, 15.0]))
    _calm(simulation)
    _arrive(simulation)
    _rest(simulation)
    return simulation


# --- what is asked for ------------------------------------------------------------------------------------------------


def _first(rng: random.Random) -> Desired:
    base = Desired(
        key=Key(Kind.WORKLOAD, "web"),
        generation=1,
        size=1,
        fingerprint="f1",
        limits=replace(LIMITS, restarts_max=rng.choice([0, 0, 3])),
        numbered=True,
        sources=("a", "b", "c", "d")[: rng.randint(1, 4)],
        per_source_max=rng.choice([0, 0, 0, 1]),
    )
    return _sized(rng, base)


def _sized(rng: random.Random, desired: Desired) -> Desired:
    """Where each source has room for one, no more are asked for than there are, and the surge finds a place (W41)."""
    if desired.per_source_max:
        size = rng.randint(0, len(desired.sources))
        free = len(desired.sources) - size
        return replace(desired, size=size, max_surge=min(1, free), max_unavailable=1)
    surge = rng.randint(0, 2)
    unavailable = rng.randint(0 if surge else 1, 2)
    return replace(desired, size=rng.randint(0, 10), max_surge=surge, max_unavailable=unavailable)


def _change(simulation: ContainerSimulation, rng: random.Random) -> None:
    """A new spec: another template, another size, an end, or nothing but a new try."""
    desired = replace(simulation.desired, generation=simulation.desired.generation + 1)
    if rng.random() < 0.5:
        desired = replace(desired, fingerprint=f"f{rng.randint(1, 4)}")
    elif rng.random() < 0.8:
        desired = _sized(rng, desired)
    hold = "no network" if rng.random() < 0.1 else ""
    paused = "by ann" if rng.random() < 0.2 else ""
    withheld = bool(paused) and rng.random() < 0.5
    removed = rng.random() < 0.05
    simulation.desired = replace(desired, removed=removed, hold=hold, paused=paused, withheld=withheld)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def _running(simulation: ContainerSimulation) -> list[Container]:
    return [c for c in simulation.engines.containers.values() if c.life is Life.RUNNING]


def _kill(simulation: ContainerSimulation, rng: random.Random) -> None:
    for container in _running(simulation)[: rng.choice([1, 1, 1, 99])]:
        container.life = Life.DEAD


def _crash_loop(simulation: ContainerSimulation, rng: random.Random) -> None:
    """The lowest number ends again and again."""
    for container in sorted(_running(simulation), key=lambda c: int(c.slot))[:1]:
        container.life = Life.DEAD


def _sicken(simulation: ContainerSimulation, rng: random.Random) -> None:
    for container in rng.sample(_running(simulation), min(len(_running(simulation)), rng.choice([1, 2, 9]))):
        container.sick = True


def _vanish(simulation: ContainerSimulation, rng: random.Random) -> None:
    """Somebody removes a container by hand, dead or alive."""
    there = sorted(simulation.engines.containers)
    if there:
        del simulation.engines.containers[rng.choice(there)]


def _silence(simulation: ContainerSimulation, rng: random.Random) -> None:
    """An engine stops to answer, once in a while most of them; what runs there runs on."""
    for source in rng.sample(simulation.desired.sources, min(len(simulation.desired.sources), rng.choice([1, 1, 3]))):
        simulation.engines.silent_since.setdefault(source, simulation.now_s)


def _answer(simulation: ContainerSimulation, rng: random.Random) -> None:
    if simulation.engines.silent_since:
        del simulation.engines.silent_since[rng.choice(sorted(simulation.engines.silent_since))]


_HARMS = (_kill, _kill, _crash_loop, _crash_loop, _sicken, _vanish, _silence, _answer, _answer)


# --- and then they have to arrive -------------------------------------------------------------------------------------


def _calm(simulation: ContainerSimulation) -> None:
    """No more faults: every engine answers, and what is sick gets well."""
    simulation.faults = False
    simulation.engines.silent_since.clear()
    generation = simulation.desired.generation + 1
    simulation.desired = replace(simulation.desired, hold="", paused="", withheld=False, generation=generation)
    for container in simulation.engines.containers.values():
        container.sick, container.well_s = False, min(container.well_s, simulation.now_s)
    for _ in range(8):  # what was on its way may still fail, and what was planned meanwhile is no waste
        simulation.turn(1.0)
    while simulation.tasks:
        simulation.turn(1.0)
    simulation.creations.clear()


def _arrive(simulation: ContainerSimulation) -> None:
    start_s, size = simulation.now_s, simulation.desired.size
    plan = simulation.turn(1.0)
    made = set(simulation.creations).difference(simulation.as_before)
    while plan.actions or not has_arrived(simulation):
        plan = simulation.turn(1.0)
        if simulation.now_s > start_s + BOUND_S:
            raise BrokenPromiseError("liveness", _stuck(simulation, plan))
        made = set(simulation.creations).difference(simulation.as_before)
        if len(made) > (0 if simulation.desired.removed else size):
            raise BrokenPromiseError("waste", f"{len(made)} created for a size of {size}")
    left = {c.request for c in simulation.engines.containers.values()}
    if made - left:
        raise BrokenPromiseError("waste", "something was created and removed again although nothing went wrong")


def _rest(simulation: ContainerSimulation) -> None:
    """Once there, nothing is done or has to be looked at again, and of each slot one dead is left at most."""
    for _ in range(3):
        plan = simulation.turn(30.0)
        if plan.actions or plan.recheck_after_s is not None:
            raise BrokenPromiseError("liveness", f"no rest: {plan}")
    dead = [c.slot for c in simulation.engines.containers.values() if c.life is Life.DEAD]
    if len(dead) != len(set(dead)):
        raise BrokenPromiseError("waste", f"dead of {dead} are left")


def has_arrived(simulation: ContainerSimulation) -> bool:
    """Everything wanted is there, healthy and of the new spec, and nothing else but the last dead."""
    desired, containers = simulation.desired, list(simulation.engines.containers.values())
    if simulation.ledger.entries:
        return False
    if desired.removed:
        return not containers
    alive = [c for c in containers if c.life is not Life.DEAD]
    current = all(c.fingerprint == desired.fingerprint for c in alive)
    return current and len(alive) == desired.size == sum(c.healthy(simulation.now_s) for c in alive)


def _stuck(simulation: ContainerSimulation, plan: Plan) -> str:
    waiting = [f"{n.kind} {n.subject} {n.detail}" for n in plan.notes if n.kind is not NoteKind.CRASH_LOOPING]
    there = [(c.id, c.slot, c.source, c.life.value, c.fingerprint) for c in simulation.engines.containers.values()]
    return f"not there after {BOUND_S:.0f} s: {there}, waiting for {waiting}, doing {simulation.ledger}"
