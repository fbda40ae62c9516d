"""The embedded store: one SQLite file in the state directory."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from skep.adapters.store_lock import StateLock
from skep.adapters.store_mirror import Mirror
from skep.adapters.store_rules import check_term, check_version
from skep.model.errors import RefusedError, SkepError, UnavailableError
from skep.ports import Versioned

T = TypeVar("T")

LIBRARY_VERSION_MIN = (3, 51, 3)
"""SQLite 3.51.3 mended the WAL-reset bug, which could corrupt a database; Debian 12's 3.40.1 has it."""

BUSY_TIMEOUT_MS = 2_000
"""Nobody else writes; somebody may look at the file with the sqlite3 tool for a moment."""

MIGRATIONS = (
    """
    CREATE TABLE document (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL) STRICT;
    CREATE TABLE fence (term INTEGER NOT NULL, holder TEXT NOT NULL, writes INTEGER NOT NULL) STRICT;
    INSERT INTO fence VALUES (0, '', 0);
    """,
)
"""Step N brings a database of format N to format N + 1; an empty file has format 0. Steps are only ever added."""


@dataclass(slots=True, eq=False)
class _Write:
    """One write of `key`, None for the fence, and how it ended: `error` is None for success."""

    work: Callable[[apsw.Connection], int]
    key: str | None = None
    value: bytes | None = None
    result: int = 0
    error: Exception | None = None

    def run(self, connection: apsw.Connection) -> None:
        """A refusal is its answer, and keeps no other from being written."""
        try:
            self.result, self.error = self.work(connection), None
        except SkepError as error:
            self.error = error

    def answer(self) -> int:
        if self.error is not None:
            raise self.error
        return self.result


