"""Accounts to test with: spools written by hand, and the accountant's own parts over one SQLite file."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from pool.accounting.batch import Batch, PriceOf
from pool.accounting.changes import Changes
from pool.accounting.intake import Horizon, Intake
from pool.accounting.journal import Journal
from pool.accounting.names import Names
from pool.spool.frames import FRAME_VERSION, Frame, SegmentHead, encode_block
from pool.spool.records import (
    CandidateMade,
    Closing,
    Difficulty,
    JobMade,
    Name,
    Record,
    ShareMade,
    TemplateFacts,
)
from pool.spool.segments import segment_path
from pool.storage.database import Database, Reader, Writer
from pool.storage.opening import open_database
from pool.storage.work import joined
from tests.pool.accounting.kept import url_of

EPOCH = "00112233445566aa"
NETWORK = "bitcoin regtest"
DAY = 86_400
# 2023-11-14 00:00:00 UTC; a whole number of days, hours and slots
START = 1_699_920_000
SECOND_US = 1_000_000

ALICE = Name(1, "alice", b"\x00\x14" + b"a" * 20, "rig", "cgminer/4")
BOB = Name(2, "bob", b"\x00\x14" + b"b" * 20, "bitaxe", "bitaxe/2")
CAROL = Name(3, "carol", b"\x00\x14" + b"c" * 20, "s19", "bmminer")
NAMES = {"alice": ALICE, "bob": BOB, "carol": CAROL}
# work = 2^256 // (target + 1): 2^224 gives 2^32, one of difficulty 1; 2^226 a quarter of that
EASY = Difficulty(4, (2**226 - 1).to_bytes(32, "big"))
HARD = Difficulty(5, (2**224 - 1).to_bytes(32, "big"))
# The network's target gives work 2^34: four shares of HARD
NETWORK_TARGET = (2**222 - 1).to_bytes(32, "big")
NETWORK_WORK = 2**34
REWARD_SATS = 5_000_000_000
FEES_SATS = 1_000
TEMPLATE = TemplateFacts(
    6, 120, 0x20000000, bytes(31) + b"\x77", 0x1D00FFFF, NETWORK_TARGET, REWARD_SATS, FEES_SATS, ()
)
JOB = JobMade(7, "0a01", 6, 0x20000000, b"\x01coinbase", b"outputs", None, None, 0)
DEFINITIONS: list[Record] = [ALICE, BOB, CAROL, EASY, HARD, TEMPLATE, JOB]


def share(account: str, difficulty: Difficulty = HARD, nonce: int = 0, is_late: bool = False) -> ShareMade:
    return ShareMade(
        NAMES[account].number,
        7,
        difficulty.number,
        b"\x01\x00\x00\x01",
        bytes(8),
        0x20000000,
        1,
        nonce,
        is_late,
    )


def candidate(account: str | None, tag: int, at: float) -> CandidateMade:
    number = None if account is None else NAMES[account].number
    block_hash = bytes([tag]) * 32
    return CandidateMade(
        block_hash, 7, number, b"\x01\x00\x00\x01", bytes(8), 0x20000000, 1, 9, account or "", us(at)
    )


def us(seconds: float) -> int:
    """Microseconds since 1970 of so many seconds after START."""
    return START * SECOND_US + round(seconds * SECOND_US)


class Writing:
    """A source's spool, frame by frame; each says that all before it are durable."""

    def __init__(self, spool: Path, source: str = "gateway-0", epoch: str = EPOCH) -> None:
        self.directory = spool / source
        self.directory.mkdir(parents=True, exist_ok=True)
        self.source, self.epoch = source, epoch
        self.number, self.serial = 0, 0
        self.path = self.directory

    def segment(self, at: float, definitions: Sequence[Record] = DEFINITIONS) -> Path:
        """Begin the next file."""
        self.serial += 1
        self.path = segment_path(self.directory, self.epoch, self.serial, self.number + 1)
        head = SegmentHead(
            FRAME_VERSION,
            self.source,
            NETWORK,
            self.epoch,
            self.serial,
            self.number + 1,
            us(at),
            0,
            list(definitions),
        )
        self.path.write_bytes(encode_block(head))
        return self.path

    def frame(self, at: float, *records: Record) -> int:
        """Append one; its number."""
        if not self.serial:
            self.segment(at)
        self.number += 1
        frame = Frame(FRAME_VERSION, self.number, self.number - 1, us(at), 0, list(records))
        with self.path.open("ab") as file:
            file.write(encode_block(frame))
        return self.number

    def close(self, at: float) -> None:
        """As a gateway stops: the closing frame, and one that says it is durable."""
        self.frame(at, Closing())
        self.frame(at)


