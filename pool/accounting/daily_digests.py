"""Daily digests of the accounts: when a day is due for one, and writing it. Made of slots, kept as files.

    DATA/digests/DAY.json     signed, chained day to day; the same bytes are in the database

A day is due when its raw segments are about to be deleted, and not before: until then the shares themselves
can be counted again, and each window that was settled meanwhile has its edges among the day's cuts.
"""

import asyncio
import datetime
from pathlib import Path
from typing import Any

import msgspec

from pool.accounting.archive import days_between, record_of
from pool.accounting.document_file import store
from pool.accounting.needed import NeedRules, needed_by_blocks
from pool.accounting.rollup import DAY_SECONDS
from pool.accounting.sources import CLOSED
from pool.audit import digest as audit
from pool.audit.keys import SigningKey
from pool.audit.statement import SegmentHash
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.segments import read_head, segments_of
from pool.storage.database import Database, Reader
from pool.storage.work import joined

FOLDER = "digests"
MICROSECONDS = 1_000_000
DAY_US = DAY_SECONDS * MICROSECONDS
EPOCH_DAY = datetime.date(1970, 1, 1)

log = Log("engineroom.accounting")


class DigestRules(msgspec.Struct, frozen=True, kw_only=True):
    """`network` as in statements. `retention_us` after its end a day gets its digest."""

    network: str
    need: NeedRules
    retention_us: int


class DailyDigests:
    """Writes the digests of one data directory."""

    def __init__(
        self, data_directory: Path, spool: Path, database: Database, key: SigningKey, rules: DigestRules
    ) -> None:
        self._folder = data_directory / FOLDER
        self._spool = spool
        self._database = database
        self._key = key
        self._rules = rules

    def follow(self, rules: DigestRules) -> None:
        """Go on by these rules."""
        self._rules = rules

    async def write_next(self, now_us: int) -> str | None:
        """Write the digest of the oldest day that is due; that day, or None where none is."""
        async with self._database.reading() as reader:
            day = await next_day(reader)
            if day is None or not await self._is_due(reader, day, now_us):
                return None
            named = await self._segments(reader, day)
            if named is None:
                return None
            digest = audit.sign_digest(
                network=self._rules.network,
                day=day,
                slot_seconds=self._rules.need.slot_seconds,
                parts=await self._parts(reader, day),
                segments=named,
                previous=await last_digest(reader),
                signer=self._key,
            )
        await self._keep(digest)
        return digest.head.day

    async def _keep(self, digest: audit.Digest) -> None:
        """The file first: a row that says so without it would let raw segments go."""
        document = audit.encode(digest)
        await asyncio.to_thread(store, self._folder / f"{digest.head.day}.json", document)
        async with self._database.writing() as writer:
            await writer.execute(
                "INSERT INTO digest (day, hash, document) VALUES (?, ?, ?)",
                *(digest.head.day, audit.hash_of(digest), document),
            )
        log.info(LogEvent.DIGEST_WRITTEN, day=digest.head.day)

    async def _is_due(self, reader: Reader, day: datetime.date, now_us: int) -> bool:
        """Whether it is old enough, every source is past its end, and no window over it is yet to be cut."""
        end = end_of(day)
        if end * MICROSECONDS + self._rules.retention_us > now_us:
            return False
        row = await reader.row("SELECT MIN(at_us) FROM source WHERE state <> ?", CLOSED)
        if row is not None and row[0] is not None and int(row[0]) < end * MICROSECONDS:
            return False
        needed = await needed_by_blocks(reader, self._rules.need)
        return needed is None or needed >= end

    async def _parts(self, reader: Reader, day: datetime.date) -> tuple[audit.DayPart, ...]:
        end = end_of(day)
        work: dict[int, dict[str, int]] = {}
        async for batch in reader.batches(
            "SELECT slot, account.name, SUM(work_high), SUM(work_low) FROM slot_account "
            "JOIN account ON account.id = account_id WHERE slot >= ? AND slot < ? "
            "GROUP BY slot, account.name",
            *(end - DAY_SECONDS, end),
        ):
            for slot, name, high, low in batch:
                amount = joined(int(high), int(low))
                if amount:
                    work.setdefault(int(slot), {})[name] = amount
        cuts = await self._cuts(reader)
        return audit.parts_of(day, self._rules.need.slot_seconds, cuts, work)

    async def _cuts(self, reader: Reader) -> set[int]:
        """Where windows and rounds that were settled have an edge."""
        step, cuts = self._rules.need.slot_seconds, set[int]()
        for scheme, start, through, edge_seconds in await reader.rows(
            "SELECT scheme, from_slot, through_slot, (SELECT MAX(seconds) FROM slot_account "
            "WHERE slot = settlement.from_slot) FROM settlement"
        ):
            first = start + step if scheme == "proportional" else start
            cuts |= {first, through + step, start + (edge_seconds or step)}
        return cuts

    async def _segments(self, reader: Reader, day: datetime.date) -> list[SegmentHash] | None:
        """Every segment with frames of the day; None while one of them is not in the archive yet."""
        end_us = end_of(day) * MICROSECONDS
        rows = await reader.rows(
            "SELECT source.name, first_frame, last_frame, sha256 FROM archive_segment "
            "JOIN source ON source.id = source_id WHERE last_us >= ? AND first_us < ? "
            "ORDER BY source.name, source.epoch, serial",
            *(end_us - DAY_US, end_us),
        )
        sources = await reader.rows("SELECT name, epoch, state, mark FROM source ORDER BY name, epoch")
        raw = await asyncio.to_thread(self._raw_segments, day, sources)
        if raw is None:
            return None
        return [SegmentHash(source=n, first_frame=f, last_frame=x, sha256=s) for n, f, x, s in rows] + raw

    def _raw_segments(self, day: datetime.date, sources: list[tuple[Any, ...]]) -> list[SegmentHash] | None:
        """What is still raw: the end of a source that was closed stays where a next start looks for it."""
        found: list[SegmentHash] = []
        for name, epoch, state, mark in sources:
            for segment in segments_of(self._spool / name).get(epoch, []):
                head = read_head(segment.path)
                if head is not None and head.at_us >= end_of(day) * MICROSECONDS:
                    continue
                if state != CLOSED:
                    return None
                record = record_of(segment, name, mark)
                if day.isoformat() in days_between(record.first_us, record.last_us):
                    found.append(
                        SegmentHash(
                            source=name,
                            first_frame=record.first_frame,
                            last_frame=record.last_frame,
                            sha256=record.sha256,
                        )
                    )
        return found