class SqliteStore:
    """ports.Store in `path`, in WAL mode with synchronous=FULL: a commit that has returned is on the disk.

    All statements run on one thread of its own. `fence.writes` counts writes for ever, so no version comes twice.
    Writes that wait while the thread is busy are committed together: the disk is waited for once. Nobody else writes,
    so that what is read comes from memory, as it was committed last.
    """

    def __init__(self, path: Path, chosen_with: str = "--state-dir") -> None:
        """Open or create the file (0600; its folder is made 0700), and hold the folder until closed. `chosen_with` is
        StateLock's.

        RefusedError: another process holds it, or a newer skep wrote it. UnavailableError: the disk says no.
        """
        check_library(apsw.sqlite_lib_version())
        self._path = path
        with _disk_errors(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = StateLock(path.parent, chosen_with)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._waiting: deque[_Write] = deque()
        self._closed = False
        try:
            with _disk_errors(path):
                self._connection = self._executor.submit(_open, path).result()
                self._mirror = Mirror(self._executor.submit(_documents, self._connection).result())
        except BaseException:
            self._release()
            raise

    async def acquire(self, holder: str) -> int:
        def work(connection: apsw.Connection) -> int:
            connection.execute("UPDATE fence SET term = term + 1, holder = ?", (holder,))
            return _number(connection, "SELECT term FROM fence")

        return await self._write(_Write(work))

    async def get(self, key: str) -> Versioned | None:
        self._check_open()
        return self._mirror.get(key)

    async def list(self, prefix: str) -> Sequence[Versioned]:
        self._check_open()
        return self._mirror.list(prefix)

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        def work(connection: apsw.Connection) -> int:
            _check(connection, key, version, term)
            connection.execute("UPDATE fence SET writes = writes + 1")
            written = _number(connection, "SELECT writes FROM fence")
            connection.execute("INSERT OR REPLACE INTO document VALUES (?, ?, ?)", (key, value, written))
            return written

        return await self._write(_Write(work, key, value))

    async def delete(self, key: str, *, version: int | None = None, term: int | None = None) -> None:
        def work(connection: apsw.Connection) -> int:
            _check(connection, key, version, term)
            connection.execute("DELETE FROM document WHERE key = ?", (key,))
            return connection.changes()

        await self._write(_Write(work, key))

    async def close(self) -> None:
        """Finish what was begun, and let go of the folder. A second time is success."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._submit(self._connection.close)
        finally:
            self._release()

    async def _write(self, write: _Write) -> int:
        """What its work gives, once it is on the disk. It checks before it changes anything."""
        self._waiting.append(write)
        try:
            await self._run(self._commit_waiting)
        except BaseException:
            with suppress(ValueError):  # nobody waits for it any more, unless it was begun
                self._waiting.remove(write)
            raise
        with _disk_errors(self._path):
            return write.answer()

    def _commit_waiting(self) -> None:
        """All that waits by now, in one transaction; where that fails, each in its own: only the guilty fail."""
        together = []
        with suppress(IndexError):
            while True:
                together.append(self._waiting.popleft())
        if len(together) > 1:
            with suppress(Exception):
                self._commit(together)
                return
        for write in together:
            try:
                self._commit([write])
            except Exception as error:  # raised to whoever wrote it; the others are written
                write.error = error
                self._look_again(write)

    def _commit(self, writes: Sequence[_Write]) -> None:
        with self._transaction() as connection:
            for write in writes:
                write.run(connection)
        for write in writes:
            self._remember(write)

    def _remember(self, write: _Write) -> None:
        if write.error is not None:
            self._look_again(write)
        elif write.key is None:
            return
        elif write.value is None:
            self._mirror.delete(write.key)
        else:
            self._mirror.put(Versioned(write.key, bytes(write.value), write.result))

    def _look_again(self, write: _Write) -> None:
        """A commit that failed may have been made all the same. What can't be asked for now is asked for by the next
        write that is refused: who is told of a conflict reads again, and must not read the same."""
        if write.key is None:
            return
        with suppress(apsw.Error, UnicodeError):
            rows = _documents(self._connection, "WHERE key = ?", write.key)
            if not rows:
                self._mirror.delete(write.key)
            for document in rows:
                self._mirror.put(document)

    async def _run(self, work: Callable[[], T]) -> T:
        self._check_open()
        return await self._submit(work)

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError(f"the store {self._path} is closed")

    async def _submit(self, work: Callable[[], T]) -> T:
        with _disk_errors(self._path):
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        """All or nothing, on the store's thread. What the disk refuses at COMMIT is rolled back too."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _release(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=True)
        self._lock.release()


def check_library(version: str) -> None:
    """RefusedError when the SQLite that was linked could corrupt the store."""
    if tuple(int(part) for part in version.split(".")) < LIBRARY_VERSION_MIN:
        raise RefusedError(
            f"SQLite {version} can corrupt its database (WAL reset, mended in 3.51.3): install apsw's wheel"
        )


def migrate(connection: apsw.Connection, steps: Sequence[str] = MIGRATIONS) -> None:
    """Bring the database to format `len(steps)`, each step in a transaction; RefusedError when it is newer."""
    found = _number(connection, "PRAGMA user_version")
    if found > len(steps):
        raise RefusedError(
            f"the store {connection.filename} has format {found}, and this skep knows formats up to {len(steps)}: "
            "a newer skep wrote it; start that one"
        )
    for number in range(found, len(steps)):
        connection.execute(f"BEGIN IMMEDIATE; {steps[number]}; PRAGMA user_version = {number + 1}; COMMIT")


def _open(path: Path) -> apsw.Connection:
    """SQLite gives its -wal and -shm files the mode of the database."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _documents(connection: apsw.Connection, condition: str = "", *values: str) -> Sequence[Versioned]:
    return [
        Versioned(*row) for row in connection.execute(f"SELECT key, value, version FROM document {condition}", values)
    ]


def _check(connection: apsw.Connection, key: str, version: int | None, term: int | None) -> None:
    check_term(_number(connection, "SELECT term FROM fence"), term)
    if version is not None:
        stored = _number(connection, "SELECT coalesce(max(version), 0) FROM document WHERE key = ?", key)
        check_version(key, stored, version)


def _number(connection: apsw.Connection, query: str, *values: str) -> int:
    (number,) = next(connection.execute(query, values))
    return int(number)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise UnavailableError(f"the store {path} can't be used: {error}") from error
