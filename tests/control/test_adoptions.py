"""Which containers without labels of ours are a workload's (semantics.md W20, W21): in the store, under the term."""

import asyncio
from dataclasses import replace

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.adoptions import Adoptions
from skep.control.documents import adopted_path, encode, spec_path
from skep.model.adopted import Adopted
from skep.model.errors import NotReadyError, StaleTermError
from skep.model.spec import Key, Kind
from tests.control.lab import document_of

WEB = Key(Kind.WORKLOAD, "web")
ONE, TWO = Adopted("c1", "alpha", "1", "u1", "f1"), Adopted("c2", "beta", "2", "u1", "f1")


async def _stored(**more: object) -> MemoryStore:
    store = MemoryStore()
    await store.put(spec_path(WEB), encode(document_of(**more)))
    return store


async def test_what_is_adopted_is_known_after_a_restart_until_it_is_released() -> None:
    store = await _stored()
    adoptions = Adoptions(store, None)
    await asyncio.gather(adoptions.take(WEB, ONE), adoptions.take(WEB, TWO))
    assert await Adoptions(store, None).of(WEB) == {"c1": ONE, "c2": TWO}
    await adoptions.release(WEB, {"c1", "never adopted"})
    assert await adoptions.of(WEB) == {"c2": TWO}
    await adoptions.forget(WEB)
    assert await adoptions.of(WEB) == {}
    assert await store.get(adopted_path(WEB)) is None


async def test_what_is_adopted_already_stays_as_it_was_adopted() -> None:
    """An action that is carried on after a crash has a newer template in mind."""
    adoptions = Adoptions(await _stored(), None)
    await adoptions.take(WEB, ONE)
    await adoptions.take(WEB, replace(ONE, slot="7", fingerprint="f2"))
    assert await adoptions.of(WEB) == {"c1": ONE}


@pytest.mark.parametrize("now", [{"removed": True}, {"uid": "u2"}, None])
async def test_a_workload_that_is_not_what_it_was_adopts_nothing(now: dict[str, object] | None) -> None:
    """W21: same uid, and not being deleted, as the store says at that moment."""
    store = MemoryStore() if now is None else await _stored(**now)
    with pytest.raises(NotReadyError, match=r"^workload/web was removed meanwhile"):
        await Adoptions(store, None).take(WEB, ONE)
    assert await Adoptions(store, None).of(WEB) == {}


async def test_who_leads_no_more_adopts_nothing() -> None:
    """Two skeps with one store never adopt the same one twice."""
    store = await _stored()
    old = Adoptions(store, await store.acquire("a"))
    new = Adoptions(store, await store.acquire("b"))
    with pytest.raises(StaleTermError):
        await old.take(WEB, ONE)
    await new.take(WEB, ONE)
    assert await new.of(WEB) == {"c1": ONE}
