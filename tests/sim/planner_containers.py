"""Containers on engines in virtual time, for the planner and the ledger alone: what fails, and an observer.

Like `planner_world`, but with the ledger of the house, because numbered members are a matter of both.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from skep.control.books import Outcome, Sight
from skep.control.ledger import advance, begin, forgive, settle
from skep.control.sickness import Sickness
from skep.model.errors import NoImageError, RejectedError, UnavailableError
from skep.model.plan import REMOVALS, Action, ActionKind, Plan
from skep.model.state import Desired, Entry, Health, Ledger, Life, Member, Observed, Phase
from skep.planning.check import check_plan
from skep.planning.conditions import is_converged
from tests.sim.planner_world import BrokenPromiseError, Planner

LOST_S = 30.0
LOST_SHARE = 0.55
PROVEN_S = 2.0
NEVER_WELL, FOR_EVER_S = "f4", 1e9
"""A template of which nothing gets well before all is mended."""
ENDED = (Life.DEAD, Life.GONE)


@dataclass
class Container:
    """What is really there. It is healthy from `well_s` on, unless it is sick."""

    id: str
    slot: str
    fingerprint: str
    request: str
    source: str
    created_s: float
    well_s: float
    life: Life = Life.RUNNING
    sick: bool = False

    def healthy(self, now_s: float) -> bool:
        return self.life is Life.RUNNING and not self.sick and now_s >= self.well_s


@dataclass
class Engines:
    """Containers by ID, and since when each engine has not answered."""

    sources: tuple[str, ...]
    now_s: float = 0.0
    containers: dict[str, Container] = field(default_factory=dict)
    silent_since: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    seen: dict[str, tuple[Member, ...]] = field(default_factory=dict)
    """What each engine listed last; a restart of skep forgets it."""
    count: int = 0

    def silent(self) -> set[str]:
        return set(self.silent_since) - self.lost

    def pass_time(self, now_s: float) -> None:
        """W35 and W36: lost after half a minute, unless too many would be."""
        self.now_s = now_s
        self.lost &= set(self.silent_since)
        due = {s for s, since in self.silent_since.items() if now_s - since >= LOST_S}
        if len(due | self.lost) <= LOST_SHARE * len(self.sources):
            self.lost |= due

    def listing(self) -> Observed:
        silent = self.silent()
        for source in self.sources:
            if source not in self.silent_since:
                self.seen[source] = tuple(self._member(c) for c in self.containers.values() if c.source == source)
        members = [m for s in self.sources if s not in silent | self.lost for m in self.seen[s]]
        members += [_unheard(m) for s in sorted(silent) for m in self.seen.get(s, ())]
        partitioned = len(self.silent_since) > LOST_SHARE * len(self.sources)
        unlisted = frozenset(s for s in silent if s not in self.seen)
        return Observed(tuple(members), frozenset(silent), unlisted, frozenset(self.lost), partitioned)

    def _member(self, container: Container) -> Member:
        runs = container.life is Life.RUNNING
        well = container.healthy(self.now_s)
        health = Health.HEALTHY if well else Health.UNHEALTHY if container.sick else Health.UNKNOWN
        return Member(
            id=container.id,
            slot=container.slot,
            fingerprint=container.fingerprint,
            life=container.life,
            health=health if runs else Health.UNKNOWN,
            source=container.source,
            request=container.request,
            created_s=container.created_s,
            detail="exited with code 1" if container.life is Life.DEAD else "",
        )

    def make(self, entry: Entry, life: Life, starts_s: float) -> None:
        """Repeatable: the request names the container."""
        made = next((c for c in self.containers.values() if c.request == entry.request), None)
        if made is None:
            self.count += 1
            made = Container(
                f"c{self.count:04d}",
                entry.slot or "",
                entry.fingerprint,
                entry.request,
                entry.source,
                self.now_s,
                self.now_s + starts_s,
                Life.STOPPED,
            )
            self.containers[made.id] = made
        if made.life is Life.STOPPED:
            made.life = life


def _unheard(member: Member) -> Member:
    return member if member.life is Life.DEAD else replace(member, life=Life.UNKNOWN, health=Health.UNKNOWN)


@dataclass
class Task:
    """An act on its way. `outcome`: done, refused (nothing happened), unfetched (nor could the image be had), lost
    (it happened and nobody was told), half
    (made and not started, and nobody was told) or silent (nothing happened and nobody was told)."""

    entry: Entry
    acts_s: float
    ends_s: float
    outcome: str
    acted: bool = False


class ContainerSimulation:
    """One workload's planner, ledger and engines. Wrong behaviour raises BrokenPromiseError."""

    def __init__(self, seed: int, plan: Planner, desired: Desired) -> None:
        self.rng = random.Random(seed)
        self.plan, self.desired = plan, desired
        self.engines = Engines(desired.sources)
        self.ledger, self.generation = Ledger(), desired.generation
        self.settled = ""
        """The last template that all followed, as the record knows it."""
        self.as_before: list[str] = []
        """Requests of those that were made of it while another one was rolled out."""
        self.sickness = Sickness()
        self.tasks: dict[str, Task] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.observed, self.taken_s = Observed(), 0.0
        self.faults = True
        self.creations: list[str] = []
        self.batches: list[int] = []
        self.requests = 0

    @property
    def now_s(self) -> float:
        return self.engines.now_s

    # --- one turn -------------------------------------------------------------------------------------------------

    def turn(self, after_s: float) -> Plan:
        self._pass_time(self.now_s + after_s)
        if self.generation != self.desired.generation:
            self.ledger, self.generation = forgive(self.ledger), self.desired.generation
        self._look()
        settled = self.settled if self.settled != self.desired.fingerprint and not self.desired.paused else ""
        self.desired = replace(self.desired, settled=settled)
        resume = self._settle()
        if is_converged(self.desired, self.observed, self.ledger):
            self.settled = self.desired.fingerprint
        plan = self.plan(self.desired, self.observed, self.ledger, self.now_s)
        faults = check_plan(plan, self.desired, self.observed, self.ledger)
        if faults:
            raise BrokenPromiseError("checker", f"{faults[0]} ({plan.actions})")
        backwards = replace(self.observed, members=self.observed.members[::-1])
        if self.plan(self.desired, backwards, self.ledger, self.now_s) != plan:
            raise BrokenPromiseError("observer", "the plan depends on the order in which members were listed")
        if self.observed.silent and plan.recheck_after_s is None:
            raise BrokenPromiseError("observer", "nobody would ask those again who are silent")
        self._carry_out(plan, resume)
        return plan

    def _pass_time(self, until_s: float) -> None:
        while True:
            due = [t for t in self.tasks.values() if _next_s(t) <= until_s]
            if not due:
                break
            task = min(due, key=_next_s)
            self.engines.pass_time(max(self.now_s, _next_s(task)))
            self._step(task)
        self.engines.pass_time(until_s)

    def _look(self) -> None:
        """Listings may be late, but never older than what was seen before."""
        if self.faults and self.rng.random() < 0.1:
            return
        self.taken_s = self.now_s
        self.observed = self.sickness.timed(self.desired, self.engines.listing(), self.now_s)

    def _settle(self) -> tuple[Entry, ...]:
        sight = Sight(self.desired, self.observed, self.taken_s, frozenset(self.tasks), dict(self.outcomes))
        settled = settle(self.ledger, sight, self.now_s, 0.5)
        self.ledger = settled.ledger
        awaited = {e.request for e in self.ledger.entries if e.phase is Phase.AWAITED}
        self.outcomes = {r: o for r, o in self.outcomes.items() if r in awaited}
        return settled.resume

    # --- acting ---------------------------------------------------------------------------------------------------

    def _carry_out(self, plan: Plan, resume: Iterable[Entry]) -> None:
        """skep may end before the record is written, or after it and before any of the acts."""
        crashes = self.faults and self.rng.random() < 0.05
        written = plan.actions[: self.rng.randint(0, len(plan.actions))] if crashes else plan.actions
        for action in written:
            self._observe(action.kind, action.slot, action.member, action.source)
            if action.kind is ActionKind.CREATE:
                self._observe_template(action, written)
        self.ledger, begun = begin(self.ledger, written, self.desired, self._request, self.now_s)
        made = [e.request for e in begun if e.kind is ActionKind.CREATE]
        self.creations += made
        self.as_before += [e.request for e in begun if e.kind is ActionKind.CREATE and self._is_settled(e)]
        self.batches += [len(made)] if made else []
        if crashes:
            self.tasks, self.outcomes, self.sickness = {}, {}, Sickness()
            self.engines.seen = {s: m for s, m in self.engines.seen.items() if s not in self.engines.silent_since}
            self.engines.lost = set()
            self.engines.silent_since = dict.fromkeys(self.engines.silent_since, self.now_s)
            self.observed = self.sickness.timed(self.desired, self.engines.listing(), self.now_s)
            return
        for entry in (*resume, *begun):
            self._begin(entry)

    def _request(self) -> str:
        self.requests += 1
        return f"r{self.requests}"

    def _begin(self, entry: Entry) -> None:
        """As an actuator does, it writes down first what it is about to attempt."""
        rng = self.rng
        self.ledger = advance(self.ledger, {entry.request: Phase.PROVISION})
        kinds = ["refused", "lost", "silent", "half", *(["unfetched"] if entry.kind is ActionKind.CREATE else [])]
        outcome = rng.choice(kinds) if self.faults and rng.random() < 0.25 else "done"
        acts_s = self.now_s + rng.choice([0.1, 1.0, 10.0 if self.faults else 1.0])
        self.tasks[entry.request] = Task(entry, acts_s, acts_s + rng.choice([0.0, 0.5, 3.0]), outcome)

    def _step(self, task: Task) -> None:
        if task.entry.source in self.engines.silent_since:
            task.outcome = "silent" if not task.acted else "lost"
        if not task.acted:
            task.acted = True
            if task.outcome not in ("refused", "silent", "unfetched"):
                self._act(task)
            return
        entry = task.entry
        del self.tasks[entry.request]
        if entry.kind in REMOVALS and task.outcome in ("done", "lost"):
            self.engines.containers.pop(entry.member, None)
        errors = {"done": None, "refused": RejectedError("refused"), "unfetched": NoImageError("manifest unknown")}
        error = errors.get(task.outcome, UnavailableError("no answer"))
        self.outcomes[entry.request] = Outcome(entry.request, self.now_s, error)

    def _act(self, task: Task) -> None:
        entry, container = task.entry, self.engines.containers.get(task.entry.member)
        if entry.kind is ActionKind.CREATE:
            life = Life.STOPPED if task.outcome == "half" else Life.RUNNING
            never = self.faults and entry.fingerprint == NEVER_WELL
            self.engines.make(entry, life, FOR_EVER_S if never else self.rng.choice([0.0, 0.0, 5.0]))
        elif container is None:
            return
        elif entry.kind is ActionKind.START and container.life is Life.STOPPED:
            container.life = Life.RUNNING
        elif entry.kind in (ActionKind.STOP, ActionKind.DRAIN):
            container.life = Life.DEAD

    # --- the observer: counts for itself, in the world as it is -------------------------------------------------------

    def _leaving(self) -> set[str]:
        return {e.member for e in self.ledger.entries if e.kind in REMOVALS}

    def _observe(self, kind: ActionKind, slot: str | None, member: str, source: str) -> None:
        if kind is ActionKind.CREATE:
            self._observe_creation(slot, source)
        if kind in REMOVALS and not self.desired.removed:
            self._observe_removal(member)

    def _observe_creation(self, slot: str | None, source: str) -> None:
        """W42, F1: never too many, and never two of one number. What nobody listed yet is not our doing."""
        if self.desired.removed or source in self.engines.lost or source in self.observed.silent:
            raise BrokenPromiseError("observer", f"created on {source}, removed={self.desired.removed}")
        listed, leaving = {m.id for m in self.observed.members}, self._leaving()
        alive = [c for c in self.engines.containers.values() if c.life not in ENDED and c.id in listed]
        coming = [e for e in self.ledger.entries if e.kind is ActionKind.CREATE]
        if slot in {c.slot for c in alive} | {e.slot for e in coming}:
            raise BrokenPromiseError("observer", f"{slot} was made twice")
        there = [c for c in alive if c.id not in leaving]
        absent = [e for e in coming if e.request not in {c.request for c in there}]
        total, most = len(there) + len(absent) + 1, self.desired.size + self.desired.max_surge
        if total > most:
            raise BrokenPromiseError("observer", f"{total} where at most {most} may be: {there} {absent}")
        self._observe_place(source)

    def _observe_patience(self, slot: str | None, source: str, as_before: bool) -> None:
        """W30, W32, W33, W38."""
        for failure in self.ledger.failures:
            excused = as_before and not failure.settled
            of_key = (failure.subject, failure.kind) == ("", ActionKind.CREATE) and not excused
            of_slot = (failure.subject, failure.kind) == (slot, ActionKind.START)
            of_slot = of_slot and (as_before or not failure.settled)
            of_image = failure.pull and failure.subject == source and not excused
            if (of_key or of_slot or of_image) and failure.retry_s > self.now_s:
                raise BrokenPromiseError("observer", f"{slot} was made before its time")
            if of_slot and 0 < self.desired.limits.restarts_max <= failure.count:
                raise BrokenPromiseError("observer", f"{slot} was made once more than allowed")

    def _observe_place(self, source: str) -> None:
        """W34: none is made where five failed within five minutes while another engine, of which nothing bad is known,
        has room without end."""
        bad = {s.source for s in self.ledger.setbacks if len(s.at_s) >= 5 and self.now_s - s.at_s[-5] < 300.0}
        unsure = {f.subject for f in self.ledger.failures if f.kind is ActionKind.CREATE}
        good = set(self.desired.sources) - bad - unsure - self.observed.silent - self.observed.lost
        if source in bad and good and not self.desired.per_source_max:
            raise BrokenPromiseError("observer", f"made on {source}, where five failed, and not on {good}")

    def _observe_template(self, action: Action, written: Sequence[Action]) -> None:
        """W42, W45: as before only while nothing new has proven itself, and no more than must serve."""
        self._observe_patience(action.slot, action.source, bool(action.fingerprint))
        if not action.fingerprint:
            return
        leaving, least_s = self._leaving(), self.desired.limits.min_ready_s or PROVEN_S
        there = [m for m in self.observed.members if m.life not in ENDED and m.id not in leaving]
        new = [m for m in there if m.fingerprint == self.desired.fingerprint and m.source in self.desired.sources]
        if action.fingerprint != self.settled or any(m.healthy and m.well_s >= least_s for m in new):
            raise BrokenPromiseError("observer", f"{action} made as before the roll, and new ones are available")
        shown = {m.request for m in there}
        coming = [e for e in self.ledger.entries if e.kind is ActionKind.CREATE and e.request not in shown]
        old = [m for m in there if m.fingerprint == self.settled and not m.healthy and m.health is not Health.UNHEALTHY]
        count = sum(m.healthy for m in there) + sum(map(self._is_settled, coming))
        count += sum(m.life is not Life.STOPPED for m in old) + sum(bool(a.fingerprint) for a in written)
        if count > self.desired.size - self.desired.max_unavailable:
            raise BrokenPromiseError("observer", f"{action} made as before the roll, and {count} serve or come")

    def _is_settled(self, entry: Entry) -> bool:
        return entry.fingerprint != self.desired.fingerprint and entry.fingerprint == self.settled

    def _observe_removal(self, member: str) -> None:
        """W42; and of the dead the last of a slot in use is kept. Those that others took are not counted."""
        leaving = self._leaving() | {member}
        serving = {m.id for m in self.observed.members if m.healthy}
        if member in serving and len(serving - leaving) < self.desired.size - self.desired.max_unavailable:
            raise BrokenPromiseError(
                "observer", f"{member} taken, {len(serving - leaving)} of {self.desired.size} left"
            )
        seen = {m.id: m for m in self.observed.members}
        dead = [m for m in seen.values() if m.life is Life.DEAD and m.slot == seen[member].slot and m.id not in leaving]
        in_use = {m.slot for m in seen.values() if m.life not in ENDED and m.id not in leaving}
        if seen[member].life is Life.DEAD and not dead and seen[member].slot in in_use:
            raise BrokenPromiseError("observer", f"{member} was the last that ended of its slot")


def _next_s(task: Task) -> float:
    return task.ends_s if task.acted else task.acts_s
