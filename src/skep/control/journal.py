"""Events: one line for each decision that changed something, kept in the store for people."""

import asyncio
from collections import deque
from itertools import islice

from skep.control.documents import decode, encode, event_path
from skep.model.errors import SkepError
from skep.model.spec import Key
from skep.model.state import Event
from skep.ports import Clock, Store

BATCH = 100
"""Events that are written side by side: a store writes what comes together as one."""


class Journal:
    """The last `kept` events. They are written with `flush`, at the end of each turn: of one that fails, too."""

    def __init__(self, store: Store, clock: Clock, kept: int) -> None:
        self._store, self._clock, self._kept = store, clock, kept
        self._events: deque[Event] = deque(maxlen=kept)
        self._unwritten: deque[Event] = deque(maxlen=kept)
        self._next = 1
        self._writing = False

    async def load(self) -> None:
        """Take up the numbering where the last controller left it."""
        for stored in (await self._store.list("event/"))[-self._kept :]:
            self._events.append(decode(Event, stored.value))
        self._next = self._events[-1].seq + 1 if self._events else 1

    def say(self, key: Key | str, reason: str, message: str) -> Event:
        event = Event(self._next, self._clock.wall_s(), str(key), reason, message)
        self._next += 1
        self._events.append(event)
        self._unwritten.append(event)
        return event

    async def flush(self) -> None:
        """Write what was said and forget what is older than the last `kept`; without a store, try at the next turn.

        Whoever comes while another writes leaves the rest to that one.
        """
        if self._writing:
            return
        self._writing = True
        try:
            while batch := list(islice(self._unwritten, BATCH)):
                answers = await asyncio.gather(*map(self._write, batch), return_exceptions=True)
                if error := next((answer for answer in answers if answer is not None), None):
                    raise error
                while self._unwritten and self._unwritten[0].seq <= batch[-1].seq:
                    self._unwritten.popleft()
        except SkepError:
            return
        finally:
            self._writing = False

    async def _write(self, event: Event) -> None:
        """Together with the end of the one that it drives out: the disk is waited for once."""
        old = event.seq - self._kept
        ended = [self._store.delete(event_path(old))] if old > 0 else []
        await asyncio.gather(self._store.put(event_path(event.seq), encode(event)), *ended)

    def since(self, seq: int, key: str = "") -> tuple[Event, ...]:
        """Events after `seq`, oldest first; only those of `key` where one is named."""
        return tuple(e for e in self._events if e.seq > seq and key in ("", e.key))
