"""What every ports.Store promises."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skep.model.errors import ConflictError, StaleTermError, UnavailableError
from skep.ports import Store
from tests.contract.stores import STORES, StoreKind

DURABLE = [kind for kind in STORES if kind.durable]


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store = await request.param.open(tmp_path)
    yield store
    await store.close()


async def test_what_was_put_is_got_with_its_version(store: Store) -> None:
    version = await store.put("spec/group/workers", b"one")
    found = await store.get("spec/group/workers")
    assert found is not None
    assert (found.key, found.value, found.version) == ("spec/group/workers", b"one", version)
    assert version > 0


async def test_a_key_that_was_never_written_is_none(store: Store) -> None:
    assert await store.get("spec/group/nobody") is None
    assert list(await store.list("spec/")) == []


async def test_every_write_gives_another_version_even_of_the_same_bytes(store: Store) -> None:
    versions = [await store.put("a", b"same") for _ in range(5)]
    await store.delete("a")
    versions.append(await store.put("a", b"same"))
    assert len(set(versions)) == 6


async def test_a_write_against_the_read_version_succeeds_once(store: Store) -> None:
    first = await store.put("a", b"1")
    await store.put("a", b"2", version=first)
    with pytest.raises(ConflictError, match=f"a was expected at version {first}"):
        await store.put("a", b"3", version=first)
    found = await store.get("a")
    assert found is not None
    assert found.value == b"2"


async def test_version_zero_writes_only_what_does_not_exist(store: Store) -> None:
    await store.put("a", b"1", version=0)
    with pytest.raises(ConflictError, match="not to exist"):
        await store.put("a", b"2", version=0)
    await store.delete("a")
    await store.put("a", b"3", version=0)


async def test_a_version_of_a_deleted_key_is_a_conflict(store: Store) -> None:
    version = await store.put("a", b"1")
    await store.delete("a")
    with pytest.raises(ConflictError, match="not there"):
        await store.put("a", b"2", version=version)
    with pytest.raises(ConflictError):
        await store.delete("a", version=version)


async def test_deleting_checks_the_version_and_forgives_absence(store: Store) -> None:
    version = await store.put("a", b"1")
    with pytest.raises(ConflictError):
        await store.delete("a", version=version + 1)
    await store.delete("a", version=version)
    await store.delete("a")
    assert await store.get("a") is None


async def test_a_new_term_fences_the_old_one(store: Store) -> None:
    old = await store.acquire("one")
    await store.put("a", b"old", term=old)
    new = await store.acquire("two")
    assert new > old
    with pytest.raises(StaleTermError):
        await store.put("a", b"late", term=old)
    with pytest.raises(StaleTermError):
        await store.delete("a", term=old)
    await store.put("a", b"new", term=new)
    await store.put("b", b"nobody's")
    assert [document.value for document in await store.list("")] == [b"new", b"nobody's"]


async def test_a_refused_write_changes_nothing(store: Store) -> None:
    version = await store.put("a", b"1")
    old = await store.acquire("one")
    await store.acquire("two")
    with pytest.raises(StaleTermError):
        await store.put("a", b"2", version=version, term=old)
    await store.put("a", b"3", version=version)


async def test_a_prefix_lists_in_byte_order_and_nothing_else(store: Store) -> None:
    keys = [
        "spec/é",
        "spec/a",
        "spec/Z",
        "spec/a/b",
        "spec",
        "spec0",
        "spec/\U0010ffff",
        "spec/a-b",
        "record/a",
        "spec/\uffff",
    ]
    for key in keys:
        await store.put(key, key.encode())
    found = [document.key for document in await store.list("spec/")]
    assert found == sorted((key for key in keys if key.startswith("spec/")), key=str.encode)
    assert [document.key for document in await store.list("")] == sorted(keys, key=str.encode)
    assert [document.key for document in await store.list("spec/a/b")] == ["spec/a/b"]


async def test_wildcards_of_the_query_language_are_plain_characters(store: Store) -> None:
    for key in ("a%b", "a_b", "axb", "a*b", "A%B"):
        await store.put(key, b"")
    assert [document.key for document in await store.list("a%")] == ["a%b"]
    assert [document.key for document in await store.list("a_")] == ["a_b"]


@pytest.mark.parametrize(
    "value",
    [b"", b"\0", bytes(range(256)), b"\xff" * 10, b"a" * 65536],
    ids=["empty", "nul", "all", "not-utf8", "64KiB"],
)
async def test_values_are_kept_byte_for_byte(store: Store, value: bytes) -> None:
    await store.put("a", value)
    found = await store.get("a")
    assert found is not None
    assert found.value == value


async def test_a_hundred_concurrent_increments_lose_none(store: Store) -> None:
    await store.put("count", b"0")

    async def increment() -> int:
        for attempt in range(1000):
            found = await store.get("count")
            assert found is not None
            try:
                await store.put("count", str(int(found.value) + 1).encode(), version=found.version)
            except ConflictError:
                continue
            return attempt
        raise AssertionError("an increment never won")

    retries = await asyncio.gather(*(increment() for _ in range(100)))
    found = await store.get("count")
    assert found is not None
    assert found.value == b"100"
    assert len(retries) == 100


async def test_terms_that_are_acquired_at_once_all_differ(store: Store) -> None:
    terms = await asyncio.gather(*(store.acquire(f"holder {number}") for number in range(20)))
    assert len(set(terms)) == 20
    await store.put("a", b"", term=max(terms))


async def test_a_closed_store_is_unavailable_and_closes_twice(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(UnavailableError):
        await store.get("a")
    with pytest.raises(UnavailableError):
        await store.put("a", b"")


@pytest.mark.parametrize("kind", DURABLE, ids=lambda kind: kind.name)
async def test_documents_terms_and_versions_survive_reopening(kind: StoreKind, tmp_path: Path) -> None:
    store = await kind.open(tmp_path)
    term = await store.acquire("one")
    version = await store.put("a", b"kept", term=term)
    await store.put("b", b"")
    await store.delete("b")
    await store.close()

    store = await kind.open(tmp_path)
    try:
        found = await store.get("a")
        assert found is not None
        assert (found.value, found.version) == (b"kept", version)
        assert await store.get("b") is None
        assert await store.acquire("two") > term
        with pytest.raises(StaleTermError):
            await store.put("a", b"late", term=term)
        assert await store.put("a", b"next") != version
    finally:
        await store.close()
