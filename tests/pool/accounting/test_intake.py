"""Frames become rows once, whatever the batches, the restarts and the damage; each source for itself."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pool.accounting.archive import archive_finished
from pool.accounting.batch import PriceOf
from pool.accounting.intake import Horizon
from pool.accounting.journal_entries import GapAccepted
from pool.spool.records import Name, RefusedMade
from pool.storage.database import Database, DatabaseError, Reader, Writer
from tests.pool.accounting.kept import lose_database
from tests.pool.accounting.mined import (
    BOB,
    DEFINITIONS,
    EASY,
    EPOCH,
    HARD,
    JOB,
    NETWORK_TARGET,
    START,
    Books,
    NoPrices,
    Writing,
    books,
    candidate,
    replaced,
    share,
    us,
)
from tests.pool.spool.test_tail import flip

pytestmark = pytest.mark.usefixtures("either_database")

WORK = 2**32  # of a HARD share; an EASY one is 2^30


async def test_shares_are_summed_by_slot_and_account_and_by_minute_and_worker(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"), share("alice", EASY), share("bob"))
        spool.frame(9.9, share("alice", is_late=True))
        spool.frame(10, share("alice"))
        spool.frame(65, RefusedMade(2, "stale", 3, b"\x05"), RefusedMade(None, "unauthorised", 1, b""))
        spool.frame(66)
        assert await own.intake.apply_all(us(66)) == 4
        # alice in the first slot: two of 2^32 and one of 2^30
        assert await own.work() == {(0, "alice"): 2 * WORK + 2**30, (0, "bob"): WORK, (10, "alice"): WORK}
        minutes = await own.rows(
            "SELECT minute, name, shares, late FROM worker_minute JOIN worker ON worker.id = worker_id "
            "ORDER BY minute, name"
        )
        assert minutes == [(START, "bitaxe", 1, 0), (START, "rig", 4, 1)]
        refused = await own.rows("SELECT minute, worker_id > 0, reason, count, work_low FROM refused_minute")
        assert sorted(refused) == [(START + 60, 0, "unauthorised", 1, 0), (START + 60, 1, "stale", 3, 5)]
        assert await own.sources() == [("gateway-0", 4, "live")]


async def test_a_frame_is_applied_once_whoever_reads_it_again(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        for second in range(5):
            spool.frame(second, share("alice"))
        assert await own.intake.apply_all(us(9)) == 4
        assert await own.intake.apply_all(us(9)) == 0
        own.intake.forget()
        assert await own.intake.apply_all(us(9)) == 0
        spool.frame(5)
        assert await own.new_intake().apply_all(us(9)) == 1
        assert await own.work() == {(0, "alice"): 5 * WORK}


async def test_a_failed_transaction_counts_nothing_and_the_next_one_everything(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"), candidate("alice", 1, 1))
        spool.frame(2)
        await own.execute("ALTER TABLE block RENAME TO block_away")  # what is written last
        with pytest.raises(DatabaseError, match="block"):
            await own.intake.apply_all(us(3))
        assert await own.work() == {}
        assert await own.rows("SELECT name FROM account") == []
        await own.execute("ALTER TABLE block_away RENAME TO block")
        assert await own.intake.apply_all(us(3)) == 1
        assert await own.work() == {(0, "alice"): WORK}


async def test_frames_whose_reading_is_cancelled_are_read_again_before_later_ones(tmp_path: Path) -> None:
    reads, may_go_on = threading.Event(), threading.Event()

    class SlowPrices(NoPrices):
        """Asked for each share, in the thread that reads."""

        def price_of(self, name: str, epoch: str) -> PriceOf:
            def price(*_: object) -> None:
                reads.set()
                may_go_on.wait()

            return price

    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"))
        spool.frame(2)
        intake = own.new_intake(prices=SlowPrices())
        stopped = asyncio.create_task(intake.apply_all(us(3)))
        await asyncio.to_thread(reads.wait)
        stopped.cancel()
        may_go_on.set()
        await asyncio.wait([stopped])
        spool.frame(3, share("alice"))
        spool.frame(4)
        await intake.apply_all(us(5))
        assert await own.work() == {(0, "alice"): 2 * WORK}


class Interrupted:
    """A database after each of whose commits something else happens."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.then: Callable[[], None] = lambda: None

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        return self._inner.reading()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        async with self._inner.writing() as writer:
            yield writer
        self.then()


