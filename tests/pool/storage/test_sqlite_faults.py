"""A SQLite file that is damaged, locked, full, or not where it can be used."""

import sqlite3
import stat
from contextlib import closing

import pytest

from pool.storage.database import Database, DatabaseError, DatabaseUnavailable
from tests.pool.storage.places import Place, add, names_in

PAGE_BYTES = 4_096


async def test_every_commit_is_on_the_disk_and_foreign_keys_hold(file_place: Place) -> None:
    async with file_place.opened() as database, database.writing() as writer:
        assert await writer.row("PRAGMA synchronous") == (2,)  # FULL
        assert await writer.row("PRAGMA journal_mode") == ("wal",)
        assert await writer.row("PRAGMA foreign_keys") == (1,)
        assert await writer.row("PRAGMA busy_timeout") == (5_000,)


async def test_the_accounts_are_their_owners_alone_to_read(file_place: Place) -> None:
    async with file_place.opened() as database:
        await add(database, "a")
        for path in file_place.directory.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_a_full_disk_is_unavailable_and_leaves_nothing_of_its_transaction(file_place: Place) -> None:
    async with file_place.opened() as database:
        await add(database, "before")
        async with database.writing() as writer:
            pages = await writer.row("PRAGMA page_count")
            assert pages is not None
            await writer.row(f"PRAGMA max_page_count = {pages[0] + 1}")
        with pytest.raises(DatabaseUnavailable, match="the disk is full"):
            await add(database, *(f"{n:0200}" for n in range(500)))  # 500 × 200 bytes: far above one page
        async with database.writing() as writer:
            await writer.row("PRAGMA max_page_count = 1000000")
        await add(database, "after")
        assert await names_in(database) == ["after", "before"]


async def test_a_file_locked_by_another_program_is_unavailable_until_it_is_free(file_place: Place) -> None:
    async with file_place.opened() as database:
        async with database.writing() as writer:
            await writer.row("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(file_place.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable, match="is locked by another program"):
                await add(database, "a")
            assert await names_in(database) == []
            other.execute("ROLLBACK")
        await add(database, "a")


async def test_what_is_no_database_is_said_to_be_none(file_place: Place) -> None:
    file_place.file.write_bytes(b"certainly not SQLite" * 1_000)
    with pytest.raises(DatabaseError, match="is no SQLite file, or is damaged; restore a backup"):
        async with file_place.opened():
            pass
    with pytest.raises(DatabaseError, match="is no SQLite file"):
        async with file_place.read():
            pass


async def test_a_damaged_page_is_said_to_be_damage(file_place: Place) -> None:
    async def read_all(database: Database) -> None:
        async with database.reading() as reader:
            await reader.rows("SELECT name FROM account NOT INDEXED")

    async with file_place.opened() as database:
        await add(database, *(f"{n:0200}" for n in range(500)))
    data = bytearray(file_place.file.read_bytes())
    with closing(sqlite3.connect(file_place.file)) as connection:
        [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'account'").fetchone()
    data[(root - 1) * PAGE_BYTES : root * PAGE_BYTES] = bytes(PAGE_BYTES)
    file_place.file.write_bytes(data)
    async with file_place.opened() as database:
        with pytest.raises(DatabaseError, match="is damaged; restore a backup"):
            await read_all(database)


async def test_a_directory_that_does_not_exist_is_named(file_place: Place) -> None:
    place = Place(file_place.directory / "missing")
    with pytest.raises(DatabaseError, match="missing does not exist: make it"):
        async with place.opened():
            pass


async def test_a_directory_in_the_files_place_is_named(file_place: Place) -> None:
    file_place.file.mkdir()
    with pytest.raises(DatabaseError, match=r"accounts.sqlite: cannot be opened"):
        async with file_place.opened():
            pass


async def test_a_path_with_odd_characters_is_a_path(file_place: Place) -> None:
    place = Place(file_place.directory / "a?b#c %20 ü")
    place.directory.mkdir()
    async with place.opened() as database, place.read() as report:
        await add(database, "a")
        assert await names_in(report) == ["a"]
    assert place.file.exists()
