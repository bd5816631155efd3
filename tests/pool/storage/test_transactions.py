"""What a transaction writes, keeps, loses and shows, the same on both databases."""

import asyncio
import contextlib

import pytest

from pool.storage.database import (
    Database,
    DatabaseError,
    DatabaseRefused,
    DatabaseUnavailable,
    ValueFixed,
    set_once,
)
from tests.pool.storage.places import NEW_ACCOUNT, Place, add, names_in


async def test_what_is_committed_is_there_after_closing_and_opening_again(place: Place) -> None:
    async with place.opened() as database:
        first, second = await add(database, "a", "b")
        assert second == first + 1
    async with place.opened() as database:
        assert await names_in(database) == ["a", "b"]


async def test_an_exception_leaves_nothing_of_its_transaction(place: Place) -> None:
    async def fail(database: Database) -> None:
        async with database.writing() as writer:
            await writer.insert(NEW_ACCOUNT, "undone", 1)
            await writer.execute("DELETE FROM account WHERE name = ?", "before")
            raise ZeroDivisionError

    async with place.opened() as database:
        await add(database, "before")
        with pytest.raises(ZeroDivisionError):
            await fail(database)
        assert await names_in(database) == ["before"]


async def test_a_cancelled_transaction_leaves_nothing_and_the_next_one_goes_on(place: Place) -> None:
    async with place.opened() as database:
        inside = asyncio.Event()

        async def write() -> None:
            async with database.writing() as writer:
                await writer.insert(NEW_ACCOUNT, "undone", 1)
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(write())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await add(database, "after")
        assert await names_in(database) == ["after"]


