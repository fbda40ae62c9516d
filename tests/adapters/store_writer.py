"""Writes numbered documents until it is killed, and reports each on stdout once it was acknowledged."""

import asyncio
import sys
from pathlib import Path

from skep.adapters.store_sqlite import SqliteStore


async def write(path: Path, first: int) -> None:
    store = SqliteStore(path)
    term = await store.acquire("writer")
    for number in range(first, first + 1_000_000):
        await store.put(f"document/{number:09}", f"{number}".encode() * 200, version=0, term=term)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2])))