def end_of(day: datetime.date) -> int:
    """The first second (Unix time) of the next day, UTC."""
    return ((day - EPOCH_DAY).days + 1) * DAY_SECONDS


async def next_day(reader: Reader) -> datetime.date | None:
    """The oldest day with work or segments that has no digest; None where there is none."""
    row = await reader.row("SELECT MAX(day) FROM digest")
    after = 0
    if row is not None and row[0] is not None:
        after = end_of(datetime.date.fromisoformat(str(row[0])))
    firsts = [
        await reader.row("SELECT MIN(slot) FROM slot_account WHERE slot >= ?", after),
        await reader.row(
            "SELECT MIN(first_us) FROM archive_segment WHERE last_us >= ?", after * MICROSECONDS
        ),
    ]
    slot, first_us = (None if one is None or one[0] is None else int(one[0]) for one in firsts)
    starts = [] if slot is None else [slot]
    starts += [] if first_us is None else [max(after, first_us // MICROSECONDS)]
    return EPOCH_DAY + datetime.timedelta(min(starts) // DAY_SECONDS) if starts else None


async def last_digest(reader: Reader) -> audit.Digest | None:
    """The newest digest."""
    row = await reader.row("SELECT document FROM digest ORDER BY day DESC LIMIT 1")
    return None if row is None else audit.decode(bytes(row[0]))


async def named_segments(reader: Reader, days: set[str]) -> dict[str, set[str]]:
    """Day → SHA-256 of the segments that its digest names, for those of the days that have one."""
    found = {}
    for day in sorted(days):
        row = await reader.row("SELECT document FROM digest WHERE day = ?", day)
        if row is not None:
            head = audit.decode(bytes(row[0])).head
            found[day] = {segment.sha256 for segment in head.segments}
    return found
