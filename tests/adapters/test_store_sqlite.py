"""What only the store in a SQLite file promises: crashes, full disks, files, formats, one holder."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from skep.adapters.store_memory import MemoryStore
from skep.adapters.store_sqlite import MIGRATIONS, SqliteStore, check_library, migrate
from skep.model.errors import ConflictError, RefusedError, UnavailableError
from tests.adapters import store_writer
from tests.plugins.full_disk import file_size_max

KILLS = 25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    await store.close()


async def test_what_was_acknowledged_survives_kill_9_at_any_moment(path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    written = 0
    for _ in range(KILLS):
        acknowledged = _write_and_kill(path, written, after_lines=moments.randrange(1, 40))
        store = SqliteStore(path)
        documents = {document.key: document.value for document in await store.list("document/")}
        await store.close()
        lost = [n for n in range(acknowledged + 1) if documents.get(f"document/{n:09}") != f"{n}".encode() * 200]
        assert not lost, f"seed {seed}: {lost}"
        assert _integrity(path) == "ok", f"seed {seed}"
        written = len(documents)
    assert written > KILLS


def _write_and_kill(path: Path, first: int, after_lines: int) -> int:
    """The last number that was acknowledged. The writer goes on while it is being killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", store_writer.__name__, str(path), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        for _ in range(after_lines):
            lines.readline()
        process.send_signal(signal.SIGKILL)
        rest = lines.read()
    assert process.returncode == -signal.SIGKILL
    return first + after_lines + rest.count("\n") - 1


def _integrity(path: Path) -> str:
    connection = apsw.Connection(str(path))
    try:
        return str(next(connection.execute("PRAGMA integrity_check"))[0])
    finally:
        connection.close()


