"""Counts the accounts again, into a database of its own: frames and journal in the order in which they were.

The same Intake, the same appliers, the same division as live. The journal says what was decided; what follows
from work (slots, credits, bought shares) is worked out again, and each contradiction is a line.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from config.schema import Settings
from pool.accounting import assembly, blocks, buying, changes, directories, fee_means
from pool.accounting.agreements import Since, agreement_of
from pool.accounting.archive import archived
from pool.accounting.archive_reading import frames_after
from pool.accounting.bought import pay_slots, priced_slot
from pool.accounting.digest_files import digest_evidence
from pool.accounting.division import Division, PlanLost
from pool.accounting.intake import Horizon, Intake
from pool.accounting.journal_entries import (
    AgreementChanged,
    BlockSettled,
    BuyingChanged,
    FeeMeanFixed,
    GapAccepted,
)
from pool.accounting.journal_lines import Entry
from pool.accounting.journal_reading import JournalError, read_entries
from pool.accounting.names import Names
from pool.accounting.pricing import Pricing
from pool.accounting.rollup import HOUR_SECONDS, roll_hour, rolled_slot
from pool.accounting.statements import FOLDER, statement_path
from pool.audit import statement as audit
from pool.audit.document import AuditError
from pool.audit.recompute import Span
from pool.spool.segments import segments_of
from pool.storage.database import Database, Reader, Writer
from pool.storage.work import columns
from stratum.work.coin import network

Marks = Mapping[tuple[str, str], int]


class Through(NamedTuple):
    """How far the accounts are that this is compared with: a journal entry, marks, the last slot paid for."""

    entry: int
    marks: Marks
    priced_slot: int


Progress = Callable[[int, int], None]
MICROSECONDS = 1_000_000
WHENEVER_US = 2**62  # the clock holds nothing back


class Recount:
    """Fills one empty database. Make it with the journal's agreements known: `Recount.of`."""

    def __init__(self, settings: Settings, database: Database, past: assembly.Past) -> None:
        directory = Path(settings.data_directory)
        self._settings = settings
        self._database = database
        self._spool, self._archive = directory / directories.SPOOL, directory / directories.ARCHIVE
        self._data, self._statements = directory, directory / FOLDER
        self._names = Names()
        self._pricing = Pricing(assembly.price_rules(settings, past), self._names, database, None)
        self._division = Division(
            assembly.reward_rules(settings, network(settings.coin, settings.network), past)
        )
        self._intake = Intake(
            self._spool,
            self._archive,
            database,
            self._names,
            slot_seconds=settings.accounting.slot_seconds,
            prices=self._pricing,
            horizon=self._horizon,
        )
        self._begins: dict[tuple[str, str], int] = {}
        self.counted_from = 0  # Unix seconds: from then on work is counted from shares
        self.digested: set[int] = set()  # starts of the days whose work is that of their digests
        self.differences: list[str] = []
        self.notes: list[str] = []

    @classmethod
    async def of(cls, settings: Settings, database: Database) -> "Recount":
        """By the rules that the journal says held, each in its time."""
        journal = Path(settings.data_directory) / directories.JOURNAL
        agreed = await asyncio.to_thread(lambda: list(_agreements(journal)))
        past = tuple(agreed) or (Since(0, agreement_of(settings)),)
        return cls(settings, database, assembly.Past(past))

    async def run(self, through: Through | None, progress: Progress) -> None:
        """As far as `through`; None: all there is. Raises JournalError, ArchiveError, SpoolError,
        DatabaseError, OSError."""
        await self._begin()
        journal = Path(self._settings.data_directory) / directories.JOURNAL
        entries = await asyncio.to_thread(lambda: list(read_entries(journal)))
        if entries and entries[0].number > 1:
            raise JournalError(
                f"the journal was begun anew with entry {entries[0].number}: what was decided before is "
                "lost, and accounts cannot be counted again from it"
            )
        entries = [one for one in entries if through is None or one.number <= through.entry]
        await self._know_prices(entries)
        total = len(entries) + 1
        for done, entry in enumerate(entries):
            progress(done, total)
            await self._apply(entry, None if through is None else through.marks)
        if through is None:
            await self._intake.apply_all(_last_us(entries))
        else:
            await self._intake.apply_through(dict(through.marks))
        await self._pass_gaps()
        if through is None:
            await self._pay(WHENEVER_US)
        else:
            await self._pay_through(through.priced_slot)
        progress(total, total)

    async def _begin(self) -> None:
        async with self._database.writing() as writer:
            await self._names.system(writer, 0)
        firsts = await asyncio.to_thread(self._first_frames)
        evidence = await asyncio.to_thread(digest_evidence, self._data, self._archive, set(firsts))
        self.differences += evidence.faults
        self.counted_from, self.digested = evidence.through, evidence.days
        for key, first in firsts.items():
            await self._begin_source(key, first)
        async with self._database.writing() as writer:
            for span in evidence.spans:
                await self._take_span(writer, span)

    async def _know_prices(self, entries: list[Entry]) -> None:
        """What work was bought at is known before any is counted, as it was decided before any was."""
        async with self._database.writing() as writer:
            for entry in entries:
                if isinstance(entry.body, BuyingChanged):
                    await buying.write(writer, entry.number, entry.body)
                elif isinstance(entry.body, FeeMeanFixed):
                    await fee_means.write(writer, entry.body)

    async def _begin_source(self, key: tuple[str, str], first: int) -> None:
        """Behind what digests stand for; behind what is gone, where none does."""
        name, epoch = key
        mark, at_us = await asyncio.to_thread(self._mark_before, key, first, self.counted_from)
        self._begins[key] = mark
        if first > 1:
            self.notes.append(
                f"frames 1 to {first - 1} of {name} {epoch} are gone: only digests say what was in them"
            )
            if at_us >= self.counted_from * MICROSECONDS:
                self.counted_from = max(self.counted_from, at_us // MICROSECONDS)
        async with self._database.writing() as writer:
            await writer.execute(
                "INSERT INTO source (name, epoch, mark, at_us, state, trouble) "
                "VALUES (?, ?, ?, ?, 'live', NULL)",
                *(name, epoch, mark, at_us),
            )

    def _mark_before(self, key: tuple[str, str], first: int, seconds: int) -> tuple[int, int]:
        """The last frame before a time, and the time of the one behind it."""
        mark, at_us = first - 1, 0
        for one in frames_after(self._archive, self._spool / key[0], key[1], first - 1):
            at_us = one.frame.at_us
            if at_us >= seconds * MICROSECONDS:
                break
            mark = one.frame.number
        return mark, at_us

    async def _take_span(self, writer: Writer, span: Span) -> None:
        """A part of a digest as one long slot: no window that was settled has an edge inside of it."""
        seconds = span.through_slot - span.from_slot + self._settings.accounting.slot_seconds
        await writer.execute_many(
            "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, work_low) "
            "VALUES (?, ?, ?, 0, 0, ?, ?)",
            [
                (span.from_slot, seconds, await self._names.account(writer, name, 0), *columns(work))
                for name, work in sorted(span.work.items())
            ],
        )

    def _first_frames(self) -> dict[tuple[str, str], int]:
        """Source → the first frame of it that is still there."""
        found: dict[tuple[str, str], int] = {}
        for one in archived(self._archive):
            key = (one.record.source, one.record.epoch)
            found[key] = min(found.get(key, one.record.first_frame), one.record.first_frame)
        for folder in sorted(self._spool.glob("*/")):
            for epoch, segments in segments_of(folder).items():
                first = min(segment.first for segment in segments)
                found[folder.name, epoch] = min(found.get((folder.name, epoch), first), first)
        return dict(sorted(found.items()))

    # ------------------------------------------------------------------ entries

    async def _apply(self, entry: Entry, most: Marks | None) -> None:
        if isinstance(entry.body, BlockSettled):
            await self._count_through(entry.body, entry, most)
            await self._pay(entry.at_us)
            await self._compare_division(entry.body)
        async with self._database.writing() as writer:
            await changes.apply(writer, self._names, entry)
        if isinstance(entry.body, GapAccepted):
            self._intake.forget()

    async def _pass_gaps(self) -> None:
        """A mark that stands before frames which were given up stands behind them."""
        async with self._database.writing() as writer:
            for name, epoch, first, last in await writer.rows(
                "SELECT name, epoch, first_frame, last_frame FROM accepted_gap ORDER BY first_frame"
            ):
                await writer.execute(
                    "UPDATE source SET mark = ? WHERE name = ? AND epoch = ? AND mark = ?",
                    *(last, name, epoch, first - 1),
                )

    async def _count_through(self, body: BlockSettled, entry: Entry, most: Marks | None) -> None:
        """Exactly the frames that were counted when the block was settled, by its statement's marks."""
        marks = await asyncio.to_thread(self._marks_of, body)
        if marks is None:
            self.notes.append(
                f"block {body.hash}: its statement is missing, its window was cut by time alone"
            )
            marks = await asyncio.to_thread(self._marks_at, entry.at_us)
        await self._intake.apply_through(
            {key: min(mark, mark if most is None else most.get(key, 0)) for key, mark in marks.items()}
        )

    def _marks_of(self, body: BlockSettled) -> dict[tuple[str, str], int] | None:
        for path in self._statements.glob(f"*-{body.hash}.json"):
            try:
                statement = audit.decode(path.read_bytes())
            except (AuditError, OSError):
                return None
            if path != statement_path(self._statements, statement.head.height, body.hash):
                return None
            keys = {key: key.partition("/") for key in statement.body.marks}
            return {(keys[key][0], keys[key][2]): mark for key, mark in statement.body.marks.items()}
        return None

    def _marks_at(self, at_us: int) -> dict[tuple[str, str], int]:
        """The last frame of each source that was written by then."""
        found = {}
        for (name, epoch), begin in self._begins.items():
            found[name, epoch] = begin
            for one in frames_after(self._archive, self._spool / name, epoch, begin):
                if one.frame.at_us > at_us:
                    break
                found[name, epoch] = one.frame.number
        return found

    async def _compare_division(self, body: BlockSettled) -> None:
        async with self._database.reading() as reader:
            block = await blocks.find(reader, body.hash)
        if block is None:
            self.differences.append(f"block {body.hash} was settled, and neither frame nor entry tells of it")
            return
        if body.reason:
            self.notes.append(f"block {body.hash} was settled by hand: {body.reason}")
            return
        try:
            worked = await self._credits(block)
            if worked != _by_account(body) and await self._roll_edge(body):
                worked = await self._credits(block)
        except (PlanLost, ValueError) as error:
            self.notes.append(f"block {body.hash}: its division cannot be worked out again: {error}")
            return
        stated = _by_account(body)
        self.differences += [
            f"block {body.hash}: {account} was credited {stated.get((account, kind), 0)} sats ({kind}), the "
            f"shares give {worked.get((account, kind), 0)}"
            for account, kind in sorted(stated.keys() | worked.keys())
            if stated.get((account, kind), 0) != worked.get((account, kind), 0)
        ]

    async def _credits(self, block: blocks.Block) -> dict[tuple[str, str], int]:
        async with self._database.reading() as reader:
            divided = await self._division.divide(reader, block)
        sums: dict[tuple[str, str], int] = {}
        for one in divided.credits:
            key = (one.account, one.credit_kind)
            sums[key] = sums.get(key, 0) + one.sats
        return {key: sats for key, sats in sums.items() if sats}

    async def _roll_edge(self, body: BlockSettled) -> bool:
        """Roll up the hour that the window began with, as it may have been then; False for no hour."""
        hour = body.from_slot // HOUR_SECONDS * HOUR_SECONDS
        if body.from_slot != hour or hour + HOUR_SECONDS > body.through_slot:
            return False
        async with self._database.writing() as writer:
            await roll_hour(writer, hour)
        return True

    # ------------------------------------------------------------------ bought work

    async def _pay(self, at_us: int) -> None:
        while await self._pricing.pay_complete_slots(self._database, at_us):
            pass

    async def _pay_through(self, slot: int) -> None:
        count = 1
        while count:
            async with self._database.writing() as writer:
                count = await pay_slots(writer, self._names, slot, 0)

    async def _horizon(self, reader: Reader) -> Horizon:
        round_slot = -1
        if self._settings.payout.scheme == "proportional":
            row = await reader.row("SELECT MAX(through_slot) FROM settlement")
            round_slot = -1 if row is None or row[0] is None else int(row[0])
        return Horizon(
            priced_slot=await priced_slot(reader),
            round_slot=round_slot,
            rolled_slot=await rolled_slot(reader),
        )


def _agreements(journal: Path) -> Iterator[Since]:
    for entry in read_entries(journal):
        if isinstance(entry.body, AgreementChanged):
            yield Since.of(entry.at_us, entry.body.document)


def _by_account(body: BlockSettled) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for one in body.credits:
        key = (one.account, one.credit_kind)
        sums[key] = sums.get(key, 0) + one.sats
    return {key: sats for key, sats in sums.items() if sats}


def _last_us(entries: list[Entry]) -> int:
    return entries[-1].at_us if entries else 0
