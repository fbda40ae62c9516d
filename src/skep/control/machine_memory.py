"""What the flavor of a group said of it before, where asking costs a call for each machine: kept in memory alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from skep.model.errors import NotReadyError
from skep.model.json import NULL, RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Key
from skep.model.state import Health
from skep.ports import Clock, FlavorPlugin

log = structlog.get_logger()

TRUST_S = 5.0
"""How long a machine counts as healthy after its flavor said so. InfraKit's flavors are asked for one machine at a
time, and a group that is being made is looked at many times a second; sickness is counted in minutes (semantics.md
N27)."""

DOUBT_S = 1.0
"""The same for every other answer: as often as a group is looked at that is not where it should be."""

SHARED_S = 0.5
"""How long a flavor's word that it is not ready holds for the other machines of the group: each of them tries again
after a second (control.books.NOT_READY_RETRY_S), all at the same time."""

ABSENT_S = 3.0
"""How long the others wait for the one whose turn it is to ask: by then it would have tried again."""


class Memory:
    """Of one group whose machines join no Swarm that we know."""

    def __init__(self, key: Key, clock: Clock, poll_s: float) -> None:
        """Nothing is trusted for longer than `poll_s`, within which the group is looked at anyway."""
        self._key, self._clock, self._poll_s = key, clock, poll_s
        self._properties = NULL
        self._healths: dict[str, tuple[float, MemberHealth]] = {}
        self._not_ready, self._refused_s = "", 0.0
        self._queue: dict[str, float] = {}  # slots that wait, and when they last tried; who asked last stands last
        self._first: asyncio.Event | None = None

    async def healths(
        self, flavor: FlavorPlugin, properties: RawJson, listed: Sequence[InstanceDescription]
    ) -> Sequence[MemberHealth]:
        """One for each machine, in order; the flavor is asked for those of whom nothing fresh is known."""
        now_s = self._clock.monotonic_s()
        known = self._healths if properties == self._properties else {}
        due = [d for d in listed if not self._is_fresh(known.get(d.id), now_s)]
        answers = await flavor.healthy(properties, due) if due else ()
        told = {d.id: (now_s, answer) for d, answer in zip(due, answers, strict=True)}
        self._healths = {d.id: told.get(d.id) or known[d.id] for d in listed}
        self._properties = properties
        return [self._healths[d.id][1] for d in listed]

    def _is_fresh(self, known: tuple[float, MemberHealth] | None, now_s: float) -> bool:
        if known is None:
            return False
        trust_s = TRUST_S if known[1].health is Health.HEALTHY else DOUBT_S
        return now_s - known[0] < min(trust_s, self._poll_s)

    async def prepared(self, slot: str, ask: Callable[[], Awaitable[InstanceSpec]]) -> InstanceSpec:
        """What `ask` gives. After it was NotReadyError, one attempt asks for all that begin at the same time, so that a
        flavor that waits for something is not asked for every machine again and again (infrakit-compat.md 3.10: G12).
        Slots do it in turn: one that is never ready keeps no other waiting. Empty are all machines that are alike.
        """
        if self._first is not None:
            await self._first.wait()
        if self._not_ready and not self._is_turn_of(slot):
            raise NotReadyError(self._not_ready)
        if not self._not_ready or self._first is not None:
            return await self._ask(slot, ask)
        self._first = asyncio.Event()
        try:
            return await self._ask(slot, ask)
        finally:
            self._first.set()
            self._first = None

    def _is_turn_of(self, slot: str) -> bool:
        now_s = self._clock.monotonic_s()
        self._queue[slot] = now_s
        self._queue = {
            one: tried_s
            for one, tried_s in self._queue.items()
            if now_s - max(tried_s, self._refused_s) < ABSENT_S  # nobody tries while the flavor thinks
        }
        return now_s - self._refused_s >= SHARED_S and next(iter(self._queue)) == slot

    async def _ask(self, slot: str, ask: Callable[[], Awaitable[InstanceSpec]]) -> InstanceSpec:
        try:
            spec = await ask()
        except NotReadyError as error:
            told = str(error) or "its flavor is not ready"
            if told != self._not_ready:
                # InfraKit's users have no other place to look for what their machines wait for.
                log.warning("machines are waiting", key=str(self._key), reason=told)
            self._not_ready, self._refused_s = told, self._clock.monotonic_s()
            self._queue.pop(slot, None)
            self._queue[slot] = self._refused_s
            raise
        self._not_ready = ""
        self._queue.pop(slot, None)
        return spec
