"""Opening the accounts that the settings name: to write them, or to report from them."""

import asyncio
import importlib.util
from pathlib import Path

from pool.storage.database import Database, DatabaseError, ReadableDatabase
from pool.storage.migrate import known_migrations
from pool.storage.sqlite import SqliteDatabase, SqliteReadable

ACCOUNTS_FILE = "accounts.sqlite"


async def open_database(
    url: str | None, data_directory: Path, *, password: str | None = None, holder: str, now_us: int
) -> Database:
    """The database for its one writer: made where there is none, brought up to date, its lease taken.

    `url` is a postgresql:// address, or None for the file in the data directory, which must exist. `holder`
    tells an operator which process this is. Raises LeaseTaken, NewerDatabase, and DatabaseUnavailable where
    trying again later may help.
    """
    if url is None:
        if not await asyncio.to_thread(data_directory.is_dir):
            raise DatabaseError(
                f"{data_directory} does not exist: make it, the pool's user's own, or change data_directory"
            )
        return await SqliteDatabase.take(data_directory / ACCOUNTS_FILE, known_migrations(), holder, now_us)
    _need_asyncpg(url)
    from pool.storage.postgres import PostgresDatabase

    return await PostgresDatabase.take(url, password, known_migrations(), holder, now_us)


async def open_for_reading(
    url: str | None, data_directory: Path, *, password: str | None = None
) -> ReadableDatabase:
    """The database for reports, beside its writer or without one. Nothing is made, and nothing is changed.

    Raises DatabaseError where there are no accounts, or older ones; NewerDatabase.
    """
    if url is None:
        return await SqliteReadable.open(data_directory / ACCOUNTS_FILE, known_migrations())
    _need_asyncpg(url)
    from pool.storage.postgres import PostgresReadable

    return await PostgresReadable.open(url, password, known_migrations())


def _need_asyncpg(url: str) -> None:
    if importlib.util.find_spec("asyncpg") is None:
        raise DatabaseError(f"{url}: needs the package asyncpg: pip install 'engineroom[postgres]'")