async def test_a_source_that_is_forgotten_while_it_is_found_is_found_again(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"))
        spool.frame(2)
        inner = own.database
        own.database = database = Interrupted(inner)  # type: ignore[assignment]
        intake = own.new_intake()
        database.then = intake.forget  # as another duty does whose connection was cut
        await intake.apply_all(us(3))
        assert intake.caught_up is None, "what was not looked at is not said to be counted"
        database.then = lambda: None
        await intake.apply_all(us(4))
        assert intake.caught_up is not None
        assert await own.work() == {(0, "alice"): WORK}


async def test_a_candidate_has_its_row_in_the_transaction_of_its_share(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(23.5, share("bob"), candidate("bob", 5, 23.4))
        spool.frame(24, candidate(None, 6, 24))
        spool.frame(25)
        await own.intake.apply_all(us(25))
        rows = await own.rows(
            "SELECT block.hash, height, slot, found_us, account.name, worker, job_id, network_target, "
            "reward_sats, frame, state, seen_us FROM block LEFT JOIN account ON account.id = account_id "
            "ORDER BY hash"
        )
        assert rows[0] == (
            "05" * 32,
            120,
            START + 20,
            us(23.4),
            "bob",
            BOB.worker,
            "0a01",
            NETWORK_TARGET.hex(),
            5_000_000_000,
            1,
            "candidate",
            us(23.5),
        )
        assert rows[1][4:6] == (None, "")
        [[coinbase]] = await own.rows("SELECT coinbase FROM block WHERE hash = ?", "05" * 32)
        assert coinbase == JOB.prefix + b"\x01\x00\x00\x01" + bytes(8) + JOB.suffix


async def test_a_closing_frame_ends_a_source_and_a_later_frame_begins_it_again(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"))
        spool.close(2)
        await own.intake.apply_all(us(3))
        assert await own.sources() == [("gateway-0", 2, "closed")]
        spool.segment(50)
        spool.frame(50, share("alice"))
        spool.frame(51)
        await own.intake.apply_all(us(52))
        assert await own.sources() == [("gateway-0", 4, "live")]


async def test_a_source_that_was_not_read_yet_is_not_taken_for_applied(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(7)  # nothing says yet that it is durable
        await own.intake.apply_all(us(5_000))
        assert await own.rows("SELECT at_us FROM source") == [(us(7),)]


async def test_an_epoch_that_a_newer_one_replaced_is_read_to_its_end_and_closed(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        old = Writing(own.spool)
        old.frame(1, share("alice"))
        old.frame(2, share("alice"))
        await own.intake.apply_all(us(3))
        new = Writing(own.spool, epoch="00112233445566bb")
        new.frame(60, share("bob"))
        new.frame(61)
        await own.intake.apply_all(us(62))
        await own.intake.apply_all(us(62))
        assert await own.sources() == [("gateway-0", 2, "closed"), ("gateway-0", 1, "live")]
        assert await own.work() == {(0, "alice"): 2 * WORK, (60, "bob"): WORK}


async def test_a_damaged_source_stops_by_name_and_the_others_go_on(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        broken, sound = Writing(own.spool), Writing(own.spool, "gateway-1")
        broken.frame(1, share("alice"))
        size = broken.path.stat().st_size
        broken.frame(2, share("alice"))
        broken.frame(3, share("alice"))
        broken.frame(4)
        flip(broken.path, size + 20)
        for second in (1, 2):
            sound.frame(second, share("bob"))
        await own.intake.apply_all(us(5))
        assert await own.sources() == [("gateway-0", 1, "stopped"), ("gateway-1", 1, "live")]
        [[trouble]] = await own.rows("SELECT trouble FROM source WHERE state = 'stopped'")
        assert f"frame 2 at byte {size}" in trouble
        flip(broken.path, size + 20)  # mended
        assert await own.new_intake().apply_all(us(6)) == 2
        assert await own.work() == {(0, "alice"): 3 * WORK, (0, "bob"): WORK}
        assert (await own.rows("SELECT state, trouble FROM source WHERE name = 'gateway-0'")) == [
            ("live", None)
        ]


def gap(first: int, last: int) -> GapAccepted:
    return GapAccepted(
        source="gateway-0", epoch="00112233445566aa", first_frame=first, last_frame=last, reason="bad disk"
    )


async def test_behind_an_accepted_gap_counting_goes_on(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"))
        size = spool.path.stat().st_size
        for second in (2, 3, 4):
            spool.frame(second, share("alice"))
        flip(spool.path, size + 20)
        await own.intake.apply_all(us(5))
        await own.changes.make(gap(2, 2), us(6))
        own.intake.forget()
        await own.intake.apply_all(us(7))
        assert await own.sources() == [("gateway-0", 3, "live")]
        assert await own.work() == {(0, "alice"): 2 * WORK}


async def test_a_restored_database_counts_what_lies_before_a_gap_and_passes_over_it(tmp_path: Path) -> None:
    """The journal tells of the gap before the frames in front of it are counted again."""
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        for second in range(1, 9):
            spool.frame(second, share("alice"))
        await own.changes.make(gap(4, 5), us(6))
        await own.intake.apply_all(us(9))
        # frames 1 to 7 are durable; 4 and 5 do not count even though they can be read
        assert await own.work() == {(0, "alice"): 5 * WORK}
        assert await own.sources() == [("gateway-0", 7, "live")]


async def test_names_that_were_lost_with_a_gap_cost_their_own_shares_only(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.segment(0, [one for one in DEFINITIONS if one is not BOB])
        spool.frame(1, share("alice"))
        size = spool.path.stat().st_size
        spool.frame(2, BOB, share("bob"))
        spool.frame(3, share("bob"), share("alice"))
        spool.frame(4)
        flip(spool.path, size + 20)
        await own.intake.apply_all(us(5))
        await own.changes.make(gap(2, 2), us(6))
        own.intake.forget()
        await own.intake.apply_all(us(7))
        assert await own.work() == {(0, "alice"): 2 * WORK}
        assert await own.sources() == [("gateway-0", 3, "live")]


async def test_a_frame_that_its_segment_does_not_explain_stops_the_source_behind_what_is_sound(
    tmp_path: Path,
) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.segment(0, [one for one in DEFINITIONS if one is not BOB])
        spool.frame(1, share("alice"))
        spool.frame(2, share("bob"))
        spool.frame(3)
        await own.intake.apply_all(us(5))
        assert await own.sources() == [("gateway-0", 1, "stopped")]
        assert "frame 2" in (await own.rows("SELECT trouble FROM source"))[0][0]
        assert await own.work() == {(0, "alice"): WORK}


async def test_a_spool_that_is_gone_stops_its_source_and_giving_it_up_closes_it(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        for second in (1, 2, 3):
            spool.frame(second, share("alice"))
        await own.intake.apply_all(us(4))
        spool.path.unlink()
        await own.new_intake().apply_all(us(5))
        assert await own.sources() == [("gateway-0", 2, "stopped")]
        await own.changes.make(gap(3, 2), us(6))  # nothing follows
        own.intake.forget()
        await own.intake.apply_all(us(7))
        assert await own.sources() == [("gateway-0", 2, "closed")]


async def test_what_a_restored_database_has_forgotten_comes_from_the_archive(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        for second in (1, 2, 3):
            spool.frame(second, share("alice"))
        spool.segment(20)
        spool.frame(20, share("bob"))
        spool.frame(21)
        await own.intake.apply_all(us(22))
        assert len(list(archive_finished(spool.directory, own.archive, spool.epoch, 4))) == 1
    lose_database(tmp_path)
    async with books(tmp_path) as own:
        assert await own.intake.apply_through({("gateway-0", EPOCH): 2}) == 2
        assert await own.intake.apply_all(us(23)) == 2
        assert await own.work() == {(0, "alice"): 3 * WORK, (20, "bob"): WORK}
        assert await own.sources() == [("gateway-0", 4, "live")]


async def test_an_epoch_that_only_the_archive_has_is_counted_again_as_well(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(1, share("alice"))
        spool.frame(2, share("alice"))
        moved = list(archive_finished(spool.directory, own.archive, spool.epoch, 2, is_over=True))
        assert len(moved) == 1
        await own.intake.apply_all(us(3))
        await own.intake.apply_all(us(3))
        assert await own.work() == {(0, "alice"): 2 * WORK}
        assert await own.sources() == [("gateway-0", 2, "closed")]


async def test_work_for_a_slot_that_is_closed_counts_in_the_next_open_one(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        spool.frame(5, share("alice"))
        spool.frame(45, share("alice"))
        spool.frame(46)
        own.horizon = Horizon(round_slot=START + 20, priced_slot=START + 100)
        await own.intake.apply_all(us(50))
        # 0 is in a settled round that ended with 20; nothing was bought, so that the priced slot says nothing
        assert await own.work() == {(30, "alice"): WORK, (40, "alice"): WORK}
        own.horizon = Horizon(rolled_slot=START + 3_600)
        spool.frame(50, share("bob"))
        spool.frame(51)
        await own.intake.apply_all(us(52))
        assert (await own.work())[3_600, "bob"] == WORK


async def test_frames_are_applied_up_to_a_mark_and_no_further(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        spool = Writing(own.spool)
        for second in range(1, 8):
            spool.frame(second, share("alice"))
        key = ("gateway-0", spool.epoch)
        assert await own.intake.apply_through({key: 4}) == 4
        assert await own.intake.apply_through({key: 4}) == 0
        assert await own.intake.apply_all(us(9)) == 2
        assert await own.work() == {(0, "alice"): 6 * WORK}


async def test_an_account_that_was_credited_before_it_mined_gets_its_script(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        async with own.database.writing() as writer:
            await own.names.account(writer, "bob", 1)
        spool = Writing(own.spool)
        spool.frame(1, share("bob"))
        spool.frame(2)
        await own.intake.apply_all(us(3))
        assert await own.rows("SELECT name, script FROM account") == [("bob", BOB.script)]


# ---------------------------------------------------------------------- whatever the batches

Event = st.tuples(
    st.sampled_from(["alice", "bob", "carol"]),
    st.sampled_from([EASY, HARD]),
    st.booleans(),
    st.integers(0, 3),
)
WORK_SUM = "work_high * 4294967296 + work_low"
TABLES = (
    "SELECT slot, name, rate_id, shares, WORK FROM slot_account JOIN account ON id = account_id",
    "SELECT minute, name, shares, late, WORK FROM worker_minute JOIN worker ON id = worker_id",
    "SELECT minute, worker_id > 0, reason, count, WORK FROM refused_minute",
    "SELECT hash, slot, found_us, worker, frame, seen_us FROM block",
    "SELECT height, subsidy_sats, fees_sats, at_us FROM template_height",
    "SELECT worker.name, agent, worker.first_seen_us, last_seen_us FROM worker",
    "SELECT name, script, first_seen_us FROM account",
    "SELECT name, mark, at_us, state FROM source",
)


async def contents(own: Books) -> list[list[tuple[object, ...]]]:
    return [sorted(await own.rows(sql.replace("WORK", WORK_SUM)), key=repr) for sql in TABLES]


def write_frames(spool: Writing, frames: list[list[tuple[str, object, bool, int]]], offset: float) -> None:
    for position, events in enumerate(frames):
        at = offset + 4 * position
        records = [share(name, difficulty, nonce, late) for name, difficulty, late, nonce in events]  # type: ignore[arg-type]
        extra = [RefusedMade(1, "low", len(events), b"\x02")] if len(events) > 1 else []
        found = [candidate("bob", spool.serial * 40 + position, at)] if len(events) > 2 else []
        spool.frame(at, *records, *extra, *found, replaced(DEFINITIONS[5], height=100 + position % 3))
    spool.frame(offset + 4 * len(frames))


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    first=st.lists(st.lists(Event, max_size=3), min_size=1, max_size=25),
    second=st.lists(st.lists(Event, max_size=3), max_size=25),
    cuts=st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.booleans()), max_size=12),
)
async def test_batches_sources_and_restarts_do_not_change_the_rows(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[list[tuple[str, object, bool, int]]],
    second: list[list[tuple[str, object, bool, int]]],
    cuts: list[tuple[bool, int, bool]],
) -> None:
    found = []
    for is_cut in (False, True):
        async with books(tmp_path_factory.mktemp("cut")) as own:
            one, other = Writing(own.spool), Writing(own.spool, "gateway-1")
            other.segment(0)
            other.serial += 1  # so that its blocks are others
            write_frames(one, first, 1.0)
            write_frames(other, second, 2.5)
            reached = {("gateway-0", one.epoch): 0, ("gateway-1", one.epoch): 0}
            for is_first, more, is_restart in cuts if is_cut else []:
                key = ("gateway-0" if is_first else "gateway-1", one.epoch)
                reached[key] += more
                if is_restart:
                    own.new_intake()
                    own.names.forget()
                await own.intake.apply_through({key: reached[key]})
            await own.intake.apply_all(us(9_999))
            found.append(await contents(own))
    assert found[0] == found[1]


def test_every_name_has_one_agent() -> None:
    """The property above relies on it."""
    assert len({one.account for one in DEFINITIONS if isinstance(one, Name)}) == 3
