"""Whether the accounts contradict themselves: ledger, solvency, journal and statements.

Each is held against itself and against the others. Reads only; every fault is one line.
"""

import asyncio
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from pool.accounting import solvency
from pool.accounting.changes import position
from pool.accounting.journal_reading import JournalError, read_entries
from pool.accounting.solvency import Solvency
from pool.audit import statement as audit
from pool.audit.document import AuditError, fingerprint
from pool.reports.statements import Stored, read, stored
from pool.storage.database import Reader

Advance = Callable[[int, int], None]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How much was looked at, and what is wrong: `faults` is empty where all is well."""

    ledger_rows: int
    journal_entries: int
    statements: int
    solvency: Solvency
    faults: tuple[str, ...]


async def verify(
    reader: Reader,
    data_directory: Path,
    journal: Path,
    trusted: Mapping[str, bytes] | None,
    advance: Advance,
    reserve_sats: int = 0,
) -> Verification:
    """Look at everything. `trusted` are the keys that statements may be signed with; None: any."""
    advance(0, 3)
    row = await reader.row("SELECT COUNT(*) FROM ledger")
    report = await solvency.report(reader, reserve_sats)
    advance(1, 3)
    entries, faults = await _journal_faults(reader, journal)
    advance(2, 3)
    statements, more = await _statement_faults(reader, data_directory, trusted)
    advance(3, 3)
    return Verification(
        ledger_rows=0 if row is None else int(row[0]),
        journal_entries=entries,
        statements=statements,
        solvency=report,
        faults=(*report.breaches, *faults, *more),
    )


async def _journal_faults(reader: Reader, directory: Path) -> tuple[int, list[str]]:
    """The journal's chain, and whether the database's last entry is in it."""
    held = await position(reader)

    def walk() -> tuple[int, str | None]:
        last, found = 0, None
        for entry in read_entries(directory):
            last = entry.number
            if entry.number == held.number:
                found = entry.hash
        return last, found

    try:
        last, found = await asyncio.to_thread(walk)
    except (JournalError, OSError) as error:
        return 0, [str(error)]
    if held.number > last:
        return last, [f"the database holds journal entry {held.number}, the journal ends at {last}"]
    if held.number and found != held.hash:
        return last, [f"journal entry {held.number} is not the one that the database holds"]
    return last, []


async def _statement_faults(
    reader: Reader, data_directory: Path, trusted: Mapping[str, bytes] | None
) -> tuple[int, list[str]]:
    settled: dict[str, str] = dict(await reader.rows("SELECT hash, statement_hash FROM settlement"))
    return await asyncio.to_thread(_look_at_statements, data_directory, settled, trusted)


def _look_at_statements(
    data_directory: Path, settled: Mapping[str, str], trusted: Mapping[str, bytes] | None
) -> tuple[int, list[str]]:
    faults: list[str] = []
    files = {one.block_hash: one for one in stored(data_directory)}
    heads: dict[str, tuple[str, str | None]] = {}
    for block_hash, statement_hash in sorted(settled.items()):
        one = files.get(block_hash)
        if one is None:
            faults.append(f"the statement of block {block_hash} is missing")
            continue
        faults += _file_faults(one, statement_hash, trusted, heads)
    faults += [
        f"the statement of block {block_hash} follows one that is not here"
        for block_hash, previous in heads.values()
        if previous is not None and previous not in heads
    ]
    return len(heads), faults


def _file_faults(
    one: Stored,
    statement_hash: str,
    trusted: Mapping[str, bytes] | None,
    heads: dict[str, tuple[str, str | None]],
) -> list[str]:
    """Of one statement; a sound one enters `heads`, by its head's fingerprint."""
    try:
        data = one.path.read_bytes()
        statement = read(one.path)
        audit.verify(statement, trusted)
    except (AuditError, OSError) as error:
        return [str(error)]
    heads[fingerprint(statement.head)] = (one.block_hash, statement.head.previous)
    if sha256(data).hexdigest() != statement_hash:
        return [f"{one.path} is not the statement that the block was settled with"]
    return []
