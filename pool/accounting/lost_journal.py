"""The journal is lost for good: another is begun behind what the database knows, and payouts are on hold."""

import asyncio
from pathlib import Path

from pool.accounting.changes import Changes, position
from pool.accounting.checked import checked_reason
from pool.accounting.control import Refused
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import JournalBegun
from pool.accounting.names import Names
from pool.storage.database import Database


async def begin_journal(data_directory: Path, database: Database, reason: str, now_us: int) -> int:
    """The number of the first entry. Raises Refused, JournalError, DatabaseError.

    What the lost journal knew beyond the database is forgotten; the wallet is asked for it, send by send.
    """
    body = JournalBegun(reason=checked_reason(reason))
    async with database.reading() as reader:
        held = await position(reader)
    if not held.number:
        raise Refused("the accounts know of no journal: the next start begins one by itself")
    journal = await asyncio.to_thread(Journal.begin, data_directory / JOURNAL, held.number, held.hash)
    with journal:
        return await Changes(journal, database, Names()).make(body, now_us)
