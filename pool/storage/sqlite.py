"""The accounts in one SQLite file: write-ahead log, every commit on the disk, one writer, several readers.

The writer has a connection and a thread of its own, so that a commit's fsync never holds the event loop up;
readers have read-only connections, each in its thread, and see the snapshot that they began with.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pool.storage import lease
from pool.storage.database import DatabaseError, DatabaseUnavailable, Reader, Writer
from pool.storage.file_system import refuse_network
from pool.storage.migrate import SQLITE, Migration, migrate, refuse_other
from pool.storage.sqlite_thread import BUSY_TIMEOUT_SECONDS, SqliteThread
from pool.storage.sqlite_transaction import SqliteTransaction

OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

MOST_READERS = 4
# Each holds back the checkpoint of the write-ahead log while it reads; one more waits for its turn.

CACHED_STATEMENTS = 256


class SqliteReadable:
    """Reads a file that is there and of our schema."""

    dialect = SQLITE

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turns = asyncio.Semaphore(MOST_READERS)
        self._at_rest: list[SqliteThread] = []
        self._is_closed = False

    @classmethod
    async def open(cls, path: Path, migrations: tuple[Migration, ...]) -> Self:
        """Raises DatabaseError for a file that is missing or older, NewerDatabase for one that is newer."""
        _refuse_old_library()
        found = cls(path)
        try:
            async with found.reading() as reader:
                await refuse_other(reader, SQLITE, len(migrations), found.description)
        except BaseException:
            await found.close()
            raise
        return found

    @property
    def description(self) -> str:
        return str(self.path)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        async with self._turns:
            if self._is_closed:
                raise DatabaseUnavailable(f"{self.path}: is closed")
            thread = self._at_rest.pop() if self._at_rest else SqliteThread(str(self.path), self._connect)
            try:
                transaction = SqliteTransaction(thread)
                await transaction.begin("DEFERRED")
                yield transaction
            finally:
                await thread.undo()
                self._at_rest.append(thread)
                if self._is_closed:
                    await self._close_readers()

    async def close(self) -> None:
        self._is_closed = True
        await self._close_readers()

    async def _close_readers(self) -> None:
        while self._at_rest:
            await self._at_rest.pop().close()

    def _connect(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise DatabaseError(f"{self.path}: there are no accounts yet; the pool makes them when it starts")
        return _connected(self.path, "ro", _make_reader)


class SqliteDatabase(SqliteReadable):
    """The file's one writer, from `take` to `close`."""

    def __init__(self, path: Path, lock: lease.FileLock) -> None:
        super().__init__(path)
        self.token = 0
        self._lock = lock
        self._turn = asyncio.Lock()
        self._writer = SqliteThread(str(path), self._connect_writer)

    @classmethod
    async def take(cls, path: Path, migrations: tuple[Migration, ...], holder: str, now_us: int) -> Self:
        """Make the file if there is none, bring it up to date, become its writer. Raises DatabaseError."""
        _refuse_old_library()
        refuse_network(path)
        lock = lease.FileLock.take(path.with_name(path.name + ".lock"), holder)
        database = cls(path, lock)
        try:
            await migrate(database._transaction, SQLITE, migrations, database.description)
            async with database._transaction() as writer:
                database.token = await lease.take(writer, holder, now_us)
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        async with self._transaction() as writer:
            await lease.check(writer, self.token)
            yield writer

    async def close(self) -> None:
        """Waits for the transaction that is open."""
        async with self._turn:
            await super().close()
            await self._writer.close()
            self._lock.release()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Writer]:
        async with self._turn:
            transaction = SqliteTransaction(self._writer)
            try:
                await transaction.begin("IMMEDIATE")
                yield transaction
                await transaction.commit()
            except BaseException:
                await self._writer.undo()
                raise

    def _connect_writer(self) -> sqlite3.Connection:
        _create(self.path)
        return _connected(self.path, "rw", _make_writer)


def _refuse_old_library() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise DatabaseError(f"Python's SQLite is {sqlite3.sqlite_version}, and it takes {oldest}")


def _connected(path: Path, mode: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_SECONDS,
        cached_statements=CACHED_STATEMENTS,
    )
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def _make_writer(connection: sqlite3.Connection) -> None:
    [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise DatabaseError("the file system of data_directory has no shared memory for a write-ahead log")
    # With NORMAL, the usual advice, a power cut takes everything since the last checkpoint.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 67108864")  # cut to 64 MiB after a long reader


def _create(path: Path) -> None:
    """An empty file of the owner's alone, whose name survives a power cut.

    A file that is there is not opened: to close it again would drop the locks that SQLite holds on it.
    """
    with suppress(FileExistsError):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
            os.fsync(directory)
            os.close(directory)
        except FileExistsError:
            raise
        except OSError as error:
            raise DatabaseError(f"{path}: cannot be made: {error.strerror}") from error
