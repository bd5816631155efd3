"""Backups: one SQLite file, whichever database it was made of, and whichever it is restored into.

A backup is the state of one moment, taken beside the writer. It holds all tables but the lease, which belongs
to who writes, and not to what is written.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from pool.storage.backup_file import BackupFile, reading_file
from pool.storage.database import Database, DatabaseError, ReadableDatabase, Reader, Writer
from pool.storage.migrate import SQLITE, Migration, known_migrations, migrate, refuse_newer
from pool.storage.sqlite import SqliteReadable

Progress = Callable[[int, int], None]
"""(done, total): pages or rows, whichever are being copied."""


RESTORED_KEY = "restored"  # in meta, until the accountant has put payouts on hold for it


class _Table(msgspec.Struct, frozen=True):
    """A table of the accounts; after those that it refers to."""

    name: str
    columns: tuple[str, ...]


async def backup(database: ReadableDatabase, target: Path, progress: Progress | None = None) -> None:
    """Write all accounts to a new file. Nothing is left of one that fails.

    Raises DatabaseError where `target` exists or cannot be written, DatabaseUnavailable where a disk is full
    or the database is gone.
    """
    report = progress or _nothing
    async with BackupFile.made(target) as file:
        if isinstance(database, SqliteReadable):
            await file.copy_pages(database.path, _from_thread(report))
            return
        await migrate(file.transaction, SQLITE, known_migrations(), str(target))
        async with database.reading() as reader, file.transaction() as writer:
            await _copy(reader, writer, await _tables(writer), report)


async def mark_restored(writer: Writer, how: str) -> None:
    """Have the accountant put payouts on hold at its next start, until all that was paid is matched."""
    await writer.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        *(RESTORED_KEY, how),
    )


async def restore(
    file: Path,
    database: Database,
    progress: Progress | None = None,
    *,
    migrations: tuple[Migration, ...] | None = None,
) -> None:
    """Write a backup's rows into a database that holds none, in one transaction.

    A backup of an older version is brought up to `migrations`, the database's own, on the way. Raises
    NewerDatabase for one of a newer version, DatabaseError for a damaged file and for a database in use.
    """
    known = known_migrations() if migrations is None else migrations
    report = progress or _nothing
    async with reading_file(file) as reader:
        schema = await _schema(reader, known, file)
        if schema == len(known):
            await _restore(reader, database, report, file)
            return
    with tempfile.TemporaryDirectory() as folder:
        updated = Path(folder) / "backup.sqlite"
        async with BackupFile.made(updated) as draft:
            await draft.copy_pages(file, _nothing)
            await migrate(draft.transaction, SQLITE, known, str(file))
        async with reading_file(updated) as reader:
            await _restore(reader, database, report, file)


async def check_backup(file: Path) -> str | None:
    """Whether it is one that can be restored, before anything is made for it; the network that it is of.

    Raises as `restore` does.
    """
    async with reading_file(file) as reader:
        await _schema(reader, known_migrations(), file)
        row = await reader.row("SELECT value FROM meta WHERE key = 'network'")
    return None if row is None else str(row[0])


async def _schema(reader: Reader, known: tuple[Migration, ...], file: Path) -> int:
    schema = await refuse_newer(reader, SQLITE, len(known), str(file))
    if schema == 0:
        raise DatabaseError(f"{file}: holds no accounts of a pool")
    return schema


def _from_thread(report: Progress) -> Progress:
    """The same, called in this event loop by another thread."""
    loop = asyncio.get_running_loop()

    def call(done: int, total: int) -> None:
        loop.call_soon_threadsafe(report, done, total)

    return call


async def _restore(reader: Reader, database: Database, report: Progress, file: Path) -> None:
    tables = await _tables(reader)
    async with database.writing() as writer:
        await _refuse_filled(writer, tables, database.description)
        await _copy(reader, writer, tables, report)
        await mark_restored(writer, f"the accounts were restored from {file.name}")
        if not isinstance(database, SqliteReadable):
            await _advance_identities(writer)


async def _tables(reader: Reader) -> list[_Table]:
    """Those of a SQLite file, in the order in which they were created: so each finds what it refers to."""
    names = await reader.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'lease' "
        "AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"
    )
    columns = "SELECT name FROM pragma_table_info(?)"
    return [
        _Table(name, tuple(column for (column,) in await reader.rows(columns, name))) for (name,) in names
    ]


async def _refuse_filled(reader: Reader, tables: list[_Table], description: str) -> None:
    for table in tables:
        fresh = "WHERE key <> 'schema'" if table.name == "meta" else ""
        if await reader.row(f"SELECT 1 FROM {table.name} {fresh} LIMIT 1"):  # noqa: S608
            raise DatabaseError(
                f"{description}: holds accounts already (table {table.name}); restore into an empty database"
            )


async def _copy(source: Reader, target: Writer, tables: list[_Table], report: Progress) -> None:
    counts = [await source.row(f"SELECT COUNT(*) FROM {table.name}") for table in tables]  # noqa: S608
    total = sum(count[0] for count in counts if count)
    done = 0
    await target.execute("DELETE FROM meta")  # the schema's number, which the copied rows hold as well
    for table in tables:
        columns, marks = ", ".join(table.columns), ", ".join("?" for _ in table.columns)
        async for batch in source.batches(f"SELECT {columns} FROM {table.name}"):  # noqa: S608
            await target.execute_many(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", batch)  # noqa: S608
            done += len(batch)
            report(done, total)


async def _advance_identities(writer: Writer) -> None:
    """PostgreSQL: ids were written as they were, and what gives out the next ones does not know of them."""
    tables = await writer.rows(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND is_identity = 'YES' AND column_name = 'id'"
    )
    for (name,) in tables:
        await writer.rows(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), MAX(id)) FROM {name} "  # noqa: S608
            "HAVING MAX(id) IS NOT NULL"
        )


def _nothing(done: int, total: int) -> None:
    """Nobody looks at the progress."""
