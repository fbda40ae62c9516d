"""A tiny world in virtual time for the planner alone: machines that fail in every way that we know, and an observer.

There is no asyncio here: `Simulation.turn` lists the world, settles the ledger, plans, checks the plan, writes down
the entries and starts them, as one turn of the reconciler does. What the world does, and what goes wrong, comes from
one seeded source.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from skep.model.plan import REMOVALS, Action, ActionKind, Plan
from skep.model.state import (
    EVERYTHING,
    HEALTH,
    Desired,
    Entry,
    Failure,
    Health,
    Ledger,
    Life,
    Limits,
    Member,
    Observed,
    Role,
)
from skep.planning.backoff import create_delay_s, start_delay_s
from skep.planning.check import check_plan
from tests.sim.planner_machines import Machine, World

Planner = Callable[[Desired, Observed, Ledger, float], Plan]

LIMITS = Limits(parallel=4, unhealthy_after_s=40.0, startup_s=60.0, start_attempts=3)
"""Shorter than the real ones, so that a minute of virtual time shows what would take an hour."""


class BrokenPromiseError(AssertionError):
    """`rule` says who noticed: the checker, the observer or liveness."""

    def __init__(self, rule: str, text: str) -> None:
        self.rule = rule
        super().__init__(f"{rule}: {text}")


@dataclass
class Task:
    """An act on its way. `outcome`: done, refused (nothing happened), lost (it happened and nobody was told),
    or silent (nothing happened and nobody was told)."""

    entry: Entry
    acts_s: float
    ends_s: float
    outcome: str
    acted: bool = False


@dataclass(frozen=True)
class Snapshot:
    """A listing and when it was really taken."""

    taken_s: float
    observed: Observed


class Simulation:
    """One key's planner, ledger and world. Wrong behaviour raises BrokenPromiseError."""

    def __init__(self, seed: int, plan: Planner, desired: Desired) -> None:
        self.rng = random.Random(seed)
        self.plan, self.desired = plan, desired
        self.world = World()
        self.entries: dict[str, Entry] = {}
        self.tasks: dict[str, Task] = {}
        self.unsettled: dict[str, float] = {}
        """Requests whose act ended, and when: settled by a listing that is younger."""
        self.failures: dict[tuple[str, ActionKind], Failure] = {}
        self.applied = ""
        self.faults = True
        self.seen = Snapshot(0.0, Observed())
        self.creations: list[str] = []
        self.requests = 0

    # --- one turn -------------------------------------------------------------------------------------------------

    def turn(self, after_s: float) -> Plan:
        self._pass_time(self.world.now_s + after_s)
        self.seen = self._look()
        self._settle()
        ledger = self.ledger()
        plan = self.plan(self.desired, self.seen.observed, ledger, self.world.now_s)
        faults = check_plan(plan, self.desired, self.seen.observed, ledger)
        if faults:
            raise BrokenPromiseError("checker", f"{faults[0]} ({plan.actions})")
        if self.faults and self._plan_backwards(ledger) != plan:
            raise BrokenPromiseError("observer", "the plan depends on the order in which members were listed")
        self._carry_out(plan)
        return plan

    def _plan_backwards(self, ledger: Ledger) -> Plan:
        backwards = replace(self.seen.observed, members=self.seen.observed.members[::-1])
        return self.plan(self.desired, backwards, ledger, self.world.now_s)

    def ledger(self) -> Ledger:
        return Ledger(tuple(self.entries.values()), tuple(self.failures.values()), self.applied)

    def _pass_time(self, until_s: float) -> None:
        while True:
            due = [t for t in self.tasks.values() if (t.ends_s if t.acted else t.acts_s) <= until_s]
            if not due:
                break
            task = min(due, key=lambda t: t.ends_s if t.acted else t.acts_s)
            self.world.advance(max(self.world.now_s, task.ends_s if task.acted else task.acts_s))
            self._step(task)
        self.world.advance(until_s)

    def _look(self) -> Snapshot:
        """Listings may be late and sources silent, but never older than what was seen before."""
        if self.faults and self.rng.random() < 0.1:
            return replace(self.seen)
        members = self.world.listing()
        silent: set[str] = set()
        if self.faults and self.rng.random() < 0.1:
            silent = {self.rng.choice([EVERYTHING, HEALTH, "box0", "box1"])}
        if EVERYTHING in silent:
            return Snapshot(self.seen.taken_s, Observed((), frozenset(silent)))
        members = tuple(_veiled(m, silent) for m in members)
        return Snapshot(self.world.now_s, Observed(members, frozenset(silent)))

    def _settle(self) -> None:
        """What ended is believed only when a younger listing shows it."""
        if EVERYTHING in self.seen.observed.silent:
            return
        requests = {m.request for m in self.seen.observed.members}
        ids = {m.id for m in self.seen.observed.members}
        for request, ended_s in list(self.unsettled.items()):
            entry = self.entries[request]
            if self.seen.taken_s < ended_s:
                continue
            is_there = request in requests if entry.kind is ActionKind.CREATE else entry.member in ids
            worked = is_there == (entry.kind not in REMOVALS)
            self._end(entry, worked=worked)
        for member in self.seen.observed.members:
            if member.healthy:
                self.failures.pop((member.id, ActionKind.START), None)
        gone = [k for k in self.failures if k[0].startswith("m") and k[0] not in ids]
        for key in gone:
            del self.failures[key]

    def _end(self, entry: Entry, *, worked: bool) -> None:
        del self.entries[entry.request]
        self.unsettled.pop(entry.request, None)
        subject = entry.member or entry.slot or ""
        before = self.failures.get((subject, entry.kind))
        count = (before.count if before else 0) + 1
        now_s, unit = self.world.now_s, self.rng.random()
        if entry.kind is ActionKind.START:
            retry_s = now_s + start_delay_s(count, unit)
        elif worked:
            self.failures.pop((subject, entry.kind), None)
            return
        else:
            retry_s = now_s + create_delay_s(count, unit)
        self.failures[subject, entry.kind] = Failure(subject, entry.kind, count, retry_s, "refused")

    # --- acting ---------------------------------------------------------------------------------------------------

    def _carry_out(self, plan: Plan) -> None:
        """A crash may come before the record is written, or after it and before any of the acts."""
        crashes = self.faults and self.rng.random() < 0.1
        written = self.rng.randint(0, len(plan.actions)) if crashes else len(plan.actions)
        for action in plan.actions[:written]:
            self._write(action)
        if crashes:
            self.tasks = {}
        idle = [e for e in self.entries.values() if e.request not in self.tasks and e.request not in self.unsettled]
        for entry in idle[: self.rng.randint(0, len(idle))] if crashes else idle:
            self._begin(entry)

    def _write(self, action: Action) -> None:
        self.requests += 1
        entry = Entry(
            f"r{self.requests}",
            action.kind,
            action.reason,
            self.desired.generation,
            action.slot,
            action.member,
            self.desired.fingerprint,
            self.desired.replace_sha,
        )
        if action.kind is ActionKind.CREATE:
            self._observe_creation()
            self.creations.append(entry.request)
        if action.kind in REMOVALS:
            self._observe_removal(entry)
        self._observe_managers(entry)
        self._observe_patience(entry)
        self.entries[entry.request] = entry
        if self.desired.in_place and action.kind in (ActionKind.CREATE, ActionKind.UPDATE):
            self.applied = self.desired.fingerprint

    def _begin(self, entry: Entry) -> None:
        now_s, rng = self.world.now_s, self.rng
        slow_s = rng.choice([0.1, 1.0, 5.0, 30.0 if self.faults else 5.0])
        kinds = ["refused", "lost", "silent"]
        outcome = rng.choice(kinds) if self.faults and rng.random() < 0.25 else "done"
        acts_s = now_s + slow_s
        self.tasks[entry.request] = Task(entry, acts_s, acts_s + rng.choice([0.0, 0.5, 3.0]), outcome)

    def _step(self, task: Task) -> None:
        if not task.acted:
            task.acted = True
            if task.outcome in ("done", "lost"):
                self._act(task.entry)
            return
        del self.tasks[task.entry.request]
        if task.entry.kind not in (*REMOVALS, ActionKind.CREATE):
            self._end(task.entry, worked=task.outcome in ("done", "lost"))
        else:
            self.unsettled[task.entry.request] = self.world.now_s

    def _act(self, entry: Entry) -> None:
        machine = self.world.machines.get(entry.member)
        if entry.kind is ActionKind.CREATE:
            self.world.create(entry, self.rng.choice([1.0, 3.0, 10.0, 80.0 if self.faults else 10.0]))
        elif machine is None:
            return
        elif entry.kind in REMOVALS:
            del self.world.machines[entry.member]
        elif entry.kind is ActionKind.ADOPT:
            machine.foreign = False
        elif entry.kind is ActionKind.START and machine.life is Life.STOPPED and not machine.broken_disk:
            machine.life, machine.well_s = Life.RUNNING, self.world.now_s + 2
        elif entry.kind is ActionKind.UPDATE:
            self._update(machine, entry)

    def _update(self, machine: Machine, entry: Entry) -> None:
        machine.drift = ()
        if not self.desired.in_place:
            return
        machine.rolled_back = self.faults and self.rng.random() < 0.2
        if not machine.rolled_back:
            machine.fingerprint, machine.replace_sha = entry.fingerprint, entry.replace_sha

    # --- the observer: counts for itself, in the world as it is -------------------------------------------------------

    def _leaving(self) -> set[str]:
        return {e.member for e in self.entries.values() if e.kind in REMOVALS}

    def _observe_creation(self) -> None:
        """W42. What came back without having been listed is not our doing; what is being removed does not count."""
        listed = {m.id for m in self.seen.observed.members if m.life is not Life.GONE}
        leaving = self._leaving()
        there = [m for m in self.world.machines.values() if m.exists and m.id not in leaving and m.id in listed]
        requests = {m.request for m in there}
        coming = [e for e in self.entries.values() if e.kind is ActionKind.CREATE and e.request not in requests]
        total, most = len(there) + len(coming) + 1, self.desired.size + self.desired.max_surge
        if total > most:
            raise BrokenPromiseError("observer", f"{total} where at most {most} may be")
        if self.desired.removed:
            raise BrokenPromiseError("observer", "created for a key that is being removed")

    def _observe_removal(self, entry: Entry) -> None:
        """W42. Those that were healthy in the listing that was planned on, and are no more, were taken by others."""
        if self.desired.removed or entry.member not in self._answering() or self._was_no_use(entry.member):
            return
        left = self._answering() - self._leaving() - {entry.member}
        spare = 1 if self.desired.role is Role.MANAGER else self.desired.max_unavailable
        if len(left) < self.desired.size - spare:
            raise BrokenPromiseError("observer", f"{entry.member} taken, {len(left)} of {self.desired.size} left")

    def _was_no_use(self, member: str) -> bool:
        """The listing said that it does not serve, whatever has become of it since."""
        seen = next((m for m in self.seen.observed.members if m.id == member), None)
        return seen is not None and (
            seen.health is Health.UNHEALTHY or seen.life in (Life.STOPPED, Life.PENDING, Life.GONE)
        )

    def _answering(self) -> set[str]:
        """Of the machines that are there, those that serve now or did when we looked."""
        listed = {m.id for m in self.seen.observed.members if m.healthy}
        return listed | {m.id for m in self.world.healthy()}

    def _observe_patience(self, entry: Entry) -> None:
        """W30, W33: what failed waits; and a revision that the cluster undid is not applied again."""
        failure = self.failures.get((entry.member or entry.slot or "", entry.kind))
        if failure is not None and failure.retry_s > self.world.now_s:
            raise BrokenPromiseError("observer", f"{entry.kind} again before its time")
        undone = [m for m in self.seen.observed.members if m.rolled_back and m.id == entry.member]
        again = self.applied == self.desired.fingerprint and self.desired.in_place
        if undone and again and entry.kind is ActionKind.UPDATE:
            raise BrokenPromiseError("observer", "an undone revision was applied again")

    def _observe_managers(self, entry: Entry) -> None:
        """N2, N6, 4.1, on the raft as it is."""
        desired = self.desired
        changes = REMOVALS | {ActionKind.CREATE}
        if desired.role is not Role.MANAGER or not desired.formed or desired.removed or entry.kind not in changes:
            return
        if any(e.kind in changes for e in self.entries.values()):
            raise BrokenPromiseError("observer", "two changes to the managers at once")
        raft = {m.id for m in self.world.machines.values() if m.joined}
        answering = self._answering() & raft
        if entry.kind is ActionKind.CREATE:
            if raft - answering:
                raise BrokenPromiseError("observer", f"a manager joins while {raft - answering} don't answer")
            return
        rest = raft - {entry.member}
        if entry.member in raft and len(rest & answering) < len(rest) // 2 + 1:
            raise BrokenPromiseError("observer", f"{entry.member} taken, {len(rest & answering)} of {len(rest)} left")


def _veiled(member: Member, silent: set[str]) -> Member:
    if HEALTH in silent:
        return replace(member, health=Health.UNKNOWN)
    if member.source in silent:
        return replace(member, life=Life.UNKNOWN, health=Health.UNKNOWN)
    return member