class NoPrices:
    """All work is credited by window."""

    async def look(self, now_us: int) -> None: ...

    def price_of(self, name: str, epoch: str) -> PriceOf:
        return lambda template, frame, at_us: None

    async def fix_means(self, batch: Batch, now_us: int) -> None: ...

    async def price_rows(self, writer: Writer, batch: Batch, at_us: int) -> dict[str, int]:
        return {}

    def forget(self) -> None: ...


class Books:
    """A data directory with database, journal and intake."""

    def __init__(self, directory: Path, database: Database, journal: Journal) -> None:
        self.directory, self.database, self.journal = directory, database, journal
        self.spool, self.archive = directory / "spool", directory / "archive"
        self.names = Names()
        self.changes = Changes(journal, database, self.names)
        self.horizon = Horizon()
        self.intake = self.new_intake()

    def new_intake(self, **changes: Any) -> Intake:
        """As a start makes one, without prices."""

        async def horizon(_: Reader) -> Horizon:
            return self.horizon

        parts: dict[str, Any] = {
            "slot_seconds": 10,
            "prices": NoPrices(),
            "horizon": horizon,
        }
        self.intake = Intake(self.spool, self.archive, self.database, self.names, **(parts | changes))
        return self.intake

    async def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        async with self.database.reading() as reader:
            return await reader.rows(sql, *params)

    async def execute(self, sql: str, *params: Any) -> None:
        async with self.database.writing() as writer:
            await writer.execute(sql, *params)

    async def work(self) -> dict[tuple[int, str], int]:
        """(seconds after START, account) → work."""
        found = await self.rows(
            "SELECT slot, account.name, SUM(work_high), SUM(work_low) FROM slot_account "
            "JOIN account ON account.id = account_id GROUP BY slot, account.name"
        )
        return {(slot - START, name): joined(high, low) for slot, name, high, low in found}

    async def sources(self) -> list[tuple[str, int, str]]:
        """(name, mark, state)."""
        return [
            tuple(row) for row in await self.rows("SELECT name, mark, state FROM source ORDER BY name, epoch")
        ]  # type: ignore[misc]

    async def give_work(self, *rows: tuple[int, str, int], seconds: int = 10, rate: int = 0) -> None:
        """Rows of slot_account: (seconds after START, account, work)."""
        async with self.database.writing() as writer:
            for slot, name, work in rows:
                account = await self.names.account(
                    writer, name, 0, NAMES[name].script if name in NAMES else None
                )
                await writer.execute(
                    "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, "
                    "work_low) VALUES (?, ?, ?, ?, 1, ?, ?)",
                    *(START + slot, seconds, account, rate, work >> 32, work & (2**32 - 1)),
                )


@asynccontextmanager
async def books(directory: Path) -> AsyncIterator[Books]:
    """Opened, and closed again; a second time it is the same accounts."""
    with Journal.open(directory / "journal") as journal:
        database = await open_database(url_of(directory), directory, holder="test", now_us=us(0))
        try:
            yield Books(directory, database, journal)
        finally:
            await database.close()


def replaced(value: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(value, **changes)
