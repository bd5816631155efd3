"""Keeps the accounts' house: segments into the archive, digests, roll-ups, what is past its time deleted.

Each call of `keep` is one bounded step, repeated every half minute. Nothing here decides about money, and
nothing raw goes before a signed digest stands for it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pool.accounting.archive import (
    ArchivedSegment,
    NotDigested,
    archive_finished,
    archived,
    days_of,
    deletable,
    delete_segment,
)
from pool.accounting.archive_file import ArchiveError, SegmentRecord
from pool.accounting.daily_digests import (
    EPOCH_DAY,
    MICROSECONDS,
    DailyDigests,
    DigestRules,
    named_segments,
    next_day,
)
from pool.accounting.directories import PLANS
from pool.accounting.intake import Intake
from pool.accounting.needed import needed_by_blocks, oldest_needed_slot
from pool.accounting.plan_store import delete_plans
from pool.accounting.rollup import DAY_SECONDS, RolledUp, roll_up
from pool.accounting.sources import CLOSED
from pool.audit.keys import SigningKey
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.frames import SpoolError
from pool.storage.database import Database, Reader, Writer

SEGMENTS_AT_ONCE = 4  # to be packed: 64 MiB take some two seconds each
DELETIONS_AT_ONCE = 50
ROLL_UPS_AT_ONCE = 10
PLAN_KEPT_US = 6 * 3_600 * MICROSECONDS

log = Log("engineroom.accounting")


class KeepRules(msgspec.Struct, frozen=True, kw_only=True):
    """`digests` says how long raw segments are kept; `plan_age_us` how long gateways use a plan at most."""

    digests: DigestRules
    plan_age_us: int


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What one step did."""

    archived: int
    digests: int
    deleted: int
    plans: int
    is_rolled: bool


