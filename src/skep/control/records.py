"""Records under the leader's term: read once, written only when they changed, with compare-and-set."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgspec
import structlog

from skep.control import ledger as ledgers
from skep.control.documents import decode_record, encode_record, record_path
from skep.model.errors import ConflictError, RefusedError, UnavailableError
from skep.model.spec import Key
from skep.model.state import Ledger, Phase, Record
from skep.planning.backoff import RESTART_CAP_S
from skep.ports import Clock, Store

log = structlog.get_logger()


@dataclass(slots=True)
class _Together:
    """Phases that are written down with one write, by the action that asked first. `error`: why that failed."""

    phases: dict[str, Phase] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    error: BaseException | None = None


class Records:
    """Only the leader writes records, so that what it wrote last is what there is: they are cached.

    A conflict means that this is not so; the cache is dropped and the turn repeated.
    """

    def __init__(
        self, store: Store, clock: Clock, term: int, changed: Callable[[Key], None] = lambda key: None
    ) -> None:
        """`changed` is called with the key of each record that was written. `term` stays as it is."""
        self._store, self._clock, self.term, self._changed = store, clock, term, changed
        self._cache: dict[Key, tuple[Record, int]] = {}
        self._made_in: dict[Key, str] = {}
        self._locks: dict[Key, asyncio.Lock] = {}
        self._together: dict[Key, _Together] = {}

    async def read(self, key: Key) -> Record:
        """An empty record where there is none yet."""
        if key not in self._cache:
            self._keep(*await self._stored(key))
        return self._cache[key][0]

    def _keep(self, record: Record, version: int) -> None:
        self._cache[record.key] = (record, version)
        self._made_in[record.key] = record.made_in

    def made_in(self, key: Key) -> str:
        """The cluster that the key's members were made on; empty while there are none, or the record was never read."""
        return self._made_in.get(key, "")

    async def glance(self, key: Key) -> Record:
        """The same for a question, of which nothing is kept: people may ask for names that never come to be."""
        known = self._cache.get(key) or await self._stored(key)
        return known[0]

    async def _stored(self, key: Key) -> tuple[Record, int]:
        stored = await self._store.get(record_path(key))
        if stored is None:
            return Record(key), 0
        mono_s, wall_s = self._clock.monotonic_s(), self._clock.wall_s()
        return decode_record(stored.value, mono_s, wall_s, RESTART_CAP_S), stored.version

    async def keys(self) -> tuple[Key, ...]:
        """Those that have a record, in byte order."""
        return tuple(Key.parse(s.key.removeprefix("record/")) for s in await self._store.list("record/"))

    async def recall(self, known: Collection[Key]) -> None:
        """Read the records of the keys that are known: no turn may take members of one for being nowhere.

        The record of a key that was freed while it was acted on goes when that ends; a crash before leaves it.
        """
        for key in await self.keys():
            if key not in known:
                await self.erase(key)
                continue
            try:
                await self.read(key)
            except (RefusedError, msgspec.MsgspecError) as error:  # only its own turns are in trouble
                log.warning("a record can't be read", key=str(key), error=str(error))

    async def write(self, record: Record) -> None:
        """Write if anything changed. Phases that actions reached since the record was read are kept."""
        async with self._locks.setdefault(record.key, asyncio.Lock()):
            if record.key not in self._cache:
                raise ConflictError(f"the record of {record.key} changed since it was read")
            before = self._cache[record.key][0]
            merged = replace(record, ledger=_with_phases(record.ledger, before.ledger))
            if merged != before:
                await self._put(merged)

    async def advance(self, key: Key, request: str, phase: Phase) -> None:
        """Write down the phase that an action is about to attempt; StaleTermError forbids the attempt.

        Written even where nothing changes: only the store can tell whether this term still holds. Actions of a key that
        ask at the same moment, or while the record is being written, share the next write.
        """
        waiting = self._together.get(key)
        if waiting is None:
            await self._write_together(key, request, phase)
            return
        waiting.phases[request] = phase
        await waiting.over.wait()
        if waiting.error is not None:
            raise waiting.error

    async def _write_together(self, key: Key, request: str, phase: Phase) -> None:
        """Let all who are about to ask do so, then write for all of them."""
        together = self._together[key] = _Together({request: phase})
        try:
            await asyncio.sleep(0)
            async with self._locks.setdefault(key, asyncio.Lock()):
                record = await self.read(key)
                del self._together[key]
                await self._put(replace(record, ledger=ledgers.advance(record.ledger, together.phases)))
        except asyncio.CancelledError:
            together.error = UnavailableError(f"the record of {key} was not written: its controller ends")
            raise
        except BaseException as error:
            together.error = error
            raise
        finally:
            if self._together.get(key) is together:
                del self._together[key]
            together.over.set()

    async def _put(self, record: Record) -> None:
        version = self._cache[record.key][1]
        value = encode_record(record, self._clock.monotonic_s(), self._clock.wall_s())
        try:
            version = await self._store.put(record_path(record.key), value, version=version, term=self.term)
        except BaseException:
            self._cache.pop(record.key, None)
            raise
        self._keep(record, version)
        self._changed(record.key)

    async def erase(self, key: Key) -> None:
        """Nothing of the key is left to be remembered."""
        await self._store.delete(record_path(key), term=self.term)
        self.forget(key)

    async def let_go(self, key: Key) -> None:
        """The key was freed: nothing of it is remembered, unless something is under way whose end has to be noted."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            with suppress(RefusedError):  # a newer skep wrote it: it is erased when the key's turns end
                if not (await self.glance(key)).ledger.entries:
                    await self.erase(key)

    def forget(self, key: Key) -> None:
        self._cache.pop(key, None)
        self._made_in.pop(key, None)
        self._locks.pop(key, None)


def _with_phases(ledger: Ledger, stored: Ledger) -> Ledger:
    reached = {e.request: e.phase for e in stored.entries if e.phase is not Phase.AWAITED}
    entries = tuple(
        e if e.phase is Phase.AWAITED else replace(e, phase=reached.get(e.request, e.phase)) for e in ledger.entries
    )
    return replace(ledger, entries=entries)
