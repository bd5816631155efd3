"""`accounts rebuild`: counts the accounts again from archive, spool and journal; holds them against the live.

The live database is only read, and may go on being written; it is compared as it was when the counting
began. A database that is lost is rebuilt into a file, which payouts are on hold with until everything that
was paid is matched (matching.py).
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from config.schema import Settings
from pool.accounting import assembly
from pool.accounting.bought import priced_slot
from pool.accounting.changes import position
from pool.accounting.comparison import differences
from pool.accounting.directories import JOURNAL
from pool.accounting.journal_reading import JournalError, journal_files
from pool.accounting.recount import Progress, Recount, Through
from pool.storage.backup import mark_restored
from pool.storage.database import Database, DatabaseError, ReadableDatabase, Reader, set_once
from pool.storage.opening import ACCOUNTS_FILE, open_database, open_for_reading

Tell = Callable[[str], object]


async def rebuild(settings: Settings, tell: Tell, progress: Progress, into: Path | None = None) -> list[str]:
    """Every difference as one line; empty where the accounts are what archive and journal make them.

    `tell` gets what could not be checked, `progress` (done, total). `into` keeps the rebuilt database; then
    there need not be another. Raises JournalError, ArchiveError, SpoolError, DatabaseError, OSError.
    """
    directory = Path(settings.data_directory)
    if into is not None and await asyncio.to_thread(into.exists):
        raise DatabaseError(f"{into} exists: a rebuilt database takes nobody's place")
    await asyncio.to_thread(_refuse_missing, directory, into)
    place = await asyncio.to_thread(
        tempfile.mkdtemp, prefix="rebuild-", dir=directory if into is None else into.parent
    )
    try:
        async with AsyncExitStack() as stack:
            live = await _live(settings, stack, is_needed=into is None)
            database = await open_database(None, Path(place), holder="rebuild", now_us=0)
            stack.push_async_callback(database.close)
            found = await _counted(settings, database, live, tell, progress)
            if into is not None:
                async with database.writing() as writer:
                    await mark_restored(writer, f"the accounts were counted again into {into.name}")
        if into is not None:
            await asyncio.to_thread(_move, Path(place) / ACCOUNTS_FILE, into)
        return found
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


def _refuse_missing(directory: Path, into: Path | None) -> None:
    for folder in (directory, *(() if into is None else (into.resolve().parent,))):
        if not folder.is_dir():
            raise DatabaseError(f"{folder} does not exist: name a folder that is there")


def _refuse_lost_journal(journal: Path) -> None:
    """Without it nothing can be counted again, and an empty result would look like an empty pool."""
    if not journal_files(journal):
        raise JournalError(f"{journal} holds no journal: put it back; without it nothing says who was paid")


async def _live(settings: Settings, stack: AsyncExitStack, *, is_needed: bool) -> ReadableDatabase | None:
    password = None if settings.database_password is None else settings.database_password.reveal()
    try:
        live = await open_for_reading(settings.database, Path(settings.data_directory), password=password)
    except DatabaseError:
        if is_needed:
            raise
        return None
    stack.push_async_callback(live.close)
    return live


async def _counted(
    settings: Settings, database: Database, live: ReadableDatabase | None, tell: Tell, progress: Progress
) -> list[str]:
    await set_once(database, "slot_seconds", str(settings.accounting.slot_seconds))
    await set_once(database, "network", assembly.network_name(settings))
    recount = await Recount.of(settings, database)
    journal = Path(settings.data_directory) / JOURNAL
    if live is None:
        await asyncio.to_thread(_refuse_lost_journal, journal)
        await recount.run(None, progress)
        for note in recount.notes:
            tell(note)
        return recount.differences
    async with live.reading() as reader:  # one snapshot, however long it takes
        await _copy_plans(reader, database)
        held = await position(reader)
        if held.number:
            await asyncio.to_thread(_refuse_lost_journal, journal)
        rows = await reader.rows("SELECT name, epoch, mark FROM source")
        marks = {(name, epoch): mark for name, epoch, mark in rows}
        await recount.run(Through(held.number, marks, await priced_slot(reader)), progress)
        async with database.reading() as rebuilt:
            found = await differences(rebuilt, reader, recount.counted_from, recount.digested)
    for note in recount.notes:
        tell(note)
    return recount.differences + found


async def _copy_plans(reader: Reader, database: Database) -> None:
    """Plans follow from windows that are gone; what names them is their own hash, which cannot be made up."""
    plans = await reader.rows("SELECT id, generation, created_us, document FROM plan")
    async with database.writing() as writer:
        await writer.execute_many(
            "INSERT INTO plan (id, generation, created_us, document) VALUES (?, ?, ?, ?)", plans
        )


def _move(made: Path, into: Path) -> None:
    made.chmod(0o600)
    made.rename(into)
    descriptor = os.open(into.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