async def test_commits_are_synchronised_to_the_disk_and_written_ahead(store: SqliteStore) -> None:
    settings = [next(store._connection.execute(f"PRAGMA {name}"))[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]


@contextmanager
def _busy(store: SqliteStore) -> Iterator[None]:
    """What is asked of the store meanwhile waits."""
    free = threading.Event()
    store._executor.submit(free.wait)
    try:
        yield
    finally:
        free.set()


async def _commits(store: SqliteStore) -> list[bool]:
    """Grows with every commit from now on."""
    commits: list[bool] = []

    def hook() -> bool:
        commits.append(True)
        return False

    store._connection.set_commit_hook(hook)
    return commits


async def test_writes_that_wait_are_committed_together_and_answered_one_by_one(store: SqliteStore) -> None:
    await store.put("taken", b"before")
    commits = await _commits(store)
    with _busy(store):
        tasks = [asyncio.ensure_future(store.put(f"k{n}", b"x", version=0)) for n in range(50)]
        refused = asyncio.ensure_future(store.put("taken", b"after", version=0))
        gone = asyncio.ensure_future(store.delete("taken"))
        await asyncio.sleep(0)
    versions = await asyncio.gather(*tasks)
    await gone
    with pytest.raises(ConflictError, match="taken"):
        await refused
    assert len(commits) == 1
    assert len(set(versions)) == 50
    assert len(await store.list("k")) == 50
    assert await store.get("taken") is None


async def test_who_meets_a_commit_that_was_made_although_it_failed_reads_what_is_stored(store: SqliteStore) -> None:
    version = await store.put("document", b"before", version=0)
    answers = iter([apsw.SQLITE_IOERR])
    store._connection.set_wal_hook(lambda connection, name, pages: next(answers, apsw.SQLITE_OK))
    with _busy(store):
        tasks = [
            asyncio.ensure_future(store.put("document", b"after", version=version)),
            asyncio.ensure_future(store.put("other", b"x", version=0)),
        ]
        await asyncio.sleep(0)
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [ConflictError] * 2
    found = await store.get("document")
    assert found is not None
    assert found.value == b"after"
    await store.put("document", b"last", version=found.version)


async def test_one_write_that_the_disk_refuses_keeps_no_other_from_being_written(store: SqliteStore) -> None:
    with file_size_max(200_000):
        with _busy(store):
            large = asyncio.ensure_future(store.put("large", os.urandom(500_000)))
            small = asyncio.ensure_future(store.put("small", b"x"))
            await asyncio.sleep(0)
        await small
        with pytest.raises(UnavailableError):
            await large
    assert [found.key for found in await store.list("")] == ["small"]


async def test_a_write_that_can_not_be_made_keeps_no_other_from_being_written(store: SqliteStore) -> None:
    """It fails before SQLite sees it; to say of another one that it was written would be a lie."""
    with _busy(store):
        broken = asyncio.ensure_future(store.put("half a pair \ud800", b"x"))
        whole = asyncio.ensure_future(store.put("whole", b"x"))
        await asyncio.sleep(0)
    with pytest.raises(UnicodeEncodeError):
        await broken
    await whole
    assert [found.key for found in await store.list("")] == ["whole"]


async def test_a_write_that_nobody_waits_for_any_more_is_not_made_later(store: SqliteStore) -> None:
    with _busy(store):
        task = asyncio.ensure_future(store.put("given-up", b"x"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.put("other", b"x")
    assert await store.get("given-up") is None


async def test_a_full_disk_is_unavailable_and_the_store_goes_on_after_it(store: SqliteStore, path: Path) -> None:
    await store.put("a", b"before")
    with (
        file_size_max(200_000),
        pytest.raises(UnavailableError, match=r"state\.db") as info,
    ):
        for number in range(20):
            await store.put(f"big/{number}", os.urandom(65536))
    assert isinstance(info.value.__cause__, apsw.Error)
    await store.put("a", b"after")
    found = await store.get("a")
    assert found is not None
    assert found.value == b"after"


def test_a_file_that_is_no_database_is_unavailable_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, and somebody may want it back\n" * 100)
    with pytest.raises(UnavailableError, match="not a database"):
        SqliteStore(path)
    assert path.read_bytes().startswith(b"this is not a database")


def test_a_folder_that_can_not_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="file/state"):
        SqliteStore(tmp_path / "file" / "state" / "state.db")


async def test_nobody_else_can_read_its_files(store: SqliteStore, path: Path) -> None:
    await store.put("a", b"secret")
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm", "lock"), "0o600")


async def test_a_second_holder_is_refused_and_told_who_has_it(store: SqliteStore, path: Path) -> None:
    with pytest.raises(RefusedError) as info:
        SqliteStore(path)
    assert re.search(
        rf"{path.parent} is in use by process {os.getpid()}, since \d{{4}}-\d\d-\d\d \d\d:", str(info.value)
    )


async def test_the_folder_is_free_again_after_closing(path: Path) -> None:
    for _ in range(3):
        await SqliteStore(path).close()


def test_the_folder_is_free_again_after_a_failed_start(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            SqliteStore(path)


def test_an_unwritten_lock_still_names_the_folder(path: Path) -> None:
    path.parent.mkdir()
    process = subprocess.Popen(
        ["/usr/bin/env", "python3", "-c", _HOLD, str(path.parent / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RefusedError, match="in use by another process"):
            SqliteStore(path)
        process.communicate(b"\n")


_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


async def test_a_newer_format_refuses_to_start_and_says_why(path: Path) -> None:
    await SqliteStore(path).close()
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(RefusedError, match=f"has format {len(MIGRATIONS) + 1}.*newer skep wrote it"):
        SqliteStore(path)


def test_an_older_format_is_brought_up_step_by_step_and_keeps_its_documents() -> None:
    steps = [*MIGRATIONS, "ALTER TABLE document ADD COLUMN note TEXT", "UPDATE document SET note = key || '!'"]
    connection = apsw.Connection(":memory:")
    migrate(connection, steps[:1])
    connection.execute("INSERT INTO document VALUES ('a', x'00', 1)")
    migrate(connection, steps)
    migrate(connection, steps)
    assert list(connection.execute("SELECT key, value, version, note FROM document")) == [("a", b"\0", 1, "a!")]
    assert list(connection.execute("PRAGMA user_version")) == [(3,)]


def test_a_failed_step_leaves_the_format_before_it(path: Path) -> None:
    connection = apsw.Connection(":memory:")
    with pytest.raises(apsw.SQLError):
        migrate(connection, [*MIGRATIONS, "CREATE TABLE half (x); SELECT nonsense FROM nowhere"])
    connection.execute("ROLLBACK")
    assert list(connection.execute("PRAGMA user_version")) == [(1,)]
    assert not list(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'"))


@pytest.mark.parametrize(
    ("version", "good"), [("3.40.1", False), ("3.51.2", False), ("3.51.3", True), ("3.54.1", True)]
)
def test_a_library_that_can_corrupt_the_store_is_refused(version: str, good: bool) -> None:
    if good:
        check_library(version)
    else:
        with pytest.raises(RefusedError, match=version):
            check_library(version)


async def test_a_cancelled_write_leaves_the_store_usable(store: SqliteStore) -> None:
    for number in range(20):
        task = asyncio.create_task(store.put(f"a/{number}", b"x" * 1000))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.put("b", b"after")
    assert await store.get("b") is not None


async def test_it_answers_any_sequence_of_calls_as_the_memory_store_does(store: SqliteStore) -> None:
    seed = random.SystemRandom().randrange(2**32)
    choose = random.Random(seed)
    memory = MemoryStore()
    for _ in range(500):
        key = choose.choice(("a", "a/b", "a/c", "b"))
        version = choose.choice((None, None, 0, choose.randrange(1, 100)))
        term = choose.choice((None, choose.randrange(0, 6)))
        call = choose.choices(("get", "list", "put", "delete", "acquire"), (3, 2, 6, 2, 0.2))[0]
        arguments = {
            "get": ((key,), {}),
            "list": ((key,), {}),
            "put": ((key, choose.randbytes(5)), {"version": version, "term": term}),
            "delete": ((key,), {"version": version, "term": term}),
            "acquire": (("somebody",), {}),
        }[call]
        answers = [await _outcome(one, call, arguments) for one in (memory, store)]
        assert answers[0] == answers[1], f"seed {seed}: {call} {arguments}"


async def _outcome(store: object, call: str, arguments: tuple[tuple[object, ...], dict[str, object]]) -> object:
    try:
        return await getattr(store, call)(*arguments[0], **arguments[1])
    except Exception as error:  # compared, not swallowed
        return type(error), str(error)