async def test_cancelling_at_any_moment_leaves_all_or_nothing(place: Place) -> None:
    async with place.opened() as database:
        for turns in range(40):  # a transaction is over in fewer turns of the loop than that
            task = asyncio.create_task(add(database, f"{turns}a", f"{turns}b"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        names = await names_in(database)
        assert {name[:-1] for name in names if name.endswith("a")} == {
            n[:-1] for n in names if n.endswith("b")
        }
        await add(database, "after")


async def test_an_error_that_the_body_swallows_still_undoes_everything(place: Place) -> None:
    async def swallow(database: Database) -> None:
        async with database.writing() as writer:
            await writer.insert(NEW_ACCOUNT, "b", 1)
            with contextlib.suppress(DatabaseRefused):
                await writer.insert(NEW_ACCOUNT, "a", 1)  # UNIQUE (name)

    async with place.opened() as database:
        await add(database, "a")
        with pytest.raises(DatabaseRefused):
            await swallow(database)
        assert await names_in(database) == ["a"]


async def test_transactions_that_write_wait_for_one_another(place: Place) -> None:
    async with place.opened() as database:
        await set_once(database, "count", "0")

        async def increment() -> None:
            async with database.writing() as writer:
                row = await writer.row("SELECT value FROM meta WHERE key = 'count'")
                assert row is not None
                await writer.execute("UPDATE meta SET value = ? WHERE key = 'count'", str(int(row[0]) + 1))

        await asyncio.gather(*(increment() for _ in range(20)))
        assert place.meddle("SELECT value FROM meta WHERE key = 'count'") == "20"


async def test_a_reader_sees_the_moment_it_began_with(place: Place) -> None:
    async with place.opened() as database:
        await add(database, "a")
        async with database.reading() as reader:
            assert await reader.row("SELECT COUNT(*) FROM account") == (1,)
            await add(database, "b")
            assert await reader.row("SELECT COUNT(*) FROM account") == (1,)
        assert await names_in(database) == ["a", "b"]


async def test_a_writer_sees_what_it_has_written(place: Place) -> None:
    async with place.opened() as database, database.writing() as writer:
        number = await writer.insert(NEW_ACCOUNT, "a", 7)
        assert await writer.rows("SELECT id, first_seen_us FROM account") == [(number, 7)]


async def test_more_readers_than_connections_are_all_served(place: Place) -> None:
    async with place.opened() as database:
        await add(database, "a")
        assert await asyncio.gather(*(names_in(database) for _ in range(12))) == [["a"]] * 12


async def test_a_report_opened_beside_the_writer_reads_and_cannot_write(place: Place) -> None:
    async with place.opened() as database, place.read() as report:
        await add(database, "a")
        assert await names_in(report) == ["a"]
        with pytest.raises(DatabaseError, match=r"writ(ten|ing)"):
            async with report.reading() as reader:
                await reader.rows("DELETE FROM account RETURNING id")
        assert await names_in(database) == ["a"]


async def test_values_come_back_as_they_went_in(place: Place) -> None:
    # Work of 1 ZH/s over 30 days is 2.6e27 hashes, 6.0e17 in the high column: 2^62 is 4.6e18.
    script, big = bytes(range(256)), 2**62
    async with place.opened() as database:
        async with database.writing() as writer:
            await writer.execute(
                "INSERT INTO account (name, script, first_seen_us) VALUES (?, ?, ?)", "ü ☃ 'x'", script, big
            )
            await writer.execute("INSERT INTO account (name, first_seen_us) VALUES (?, ?)", "b", -big)
        async with database.reading() as reader:
            rows = await reader.rows("SELECT name, script, first_seen_us FROM account ORDER BY id")
    assert rows == [("ü ☃ 'x'", script, big), ("b", None, -big)]


async def test_sums_of_integers_are_integers(place: Place) -> None:
    async with place.opened() as database:
        async with database.writing() as writer:
            await writer.execute_many(
                "INSERT INTO account (name, first_seen_us) VALUES (?, ?)", [("a", 2**62), ("b", 2**62 - 1)]
            )
        async with database.reading() as reader:
            row = await reader.row(
                "SELECT SUM(first_seen_us), COUNT(*), SUM(id) FROM account WHERE id < ?", -1
            )
            assert row == (None, 0, None)
            row = await reader.row("SELECT SUM(first_seen_us), MAX(first_seen_us) FROM account")
    assert row == (2**63 - 1, 2**62)  # 2^62 + 2^62 - 1
    assert [type(value) for value in row] == [int, int]


async def test_statements_tell_how_many_rows_they_changed(place: Place) -> None:
    async with place.opened() as database:
        await add(database, "a", "b", "c")
        async with database.writing() as writer:
            assert await writer.execute("UPDATE account SET first_seen_us = 5 WHERE name <> ?", "a") == 2
            assert await writer.execute("DELETE FROM account WHERE name = 'd'") == 0
            assert await writer.execute("DELETE FROM account") == 3


async def test_execute_many_takes_none_one_and_many(place: Place) -> None:
    sql = "INSERT INTO account (name, first_seen_us) VALUES (?, ?)"
    async with place.opened() as database:
        async with database.writing() as writer:
            await writer.execute_many(sql, [])
            await writer.execute_many(sql, (("one", 1) for _ in range(1)))
            await writer.execute_many(sql, [(f"many {n}", n) for n in range(5_000)])
        assert len(await names_in(database)) == 5_001


async def test_an_upsert_adds_to_what_is_there(place: Place) -> None:
    sql = (
        "INSERT INTO balance (account_id, pot, sats) VALUES (?, 'balance', ?) "
        "ON CONFLICT (account_id, pot) DO UPDATE SET sats = balance.sats + excluded.sats"
    )
    async with place.opened() as database:
        async with database.writing() as writer:
            await writer.execute_many(sql, [(1, 5), (2, 7), (1, -8)])
        async with database.reading() as reader:
            rows = await reader.rows("SELECT account_id, sats FROM balance ORDER BY account_id")
    assert rows == [(1, -3), (2, 7)]  # 5 - 8


async def test_large_answers_come_in_batches(place: Place) -> None:
    async with place.opened() as database:
        await add(database, *(f"{n:02}" for n in range(25)))
        async with database.reading() as reader:
            sql = "SELECT name FROM account WHERE name <> ? ORDER BY name"
            sizes = [len(batch) async for batch in reader.batches(sql, "24", most=10)]
    assert sizes == [10, 10, 4]


async def test_a_question_mark_in_a_literal_is_no_placeholder(place: Place) -> None:
    async with place.opened() as database:
        await add(database, "who?", "it's ?")
        async with database.reading() as reader:
            sql = "SELECT COUNT(*) FROM account WHERE name = 'it''s ?' OR name = ?  -- which?"
            assert await reader.row(sql, "who?") == (2,)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("INSERT INTO account (name, first_seen_us) VALUES (?, ?)", ("x", 2**63)),  # one above the largest
        ("INSERT INTO account (name, first_seen_us) VALUES (?, ?)", ("x", "soon")),
        ("INSERT INTO account (name, first_seen_us) VALUES (?, ?)", ("\ud800", 1)),  # half a character
        ("INSERT INTO account (name, first_seen_us) VALUES (?, ?)", (None, 1)),
        ("INSERT INTO account (name, first_seen_us) VALUES (?, ?)", ("x",)),
        ("INSERT INTO worker (account_id, name, agent, first_seen_us, last_seen_us) VALUES (?, '', '', 1, 1)",
         (99,)),
        ("INSERT INTO nowhere VALUES (?)", (1,)),
        ("SELEKT ?", (1,)),
    ],
    ids=["beyond 64 bits", "no integer", "no text", "null", "too few", "foreign key", "no table", "syntax"],
)  # fmt: skip
async def test_what_can_never_be_right_is_refused_in_one_line(
    place: Place, sql: str, params: tuple[int | str | None, ...]
) -> None:
    async with place.opened() as database:
        with pytest.raises(DatabaseRefused) as refusal:
            async with database.writing() as writer:
                await writer.execute(sql, *params)
        assert "\n" not in str(refusal.value)
        await add(database, "after")
        assert await names_in(database) == ["after"]


async def test_a_value_is_set_once(place: Place) -> None:
    async with place.opened() as database:
        await set_once(database, "slot_seconds", "10")
        await set_once(database, "slot_seconds", "10")
        with pytest.raises(ValueFixed, match="slot_seconds 10, and the settings say 20"):
            await set_once(database, "slot_seconds", "20")


async def test_a_closed_database_is_closed_once_and_unavailable(place: Place) -> None:
    async with place.opened() as database:
        await names_in(database)
        await database.close()
        with pytest.raises(DatabaseUnavailable, match="is closed"):
            await names_in(database)
        with pytest.raises(DatabaseUnavailable, match="is closed"):
            await add(database, "a")


async def test_closing_waits_for_the_transaction_that_is_open(place: Place) -> None:
    async with place.opened() as database:
        async with database.writing() as writer:
            closing = asyncio.create_task(database.close())
            await asyncio.sleep(0)
            await writer.insert(NEW_ACCOUNT, "a", 1)
        await closing
    assert place.meddle("SELECT name FROM account") == "a"
