"""One seeded run of the planner: faults for a while, then none, and it has to arrive.

Phase one is about safety, phase two about liveness and waste. `run` raises BrokenPromiseError.
"""

import random
from dataclasses import replace

from skep.model.plan import NoteKind, Plan
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Life, Role
from tests.sim.planner_machines import Machine
from tests.sim.planner_world import LIMITS, BrokenPromiseError, Planner, Simulation

FAULTY_TURNS = 45
BOUND_S = 600.0
"""The longest back-off that phase one can leave behind (5 min), and a roll of eight, one at a time."""

KINDS = ("cattle", "pets", "managers", "named managers", "service")


def run(seed: int, plan: Planner) -> Simulation:
    """The simulation at its end."""
    rng = random.Random(seed * 7919 + 1)
    kind = KINDS[seed % len(KINDS)]
    simulation = Simulation(seed, plan, _first(rng, kind))
    _suffer(simulation, rng, kind)
    _calm(simulation, rng)
    _arrive(simulation)
    _rest(simulation)
    return simulation


# --- what is asked for ------------------------------------------------------------------------------------------------


def _first(rng: random.Random, kind: str) -> Desired:
    workload = kind == "service"
    base = Desired(
        key=Key(Kind.WORKLOAD if workload else Kind.GROUP, "k"),
        generation=1,
        size=1,
        fingerprint="f1",
        replace_sha="s1",
        limits=LIMITS,
        role=Role.MANAGER if "managers" in kind else None if workload else Role.WORKER,
        formed="managers" not in kind,
        in_place=workload,
        slots=("service",) if workload else None,
    )
    return base if workload else _sized(rng, kind, base)


def _sized(rng: random.Random, kind: str, desired: Desired) -> Desired:
    """Another size, and for pets other names now and then."""
    if kind == "cattle":
        surge = rng.randint(0, 2)
        unavailable = rng.randint(0 if surge else 1, 2)
        return replace(desired, size=rng.randint(0, 8), max_surge=surge, max_unavailable=unavailable)
    if kind == "managers":
        return replace(desired, size=rng.choice([1, 3, 5]), max_surge=1)
    size = rng.choice([1, 3, 5]) if kind == "named managers" else rng.randint(1, 6)
    names = "abcde" if kind == "named managers" else "abcdefgh"
    slots = tuple(names[:size]) if kind == "named managers" else tuple(rng.sample(names, size))
    unavailable = rng.choice([0, 1]) if kind == "named managers" else rng.randint(1, 2)
    return replace(desired, size=size, slots=slots, max_unavailable=unavailable)


def _change(simulation: Simulation, rng: random.Random, kind: str) -> None:
    """A new spec: another template (or only another hash of the same machine), another size, or an end."""
    desired = replace(simulation.desired, generation=simulation.desired.generation + 1)
    if rng.random() < 0.6 or kind == "service":
        template = rng.randint(1, 5)
        sha = f"s{template}" if rng.random() < 0.7 else desired.replace_sha
        desired = replace(desired, fingerprint=f"f{template}", replace_sha=sha)
    else:
        desired = _sized(rng, kind, desired)
    removed = rng.random() < 0.05
    hold = "waiting for a cluster" if rng.random() < 0.1 else ""
    paused = "by ann" if rng.random() < 0.2 else ""
    withheld = bool(paused) and rng.random() < 0.5
    simulation.desired = replace(desired, removed=removed, hold=hold, paused=paused, withheld=withheld)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def _suffer(simulation: Simulation, rng: random.Random, kind: str) -> None:
    for _ in range(FAULTY_TURNS):
        if rng.random() < 0.08:
            _change(simulation, rng, kind)
        if rng.random() < 0.25:
            _harm(simulation, rng)
        simulation.turn(rng.choice([0.1, 1.0, 3.0, 15.0]))
        _form(simulation)


def _form(simulation: Simulation) -> None:
    if not simulation.desired.formed and simulation.world.healthy():
        simulation.desired = replace(simulation.desired, formed=True)


def _harm(simulation: Simulation, rng: random.Random) -> None:
    world = simulation.world
    if world.lost and rng.random() < 0.3:
        machine = world.lost.pop()
        machine.life = Life.RUNNING
        world.machines[machine.id] = machine
    machines = sorted(world.machines.values(), key=lambda m: m.id)
    if machines:
        rng.choice(_HARMS)(simulation, rng, rng.choice(machines))


def _sicken(simulation: Simulation, rng: random.Random, machine: Machine) -> None:
    machine.sick_until_s = simulation.world.now_s + rng.choice([5.0, 30.0, 1e9])


def _stop(simulation: Simulation, rng: random.Random, machine: Machine) -> None:
    if machine.life is Life.RUNNING:
        machine.life = Life.STOPPED
        machine.broken_disk = simulation.desired.role is not Role.MANAGER and rng.random() < 0.3


