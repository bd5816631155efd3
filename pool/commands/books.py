"""The accounts as a command meets them: opened for reading, or asked of whoever may write them.

An action goes to the running accountant. Where none runs, this process takes the database's lease and the
journal's lock, does what the accountant would, and gives them back; two of them at once cannot be.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pool.accounting.agreements import Since, agreement_of, history
from pool.accounting.assembly import Past, custody_script, network_name, pays_by_coinbase, statement_rules
from pool.accounting.changes import Changes
from pool.accounting.control import NobodyThere, Refused, ask
from pool.accounting.directories import JOURNAL, SPOOL
from pool.accounting.journal import Journal
from pool.accounting.journal_reading import JournalError
from pool.accounting.matching import HistoriesDiffer, Matching
from pool.accounting.names import Names
from pool.accounting.operations import OperationRules, Operations
from pool.accounting.statements import Statements
from pool.audit.keys import KeyRefused, open_signing_key
from pool.commands.ending import complain, fail, run, said
from pool.storage.database import Database, DatabaseError, ReadableDatabase, Reader
from pool.storage.opening import open_database, open_for_reading
from stratum.work.address import AddressError, parse_address
from stratum.work.coin import network

if TYPE_CHECKING:
    from config.schema import Settings

HOUR_US = 3_600 * 1_000_000

T = TypeVar("T")

EXPECTED = (Refused, DatabaseError, JournalError, HistoriesDiffer, KeyRefused, OSError)
# What the world and people cause; everything else is a bug, and shows as one.


def now_us() -> int:
    """Microseconds since 1970, by the wall clock."""
    return time.time_ns() // 1000


def address_of(text: str, settings: "Settings") -> str:
    """The canonical address; one that is none here ends the command, since the command is wrong."""
    try:
        return parse_address(text, network(settings.coin, settings.network)).text
    except AddressError as error:
        fail(str(error), 2)


def report(settings: "Settings", read: Callable[[Reader], Awaitable[T]]) -> T:
    """Read from one snapshot. Errors end the command."""

    async def reading() -> T:
        async with readable(settings) as database, database.reading() as reader:
            return await read(reader)

    try:
        return run(reading())
    except EXPECTED as error:
        fail(said(error))


def act(settings: "Settings", name: str, kind: type[T], **arguments: Any) -> T:
    """Do an operation, by the running accountant or here; its result as `kind`. Errors end the command."""
    import msgspec

    try:
        return msgspec.convert(run(_act(settings, name, arguments)), kind)
    except EXPECTED as error:
        fail(said(error))


async def _act(settings: "Settings", name: str, arguments: dict[str, Any]) -> Any:
    try:
        return await ask(Path(settings.data_directory), name, still_waiting=_say_waiting, **arguments)
    except NobodyThere:
        async with writable(settings, f"engineroom {name}") as operations:
            return await operations.by_name()[name](**arguments)


def _say_waiting() -> None:
    complain("the accountant has not answered yet: it is at work, or hangs; Ctrl-C gives up")


@contextlib.asynccontextmanager
async def readable(settings: "Settings") -> AsyncIterator[ReadableDatabase]:
    """The database, to report from."""
    database = await open_for_reading(
        settings.database, Path(settings.data_directory), password=_password(settings)
    )
    try:
        await _refuse_other_network(database, settings)
        yield database
    finally:
        await database.close()


async def _refuse_other_network(database: ReadableDatabase, settings: "Settings") -> None:
    async with database.reading() as reader:
        row = await reader.row("SELECT value FROM meta WHERE key = 'network'")
    if row is not None and row[0] != network_name(settings):
        raise DatabaseError(
            f"{database.description} is of {row[0]}, and the settings are of {network_name(settings)}"
        )


@contextlib.asynccontextmanager
async def writable(settings: "Settings", holder: str) -> AsyncIterator[Operations]:
    """The operations, by this process. Accounts that are not there yet are not made by a slip of a path."""
    async with readable(settings):
        pass
    async with leased(settings, holder) as database:
        journal = await asyncio.to_thread(Journal.open, Path(settings.data_directory) / JOURNAL)
        with journal:
            changes = Changes(journal, database, Names())
            await Matching(journal, database, changes).begin(now_us())
            rules = operation_rules(settings)
            yield Operations(
                database, changes, rules, now_us, statements=await _statements(settings, database)
            )


@contextlib.asynccontextmanager
async def leased(settings: "Settings", holder: str) -> AsyncIterator[Database]:
    """The database, as its one writer."""
    database = await open_database(
        settings.database,
        Path(settings.data_directory),
        password=_password(settings),
        holder=f"{holder} (process {os.getpid()})",
        now_us=now_us(),
    )
    try:
        yield database
    finally:
        await database.close()


def operation_rules(settings: "Settings") -> OperationRules:
    """What the settings say of operations."""
    return OperationRules(
        network=network(settings.coin, settings.network),
        minimum_sats=settings.payout.minimum_sats,
        payee_change_delay_us=settings.payout.payee_change_delay_hours * HOUR_US,
        spool=Path(settings.data_directory) / SPOOL,
        custody=custody_script(settings, network(settings.coin, settings.network)),
        pays_by_coinbase=pays_by_coinbase(settings),
        has_wallet=settings.payout.wallet is not None,
    )


async def _statements(settings: "Settings", database: Database) -> Statements:
    """By the agreements that the accounts know, as the accountant has it."""
    directory = Path(settings.data_directory)
    async with database.reading() as reader:
        agreed = tuple(await history(reader)) or (Since(0, agreement_of(settings)),)
    key = await asyncio.to_thread(open_signing_key, directory)
    return Statements(directory, statement_rules(settings, Past(agreed)), key)


def _password(settings: "Settings") -> str | None:
    return None if settings.database_password is None else settings.database_password.reveal()
