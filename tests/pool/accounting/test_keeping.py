"""Segments go into the archive, digests take their place, old rows become fewer; nothing needed goes."""

import datetime
from pathlib import Path

import pytest

from pool.accounting.archive import archived
from pool.accounting.evidence import gather
from pool.audit import digest as digests
from pool.audit import statement as statements
from pool.audit.recompute import recompute
from pool.spool.segments import segments_of
from tests.pool.accounting.mined import DAY, START, Writing, candidate, share, us
from tests.pool.accounting.pool_of import Pool, pool_of, settings_of
from tests.pool.audit.settled import settle

pytestmark = pytest.mark.usefixtures("either_database")

TODAY = "2023-11-14"
HOUR = 3_600


def days(directory: Path) -> list[digests.Digest]:
    return [digests.decode(path.read_bytes()) for path in sorted((directory / "digests").glob("*.json"))]


def write_hours(spool: Writing, first: int, last: int) -> None:
    """A segment each hour with one share of alice in its second slot."""
    for hour in range(first, last):
        spool.segment(hour * HOUR)
        spool.frame(hour * HOUR + 10, share("alice"))
        spool.frame(hour * HOUR + HOUR - 1)


async def test_finished_segments_go_into_the_archive_and_the_one_being_read_stays(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        spool = Writing(pool.spool)
        write_hours(spool, 0, 3)
        spool.segment(3 * HOUR)
        spool.frame(3 * HOUR)
        assert (await pool.keeper.keep(us(3 * HOUR))).archived == 0  # nothing has been counted
        await pool.count(3 * HOUR)
        [first, *_] = await pool.keep(3 * HOUR)
        # the last frame of the third segment was the last that counted: that segment is still open
        assert first.archived == 2
        assert [one.record.serial for one in archived(pool.archive)] == [1, 2]
        assert [one.serial for one in segments_of(spool.directory)[spool.epoch]] == [3, 4]
        rows = await pool.rows("SELECT serial, first_frame, last_frame, path FROM archive_segment ORDER BY 1")
        assert [row[:3] for row in rows] == [(1, 1, 2), (2, 3, 4)]
        assert all((pool.archive / row[3]).exists() for row in rows)
        await pool.count(3 * HOUR)
        spool.frame(3 * HOUR + 1, share("alice"))
        spool.frame(3 * HOUR + 2)
        await pool.count(3 * HOUR + 2)
        assert [one.archived for one in await pool.keep(3 * HOUR + 2)] == [1, 0]


async def test_an_epoch_that_is_over_goes_in_whole(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        old = Writing(pool.spool)
        old.frame(1, share("alice"))
        await pool.count(2)
        new = Writing(pool.spool, epoch="00112233445566bb")
        new.frame(3)
        new.frame(4)
        await pool.count(5)
        await pool.keep(5)
        assert segments_of(old.directory).keys() == {new.epoch}
        assert (await pool.work()) == {(0, "alice"): 2**32}


async def test_rows_are_made_for_what_is_in_the_archive_without_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with pool_of(settings) as pool:
        spool = Writing(pool.spool)
        write_hours(spool, 0, 3)
        spool.frame(3 * HOUR)
        await pool.count(3 * HOUR)
        await pool.keep(3 * HOUR)
        before = await pool.rows("SELECT * FROM archive_segment")
        assert before
        await pool.execute("DELETE FROM archive_segment")
    async with pool_of(settings) as pool:
        await pool.count(3 * HOUR)
        await pool.keep(3 * HOUR)
        assert await pool.rows("SELECT * FROM archive_segment") == before


async def aged(pool: Pool, *, is_kept: bool = True) -> None:
    """Three days of hours, the last segment still being written; a block on the second day, whose window
    begins on the first."""
    spool = Writing(pool.spool)
    write_hours(spool, 0, 30)
    spool.segment(30 * HOUR)
    spool.frame(30 * HOUR + 10, share("alice"), candidate("alice", 1, 30 * HOUR + 10))
    spool.frame(30 * HOUR + 20)
    write_hours(spool, 31, 72)
    spool.frame(72 * HOUR)
    spool.frame(72 * HOUR + 1)
    await pool.count(72 * HOUR)
    if is_kept:
        await pool.keep(72 * HOUR)
    await pool.judge(1, "accepted", 72 * HOUR)


async def test_a_day_gets_its_digest_when_its_segments_are_due_and_then_they_go(tmp_path: Path) -> None:
    # N = 8 shares: the block's and seven hours before, so that the window begins at hour 23 of the first day
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        await aged(pool)
        assert days(tmp_path) == []  # the block is not settled, its window lies over both days
        assert len(archived(pool.archive)) == 71
        assert await pool.settle(72 * HOUR) == 1
        await pool.keep(72 * HOUR)
        written = days(tmp_path)
        assert [one.head.day for one in written] == [TODAY, "2023-11-15"]
        assert digests.chain_problems(written) == []
        assert written[0].head.previous is None
        for one in written:
            digests.verify(one, {pool.key.key_id: pool.key.public_key})
            assert sum(int(part.work.get("alice", 0)) for part in one.head.parts) == 24 * 2**32
        assert len(written[0].head.segments) == 24
        # two days are gone, the third is kept
        assert [one.record.serial for one in archived(pool.archive)] == list(range(49, 72))
        [[deleted]] = await pool.rows("SELECT COUNT(*) FROM archive_segment WHERE deleted_us IS NOT NULL")
        assert deleted == 48


async def test_digests_count_again_what_was_settled_over_their_days(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        await aged(pool)
        await pool.settle(72 * HOUR)
        await pool.keep(72 * HOUR)
        [path] = (tmp_path / "statements").glob("*.json")
        body = statements.decode(path.read_bytes()).body
        spans = [span for one in days(tmp_path) for span in digests.spans_of(one)]
        found = recompute(body, spans, settle)
        assert found.differences == ()
        assert found.unchecked == ()
        assert found.from_digests


async def test_a_statement_binds_what_was_counted_of_the_segment_that_was_still_written(
    tmp_path: Path,
) -> None:
    """Its rest comes later, and the whole is in the archive then: the start is to be what it was."""
    made = {}
    for name, account in (("own", "alice"), ("forged", "bob")):
        async with pool_of(settings_of(tmp_path / name, window={"multiple": 2})) as pool:
            spool = Writing(pool.spool)
            spool.frame(1, share(account))
            spool.frame(2, share("bob"), candidate("bob", 1, 2))
            for second in (12, 22):
                spool.frame(second)
            await pool.count(23)
            await pool.judge(1, "accepted", 24)
            assert await pool.settle(25) == 1
            for second in (30, 31):
                spool.frame(second, share("carol"))
            spool.segment(32)
            for second in (33, 34):
                spool.frame(second)
            await pool.count(35)
            await pool.keep(36)
            [path] = (tmp_path / name / "statements").glob("*.json")
            made[name] = (statements.decode(path.read_bytes()).body, pool.archive)
    body, archive = made["own"]
    assert [(part.first_frame, part.last_frame) for part in body.parts] == [(1, 3)]
    assert body.segments == ()
    assert gather(body, archive, (), lambda done, total: None).differences == ()
    found = gather(body, made["forged"][1], (), lambda done, total: None)
    assert found.differences == (
        "frames 1 to 3 of gateway-0 are not those that the statement was counted from",
    )


async def test_a_source_that_is_behind_holds_digests_and_deletions_back(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        behind = Writing(pool.spool, "gateway-1")
        behind.frame(5)
        behind.frame(6)
        await aged(pool)
        await pool.settle(72 * HOUR)
        await pool.keep(72 * HOUR)
        assert days(tmp_path) == []
        assert len(archived(pool.archive)) == 71


async def test_the_segments_of_an_unsettled_window_stay_whatever_their_age(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        await aged(pool)
        await pool.keep(20 * DAY)
        # the block's slot is in hour 30: less a day, hour 6 of the first day is needed, and its digest too
        assert days(tmp_path) == []
        assert len(archived(pool.archive)) == 71


async def test_a_window_that_was_agreed_on_before_keeps_its_segments_too(tmp_path: Path) -> None:
    """The block is of a time whose windows had a day; today's are solo blocks, which need nothing."""
    days_kept = {"retention_days": 1}
    before = settings_of(tmp_path, accounting=days_kept, window={"multiple": 2, "max_days": 1})
    after = settings_of(tmp_path, accounting=days_kept, scheme="solo")
    async with pool_of(before, (40 * HOUR, after)) as pool:
        await aged(pool)
        await pool.keep(20 * DAY)
        assert days(tmp_path) == []
        assert len(archived(pool.archive)) == 71


async def test_old_slots_become_hours_but_not_where_a_window_has_an_edge(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        await aged(pool, is_kept=False)
        await pool.settle(72 * HOUR)
        await pool.keep(72 * HOUR)
        hours = await pool.rows("SELECT slot FROM slot_account WHERE seconds = 3600 ORDER BY slot")
        # 72 h less the two days that are kept, and the hours of the block (30) and its window's edge (23)
        assert [(slot - START) // HOUR for (slot,) in hours] == [hour for hour in range(24) if hour != 23]
        assert sum((await pool.work()).values()) == 72 * 2**32


async def test_what_no_window_reaches_becomes_days_and_workers_minutes_become_hours(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        await aged(pool)
        await pool.settle(72 * HOUR)
        await pool.keep(72 * HOUR)
        rows = await pool.rows("SELECT day, shares, work_high FROM account_day")
        assert rows == [(START, 24, 24)]
        [[oldest]] = await pool.rows("SELECT MIN(slot) FROM slot_account")
        assert oldest >= START + DAY
        assert (await pool.rows("SELECT COUNT(*), SUM(shares) FROM worker_hour")) == [(24, 24)]
        assert (await pool.rows("SELECT MIN(minute) FROM worker_minute")) == [(START + DAY,)]


async def test_plans_go_that_no_block_was_found_on(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        spool = Writing(pool.spool)
        spool.frame(9 * HOUR, candidate("alice", 1, 9 * HOUR))
        spool.frame(9 * HOUR + 1)
        await pool.count(9 * HOUR)
        await pool.execute("UPDATE block SET plan_id = 'used:stripped'")
        async with pool.database.writing() as writer:
            await writer.execute_many(
                "INSERT INTO plan (id, generation, created_us, document) VALUES (?, 1, ?, ?)",
                [
                    (name, us(hour * HOUR), b"")
                    for name, hour in (("old", 1), ("used", 1), ("young", 4), ("newest", 8))
                ],
            )
        assert sum(one.plans for one in await pool.keep(9 * HOUR)) == 1
        names = await pool.rows("SELECT id FROM plan ORDER BY id")
        assert names == [("newest",), ("used",), ("young",)]


async def test_a_closed_gateways_last_segment_is_named_where_it_lies(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        spool = Writing(pool.spool)
        spool.frame(10, share("alice"))
        spool.close(20)
        await pool.count(30)
        await pool.keep(5 * DAY)
        [digest] = days(tmp_path)
        assert [(one.first_frame, one.last_frame) for one in digest.head.segments] == [(1, 3)]
        assert len(segments_of(spool.directory)[spool.epoch]) == 1


async def test_a_proportional_round_keeps_its_slots_until_it_cannot_fall(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, scheme="proportional")
    async with pool_of(settings) as pool:
        await aged(pool)
        assert await pool.settle(72 * HOUR) == 1
        await pool.keep(72 * HOUR)
        # The block may still be orphaned (its height is the tip's), and its work would join the open round.
        assert await pool.rows("SELECT * FROM account_day") == []


def test_the_day_is_the_one_that_the_fixtures_begin_with() -> None:
    assert datetime.datetime.fromtimestamp(START, datetime.UTC).isoformat() == f"{TODAY}T00:00:00+00:00"
