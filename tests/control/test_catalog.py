"""Accepted specs: generations, lives of a name, history."""

import asyncio

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.catalog import Author, Catalog, found
from skep.model.errors import NotFoundError
from skep.model.spec import Key, Kind, WorkloadSpec
from skep.specs.canonical import to_json
from tests.control.values import WEB, WORKERS

ANN = Author("ann", 5.0)


def catalog(history: int = 10) -> Catalog:
    return Catalog(MemoryStore(), history)


def web(version: int) -> bytes:
    return to_json(WorkloadSpec("web", f"web:{version}", 1))


async def test_each_accepted_change_is_a_new_generation_and_no_change_is_none() -> None:
    """W51."""
    specs = catalog()
    generations = [(await specs.write(WEB, text, ANN, uid="u")).generation for text in (b"1", b"1", b"2", b"1")]
    assert generations == [1, 1, 2, 3]


async def test_history_keeps_who_and_when_and_no_more_than_asked_for() -> None:
    """W48."""
    specs = catalog(history=3)
    for n in range(5):
        document = await specs.write(WEB, web(n), Author(f"user {n}", float(n)), uid="u")
    assert [(r.generation, r.who, r.when_s, r.spec) for r in document.history] == [
        (5, "user 4", 4.0, web(4)),
        (4, "user 3", 3.0, web(3)),
        (3, "user 2", 2.0, web(2)),
    ]


async def test_a_name_that_comes_back_has_another_life() -> None:
    """W22."""
    specs = catalog()
    first = await specs.write(WEB, b"1", ANN, uid="u1")
    second = await specs.write(WEB, b"2", ANN, uid="u2")
    removed = await specs.mark_removed(WEB, ANN)
    third = await specs.write(WEB, b"2", ANN, uid="u3")
    assert [d.uid for d in (first, second, removed, third)] == ["u1", "u1", "u1", "u3"]
    assert (removed.removed, third.removed, third.generation) == (True, False, 4)


async def test_removal_is_marked_once() -> None:
    specs = catalog()
    await specs.write(WEB, b"1", ANN, uid="u1")
    assert await specs.mark_removed(WEB, ANN) == await specs.mark_removed(WEB, Author("bob", 9.0))


async def test_what_is_not_there_can_be_neither_removed_nor_required() -> None:
    specs = catalog()
    with pytest.raises(NotFoundError):
        await specs.mark_removed(WEB, ANN)
    with pytest.raises(NotFoundError, match="there is no workload web"):
        await specs.require(WEB)


async def test_a_spec_that_was_accepted_meanwhile_is_not_forgotten() -> None:
    specs = catalog()
    await specs.write(WEB, b"1", ANN, uid="u1")
    removed = await specs.mark_removed(WEB, ANN)
    again = await specs.write(WEB, b"1", ANN, uid="u2")
    assert not await specs.forget(WEB, removed.generation)
    assert await specs.get(WEB) == again
    assert await specs.forget(WEB, again.generation)
    assert await specs.get(WEB) is None
    assert await specs.forget(WEB, again.generation)


async def test_documents_are_listed_by_kind_and_never_from_an_old_life() -> None:
    specs = catalog()
    for key in (WEB, WORKERS):
        await specs.write(key, b"1", ANN, uid="u1")
    assert [d.key for d in await specs.list()] == [WORKERS, WEB]
    assert [d.key for d in await specs.list(Kind.WORKLOAD)] == [WEB]
    await specs.forget(WEB, 1)
    await specs.write(WEB, b"1", ANN, uid="u2")
    assert [d.uid for d in await specs.list(Kind.WORKLOAD)] == ["u2"]


async def test_a_listing_is_the_same_object_until_a_spec_is_written() -> None:
    """Every turn asks for it: with 10,000 specs, making it anew would be most of the work."""
    specs = catalog()
    await specs.write(WEB, b"1", ANN, uid="u")
    before = await specs.list()
    assert await specs.list() is before
    await specs.write(WORKERS, b"1", ANN, uid="u")
    assert [d.key for d in await specs.list()] == [WORKERS, WEB]
    await specs.mark_removed(WEB, ANN)
    assert [d.removed for d in await specs.list()] == [False, True]
    await specs.forget(WEB, 2)
    assert [d.key for d in await specs.list()] == [WORKERS]


async def test_a_document_is_found_in_a_listing_by_its_key() -> None:
    specs = catalog()
    keys = [Key(kind, name) for kind in Kind for name in ("a", "a-b", "a.b", "b", "é")]
    for key in reversed(keys):
        await specs.write(key, b"1", ANN, uid="u")
    world = await specs.list()
    for key in keys:
        document = found(world, key)
        assert document is not None
        assert document.key == key
    assert [found(world, Key(Kind.GROUP, name)) for name in ("", "0", "a-", "c", "~")] == [None] * 5
    assert found((), WEB) is None


class Yielding(MemoryStore):
    """Others come between any two of its calls, as behind a disk."""

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        await asyncio.sleep(0)
        return await super().put(key, value, version=version, term=term)


async def test_those_who_change_one_spec_at_once_come_one_after_the_other() -> None:
    """None of a hundred is told that it was changed meanwhile, and each is a generation."""
    specs = Catalog(Yielding(), 10)
    written = await asyncio.gather(*(specs.write(WEB, web(n), ANN, uid="u") for n in range(100)))
    assert [d.generation for d in written] == list(range(1, 101))
    assert (await specs.require(WEB)).spec == web(99)
