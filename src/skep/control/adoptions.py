"""Which containers without labels of ours are a workload's: labels never change, so that it is kept in the store
(semantics.md W20), beside the record and for as long as the workload or its freed spec is remembered."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from weakref import WeakValueDictionary

from skep.control.documents import SpecDocument, adopted_path, decode, encode, spec_path
from skep.model.adopted import Adopted, AdoptedContainers
from skep.model.errors import NotReadyError
from skep.model.spec import Key
from skep.ports import Store


class Adoptions:
    """Writes are under the leader's term: StaleTermError when another has taken over."""

    def __init__(self, store: Store, term: int | None) -> None:
        self._store, self._term = store, term
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def of(self, key: Key) -> Mapping[str, Adopted]:
        """Those of a workload, by ID."""
        return (await self._read(key))[0]

    async def take(self, key: Key, adopted: Adopted) -> None:
        """Make it the workload's, unless it is already. NotReadyError: the workload is not what it was (W21)."""
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            await self._require(key, adopted.uid)
            known, version = await self._read(key)
            if adopted.id not in known or known[adopted.id].uid != adopted.uid:
                await self._write(key, (known | {adopted.id: adopted}).values(), version)

    async def release(self, key: Key, containers: Collection[str]) -> None:
        """These are not there any more."""
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            known, version = await self._read(key)
            if not known.keys().isdisjoint(containers):
                await self._write(key, (a for a in known.values() if a.id not in containers), version)

    async def forget(self, key: Key) -> None:
        """The workload is gone for good."""
        await self._store.delete(adopted_path(key), term=self._term)

    async def _require(self, key: Key, uid: str) -> None:
        """Read anew: the turn that asked for the adoption may have been overtaken."""
        stored = await self._store.get(spec_path(key))
        document = decode(SpecDocument, stored.value) if stored else None
        if document is None or document.removed or document.uid != uid:
            raise NotReadyError(f"{key} was removed meanwhile, and adopts nothing")

    async def _read(self, key: Key) -> tuple[dict[str, Adopted], int]:
        stored = await self._store.get(adopted_path(key))
        if stored is None:
            return {}, 0
        return {a.id: a for a in decode(AdoptedContainers, stored.value).containers}, stored.version

    async def _write(self, key: Key, containers: Iterable[Adopted], version: int) -> None:
        value = encode(AdoptedContainers(key, tuple(containers)))
        await self._store.put(adopted_path(key), value, version=version, term=self._term)
