"""One writer: who has the lease, who gets it next, and what becomes of one who has lost it."""

import asyncio
import sys
from pathlib import Path

import pytest

from pool.storage.database import Database, DatabaseError, LeaseLost, LeaseTaken
from pool.storage.lease import FileLock
from tests.harness.postgres import Postgres
from tests.pool.storage.places import NEW_ACCOUNT, Place, add, names_in

ROOT = Path(__file__).parents[3]
TAKE_OVER = "UPDATE lease SET token = token + 1, holder = 'the usurper' WHERE id = 1"

HOLDER = """
import asyncio, sys
from pathlib import Path
from pool.storage.opening import open_database

async def main():
    url, directory = sys.argv[1] or None, Path(sys.argv[2])
    database = await open_database(url, directory, holder="the killed", now_us=1)
    async with database.writing() as writer:
        await writer.execute("INSERT INTO account (name, first_seen_us) VALUES ('undone', 1)")
        print("holding", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_second_writer_is_refused_and_told_who_the_first_is(place: Place) -> None:
    async with place.opened("the first"):
        with pytest.raises(LeaseTaken, match=r"held by .*the first"):
            async with place.opened("the second"):
                pass
    async with place.opened("the second"):
        pass


async def test_each_holder_has_a_larger_token(place: Place) -> None:
    tokens = []
    for _ in range(3):
        async with place.opened() as database:
            tokens.append(database.token)
    assert tokens == [1, 2, 3]


async def test_the_lease_row_names_its_holder(place: Place) -> None:
    async with place.opened("host-1 process 7"):
        assert place.meddle("SELECT holder FROM lease") == "host-1 process 7"
        assert place.meddle("SELECT taken_us FROM lease") == "1000000"


async def test_who_has_lost_the_lease_writes_nothing_more(place: Place) -> None:
    async with place.opened() as database:
        await add(database, "mine")
        place.meddle(TAKE_OVER)
        for _ in range(2):
            with pytest.raises(LeaseLost, match=r"the usurper \(token 2, ours is 1\)"):
                await add(database, "too late")
        assert await names_in(database) == ["mine"]


async def test_a_lease_row_that_is_gone_is_a_lease_lost(place: Place) -> None:
    async with place.opened() as database:
        place.meddle("DELETE FROM lease")
        with pytest.raises(LeaseLost, match="the lease row is gone"):
            await add(database, "too late")


async def test_nobody_takes_over_in_the_middle_of_a_transaction(server_place: Place) -> None:
    """The lease's row stays as it was compared, until the commit."""
    async with server_place.opened() as database:
        async with database.writing() as writer:
            with pytest.raises(AssertionError, match="lock timeout"):
                server_place.meddle(f"SET lock_timeout = '50ms'; {TAKE_OVER}")
            await writer.insert(NEW_ACCOUNT, "mine", 1)
        assert await names_in(database) == ["mine"]


async def test_the_lease_of_a_killed_process_is_free_and_its_transaction_undone(place: Place) -> None:
    command = [sys.executable, "-c", HOLDER, place.url or "", str(place.directory)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"holding\n"
        with pytest.raises(LeaseTaken, match="the killed"):
            async with place.opened():
                pass
    finally:
        process.kill()
        await process.wait()
    async with place.opened() as database:
        assert database.token == 2
        assert await names_in(database) == []


async def test_a_writer_whose_session_was_ended_and_replaced_by_another_has_lost_the_lease(
    server_place: Place, postgres: Postgres
) -> None:
    async with server_place.opened("the first") as first:
        await add(first, "mine")
        end_writer(server_place)
        async with server_place.opened("the second") as second:
            with pytest.raises(LeaseLost, match="the second"):
                await retried(first, "too late")
            assert await names_in(second) == ["mine"]


async def test_two_databases_of_one_server_have_a_writer_each(
    tmp_path: Path, postgres: Postgres, server_place: Place
) -> None:
    with Place.lent(tmp_path, postgres) as second_place:
        async with server_place.opened() as one, second_place.opened() as other:
            assert (await add(one, "a"), await add(other, "b")) == ([1], [1])


def test_a_lock_cannot_be_taken_where_there_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot be opened: No such file or directory"):
        FileLock.take(tmp_path / "missing" / "accounts.lock", "the test")


def end_writer(place: Place) -> None:
    """As an administrator, or a server that is told to shed load."""
    place.meddle(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'engineroom %'"
    )


async def retried(database: Database, name: str) -> None:
    """The first try may find that the session has gone; the second has one of its own."""
    for _ in range(2):
        try:
            await add(database, name)
        except LeaseLost:
            raise
        except DatabaseError:
            continue
