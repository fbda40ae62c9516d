"""The accepted specs: reading them, and writing them with compare-and-set."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from skep.control.documents import Followed, Pause, SpecDocument, decode, encode, freed_path, record_path, spec_path
from skep.control.retention import kept
from skep.model.errors import ConflictError, NotFoundError
from skep.model.spec import Key, Kind
from skep.model.state import Revision
from skep.ports import Store, Versioned

LIVES_MAX = 100
"""So many lives of a name are known as ours while their removal is not over; members of others are left alone."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks, when (wall time) and why: empty where he did not say."""

    who: str
    when_s: float
    why: str = ""


def found(world: Sequence[SpecDocument], key: Key) -> SpecDocument | None:
    """The document of `key` in a listing of the catalog's, which is in order."""
    place = bisect_left(world, str(key), key=lambda document: str(document.key))
    return world[place] if place < len(world) and world[place].key == key else None


class Catalog:
    """`history` revisions of templates are kept of each spec (semantics.md W48, control/retention.py)."""

    def __init__(self, store: Store, history: int) -> None:
        self._store, self._history = store, history
        self._decoded: dict[str, tuple[int, SpecDocument]] = {}
        self._listings: dict[str, tuple[Sequence[Versioned], tuple[SpecDocument, ...]]] = {}
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: Key) -> SpecDocument | None:
        stored = await self._store.get(spec_path(key))
        return self._document(stored) if stored else None

    async def require(self, key: Key) -> SpecDocument:
        document = await self.get(key)
        if document is None:
            raise NotFoundError(f"there is no {key.kind} {key.name}")
        return document

    async def list(self, kind: Kind | None = None) -> tuple[SpecDocument, ...]:
        """In order of the keys' texts. The same object until one of them is written: every turn asks for it."""
        prefix = f"spec/{kind}/" if kind else "spec/"
        listed = await self._store.list(prefix)
        known = self._listings.get(prefix)
        if known is None or known[0] is not listed:
            known = self._listings[prefix] = (listed, tuple(map(self._document, listed)))
        return known[1]

    def _document(self, stored: Versioned) -> SpecDocument:
        """Decoded once for each version."""
        known = self._decoded.get(stored.key)
        if known is None or known[0] != stored.version:
            known = self._decoded[stored.key] = (stored.version, decode(SpecDocument, stored.value))
        return known[1]

    async def write(
        self,
        key: Key,
        spec: bytes,
        author: Author,
        *,
        uid: str,
        adopt: bool = False,
        again: bool = False,
        resolve: bool = False,
    ) -> SpecDocument:
        """Accept a spec: generation + 1, or 1 under a new `uid`. The same as now is none, unless wanted `again` or its
        image is to be resolved again.

        A key that was freed goes on where it was, so that its members are its own again. Who asks for the same key
        meanwhile is next: ConflictError comes from other processes alone.
        """
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            return await self._written(key, spec, author, uid, adopt=adopt, again=again or resolve, resolve=resolve)

    async def _written(
        self, key: Key, spec: bytes, author: Author, uid: str, *, adopt: bool, again: bool, resolve: bool
    ) -> SpecDocument:
        stored = await self._store.get(spec_path(key))
        before = self._document(stored) if stored else await self._freed(key)
        same = before is not None and not before.removed and before.spec == spec and before.adopt == adopt
        if before is not None and stored is not None and same and not again:
            return before
        generation = before.generation + 1 if before else 1
        revision = Revision(generation, author.who, author.when_s, spec, why=author.why)
        document = SpecDocument(
            key=key,
            uid=before.uid if before and not before.removed else uid,
            generation=generation,
            removed=False,
            spec=spec,
            history=await self._extended(before, revision),
            adopt=adopt,
            lives=lives_after(before),
            paused=_lasting(before),
            resolve=generation if resolve else before.resolve if before else 0,
        )
        await self._store.put(spec_path(key), encode(document), version=stored.version if stored else 0)
        if stored is None and before is not None:
            await self._store.delete(freed_path(key))
        return document

    async def before(self, key: Key) -> SpecDocument | None:
        """What the next write of the key goes on from: its spec, or the one under which it was freed."""
        return await self.get(key) or await self._freed(key)

    async def _freed(self, key: Key) -> SpecDocument | None:
        stored = await self._store.get(freed_path(key))
        return decode(SpecDocument, stored.value) if stored else None

    async def free(self, document: SpecDocument) -> bool:
        """Drop a spec whose members shall stay, and remember whose they are; False if it was changed meanwhile."""
        stored = await self._store.get(spec_path(document.key))
        if stored is None or decode(SpecDocument, stored.value) != document:
            return False
        await self._store.put(freed_path(document.key), stored.value)
        try:
            await self._store.delete(stored.key, version=stored.version)
        except ConflictError:
            return False
        self._decoded.pop(stored.key, None)
        return True

    async def mark_removed(self, key: Key, author: Author, *, again: bool = False) -> SpecDocument:
        """Ask that nothing of the key be left. The document goes when its last member has.

        What was asked for already is no new generation, unless it is wanted `again`.
        """
        stored = await self._store.get(spec_path(key))
        if stored is None:
            raise NotFoundError(f"there is no {key.kind} {key.name}")
        before = decode(SpecDocument, stored.value)
        if before.removed and not again:
            return before
        generation = before.generation + 1
        revision = Revision(generation, author.who, author.when_s, before.spec, removed=True, why=author.why)
        history = await self._extended(before, revision)
        document = replace(before, generation=generation, removed=True, history=history)
        await self._store.put(spec_path(key), encode(document), version=stored.version)
        return document

    async def undo(self, before: SpecDocument, spec: bytes, author: Author, term: int) -> SpecDocument:
        """Go back by ourselves: a generation of its own, marked as automatic. ConflictError: it is not as `before`;
        StaleTermError: `term` is over, and so is what was seen under it."""
        revision = Revision(before.generation + 1, author.who, author.when_s, spec, why=author.why, automatic=True)
        history = await self._extended(before, revision)
        after = replace(before, generation=revision.generation, spec=spec, history=history, resolve=0)
        await self._replace(before, after, term)
        return after

    async def set_paused(self, before: SpecDocument, paused: Pause | None, term: int | None = None) -> None:
        """Neither a generation nor a revision: what is wanted stays the same. Errors as of `undo`; what people ask for
        is of no term."""
        await self._replace(before, replace(before, paused=paused), term)

    async def _replace(self, before: SpecDocument, after: SpecDocument, term: int | None) -> None:
        stored = await self._store.get(spec_path(before.key))
        if stored is None or decode(SpecDocument, stored.value) != before:
            raise ConflictError(f"{before.key} was changed meanwhile")
        await self._store.put(stored.key, encode(after), version=stored.version, term=term)

    async def forget(self, key: Key, generation: int) -> bool:
        """Drop the spec, unless a newer generation was accepted meanwhile; False when it was."""
        stored = await self._store.get(spec_path(key))
        if stored is None:
            return True
        if decode(SpecDocument, stored.value).generation != generation:
            return False
        self._decoded.pop(stored.key, None)
        await self._store.delete(freed_path(key))
        await self._store.delete(spec_path(key), version=stored.version)
        return True

    async def _extended(self, before: SpecDocument | None, revision: Revision) -> tuple[Revision, ...]:
        if before is None:
            return (revision,)
        stored = await self._store.get(record_path(before.key))
        followed = decode(Followed, stored.value) if stored else Followed()
        return kept((revision, *before.history), self._history, (followed.settled, followed.begun))


def _lasting(before: SpecDocument | None) -> Pause | None:
    """A pause outlives newer specs, but for one that skep made: that was of the roll that failed."""
    pause = before.paused if before and not before.removed else None
    return None if pause is None or pause.automatic else pause


def lives_after(before: SpecDocument | None) -> tuple[str, ...]:
    """W22: what an earlier life of the name has left is known as ours, and goes first."""
    if before is None or not before.removed:
        return before.lives if before else ()
    return (before.uid, *before.lives)[:LIVES_MAX]