class Keeper:
    """The house of one data directory. Its one caller repeats `keep`."""

    def __init__(
        self,
        data_directory: Path,
        spool: Path,
        archive: Path,
        database: Database,
        intake: Intake,
        key: SigningKey,
        rules: KeepRules,
    ) -> None:
        """`spool` and `archive` hold one folder for each source."""
        self._spool, self._archive, self._plans = spool, archive, data_directory / PLANS
        self._database = database
        self._intake = intake
        self._rules = rules
        self._digests = DailyDigests(data_directory, spool, database, key, rules.digests)
        self._is_reconciled = False
        self._told: set[str] = set()

    def follow(self, rules: KeepRules) -> None:
        """Go on by these rules."""
        self._rules = rules
        self._digests.follow(rules.digests)

    async def keep(self, now_us: int) -> Kept:
        """One step of everything. Raises DatabaseError and OSError; what was not done is done next time."""
        if not self._is_reconciled:
            await self._reconcile()
            self._is_reconciled = True
        packed = await self._archive_finished()
        digested = await self._digests.write_next(now_us)
        return Kept(
            archived=packed,
            digests=0 if digested is None else 1,
            deleted=await self._delete_segments(now_us),
            plans=await self._delete_plans(now_us),
            is_rolled=await self._roll_up(now_us),
        )

    # ------------------------------------------------------------------ the archive

    async def _reconcile(self) -> None:
        """Rows for what is in the archive without one: packed by a process that died, or a restored database
        has forgotten it. A row without its file is named."""
        try:
            held = await asyncio.to_thread(archived, self._archive)
        except ArchiveError as error:
            self._tell(str(error))
            return
        async with self._database.writing() as writer:
            for one in held:
                await self._note(writer, one)
            rows = await writer.rows("SELECT path FROM archive_segment WHERE deleted_us IS NULL")
        missing = {str(path) for (path,) in rows} - {self._name_of(one) for one in held}
        for path in sorted(missing):
            self._tell(f"{self._archive / path} is missing: the shares in it can no longer be counted again")

    async def _archive_finished(self) -> int:
        async with self._database.reading() as reader:
            sources = await reader.rows("SELECT name, epoch, mark FROM source ORDER BY name, epoch")
        packed = 0
        for name, epoch, mark in sources:
            reading = self._intake.reading(name, epoch)
            if reading is None:
                continue
            finished = archive_finished(
                self._spool / name,
                self._archive,
                epoch,
                mark,
                in_use=reading.in_use,
                is_over=reading.is_over,
            )
            try:
                while packed < SEGMENTS_AT_ONCE and (one := await asyncio.to_thread(_next, finished)):
                    async with self._database.writing() as writer:
                        await self._note(writer, one)
                    packed += 1
            except (ArchiveError, SpoolError) as error:
                self._tell(str(error))
        return packed

    async def _note(self, writer: Writer, one: ArchivedSegment) -> None:
        record = one.record
        row = await writer.row(
            "SELECT id FROM source WHERE name = ? AND epoch = ?", record.source, record.epoch
        )
        if row is None:
            return  # its frames have not been counted here yet: Intake makes the row, and the next start this
        await writer.execute(
            "INSERT INTO archive_segment (source_id, serial, first_frame, last_frame, first_us, last_us, "
            "sha256, path, deleted_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL) "
            "ON CONFLICT (source_id, serial) DO UPDATE "
            "SET sha256 = excluded.sha256, path = excluded.path, deleted_us = NULL",
            *(int(row[0]), record.serial, record.first_frame, record.last_frame),
            *(record.first_us, record.last_us, record.sha256, self._name_of(one)),
        )

    def _name_of(self, one: ArchivedSegment) -> str:
        return str(one.path.relative_to(self._archive))

    # ------------------------------------------------------------------ sums

    async def _roll_up(self, now_us: int) -> bool:
        """Some steps of it; whether they did anything."""
        need, is_rolled = self._rules.digests.need, False
        for _ in range(ROLL_UPS_AT_ONCE):
            async with self._database.writing() as writer:
                now = await applied_through(writer, now_us)
                oldest = await oldest_needed_slot(writer, need, now)
                day = await next_day(writer)
                if day is not None:  # a digest is made of slots
                    oldest = min(oldest, (day - EPOCH_DAY).days * DAY_SECONDS)
                if await roll_up(writer, now, oldest) == RolledUp(0, 0, 0, 0):
                    return is_rolled
                is_rolled = True
        return is_rolled

    # ------------------------------------------------------------------ what is past its time

    async def _delete_segments(self, now_us: int) -> int:
        rules = self._rules.digests
        async with self._database.reading() as reader:
            needed = await needed_by_blocks(reader, rules.need)
            past = deletable(
                await self._segments(reader, now_us - rules.retention_us),
                None if needed is None else needed * MICROSECONDS,
                rules.retention_us,
                now_us,
            )[:DELETIONS_AT_ONCE]
            digests = await named_segments(reader, {day for one in past for day in days_of(one.record)})
        deleted = 0
        for one in past:
            try:
                await asyncio.to_thread(delete_segment, one, digests)
            except NotDigested:
                continue  # its day's turn comes
            except FileNotFoundError:
                pass  # by a process that died before it said so
            async with self._database.writing() as writer:
                await writer.execute(
                    "UPDATE archive_segment SET deleted_us = ? WHERE path = ?", now_us, self._name_of(one)
                )
            deleted += 1
        return deleted

    async def _segments(self, reader: Reader, before_us: int) -> list[ArchivedSegment]:
        """Those that may be old enough, oldest first, by what the database knows of them."""
        rows = await reader.rows(
            "SELECT path, source.name, source.epoch, serial, first_frame, last_frame, first_us, last_us, "
            "sha256 FROM archive_segment JOIN source ON source.id = source_id "
            "WHERE deleted_us IS NULL AND last_us < ? ORDER BY last_us, serial LIMIT ?",
            *(before_us, 20 * DELETIONS_AT_ONCE),
        )
        return [
            ArchivedSegment(
                self._archive / path,
                0,
                SegmentRecord(
                    source=name,
                    epoch=epoch,
                    serial=serial,
                    first_frame=first_frame,
                    last_frame=last_frame,
                    first_us=first_us,
                    last_us=last_us,
                    sha256=digest,
                    raw_bytes=0,
                ),
            )
            for path, name, epoch, serial, first_frame, last_frame, first_us, last_us, digest in rows
        ]

    async def _delete_plans(self, now_us: int) -> int:
        """Plans that no gateway mines on and no block was found on; frames yet to be read may name newer."""
        if self._intake.caught_up is None:
            return 0  # frames that were not read yet may name any
        kept_us = max(PLAN_KEPT_US, self._rules.plan_age_us + PLAN_KEPT_US // 6)
        async with self._database.writing() as writer:
            before_us = await applied_through(writer, now_us) * MICROSECONDS - kept_us
            deleted = await writer.execute(
                "DELETE FROM plan WHERE created_us < ? "
                "AND id <> (SELECT id FROM plan ORDER BY created_us DESC, id LIMIT 1) "
                "AND id NOT IN (SELECT REPLACE(plan_id, ':stripped', '') FROM block "
                "WHERE plan_id IS NOT NULL)",
                before_us,
            )
            rows = await writer.rows(
                "SELECT id FROM plan UNION SELECT REPLACE(plan_id, ':stripped', '') FROM block "
                "WHERE plan_id IS NOT NULL"
            )
        kept = {str(plan_id) for (plan_id,) in rows}
        await asyncio.to_thread(delete_plans, self._plans, before_us, kept)
        return deleted

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            log.error(LogEvent.ARCHIVE_TROUBLED, trouble=line)


async def applied_through(reader: Reader, now_us: int) -> int:
    """The time, Unix seconds, that every source which is not closed has been applied to; now without one."""
    row = await reader.row("SELECT MIN(at_us) FROM source WHERE state <> ?", CLOSED)
    at_us = now_us if row is None or row[0] is None else min(now_us, int(row[0]))
    return at_us // MICROSECONDS


def _next(segments: Iterator[ArchivedSegment]) -> ArchivedSegment | None:
    return next(segments, None)
