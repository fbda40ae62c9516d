"""A store that forgets: for tests and simulations."""

from collections.abc import Sequence

from skep.adapters.store_mirror import Mirror
from skep.adapters.store_rules import check_term, check_version
from skep.model.errors import UnavailableError
from skep.ports import Versioned


class MemoryStore:
    """ports.Store without a disk. No method waits, so each is one transaction."""

    def __init__(self) -> None:
        self._documents = Mirror()
        self._writes = 0
        self._term = 0
        self._closed = False

    async def acquire(self, holder: str) -> int:
        self._check_open()
        self._term += 1
        return self._term

    async def get(self, key: str) -> Versioned | None:
        self._check_open()
        return self._documents.get(key)

    async def list(self, prefix: str) -> Sequence[Versioned]:
        self._check_open()
        return self._documents.list(prefix)

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        self._check(key, version, term)
        self._writes += 1
        self._documents.put(Versioned(key, bytes(value), self._writes))
        return self._writes

    async def delete(self, key: str, *, version: int | None = None, term: int | None = None) -> None:
        self._check(key, version, term)
        self._documents.delete(key)

    async def close(self) -> None:
        self._closed = True

    def _check(self, key: str, version: int | None, term: int | None) -> None:
        self._check_open()
        check_term(self._term, term)
        stored = self._documents.get(key)
        check_version(key, stored.version if stored else 0, version)

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the store is closed")
