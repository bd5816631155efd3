"""What takes effect only after it is in the journal: appended, then applied; the one way to such rows.

`apply` is a function of an entry and the database, so that a change made live, one rolled forward after a
crash and one written into a restored database are the same rows. One entry is open at a time: an entry is
appended only when the database holds the one before.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from pool.accounting import block_changes, payment_changes, policy_changes
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import Body
from pool.accounting.journal_lines import Entry
from pool.accounting.names import Names
from pool.storage.database import Database, Reader, Writer

NO_HASH = "0" * 64
_APPLIERS: dict[type, Callable[[Writer, Names, Entry], Awaitable[None]]] = {
    **block_changes.APPLIERS,
    **payment_changes.APPLIERS,
    **policy_changes.APPLIERS,
}


class Position(msgspec.Struct, frozen=True):
    """The last journal entry that a database holds."""

    number: int
    hash: str


async def position(reader: Reader) -> Position:
    """0 and 64 zeros for a database that holds none."""
    row = await reader.row("SELECT value FROM meta WHERE key = 'journal'")
    if row is None:
        return Position(0, NO_HASH)
    number, _, entry_hash = str(row[0]).partition(" ")
    return Position(int(number), entry_hash)


async def apply(writer: Writer, names: Names, entry: Entry) -> None:
    """Write what an entry says, and that the database holds it; an entry that it holds changes nothing."""
    if entry.number <= (await position(writer)).number:
        return
    await _APPLIERS[type(entry.body)](writer, names, entry)
    await writer.execute(
        "INSERT INTO meta (key, value) VALUES ('journal', ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        f"{entry.number} {entry.hash}",
    )


class Changes:
    """Makes changes, one after another. Owns neither journal nor database."""

    def __init__(self, journal: Journal, database: Database, names: Names) -> None:
        self._journal = journal
        self._database = database
        self._names = names
        self._order = asyncio.Lock()

    async def make(self, body: Body, at_us: int) -> int:
        """Append and apply; the entry's number.

        Raises JournalUnwritable (nothing has happened) and DatabaseError (the entry stands: it is applied
        before the next one, by whoever comes next).
        """
        return (await self.decide(lambda _: _always(body), at_us)) or 0

    async def decide(self, choose: Callable[[Reader], Awaitable[Body | None]], at_us: int) -> int | None:
        """Ask `choose` for a change, with nothing in between it and its being made; None where it has none.

        `choose` reads the database as it is after every change so far. Raises like `make`.
        """
        async with self._order:
            await self._catch_up()
            async with self._database.reading() as reader:
                body = await choose(reader)
            if body is None:
                return None
            number = await self._append(body, at_us)
            await self._catch_up()
            return number

    async def _append(self, body: Body, at_us: int) -> int:
        """The thread writes on where this task is cancelled: whoever is next must find the entry whole."""
        writing = asyncio.ensure_future(asyncio.to_thread(self._journal.append, body, at_us))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise

    async def catch_up(self) -> int:
        """Apply what the journal holds beyond the database; how many entries that were."""
        async with self._order:
            return await self._catch_up()

    async def _catch_up(self) -> int:
        async with self._database.reading() as reader:
            held = await position(reader)
        if held.number >= self._journal.last_number:
            return 0
        entries = await asyncio.to_thread(lambda: list(self._journal.entries(held.number)))
        for entry in entries:
            try:
                async with self._database.writing() as writer:
                    await apply(writer, self._names, entry)
            except BaseException:
                self._names.forget()
                raise
        return len(entries)


async def _always(body: Body) -> Any:
    return body
