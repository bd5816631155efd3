"""Where a test keeps its accounts: a file or a PostgreSQL database, used in the same way."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

from pool.storage.database import Database, ReadableDatabase
from pool.storage.migrate import Migration
from pool.storage.opening import ACCOUNTS_FILE, open_database, open_for_reading
from pool.storage.postgres import PostgresDatabase
from pool.storage.sqlite import SqliteDatabase
from tests.harness.postgres import Postgres

NEW_ACCOUNT = "INSERT INTO account (name, first_seen_us) VALUES (?, ?) RETURNING id"


class Place:
    """An empty one; `url` is None for the file."""

    def __init__(self, directory: Path, server: Postgres | None = None, url: str | None = None) -> None:
        self.directory = directory
        self.server = server
        self.url = url

    @classmethod
    @contextlib.contextmanager
    def lent(cls, directory: Path, server: Postgres | None) -> Iterator[Self]:
        """A database of the server, emptied for the next test; without a server, a file."""
        if server is None:
            yield cls(directory)
            return
        url = server.new_database()
        yield cls(directory, server, url)
        server.give_back(url)

    @property
    def file(self) -> Path:
        return self.directory / ACCOUNTS_FILE

    @contextlib.asynccontextmanager
    async def opened(self, holder: str = "the test") -> AsyncIterator[Database]:
        database = await open_database(self.url, self.directory, holder=holder, now_us=1_000_000)
        async with contextlib.aclosing(_Closing(database)):
            yield database

    @contextlib.asynccontextmanager
    async def opened_with(self, migrations: tuple[Migration, ...]) -> AsyncIterator[Database]:
        database: Database
        if self.url is None:
            database = await SqliteDatabase.take(self.file, migrations, "the test", 1)
        else:
            database = await PostgresDatabase.take(self.url, None, migrations, "the test", 1)
        async with contextlib.aclosing(_Closing(database)):
            yield database

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[ReadableDatabase]:
        database = await open_for_reading(self.url, self.directory)
        async with contextlib.aclosing(_Closing(database)):
            yield database

    def meddle(self, sql: str) -> str:
        """Run a statement past the pool; the first value that it gives, as text."""
        if self.server is not None and self.url is not None:
            return self.server.query(sql, self.url.rpartition("/")[2])
        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            row = connection.execute(sql).fetchone()
        return "" if row is None else str(row[0])


class _Closing:
    def __init__(self, database: ReadableDatabase) -> None:
        self._database = database

    async def aclose(self) -> None:
        await self._database.close()


async def add(database: Database, *names: str) -> list[int]:
    """Accounts, in a transaction; their ids."""
    async with database.writing() as writer:
        return [await writer.insert(NEW_ACCOUNT, name, 1) for name in names]


async def names_in(database: ReadableDatabase) -> list[str]:
    async with database.reading() as reader:
        return [row[0] for row in await reader.rows("SELECT name FROM account ORDER BY name")]