def _vanish(simulation: Simulation, rng: random.Random, machine: Machine) -> None:
    """The machine ceases to exist, its membership may stay. Managers: never so many that only a run-book helps."""
    if simulation.desired.role is Role.MANAGER and not _expendable(simulation, machine):
        return
    if machine.joined and (simulation.desired.role is Role.MANAGER or rng.random() < 0.5):
        machine.life = Life.GONE
        return
    del simulation.world.machines[machine.id]
    if machine.life is not Life.PENDING and rng.random() < 0.5:
        simulation.world.lost.append(machine)


def _expendable(simulation: Simulation, machine: Machine) -> bool:
    """Whether the raft can still decide after this and everything under way, once all that can be started runs."""
    leaving = {e.member for e in simulation.entries.values()}
    raft = [m for m in simulation.world.machines.values() if m.joined]
    left = [m for m in raft if m.exists and m.id not in leaving and m is not machine]
    return len(left) >= len(raft) // 2 + 1


def _return(simulation: Simulation, rng: random.Random, machine: Machine) -> None:
    if machine.life is Life.GONE:
        machine.life = Life.RUNNING
    machine.sick_until_s = 0.0


def _drift(simulation: Simulation, rng: random.Random, machine: Machine) -> None:
    if simulation.desired.in_place:
        machine.fingerprint = "by hand"
    else:
        machine.drift = ("images",)


def _disown(simulation: Simulation, rng: random.Random, machine: Machine) -> None:
    machine.foreign = True


_HARMS = (_sicken, _sicken, _stop, _stop, _vanish, _vanish, _return, _drift, _disown)


# --- and then it has to arrive ----------------------------------------------------------------------------------------


def _calm(simulation: Simulation, rng: random.Random) -> None:
    """No more faults; all but one of the sick get well, and that one only where it can be replaced."""
    simulation.faults = False
    generation = simulation.desired.generation + 1
    simulation.desired = replace(simulation.desired, hold="", paused="", withheld=False, generation=generation)
    simulation.applied = ""
    sick = [m for m in simulation.world.machines.values() if m.sick_until_s > simulation.world.now_s]
    for machine in sick[1:] if simulation.desired.role is Role.WORKER else sick:
        machine.sick_until_s = simulation.world.now_s + rng.choice([0.0, 20.0])
    for machine in simulation.world.machines.values():
        machine.rolled_back = False
    while simulation.unsettled or simulation.tasks:
        simulation.turn(1.0)  # what was on its way may still fail, and what was planned meanwhile is no waste
        _form(simulation)
    simulation.creations.clear()


def _arrive(simulation: Simulation) -> None:
    start_s, size = simulation.world.now_s, simulation.desired.size
    while not has_arrived(simulation):
        plan = simulation.turn(1.0)
        _form(simulation)
        if simulation.world.now_s > start_s + BOUND_S:
            raise BrokenPromiseError("liveness", _stuck(simulation, plan))
        if len(simulation.creations) > (0 if simulation.desired.removed else size):
            raise BrokenPromiseError("waste", f"{len(simulation.creations)} created for a size of {size}")
    left = {m.request for m in simulation.world.machines.values()}
    if set(simulation.creations) - left:
        raise BrokenPromiseError("waste", "something was created and removed again although nothing went wrong")


def _rest(simulation: Simulation) -> None:
    """Once there, nothing more is done, and nothing has to be looked at again."""
    for _ in range(3):
        plan = simulation.turn(30.0)
        if plan.actions or (plan.recheck_after_s is not None and not _may_wait(simulation)):
            raise BrokenPromiseError("liveness", f"no rest: {plan}")


def has_arrived(simulation: Simulation) -> bool:
    """Everything wanted is there, healthy, in its slot and of the new spec, and nothing else."""
    desired, machines = simulation.desired, list(simulation.world.machines.values())
    if simulation.entries:
        return False
    if desired.removed:
        return not machines
    if sum(m.healthy(simulation.world.now_s) for m in machines) != len(machines) or len(machines) != desired.size:
        return False
    slots = sorted(m.slot or "" for m in machines)
    in_place = all(not m.drift and not m.foreign for m in machines)
    wanted = sorted(desired.slots) if desired.slots is not None else slots
    return in_place and ((slots == wanted and _all_current(simulation)) or _may_wait(simulation))


def _all_current(simulation: Simulation) -> bool:
    desired = simulation.desired
    machines = simulation.world.machines.values()
    return all(m.fingerprint == desired.fingerprint or m.replace_sha == desired.replace_sha for m in machines)


def _may_wait(simulation: Simulation) -> bool:
    """N4, N7: the only manager is never rolled, nor are three named ones unless the user takes the risk."""
    desired = simulation.desired
    named_without_spare = desired.slots is not None and desired.size <= 3 and not desired.max_unavailable
    return desired.role is Role.MANAGER and (desired.size == 1 or named_without_spare)


def _stuck(simulation: Simulation, plan: Plan) -> str:
    waiting = [f"{n.kind} {n.subject} {n.detail}" for n in plan.notes if n.kind is not NoteKind.ROLL_REFUSED]
    machines = [(m.id, m.slot, m.life.value, m.fingerprint) for m in simulation.world.machines.values()]
    return (
        f"not there after {BOUND_S:.0f} s: {machines}, waiting for {waiting}, doing {list(simulation.entries.values())}"
    )
