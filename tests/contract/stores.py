"""The stores that the contract is run on. A new one joins by a line in STORES."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from skep.adapters.store_memory import MemoryStore
from skep.adapters.store_sqlite import SqliteStore
from skep.ports import Store


@dataclass(frozen=True)
class StoreKind:
    """`open` gives the store that lives in a folder; a durable one finds there what the last one wrote."""

    name: str
    open: Callable[[Path], Awaitable[Store]]
    durable: bool


async def _open_memory(folder: Path) -> Store:
    return MemoryStore()


async def _open_sqlite(folder: Path) -> Store:
    return SqliteStore(folder / "state" / "state.db")


STORES = (
    StoreKind("memory", _open_memory, durable=False),
    StoreKind("sqlite", _open_sqlite, durable=True),
)
