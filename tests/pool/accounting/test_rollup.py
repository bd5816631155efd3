"""Old rows become fewer, sums stay, and no step crosses what is still to be paid or divided."""

from pathlib import Path

import pytest

from pool.accounting import windows
from pool.accounting.rollup import RolledUp, roll_up
from tests.pool.accounting.mined import DAY, NETWORK_TARGET, START, Books, books

pytestmark = pytest.mark.usefixtures("either_database")

HOUR = 3_600
NOTHING = RolledUp(0, 0, 0, 0)


async def rolled(own: Books, at: int, oldest_needed: int = 0) -> list[RolledUp]:
    steps = []
    while True:
        async with own.database.writing() as writer:
            step = await roll_up(writer, START + at, oldest_needed)
        if step == NOTHING:
            return steps
        steps.append(step)


async def slots(own: Books) -> list[tuple[int, int]]:
    rows = await own.rows("SELECT DISTINCT slot, seconds FROM slot_account ORDER BY slot")
    return [(slot - START, seconds) for slot, seconds in rows]


async def test_an_hour_becomes_one_slot_for_each_account_and_rate(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work((0, "alice", 5), (10, "alice", 2**32 - 1), (3_590, "bob", 7), (HOUR, "bob", 1))
        assert [step.hours for step in await rolled(own, 2 * DAY + HOUR)] == [1]
        assert await slots(own) == [(0, HOUR), (HOUR, 10)]
        assert await own.work() == {(0, "alice"): 2**32 + 4, (0, "bob"): 7, (HOUR, "bob"): 1}
        assert await own.rows("SELECT shares FROM slot_account ORDER BY slot, account_id") == [
            (2,),
            (1,),
            (1,),
        ]
        assert await own.rows("SELECT value FROM meta WHERE key = 'rolled_slot'") == [(str(START + HOUR),)]


async def test_two_days_stay_as_they_are(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work((0, "alice", 5))
        assert await rolled(own, 2 * DAY + HOUR - 1) == []


async def test_bought_work_is_paid_before_it_is_rolled_up(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work((0, "alice", 1), (HOUR + 10, "alice", 1), rate=3)
        await own.give_work((2 * HOUR, "bob", 1))
        await own.execute("INSERT INTO meta (key, value) VALUES ('priced_slot', ?)", str(START + HOUR))
        await rolled(own, 9 * DAY)
        # what was paid goes; the hour with unpaid work, and those behind it, wait
        assert await slots(own) == [(0, HOUR), (HOUR + 10, 10), (2 * HOUR, 10)]
        await own.execute("UPDATE meta SET value = ? WHERE key = 'priced_slot'", str(START + 3 * HOUR))
        await rolled(own, 9 * DAY)
        assert await slots(own) == [(0, HOUR), (HOUR, HOUR), (2 * HOUR, HOUR)]


async def test_no_hour_with_a_block_or_behind_an_unsettled_one_is_rolled_up(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work(*[(hour * HOUR + 10, "alice", 1) for hour in range(4)])
        await own.execute(
            "INSERT INTO block (hash, height, previous_hash, found_us, slot, worker, job_id, coinbase, "
            "network_target, reward_sats, state, transition, confirmations, seen_us) "
            "VALUES ('aa', 1, '', 0, ?, '', '', ?, ?, 1, 'accepted', 0, 0, 0)",
            *(START + HOUR + 10, b"", NETWORK_TARGET.hex()),
        )
        await rolled(own, 9 * DAY)
        assert await slots(own) == [(0, HOUR), (HOUR + 10, 10), (2 * HOUR + 10, 10), (3 * HOUR + 10, 10)]
        await own.execute(
            "INSERT INTO settlement (hash, round, scheme, from_slot, through_slot, joined, settled_us, "
            "statement_hash) VALUES ('aa', 0, 'pplns', ?, ?, '[]', 0, '')",
            *(START + 3 * HOUR + 10, START + HOUR + 10),
        )
        await rolled(own, 9 * DAY)
        # the block's hour keeps its slots, and so does the other edge's
        assert await slots(own) == [(0, HOUR), (HOUR + 10, 10), (2 * HOUR, HOUR), (3 * HOUR + 10, 10)]


async def test_only_whole_days_before_what_is_needed_become_days(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work((0, "alice", 5), (DAY - 10, "alice", 6), (DAY, "bob", 7))
        await rolled(own, 2 * DAY, START + DAY - 1)
        assert await own.rows("SELECT * FROM account_day") == []
        await rolled(own, 2 * DAY, START + DAY)
        assert await own.rows("SELECT day, shares, work_high, work_low FROM account_day") == [
            (START, 2, 0, 11)
        ]
        assert await own.work() == {(DAY, "bob"): 7}


async def test_a_window_is_read_back_only_as_far_as_it_has_to_be(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work(*[(hour * HOUR, "alice", 2**33) for hour in range(40)])
        async with own.database.reading() as reader:
            everything = await windows.totals(reader, START, START + 39 * HOUR)
            assert [work for _, work in everything] == [2**33] * 40
            # from hour 39 back in spans of 1, 2, 4 … hours: 7 hold 7 × 2^33, enough for 3
            some = await windows.totals(reader, START, START + 39 * HOUR, 3 * 2**33)
            assert some == everything[: len(some)]
            assert 3 < len(some) < 10
            assert await windows.totals(reader, START, START + 39 * HOUR, 10**30) == everything
            assert await windows.length_of(reader, START) == 10
            assert await windows.length_of(reader, START + 10) is None


async def test_work_that_was_bought_is_the_operators_in_a_window(tmp_path: Path) -> None:
    async with books(tmp_path) as own:
        await own.give_work((0, "alice", 5), (10, "bob", 6))
        await own.give_work((0, "alice", 7), (10, "bob", 8), rate=2)
        async with own.database.writing() as writer:
            await own.names.system(writer, 0)
        async with own.database.reading() as reader:
            assert await windows.between(reader, START, START + 10) == {"bob": 6, "@operator": 8}
            assert await windows.at(reader, START) == {"alice": 5, "@operator": 7}
