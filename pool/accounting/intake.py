"""From spools to slots: every source's durable frames, applied once; it owns the tails and the marks.

Slot rows and the source's mark go into one transaction. A frame at or below the mark is never seen again,
since the tail begins behind it; so a crash anywhere counts nothing twice and loses nothing. A commit whose
answer was lost may have happened: the tails are thrown away and begin at what the database says.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, Protocol

from pool.accounting import blocks
from pool.accounting.archive_file import ArchiveError
from pool.accounting.batch import MICROSECONDS, Batch, FoundCandidate, PriceOf
from pool.accounting.names import Names
from pool.accounting.slot_rows import Horizon, write_minutes, write_slots, write_templates
from pool.accounting.sources import CLOSED, LIVE, STOPPED, Found, Gap, Source, epochs_on_disk, streams_of
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.dictionary import UnknownNumber
from pool.spool.frames import NewerSpool, SpoolError
from pool.spool.segments import Segment
from pool.spool.tail import Delivery
from pool.storage.database import Database, Writer

FRAMES_AT_ONCE = 2_000
# Ten minutes of an idle gateway, or two seconds of a busy one: a transaction of some 50 ms.

log = Log("engineroom.accounting")

__all__ = ["CaughtUp", "Horizon", "Intake", "Prices", "Reading"]


class Unexplained(SpoolError):
    """A sound frame names what its segment has not defined, and nothing was given up that could have."""


class Reading(NamedTuple):
    """The segment that the last frame came from, which stays with all later ones; None where nothing was
    read. `is_over`: the epoch has been read to its end, and no segment is needed any more."""

    in_use: Segment | None
    is_over: bool


class CaughtUp(NamedTuple):
    """Everything that could be read at `since_us` was applied, for the first time in this process, and last
    what could be at `until_us`. What a source has not shown by then it did not have."""

    since_us: int
    until_us: int


class Figures(Protocol):
    """Who is told what was applied."""

    def applied(self, source: str, at: float, frames: int, shares: int, seconds: float) -> None:
        """A transaction has counted these frames up to `at` (Unix seconds), and took so many seconds."""


class Prices(Protocol):
    """What work is bought at. What is decided on the way is decided before a batch is summed or written, in
    transactions of its own."""

    async def look(self, now_us: int) -> None:
        """Before each batch is read: whether what comes next is bought."""

    def price_of(self, name: str, epoch: str) -> PriceOf:
        """For the frames of one source, right after `look`. What it returns is called in a thread."""

    async def fix_means(self, batch: Batch, now_us: int) -> None:
        """Before a batch is written: what its prices rest on."""

    async def price_rows(self, writer: Writer, batch: Batch, at_us: int) -> dict[str, int]:
        """Ids by price."""

    def forget(self) -> None:
        """Begin again from what the database says."""


class Intake:
    """Applies frames. A block candidate's row is made in the transaction that counts its share."""

    def __init__(
        self,
        directory: Path,
        archive: Path,
        database: Database,
        names: Names,
        *,
        slot_seconds: int,
        prices: Prices,
        horizon: Callable[[Writer], Awaitable[Horizon]],
        figures: Figures | None = None,
    ) -> None:
        """`directory` and `archive` hold one folder for each gateway."""
        self._directory = directory
        self._archive = archive
        self._database = database
        self._names = names
        self._slot_seconds = slot_seconds
        self._prices = prices
        self._horizon = horizon
        self._figures = figures
        self._sources: dict[tuple[str, str], Source] = {}
        self._seen: set[tuple[str, str]] | None = None  # on disk, when last looked; None: look at the archive
        self._applying = asyncio.Lock()
        self.frames = 0
        self.shares = 0
        self.caught_up: CaughtUp | None = None  # None until `apply_all` has been through everything once

    async def apply_all(self, now_us: int) -> int:
        """Apply what is durable now, of every source; how many frames that were.

        Raises DatabaseError: nothing of the failed batch is counted, and the next call reads it again.
        """
        async with self._applying:
            await self._find_sources()
            applied = await self._apply_in_turn(now_us)
            if self._seen is not None:  # else forgotten on the way: a source may not have been looked at
                since_us = now_us if self.caught_up is None else self.caught_up.since_us
                self.caught_up = CaughtUp(since_us, now_us)
        return applied

    async def _apply_in_turn(self, now_us: int) -> int:
        """Always of the source that is furthest behind: what is decided on the way, as whether work is
        bought, comes at nearly the same time for all."""
        applied = 0
        waiting = [source for source in self._sources.values() if source.state != STOPPED]
        while waiting:
            source = min(waiting, key=lambda one: one.at_us)
            count = await self._apply(source, now_us)
            applied += count
            if not count:
                waiting.remove(source)
        return applied

    async def apply_through(self, marks: dict[tuple[str, str], int]) -> int:
        """Apply the frames of each source (name, epoch) up to a mark, and no others; how many that were."""
        applied = 0
        async with self._applying:
            await self._find_sources()
            for key, mark in sorted(marks.items()):
                source = self._sources.get(key)
                while source is not None and source.state != STOPPED and source.mark < mark:
                    count = await self._apply(source, source.at_us, through=mark)
                    applied += count
                    if not count:
                        break
        return applied

    def reading(self, name: str, epoch: str) -> Reading | None:
        """Where a source is read; None while none of its segments may be moved away."""
        source = self._sources.get((name, epoch))
        if source is None or source.state == STOPPED or source.reads_archive:
            return None
        is_over = source.is_over and source.state == CLOSED
        return Reading(None if is_over else source.segment, is_over)

    def forget(self) -> None:
        """Begin again from what the database says: after an error, or a change of marks by somebody."""
        self._sources.clear()
        self._seen = None
        self._names.forget()
        self._prices.forget()

    # ------------------------------------------------------------------ sources

    async def _find_sources(self) -> None:
        streams = await asyncio.to_thread(streams_of, self._directory)
        if streams == self._seen:
            return
        is_first = self._seen is None
        # Before anything is waited for: other duties may `forget` meanwhile, and that must stand.
        self._seen = streams
        try:
            await self._take_up(is_first)
        except BaseException:
            self.forget()
            raise

    async def _take_up(self, is_first: bool) -> None:
        archive = self._archive if is_first else None
        found = await asyncio.to_thread(epochs_on_disk, self._directory, archive)
        for one in found:
            source = self._sources.get((one.name, one.epoch))
            if source is None:
                self._sources[one.name, one.epoch] = await self._source(one)
            elif one.is_over and not source.is_over:
                source.end()
        if is_first:
            await self._stop_vanished({(one.name, one.epoch) for one in found})

    async def _source(self, found: Found) -> Source:
        """As the database knows it. One that has stopped is tried again: somebody may have mended it."""
        async with self._database.writing() as writer:
            row = await writer.row(
                "SELECT id, mark, at_us, state FROM source WHERE name = ? AND epoch = ?",
                *(found.name, found.epoch),
            )
            if row is None:
                # Not now: whoever waits for this source would take it for applied up to this moment.
                row = (await self._new_source(writer, found), 0, found.begins_us, LIVE)
            gaps = await writer.rows(
                "SELECT first_frame, last_frame FROM accepted_gap WHERE name = ? AND epoch = ? "
                "ORDER BY first_frame",
                *(found.name, found.epoch),
            )
        number, mark, at_us, state = row
        spool = self._directory / found.name
        source = Source(number, found, spool, self._archive, mark, at_us, [Gap(*gap) for gap in gaps])
        source.state = CLOSED if state == CLOSED else LIVE
        return source

    async def _new_source(self, writer: Writer, found: Found) -> int:
        return await writer.insert(
            "INSERT INTO source (name, epoch, mark, at_us, state, trouble) "
            "VALUES (?, ?, 0, ?, ?, NULL) RETURNING id",
            *(found.name, found.epoch, found.begins_us, LIVE),
        )

    async def _stop_vanished(self, found: set[tuple[str, str]]) -> None:
        """Live sources of the database that are nowhere on disk: what they held is lost, or not mounted."""
        async with self._database.writing() as writer:
            live = await writer.rows("SELECT id, name, epoch, mark FROM source WHERE state = ?", LIVE)
            for number, name, epoch, mark in live:
                if (name, epoch) not in found:
                    trouble = f"the spool of {name} {epoch} is gone, and what it held behind frame {mark}"
                    await self._note_stop(writer, number, trouble)

    async def _apply(self, source: Source, now_us: int, through: int | None = None) -> int:
        await self._prices.look(now_us)
        price_of = self._prices.price_of(source.name, source.epoch)  # at once: others may forget meanwhile
        try:
            deliveries, batch = await asyncio.to_thread(self._read, source, price_of, through)
        except NewerSpool:
            raise
        except (SpoolError, ArchiveError) as error:
            await self._stop(source, error)
            return 0
        except BaseException:
            # Cancelled at a stop: the thread has taken frames off the tail that nobody will apply.
            self.forget()
            raise
        if not deliveries:
            if source.is_over and source.state != CLOSED and through is None:
                await self._close(source)
            return 0
        try:
            await self._prices.fix_means(batch, now_us)
            began = perf_counter()
            async with self._database.writing() as writer:
                await self._write(writer, source, batch)
        except BaseException:
            self.forget()
            raise
        if batch.unexplained:
            log.error(
                LogEvent.RECORDS_UNEXPLAINED,
                source=source.name,
                records=batch.unexplained,
                frame=batch.last_number,
            )
        source.mark, source.at_us, source.segment = batch.last_number, batch.last_us, deliveries[-1].segment
        source.state = CLOSED if batch.is_closed else LIVE
        self.frames += len(deliveries)
        self.shares += batch.shares
        if self._figures is not None:
            seconds = perf_counter() - began
            self._figures.applied(source.name, source.at_us / 1e6, len(deliveries), batch.shares, seconds)
        return len(deliveries)

    def _read(self, source: Source, price_of: PriceOf, through: int | None) -> tuple[list[Delivery], Batch]:
        """The next frames, summed: up to `through`, and up to the first that its segment does not explain."""
        deliveries = source.next(FRAMES_AT_ONCE)
        if through is not None and deliveries and deliveries[-1].frame.number > through:
            deliveries = [one for one in deliveries if one.frame.number <= through]
            source.rewind(source.mark)
        for count in (len(deliveries), None):
            batch, explained = self._sum(source, price_of, deliveries[:count])
            if explained == len(deliveries[:count]):
                return deliveries, batch
            if not explained:
                frame = deliveries[0]
                source.rewind(source.mark)
                raise Unexplained(
                    f"spool {source.name}: frame {frame.frame.number} in {frame.segment.path} names what its "
                    "segment does not define"
                )
            deliveries = deliveries[:explained]
            source.rewind(source.mark)
        raise AssertionError("frames that were explained are explained")

    def _sum(self, source: Source, price_of: PriceOf, deliveries: list[Delivery]) -> tuple[Batch, int]:
        """The sums, and of how many frames; with less than all of them the sums are of no use."""
        batch = Batch(self._slot_seconds, price_of)
        for count, delivery in enumerate(deliveries):
            try:
                batch.add(delivery.frame, delivery.dictionary, is_forgiving=source.is_forgiving(delivery))
            except UnknownNumber:
                return batch, count
        return batch, len(deliveries)

    async def _close(self, source: Source) -> None:
        """Nothing more can come of it."""
        async with self._database.writing() as writer:
            await writer.execute(
                "UPDATE source SET state = ?, trouble = NULL WHERE id = ?", CLOSED, source.id
            )
        source.state = CLOSED

    async def _stop(self, source: Source, error: SpoolError | ArchiveError) -> None:
        """This one source waits for a person; the others go on.

        A source that is over for good stays so: that it ended in a broken block was accepted once.
        """
        if source.state == CLOSED and not await asyncio.to_thread(source.has_more, error):
            return
        source.state = STOPPED
        async with self._database.writing() as writer:
            await self._note_stop(writer, source.id, str(error))

    async def _note_stop(self, writer: Writer, number: int, trouble: str) -> None:
        log.error(LogEvent.SOURCE_STOPPED, trouble=trouble)
        await writer.execute(
            "UPDATE source SET state = ?, trouble = ? WHERE id = ?", STOPPED, trouble, number
        )

    # ------------------------------------------------------------------ one transaction

    async def _write(self, writer: Writer, source: Source, batch: Batch) -> None:
        accounts, workers = await self._ids(writer, batch)
        rates = await self._prices.price_rows(writer, batch, batch.last_us)
        horizon = await self._horizon(writer)
        await write_slots(writer, batch, accounts, rates, horizon, self._slot_seconds)
        await write_minutes(writer, batch, workers)
        await write_templates(writer, batch)
        for candidate in batch.candidates:
            account = None if candidate.account is None else accounts[candidate.account]
            new = block_of(candidate, account, source.id, self._slot_seconds)
            await blocks.record(writer, new, candidate.frame_us)
        await writer.execute(
            "UPDATE source SET mark = ?, at_us = ?, state = ?, trouble = NULL WHERE id = ?",
            *(batch.last_number, batch.last_us, CLOSED if batch.is_closed else LIVE, source.id),
        )

    async def _ids(self, writer: Writer, batch: Batch) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        accounts: dict[str, int] = {}
        workers: dict[tuple[str, str], int] = {}
        for (account, worker), seen in batch.names.items():
            accounts[account] = await self._names.account(writer, account, seen.first_us, seen.name.script)
            workers[account, worker] = await self._names.worker(
                writer, accounts[account], worker, seen.name.agent, seen.first_us
            )
        await self._note_seen(writer, batch, accounts, workers)
        return accounts, workers

    async def _note_seen(
        self,
        writer: Writer,
        batch: Batch,
        accounts: dict[str, int],
        workers: dict[tuple[str, str], int],
    ) -> None:
        """First and last times, whichever source is read first."""
        if not workers:
            return
        seen = sorted(batch.names.items())
        await writer.execute_many(
            "UPDATE worker SET last_seen_us = ? WHERE id = ? AND last_seen_us < ?",
            [(one.last_us, workers[key], one.last_us) for key, one in seen],
        )
        await writer.execute_many(
            "UPDATE worker SET first_seen_us = ? WHERE id = ? AND first_seen_us > ?",
            [(one.first_us, workers[key], one.first_us) for key, one in seen],
        )
        await writer.execute_many(
            "UPDATE account SET first_seen_us = ? WHERE id = ? AND first_seen_us > ?",
            [(one.first_us, accounts[account], one.first_us) for (account, _), one in seen],
        )


def block_of(
    candidate: FoundCandidate, account_id: int | None, source_id: int, slot_seconds: int
) -> blocks.NewBlock:
    """A candidate as its row. It belongs to its share's slot, which is that of its frame."""
    plan = candidate.plan_id
    return blocks.NewBlock(
        hash=candidate.hash,
        height=candidate.height,
        previous_hash=candidate.previous_hash,
        found_us=candidate.found_us,
        slot=candidate.frame_us // (MICROSECONDS * slot_seconds) * slot_seconds,
        account_id=account_id,
        worker=candidate.worker,
        job_id=candidate.job_id,
        plan_id=f"{plan}{blocks.STRIPPED}" if plan is not None and candidate.is_stripped else plan,
        coinbase=candidate.coinbase,
        network_target=candidate.network_target,
        reward_sats=candidate.reward_sats,
        source_id=source_id,
        frame=candidate.frame,
        payee=candidate.payee,
    )
