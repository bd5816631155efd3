"""Statements of one transaction on a PostgreSQL connection: the reader's and the writer's side of it.

After an error nothing more of it is run, as in SQLite. PostgreSQL answers a COMMIT of a failed transaction
with ROLLBACK and no error, so the answer is looked at.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import asyncpg

from pool.storage.database import BATCH_ROWS, DatabaseError, DatabaseRefused, DatabaseUnavailable, Row, Value
from pool.storage.placeholders import numbered
from pool.storage.postgres_errors import FAILURES, meaning_of

T = TypeVar("T")

UNDO_TIMEOUT_SECONDS = 5.0


class PostgresTransaction:
    """A Reader and a Writer; whoever makes it begins and ends the transaction around it."""

    def __init__(self, connection: asyncpg.Connection, name: str, timeout_seconds: float) -> None:
        self._connection = connection
        self._name = name
        self._timeout = timeout_seconds
        self._failure: DatabaseError | None = None

    async def begin(self, how: str) -> None:
        """`how` as after BEGIN: the isolation level, and whether it only reads."""
        await self._run(lambda: self._connection.execute(f"BEGIN {how}", timeout=self._timeout))

    async def commit(self) -> None:
        """Raises DatabaseUnavailable where no answer comes: what was written may stand or not."""
        answer = await self._run(lambda: self._connection.execute("COMMIT", timeout=self._timeout))
        if answer != "COMMIT":
            raise DatabaseRefused(f"{self._name}: the transaction was not committed: {answer}")

    async def undo(self) -> None:
        """Roll back; a connection that does not answer is cut, and the server rolls back when it notices."""
        try:
            await self._connection.execute("ROLLBACK", timeout=UNDO_TIMEOUT_SECONDS)
        except FAILURES:
            self._connection.terminate()
        except BaseException:
            self._connection.terminate()
            raise

    async def rows(self, sql: str, *params: Value) -> list[Row]:
        found = await self._run(
            lambda: self._connection.fetch(numbered(sql), *params, timeout=self._timeout),
        )
        return [tuple(record) for record in found]

    async def row(self, sql: str, *params: Value) -> Row | None:
        found = await self._run(
            lambda: self._connection.fetchrow(numbered(sql), *params, timeout=self._timeout),
        )
        return None if found is None else tuple(found)

    async def batches(self, sql: str, *params: Value, most: int = BATCH_ROWS) -> AsyncIterator[list[Row]]:
        async def opened() -> "asyncpg.cursor.Cursor[asyncpg.Record]":
            return await self._connection.cursor(numbered(sql), *params, timeout=self._timeout)

        cursor = await self._run(opened)
        while batch := await self._run(lambda: cursor.fetch(most, timeout=self._timeout)):
            yield [tuple(record) for record in batch]

    async def execute(self, sql: str, *params: Value) -> int:
        answer: str = await self._run(
            lambda: self._connection.execute(numbered(sql), *params, timeout=self._timeout),
        )
        word, _, count = answer.rpartition(" ")  # INSERT 0 3 · UPDATE 3 · CREATE TABLE
        return int(count) if count.isdecimal() and word != "SELECT" else 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        await self._run(
            lambda: self._connection.executemany(numbered(sql), list(rows), timeout=self._timeout),
        )

    async def insert(self, sql: str, *params: Value) -> int:
        row = await self.row(sql, *params)
        if row is None:
            raise DatabaseRefused(f"no id came back from: {sql}")
        return int(row[0])

    async def _run(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._failure is not None:
            raise self._failure
        self._failure = DatabaseUnavailable(f"{self._name}: a statement of this transaction was given up")
        try:
            result = await call()
        except FAILURES as error:
            self._failure = meaning_of(error, self._name)
            raise self._failure from error
        self._failure = None
        return result
