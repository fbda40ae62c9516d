"""One turn of a key: observe, settle the ledger, plan, check, write the record, start the actions.

The turn ends there. What runs on is written down, and wakes the key when it ends.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from skep.control import ledger as ledgers
from skep.control.actions import Actions
from skep.control.books import Outcome, Sight
from skep.control.catalog import Catalog, found
from skep.control.documents import SpecDocument
from skep.control.failed_rolls import FailedRolls
from skep.control.journal import Journal
from skep.control.levels import Level, Resolved
from skep.control.records import Records
from skep.control.sickness import Sickness
from skep.model.errors import BugError, SkepError, StaleTermError
from skep.model.plan import ActionKind, Plan
from skep.model.spec import Key
from skep.model.state import Desired, Entry, Ledger, Member, Observed, Phase, Record
from skep.planning.check import check_plan
from skep.planning.conditions import conditions, is_converged, is_over
from skep.planning.dry_run import unhurried
from skep.planning.explain import explain_action
from skep.planning.failing import why_failed
from skep.planning.jobs import recorded, remaining
from skep.planning.news import news
from skep.planning.numbers import coming, going
from skep.planning.planner import plan as make_plan
from skep.ports import Actuator, Advance, Clock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look at a key, kept in memory for people; `at_s` is monotonic. `rested_s`: for how long before that all
    was as here; the members are as old as when that began."""

    desired: Desired
    observed: Observed
    plan: Plan
    actuator: Actuator
    cluster: str
    at_s: float
    rested_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Before:
    """When a listing was begun, and what was running or had ended by then: what ends later belongs to the next turn."""

    at_s: float
    running: frozenset[str]
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a turn saw after which nothing was left to do or to wait for: until one of these differs, nothing is."""

    desired: Desired
    listed: Observed
    record: Record


@dataclass(frozen=True, slots=True)
class Turn:
    """When to look again by time alone; None is at the next resync. `over`: the key is gone for good. `rested`: all was
    as at the last look, and that one did not fail."""

    recheck_after_s: float | None = None
    over: bool = False
    rested: bool = False


class Reconciler:
    """Only this acts. One instance serves one level; the caller sees to it that a key has one turn at a time (W2)."""

    def __init__(
        self,
        level: Level,
        catalog: Catalog,
        records: Records,
        journal: Journal,
        actions: Actions,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._level, self._catalog, self._records = level, catalog, records
        self._journal, self._actions, self._clock, self._rng = journal, actions, clock, rng
        self._failed_rolls = FailedRolls(catalog, records, journal, clock)
        self._sickness = Sickness()
        self._seen: dict[Key, Seen] = {}
        self._troubles: dict[Key, str] = {}
        self._rests: dict[Key, _Rest] = {}

    def trouble(self, key: Key) -> str:
        """Why the last turn of the key failed; empty when it did not."""
        return self._troubles.get(key, "")

    def seen(self, key: Key) -> Seen | None:
        return self._seen.get(key)

    def keys_on(self, cluster: str) -> tuple[Key, ...]:
        """Keys that were last seen to live on this cluster, or could not be placed."""
        return tuple(k for k, seen in self._seen.items() if seen.cluster in (cluster, ""))

    async def reconcile(self, key: Key) -> Turn:
        """One turn. SkepError when it could not be finished: nothing was begun then that is not in the ledger."""
        try:
            turn = await self._turn(key)
        except SkepError as error:
            self._troubles[key] = str(error)
            if not isinstance(error, StaleTermError):  # then somebody else numbers the events
                await self._journal.flush()
            raise
        was_in_trouble = self._troubles.pop(key, None) is not None
        return replace(turn, rested=turn.rested and not was_in_trouble)

    async def _turn(self, key: Key) -> Turn:
        world = await self._catalog.list()
        document = found(world, key)
        if document is None:
            return await self._let_go(key)
        resolved = await self._level.resolve(document, await self._records.read(key), world)
        desired, record = resolved.desired, resolved.record
        before = _Before(self._clock.monotonic_s(), self._actions.running(key), self._actions.outcomes(key))
        listed = await resolved.actuator.observe(desired)
        if self._is_at_rest(resolved, before, listed):
            self._saw_nothing_new(resolved)
            await self._journal.flush()
            return Turn(resolved.poll_s, rested=True)
        if record.observed_generation != document.generation:
            record = replace(record, ledger=ledgers.forgive(record.ledger))
        observed, settled, outcomes = self._looked(desired, listed, record.ledger, before)
        desired = remaining(desired, observed, settled.ledger)
        if document.removed and is_over(observed, settled.ledger):
            return await self._finish(document, world)
        failed = why_failed(desired, observed, settled.ledger, self._clock.monotonic_s())
        if failed and await self._failed_rolls.answer(document, record, desired, failed):
            await self._journal.flush()
            return Turn(recheck_after_s=0.0)
        plan = self._planned(desired, observed, settled.ledger)
        ledger, begun = ledgers.begin(settled.ledger, plan.actions, desired, self._request, self._clock.wall_s())
        stated = self._stated(record, desired, observed, plan, ledger)
        await self._records.write(stated)
        for one in news(record, stated, numbered=desired.numbered, now_s=self._clock.monotonic_s()):
            self._journal.say(key, one.reason, one.message)
            log.info("news", key=str(key), reason=one.reason, text=one.message)
        if (settled.resume or begun) and await self._catalog.get(key) is None:
            return Turn(recheck_after_s=0.0)
        self._actions.settled(key, outcomes)
        self._seen[key] = Seen(desired, observed, plan, resolved.actuator, resolved.cluster, self._clock.monotonic_s())
        self._rests[key] = _Rest(resolved.desired, listed, stated)
        _tell_numbers(desired, observed, settled.ledger, plan)
        self._announce(key, plan)
        for entry in (*settled.resume, *begun):
            self._start(resolved, observed, entry)
        await self._journal.flush()
        return Turn(_sooner(plan.recheck_after_s, resolved.poll_s))

    def _is_at_rest(self, resolved: Resolved, before: _Before, listed: Observed) -> bool:
        """Whether the last turn left nothing to do, to wait for or to count, and nothing differs from what it saw."""
        key = resolved.desired.key
        seen, rest = self._seen.get(key), self._rests.get(key)
        if seen is None or rest is None or seen.plan.actions or seen.plan.recheck_after_s is not None:
            return False
        if before.running or before.outcomes or resolved.desired.removed:
            return False
        books = resolved.record.ledger
        known = (rest.desired, rest.record, rest.listed)
        return not books.entries and not books.failures and known == (resolved.desired, resolved.record, listed)

    def _saw_nothing_new(self, resolved: Resolved) -> None:
        key, now_s = resolved.desired.key, self._clock.monotonic_s()
        self._sickness.unchanged(key, now_s)
        seen = self._seen[key]
        rested_s = seen.rested_s + now_s - seen.at_s
        # What stays as it was stays the same object: of ten thousand keys, new ones would keep the collector busy.
        actuator = seen.actuator if seen.actuator == resolved.actuator else resolved.actuator
        self._seen[key] = replace(seen, actuator=actuator, cluster=resolved.cluster, at_s=now_s, rested_s=rested_s)

    def _looked(
        self, desired: Desired, listed: Observed, ledger: Ledger, before: _Before
    ) -> tuple[Observed, ledgers.Settled, set[str]]:
        """What was seen, the ledger after it, and whose outcomes are settled by it."""
        outcomes = before.outcomes
        observed = self._sickness.timed(desired, listed, before.at_s)
        sight = Sight(desired, observed, before.at_s, before.running, outcomes)
        ledger = ledgers.advance(ledger, self._actions.phases(desired.key))
        settled = ledgers.settle(ledger, sight, self._clock.monotonic_s(), self._rng.random())
        awaited = {e.request for e in settled.ledger.entries if e.phase is Phase.AWAITED}
        return observed, settled, set(outcomes) - awaited

    async def _let_go(self, key: Key) -> Turn:
        """The key was freed, or there never was one. What still runs is let finish, and its end brings this back: until
        then the record says what is under way, for a spec that takes the members back."""
        if self._actions.running(key):
            return Turn()
        await self._records.erase(key)
        self._actions.settled(key, set(self._actions.outcomes(key)))
        self._drop(key)
        return Turn(over=True)

    async def _finish(self, document: SpecDocument, world: Sequence[SpecDocument]) -> Turn:
        """What was kept beside the spec goes first: after a crash in between, the spec brings this turn back."""
        await self._level.forgotten(document, world)
        await self._records.erase(document.key)
        if not await self._catalog.forget(document.key, document.generation):
            return Turn(recheck_after_s=0.0)
        self._drop(document.key)
        self._journal.say(document.key, "Removed", "nothing of it is left")
        await self._journal.flush()
        return Turn(over=True)

    def _drop(self, key: Key) -> None:
        self._seen.pop(key, None)
        self._rests.pop(key, None)
        self._troubles.pop(key, None)
        self._sickness.forget(key)
        self._records.forget(key)

    def _planned(self, desired: Desired, observed: Observed, ledger: Ledger) -> Plan:
        plan = make_plan(desired, observed, ledger, self._clock.monotonic_s())
        faults = check_plan(plan, desired, observed, ledger)
        if faults:
            raise BugError(f"the plan for {desired.key} would break a promise and was not carried out: {faults[0]}")
        return plan

    def _stated(self, record: Record, desired: Desired, observed: Observed, plan: Plan, ledger: Ledger) -> Record:
        wall_s, now_s = self._clock.wall_s(), self._clock.monotonic_s()
        done = is_converged(desired, observed, ledger) and not plan.actions
        return replace(
            record,
            observed_generation=desired.generation,
            conditions=conditions(desired, observed, ledger, plan, record.conditions, wall_s, now_s),
            ledger=ledger,
            begun=record.begun if desired.withheld else desired.generation,
            settled=desired.generation if done else record.settled,
            settled_image=record.image if done else record.settled_image,
            settled_image_spec=record.image_spec if done else record.settled_image_spec,
            settled_image_id=record.image_id if done else record.settled_image_id,
        )

    def _request(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"

    def _announce(self, key: Key, plan: Plan) -> None:
        """What is done many times is said once."""
        said = Counter((a.kind.value, a.reason.value, explain_action(key.kind, a)) for a in plan.actions)
        for (kind, reason, text), count in said.items():
            told = text if count == 1 else f"{count} × {text}"
            self._journal.say(key, reason, told)
            log.info("action", key=str(key), kind=kind, reason=reason, text=told)

    def _start(self, resolved: Resolved, observed: Observed, entry: Entry) -> None:
        key = resolved.desired.key
        member = next((m for m in observed.members if m.id == entry.member), Member(entry.member))

        async def advance(phase: Phase) -> None:
            if phase is Phase.CREATED:
                self._actions.made(key, entry.request)
                return
            await self._records.advance(key, entry.request, phase)

        async def act() -> None:
            await _perform(resolved, member, entry, advance)

        self._actions.start(key, entry.request, act)

    async def preview(self, document: SpecDocument, world: Sequence[SpecDocument]) -> tuple[Desired, Plan]:
        """What the next turn would do if these were the specs: the same planner on the same values, and no acts.

        Holds are left out: they only say that something else comes first. What is refused is not.
        """
        before = await self._records.glance(document.key)
        resolved = await self._level.resolve(document, before, world)
        wanted = replace(resolved.desired, hold=resolved.refusal, hold_removal="")
        is_new = before.observed_generation != document.generation
        desired, ledger = unhurried(wanted, ledgers.forgive(before.ledger) if is_new else before.ledger)
        observed = await resolved.actuator.observe(desired)
        ledger = recorded(desired, observed, ledger)
        desired = remaining(desired, observed, ledger)
        return desired, make_plan(desired, observed, ledger, self._clock.monotonic_s())


def _tell_numbers(desired: Desired, observed: Observed, ledger: Ledger, plan: Plan) -> None:
    for event, count in (
        ("creating members", coming(desired, observed, ledger, plan)),
        ("removing members", going(desired, plan)),
    ):
        if count:
            log.info(event, key=str(desired.key), count=count)


def _sooner(one_s: float | None, other_s: float | None) -> float | None:
    waits = [s for s in (one_s, other_s) if s is not None]
    return min(waits) if waits else None


async def _perform(resolved: Resolved, member: Member, entry: Entry, advance: Advance) -> None:
    actuator, desired = resolved.actuator, resolved.desired
    match entry.kind:
        case ActionKind.CREATE:
            await actuator.create(desired, entry, advance)
        case ActionKind.START:
            await actuator.start(desired, member)
        case ActionKind.STOP:
            await actuator.stop(desired, member)
        case ActionKind.UPDATE:
            await actuator.update(desired, member, entry, advance)
        case ActionKind.ADOPT:
            await actuator.adopt(desired, member, advance)
        case ActionKind.DRAIN | ActionKind.DESTROY:
            await actuator.remove(desired, member, entry, advance)
