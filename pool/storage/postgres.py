"""The accounts in PostgreSQL 15 or later, through asyncpg. Owns the writer's session and the readers'.

The writer's session also holds the advisory lock of the lease. So a transaction is always on the very
session that has the lock: a server that takes the lock back has rolled the transaction back as well. A lost
session is replaced when it is next needed, and then the lock is taken anew and the token compared.
Connections must reach the server itself: behind a pooler, a session's lock would be whoever's comes next.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import asyncpg

from pool.storage import lease
from pool.storage.database import DatabaseUnavailable, LeaseLost, LeaseTaken, Reader, Writer
from pool.storage.migrate import POSTGRES, Migration, migrate, refuse_other
from pool.storage.postgres_errors import FAILURES, meaning_of
from pool.storage.postgres_session import Backend, backend_of, connect, lock
from pool.storage.postgres_transaction import PostgresTransaction

MOST_READERS = 4

READ_TIMEOUT_SECONDS = 300.0  # a report over years
WRITE_TIMEOUT_SECONDS = 60.0  # one statement of the accountant takes milliseconds
MIGRATION_TIMEOUT_SECONDS = 6 * 3600.0  # an index over years

CLOSE_TIMEOUT_SECONDS = 5.0

SNAPSHOT = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
ONE_WRITER = "ISOLATION LEVEL READ COMMITTED"  # there is one, and the lease's row is locked against a second


class PostgresReadable:
    """Reads a database whose tables are there and of our schema; a standby will do."""

    dialect = POSTGRES

    def __init__(self, url: str, password: str | None, application: str = "engineroom report") -> None:
        self._url = url
        self._password = password
        self._application = application
        self._turns = asyncio.Semaphore(MOST_READERS)
        self._at_rest: list[asyncpg.Connection] = []
        self._is_closed = False

    @classmethod
    async def open(cls, url: str, password: str | None, migrations: tuple[Migration, ...]) -> Self:
        """Raises DatabaseError where the tables are missing or older, NewerDatabase where they are newer."""
        found = cls(url, password)
        try:
            async with found.reading() as reader:
                await refuse_other(reader, POSTGRES, len(migrations), url)
        except BaseException:
            await found.close()
            raise
        return found

    @property
    def description(self) -> str:
        return self._url

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        async with self._turns:
            connection = await self._rested()
            transaction = PostgresTransaction(connection, self._url, READ_TIMEOUT_SECONDS)
            try:
                await transaction.begin(SNAPSHOT)
                yield transaction
            finally:
                await transaction.undo()
                self._at_rest.append(connection)
                if self._is_closed:
                    await self._close_readers()

    async def close(self) -> None:
        self._is_closed = True
        await self._close_readers()

    async def _rested(self) -> asyncpg.Connection:
        """One that has served before and lives, or a new one."""
        if self._is_closed:
            raise DatabaseUnavailable(f"{self._url}: is closed")
        while self._at_rest:
            connection = self._at_rest.pop()
            if not connection.is_closed():
                return connection
        return await connect(self._url, self._password, self._application, writes=False)

    async def _close_readers(self) -> None:
        while self._at_rest:
            await _close(self._at_rest.pop())


class PostgresDatabase(PostgresReadable):
    """The database's one writer, from `take` to `close`."""

    def __init__(self, url: str, password: str | None, holder: str) -> None:
        super().__init__(url, password, f"engineroom {holder}")
        self.token = 0
        self._turn = asyncio.Lock()
        self._session: asyncpg.Connection | None = None
        self._former: Backend | None = None

    @classmethod
    async def take(
        cls, url: str, password: str | None, migrations: tuple[Migration, ...], holder: str, now_us: int
    ) -> Self:
        """Bring the database up to date and become its writer. Raises DatabaseError and its kinds."""
        database = cls(url, password, holder)
        try:
            await migrate(database._migrating, POSTGRES, migrations, url)
            async with database._transaction(WRITE_TIMEOUT_SECONDS) as writer:
                token = await lease.take(writer, holder, now_us)
            database.token = token
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        async with self._transaction(WRITE_TIMEOUT_SECONDS) as writer:
            await lease.check(writer, self.token, row_lock="FOR SHARE")
            yield writer

    async def close(self) -> None:
        """Waits for the transaction that is open; the server frees the lock with the session."""
        async with self._turn:
            await super().close()
            if self._session is not None:
                await _close(self._session)
                self._session = None

    @asynccontextmanager
    async def _migrating(self) -> AsyncIterator[Writer]:
        async with self._transaction(MIGRATION_TIMEOUT_SECONDS) as writer:
            yield writer

    @asynccontextmanager
    async def _transaction(self, timeout_seconds: float) -> AsyncIterator[Writer]:
        async with self._turn:
            session = await self._living_session()
            transaction = PostgresTransaction(session, self._url, timeout_seconds)
            try:
                await transaction.begin(ONE_WRITER)
                yield transaction
                await transaction.commit()
            except BaseException:
                await transaction.undo()
                raise

    async def _living_session(self) -> asyncpg.Connection:
        if self._is_closed:
            raise DatabaseUnavailable(f"{self._url}: is closed")
        if self._session is None or self._session.is_closed():
            self._session = await self._new_session()
        return self._session

    async def _new_session(self) -> asyncpg.Connection:
        connection = await connect(self._url, self._password, self._application, writes=True)
        try:
            backend = await backend_of(connection)
            await lock(connection, self._url, self._former)
            self._former = backend
        except FAILURES as error:
            connection.terminate()
            raise meaning_of(error, self._url) from error
        except LeaseTaken as error:
            connection.terminate()
            if self.token:  # it was ours until the last session was lost
                raise LeaseLost(str(error)) from error
            raise
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=CLOSE_TIMEOUT_SECONDS)
    except FAILURES:
        connection.terminate()
