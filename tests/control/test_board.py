"""What is shown of many keys: made anew where something has changed, and nowhere else."""

import asyncio
from dataclasses import replace

from skep.adapters.store_memory import MemoryStore
from skep.control.board import MADE_AT_ONCE, Board
from skep.control.catalog import Author, Catalog
from skep.control.documents import SpecDocument
from skep.model.spec import Key, Kind
from skep.model.view import KeyView
from tests.control.values import WEB, WORKERS

ANN = Author("ann", 0.0)
DB = Key(Kind.WORKLOAD, "db")


class Shown:
    """A board over a catalog, and how often the view of each key was made."""

    def __init__(self) -> None:
        self.catalog, self.board = Catalog(MemoryStore(), 10), Board(self._make)
        self.made: list[str] = []
        self.at_s: float | None = 5.0
        self.unproven_s = 0.0

    async def _make(self, document: SpecDocument) -> tuple[KeyView, float | None]:
        key = document.key
        self.made.append(str(key))
        view = KeyView(
            str(key), key.kind, key.name, "", "", "", 0, 0, 0, 0, document.generation, 0, True, document.removed
        )
        return replace(view, unproven_s=self.unproven_s), self.at_s

    async def write(self, *keys: Key, spec: bytes = b"1") -> None:
        for key in keys:
            await self.catalog.write(key, spec, ANN, uid="u")

    async def listed(self, now_s: float = 10.0) -> list[tuple[str, int, float]]:
        found = await self.board.listed(await self.catalog.list(), now_s)
        return [(view.key, view.generation, age_s) for view, age_s in zip(found.views, found.ages_s, strict=True)]


async def test_a_view_is_made_once_and_grows_older() -> None:
    shown = Shown()
    await shown.write(DB, WEB)
    assert await shown.listed() == [("workload/db", 1, 5.0), ("workload/web", 1, 5.0)]
    assert await shown.listed(12.0) == [("workload/db", 1, 7.0), ("workload/web", 1, 7.0)]
    shown.board.looked(WEB, 11.5)
    assert await shown.listed(12.0) == [("workload/db", 1, 7.0), ("workload/web", 1, 0.5)]
    assert shown.made == ["workload/db", "workload/web"]


async def test_it_is_told_with_each_look_for_how_long_it_has_to_be_as_wanted_yet() -> None:
    """W54."""
    shown = Shown()
    await shown.write(WEB)
    shown.unproven_s, owed_s = 4.0, []
    for looked_s in (7.5, 8.5, 10.0, 20.0):
        [view] = (await shown.board.listed(await shown.catalog.list(), 30.0)).views
        owed_s.append(view.unproven_s)
        shown.board.looked(WEB, looked_s)
    assert owed_s == [4.0, 1.5, 0.5, 0.0]
    assert shown.made == ["workload/web"]


async def test_it_is_made_anew_for_a_new_spec_and_when_told_so() -> None:
    shown = Shown()
    await shown.write(DB, WEB)
    await shown.listed()
    await shown.write(WEB, spec=b"2")
    assert [generation for _, generation, _ in await shown.listed()] == [1, 2]
    shown.board.changed(DB)
    await shown.listed()
    assert shown.made[2:] == ["workload/web", "workload/db"]


async def test_what_is_gone_is_neither_shown_nor_remembered() -> None:
    shown = Shown()
    await shown.write(DB, WEB)
    await shown.listed()
    await shown.catalog.forget(WEB, 1)
    shown.board.gone(WEB)
    shown.board.changed(WEB)
    shown.board.looked(WEB, 1.0)
    assert [key for key, _, _ in await shown.listed()] == ["workload/db"]
    await shown.write(WEB)
    assert [key for key, _, _ in await shown.listed()] == ["workload/db", "workload/web"]


async def test_groups_are_made_anew_each_time_since_their_machines_grow_older() -> None:
    shown = Shown()
    await shown.write(WORKERS)
    await shown.listed()
    await shown.listed()
    assert shown.made == ["group/workers"] * 2


async def test_one_that_was_never_looked_at_has_no_age() -> None:
    shown = Shown()
    shown.at_s = None
    await shown.write(WEB)
    assert await shown.listed() == [("workload/web", 1, -1.0)]


async def test_others_have_their_turn_while_thousands_are_made() -> None:
    shown = Shown()
    keys = [Key(Kind.WORKLOAD, f"w{n:03}") for n in range(3 * MADE_AT_ONCE)]
    await shown.write(*keys)
    listing = asyncio.ensure_future(shown.listed())
    await asyncio.sleep(0)
    assert len(shown.made) == MADE_AT_ONCE
    shown.board.changed(keys[0])
    await listing
    await shown.listed()
    assert shown.made == [*map(str, keys), str(keys[0])]
