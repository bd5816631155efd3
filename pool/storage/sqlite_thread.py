"""One SQLite connection and the one thread that it is used in; owns both, and what SQLite's errors mean.

Calls are run in the order in which they were made. So a caller that is cancelled may leave: what it has
started ends before what is asked next, and a rollback that comes after it undoes it.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from pool.storage.database import DatabaseError, DatabaseRefused, DatabaseUnavailable

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 5.0
# How long a statement waits for another program's lock, a backup tool's for example.


class SqliteThread:
    """A connection that is opened by its first call. `name` begins the line of every error."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._name = name
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """What `function` gives, called in the thread. Raises DatabaseError and its kinds."""
        return await asyncio.wrap_future(self._submit(function))

    async def undo(self) -> None:
        """Roll back, whatever is open; not even a cancelled caller keeps it from happening."""
        with suppress(DatabaseError):  # a connection that is broken has nothing open
            await asyncio.shield(asyncio.wrap_future(self._submit(_roll_back, opens=False)))

    async def close(self) -> None:
        """Close the connection, then end the thread. No error where it is closed already."""
        with suppress(DatabaseUnavailable):
            await asyncio.shield(asyncio.wrap_future(self._submit(sqlite3.Connection.close, opens=False)))
        self._executor.shutdown(wait=False)

    def _submit(self, function: Callable[[sqlite3.Connection], T], opens: bool = True) -> "Future[T]":
        try:
            return self._executor.submit(self._call, function, opens)
        except RuntimeError as error:  # the executor was shut down
            raise DatabaseUnavailable(f"{self._name}: is closed") from error

    def _call(self, function: Callable[[sqlite3.Connection], T], opens: bool) -> T:
        try:
            if self._connection is None:
                if not opens:
                    raise DatabaseUnavailable(f"{self._name}: is closed")
                self._connection = self._connect()
            return function(self._connection)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise meaning_of(error, self._name) from error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def meaning_of(error: Exception, name: str) -> DatabaseError:
    """An error of sqlite3 as one of ours; `name` is the file's."""
    code = getattr(error, "sqlite_errorname", None) or ""
    known = _MEANINGS.get("_".join(code.split("_")[:2]))
    if known is None:
        return DatabaseRefused(f"{name}: {error}")
    kind, text = known
    return kind(f"{name}: {text} ({code})")


_DAMAGED = "is damaged; restore a backup"
_MEANINGS: dict[str, tuple[type[DatabaseError], str]] = {
    "SQLITE_BUSY": (DatabaseUnavailable, "is locked by another program"),
    "SQLITE_LOCKED": (DatabaseUnavailable, "is locked by another program"),
    "SQLITE_FULL": (DatabaseUnavailable, "the disk is full"),
    "SQLITE_IOERR": (DatabaseUnavailable, "the disk cannot be read or written"),
    "SQLITE_NOMEM": (DatabaseUnavailable, "there is not enough memory"),
    "SQLITE_INTERRUPT": (DatabaseUnavailable, "the question was interrupted"),
    "SQLITE_READONLY": (DatabaseError, "cannot be written; is it, or its directory, read-only or moved?"),
    "SQLITE_PERM": (DatabaseError, "may not be opened by this user"),
    "SQLITE_CANTOPEN": (DatabaseError, "cannot be opened; may this user write in its directory?"),
    "SQLITE_CORRUPT": (DatabaseError, _DAMAGED),
    "SQLITE_NOTADB": (DatabaseError, "is no SQLite file, or " + _DAMAGED),
}
