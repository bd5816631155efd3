"""Ids by name: one row each, never an id that a rolled-back transaction has left behind."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from pool.accounting.ledger import SYSTEM_ACCOUNTS
from pool.accounting.names import Names
from pool.storage.database import Database, Writer
from tests.pool.storage.places import Place

AT_US = 1_000_000
SCRIPT = b"\x00\x14" + bytes(20)


class Failed(Exception):
    pass


async def accounts(database: Database) -> list[tuple[int, str]]:
    async with database.reading() as reader:
        return [(n, name) for n, name in await reader.rows("SELECT id, name FROM account ORDER BY id")]


async def devices(database: Database) -> list[tuple[int, str]]:
    async with database.reading() as reader:
        return [(n, name) for n, name in await reader.rows("SELECT id, name FROM worker ORDER BY id")]


@contextlib.asynccontextmanager
async def failing(database: Database) -> AsyncIterator[Writer]:
    """A transaction that is rolled back at its end."""
    with contextlib.suppress(Failed):
        async with database.writing() as writer:
            yield writer
            raise Failed


async def test_a_name_has_one_row_however_often_it_is_met(tmp_path: Path) -> None:
    async with Place(tmp_path).opened() as database:
        names = Names()
        async with database.writing() as writer:
            first = await names.account(writer, "alice", AT_US)
            assert await names.account(writer, "alice", AT_US) == first
        async with database.writing() as writer:
            assert await names.account(writer, "alice", AT_US + 5) == first
            assert await Names().account(writer, "alice", AT_US) == first
        assert await accounts(database) == [(first, "alice")]


async def test_a_known_name_is_asked_for_no_more_than_once_after_it_was_made(tmp_path: Path) -> None:
    """It is still there when its row is gone: nobody has asked."""
    async with Place(tmp_path).opened() as database:
        names = Names()
        for _ in range(2):
            async with database.writing() as writer:
                number = await names.account(writer, "alice", AT_US, SCRIPT)
                device = await names.worker(writer, number, "rig", "cgminer", AT_US)
        async with database.writing() as writer:
            await writer.execute("DELETE FROM worker")
            await writer.execute("DELETE FROM account")
            assert await names.account(writer, "alice", AT_US, SCRIPT) == number
            assert await names.worker(writer, number, "rig", "cgminer", AT_US) == device


async def test_an_id_of_a_rolled_back_transaction_is_forgotten_by_itself(tmp_path: Path) -> None:
    """The next name gets the same id: alice's work would be bob's."""
    async with Place(tmp_path).opened() as database:
        names = Names()
        async with failing(database) as writer:
            alice = await names.account(writer, "alice", AT_US)
            await names.worker(writer, alice, "rig", "cgminer", AT_US)
        async with database.writing() as writer:
            bob = await names.account(writer, "bob", AT_US)
            assert bob == alice
            await names.worker(writer, bob, "s19", "bmminer", AT_US)
        async with database.writing() as writer:
            other = await names.account(writer, "alice", AT_US)
            device = await names.worker(writer, other, "rig", "cgminer", AT_US)
        assert await accounts(database) == [(bob, "bob"), (other, "alice")]
        assert (device, "rig") in await devices(database)


async def test_a_script_that_comes_later_is_kept_and_one_that_was_rolled_back_is_written_again(
    tmp_path: Path,
) -> None:
    async with Place(tmp_path).opened() as database:
        names = Names()
        for _ in range(2):
            async with database.writing() as writer:
                number = await names.account(writer, "alice", AT_US)  # credited before they ever mined
        async with failing(database) as writer:
            await names.account(writer, "alice", AT_US, SCRIPT)
        async with database.writing() as writer:
            assert await names.account(writer, "alice", AT_US, SCRIPT) == number
        async with database.reading() as reader:
            assert await reader.row("SELECT script FROM account") == (SCRIPT,)


async def test_the_same_device_name_of_two_accounts_is_two_devices(tmp_path: Path) -> None:
    async with Place(tmp_path).opened() as database:
        names = Names()
        async with database.writing() as writer:
            alice, bob = [await names.account(writer, name, AT_US) for name in ("alice", "bob")]
            found = {await names.worker(writer, one, "rig", "cgminer", AT_US) for one in (alice, bob)}
            assert len(found) == 2
            assert await names.worker(writer, alice, "rig", "another agent", AT_US) in found


async def test_what_is_remembered_is_bounded_and_the_rest_is_looked_up(tmp_path: Path) -> None:
    async with Place(tmp_path).opened() as database:
        names = Names(most=3)
        known = {}
        for _ in range(3):
            async with database.writing() as writer:
                found = {f"{n}": await names.account(writer, f"{n}", AT_US) for n in range(10)}
            assert not known or found == known
            known = found
        assert len(await accounts(database)) == 10
        assert len(names._known.accounts) <= 3


async def test_the_pools_own_accounts_are_made_once(tmp_path: Path) -> None:
    async with Place(tmp_path).opened() as database:
        async with database.writing() as writer:
            system = await Names().system(writer, AT_US)
        async with database.writing() as writer:
            assert await Names().system(writer, AT_US) == system
        assert set(system) == set(SYSTEM_ACCOUNTS)
