"""Statements of one transaction on a SQLite connection: the reader's and the writer's side of it.

After an error nothing more of the transaction is run, and it cannot be committed: SQLite would go on as if
the failed statement had never been asked, PostgreSQL would not, and half of a change of money is none.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from pool.storage.database import BATCH_ROWS, DatabaseError, DatabaseRefused, DatabaseUnavailable, Row, Value
from pool.storage.sqlite_thread import SqliteThread

T = TypeVar("T")


class SqliteTransaction:
    """A Reader and a Writer; whoever makes it begins and ends the transaction around it."""

    def __init__(self, thread: SqliteThread) -> None:
        self._thread = thread
        self._failure: DatabaseError | None = None

    async def begin(self, how: str) -> None:
        """`how` as in BEGIN IMMEDIATE, for the writer, or DEFERRED."""
        await self._run(lambda connection: connection.execute(f"BEGIN {how}"))

    async def commit(self) -> None:
        """Raises what an earlier statement failed with, where one did."""
        await self._run(lambda connection: connection.execute("COMMIT"))

    async def rows(self, sql: str, *params: Value) -> list[Row]:
        return await self._run(lambda connection: connection.execute(sql, params).fetchall())

    async def row(self, sql: str, *params: Value) -> Row | None:
        def first(connection: sqlite3.Connection) -> Row | None:
            cursor = connection.execute(sql, params)
            found: Row | None = cursor.fetchone()
            cursor.close()  # an open statement would lock its tables against a DROP later on
            return found

        return await self._run(first)

    async def batches(self, sql: str, *params: Value, most: int = BATCH_ROWS) -> AsyncIterator[list[Row]]:
        cursor = await self._run(lambda connection: connection.execute(sql, params))
        while batch := await self._run(lambda _: cursor.fetchmany(most)):
            yield batch

    async def execute(self, sql: str, *params: Value) -> int:
        return await self._run(lambda connection: max(0, connection.execute(sql, params).rowcount))

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        await self._run(lambda connection: connection.executemany(sql, rows))

    async def insert(self, sql: str, *params: Value) -> int:
        row = await self.row(sql, *params)
        if row is None:
            raise DatabaseRefused(f"no id came back from: {sql}")
        return int(row[0])

    async def _run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._failure is not None:
            raise self._failure
        self._failure = DatabaseUnavailable("a statement of this transaction was given up")
        try:
            result = await self._thread.run(function)
        except DatabaseError as error:
            self._failure = error
            raise
        self._failure = None
        return result
