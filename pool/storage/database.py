"""The database as the application sees it: transactions of SQL, and how they fail. Knows no backend.

    DatabaseError              anything that can go wrong with the database; one clear line
    ├── DatabaseUnavailable    gone for now: what was open is undone or *unknown*; read your mark again, retry
    ├── DatabaseRefused        it refused a statement (constraint, type, syntax): trying again cannot help
    │   └── ValueFixed         a value that the first start fixed is not the one asked for
    ├── NewerDatabase          made by a newer version
    ├── LeaseTaken             another process is the one writer
    └── LeaseLost              another process has become the writer: this one must end

One text of SQL serves SQLite and PostgreSQL. Placeholders are `?`. What the two do not agree on is not used:
TEXT takes str alone, and no NUL in it; comparisons are conditions and never values; a division has a sum
neither above nor below it (a SUM is NUMERIC in PostgreSQL); a bare placeholder has no type (`SELECT ?`);
LIKE differs in case. SUM and COUNT arrive as int from both, and an integer has 64 bits with its sign.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Value = int | str | bytes | None
Row = tuple[Any, ...]

BATCH_ROWS = 10_000
# A few MB of the widest rows: large enough for the round trip not to count.


class DatabaseError(Exception):
    """The database cannot be used as asked. `str()` is one line for the operator."""


class DatabaseUnavailable(DatabaseError):
    """Gone for now, or full, or locked. A transaction that was being committed may or may not stand."""


class DatabaseRefused(DatabaseError):
    """A statement that the database will always refuse: a bug, or rows that contradict it."""


class ValueFixed(DatabaseRefused):
    """A value that was fixed when the accounts began."""


class NewerDatabase(DatabaseError):
    """Its tables are of a version that this one does not know."""


class LeaseTaken(DatabaseError):
    """Another process writes to it; the line names that process."""


class LeaseLost(DatabaseError):
    """The fencing token is no longer ours: someone else writes. Nothing more of ours can be written."""


class Reader(Protocol):
    """One consistent snapshot, whatever is written meanwhile; for a writer, with what it has written."""

    async def rows(self, sql: str, *params: Value) -> list[Row]:
        """All rows of a query."""
        ...

    async def row(self, sql: str, *params: Value) -> Row | None:
        """The first row, or None where there is none."""
        ...

    def batches(self, sql: str, *params: Value, most: int = BATCH_ROWS) -> AsyncIterator[list[Row]]:
        """The rows in lists of at most `most`, read as they are asked for: for tables of any size."""
        ...


class Writer(Reader, Protocol):
    """The one transaction that writes. After an error it can only be rolled back, even if it is caught."""

    async def execute(self, sql: str, *params: Value) -> int:
        """Run a statement; how many rows it inserted, changed or deleted."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run a statement once for each of `rows`, in one call to the database."""
        ...

    async def insert(self, sql: str, *params: Value) -> int:
        """Run an INSERT that ends in `RETURNING id`; the id."""
        ...


class ReadableDatabase(Protocol):
    """A database to report from."""

    @property
    def description(self) -> str:
        """Its path or its address, without a password."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        """A snapshot for the length of the block; several may be open at once. Raises DatabaseError."""
        ...

    async def close(self) -> None:
        """End its connections. No error where it is gone already."""
        ...


class Database(ReadableDatabase, Protocol):
    """The database of its one writer, who holds the lease until `close`."""

    @property
    def token(self) -> int:
        """The fencing token: larger by one with every holder of the lease."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Writer]:
        """A transaction: committed where the block ends, rolled back where it raises; one at a time.

        Raises LeaseLost before the block, DatabaseUnavailable before, in, or after it. After it means that
        the COMMIT has no answer: the caller forgets what it holds in memory and reads again.
        """
        ...


async def set_once(database: Database, key: str, value: str) -> None:
    """Fix a value of `meta` at the first start; raises ValueFixed where another was fixed before."""
    async with database.writing() as writer:
        row = await writer.row("SELECT value FROM meta WHERE key = ?", key)
        if row is None:
            await writer.execute("INSERT INTO meta (key, value) VALUES (?, ?)", key, value)
        elif row[0] != value:
            raise ValueFixed(
                f"{database.description} was made with {key} {row[0]}, and the settings say {value}; "
                "it cannot change afterwards"
            )
