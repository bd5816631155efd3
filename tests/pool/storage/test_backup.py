"""Backups: from either database, into either, while it is in use; and what is refused."""

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from pool.storage.backup import RESTORED_KEY, backup, restore
from pool.storage.database import Database, DatabaseError, NewerDatabase, ReadableDatabase, Row, set_once
from pool.storage.migrate import Migration, known_migrations
from tests.harness.postgres import Postgres
from tests.pool.storage.places import Place, add, names_in

ACCOUNT = 2**33  # far above what either database would give out by itself


async def fill(database: Database) -> None:
    """Rows with every kind of value, and rows that refer to rows."""
    await set_once(database, "slot_seconds", "10")
    async with database.writing() as writer:
        await writer.execute(
            "INSERT INTO account (id, name, script, first_seen_us) VALUES (?, ?, ?, ?)",
            *(ACCOUNT, "ltc1qü ' ?", bytes(range(256)), 2**62),
        )
        worker = (
            "INSERT INTO worker (account_id, name, agent, first_seen_us, last_seen_us) VALUES (?, ?, ?, 1, 2)"
        )
        await writer.execute(worker, ACCOUNT, "rig", "cgminer/4")
        await writer.execute_many(
            "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, work_low) "
            "VALUES (?, 10, ?, 0, 1, ?, ?)",
            [(10 * n, ACCOUNT, n, 2**32 - 1) for n in range(25_000)],
        )
        await writer.execute(
            "INSERT INTO payee (account_id, address, minimum_sats, changed_us) VALUES (?, 'x', NULL, 3)",
            ACCOUNT,
        )


async def contents(database: ReadableDatabase) -> dict[str, list[Row]]:
    async with database.reading() as reader:
        return {
            table: await reader.rows(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
            for table, order in (
                ("account", "id"),
                ("worker", "id"),
                ("slot_account", "slot"),
                ("payee", "account_id"),
                ("meta", "key"),
            )
        }


@pytest.mark.parametrize("into", ["sqlite", "postgres"])
async def test_a_backup_of_either_database_is_restored_into_either(
    place: Place, into: str, tmp_path: Path, postgres: Postgres
) -> None:
    file, seen = tmp_path / "accounts.backup", list[tuple[int, int]]()
    async with place.opened() as database:
        await fill(database)
        expected = await contents(database)
        await backup(database, file, lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "target").mkdir()
    server = postgres if into == "postgres" else None
    with Place.lent(tmp_path / "target", server) as target:
        async with target.opened() as database:
            await restore(file, database)
            found = await contents(database)
            # so that payouts are on hold at the next start
            found["meta"].remove((RESTORED_KEY, "the accounts were restored from accounts.backup"))
            assert found == expected
            assert (await add(database, "new"))[0] > ACCOUNT  # the ids go on where they were
            assert database.token == 1


async def test_a_backup_is_taken_beside_the_writer_and_holds_one_moment(place: Place, tmp_path: Path) -> None:
    """Every transaction adds two accounts: a backup with an odd number would hold half of one."""
    file, taken = tmp_path / "accounts.backup", asyncio.Event()

    async def write(database: Database) -> int:
        rounds = 0
        while not taken.is_set():
            await add(database, f"{rounds}a", f"{rounds}b")
            rounds += 1
        return rounds

    async with place.opened() as database, place.read() as report:
        await fill(database)
        writing = asyncio.create_task(write(database))
        await backup(report, file)
        taken.set()
        rounds = await writing
    assert rounds > 0
    with closing(sqlite3.connect(file)) as connection:
        [count] = connection.execute("SELECT COUNT(*) FROM account").fetchone()
        assert connection.execute("SELECT COUNT(*) FROM lease").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert count % 2 == 1  # and the one of `fill`
    assert [name for name in os.listdir(tmp_path) if "backup" in name] == ["accounts.backup"]


async def test_a_backup_overwrites_nothing(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "accounts.backup"
    file.write_text("yesterday's")
    async with place.opened() as database:
        with pytest.raises(DatabaseError, match=r"accounts.backup: exists"):
            await backup(database, file)
    assert file.read_text() == "yesterday's"


async def test_a_backup_that_fails_leaves_nothing(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    async with place.opened() as database:
        await fill(database)
        with pytest.raises(DatabaseError, match="cannot be made: No such file or directory"):
            await backup(database, folder / "missing" / "file")
        task = asyncio.create_task(backup(database, folder / "file"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert list(folder.iterdir()) == []


async def test_accounts_in_use_are_not_restored_over(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "accounts.backup"
    async with place.opened() as database:
        await add(database, "a")
        await backup(database, file)
        with pytest.raises(DatabaseError, match=r"holds accounts already \(table account\)"):
            await restore(file, database)
        assert await names_in(database) == ["a"]


async def test_a_fixed_value_alone_is_accounts_in_use(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "accounts.backup"
    async with place.opened() as database:
        await set_once(database, "slot_seconds", "10")
        await backup(database, file)
        with pytest.raises(DatabaseError, match=r"table meta"):
            await restore(file, database)


async def test_what_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    empty, odd, damaged = tmp_path / "empty", tmp_path / "odd", tmp_path / "damaged"
    empty.write_bytes(b"")
    odd.write_bytes(b"certainly not SQLite" * 1_000)
    async with place.opened() as database:
        await backup(database, damaged)
        data = bytearray(damaged.read_bytes())
        data[4_096 * 3 : 4_096 * 4] = bytes(4_096)
        damaged.write_bytes(data)
        for file, line in (
            (tmp_path / "missing", "there is no such file"),
            (empty, "holds no accounts of a pool"),
            (odd, "is no SQLite file"),
            (damaged, "is damaged"),
        ):
            with pytest.raises(DatabaseError, match=line):
                await restore(file, database)
        assert await names_in(database) == []


async def test_a_backup_of_a_newer_version_is_refused(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "accounts.backup"
    async with place.opened() as database:
        await backup(database, file)
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
        with pytest.raises(NewerDatabase, match="schema 999"):
            await restore(file, database)


async def test_a_backup_of_an_older_version_is_brought_up_to_date_and_left_as_it_is(
    place: Place, tmp_path: Path
) -> None:
    newest = len(known_migrations()) + 1
    later = (*known_migrations(), Migration(newest, "ALTER TABLE account ADD COLUMN note TEXT;\n"))
    file = tmp_path / "accounts.backup"
    (tmp_path / "old").mkdir()
    async with Place(tmp_path / "old").opened() as old:
        await add(old, "a")
        await backup(old, file)
    before = file.read_bytes()
    async with place.opened_with(later) as database:
        await restore(file, database, migrations=later)
        async with database.reading() as reader:
            assert await reader.rows("SELECT name, note FROM account") == [("a", None)]
    assert place.meddle("SELECT value FROM meta WHERE key = 'schema'") == str(newest)
    assert file.read_bytes() == before
