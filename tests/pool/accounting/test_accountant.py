"""What the accountant does first after a start, and what it shows of a database that is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from config.schema import NodeSettings
from pool.accounting.accountant import Accountant, now_us
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.pace import Pace
from pool.gateway.block_files import BlockFiles, FoundBlock, SavedBlock
from pool.instruments.account_figures import AccountFigures
from pool.storage.database import Database, DatabaseUnavailable, Reader, Writer
from pool.storage.opening import open_database
from tests.pool.accounting.mined import NETWORK, REWARD_SATS, Writing, candidate, share, us
from tests.pool.accounting.pool_of import settings_of

FOUND = FoundBlock(
    network=NETWORK,
    block_hash="01" * 32,
    height=120,
    reward_sats=REWARD_SATS,
    transactions=1,
    job_id="0a01",
    user="alice.rig",
    account="alice",
    worker="rig",
    found_at=us(1) / 1_000_000,
    crosses_time_edge=False,
    found_at_us=us(1),
    coinbase_hex="01",
    network_target_hex="7f" * 32,
)


async def test_the_spools_are_read_before_the_chain_and_the_files_of_blocks(tmp_path: Path) -> None:
    """No node answers here, and the file is old enough to stand for a frame that is lost."""
    spool = Writing(tmp_path / "spool")
    number = spool.frame(1, share("alice"), candidate("alice", 1, 1))
    spool.frame(2)
    BlockFiles(tmp_path).save(SavedBlock(found=FOUND, block="00" * 81))
    lost = msgspec.structs.replace(FOUND, block_hash="02" * 32, account=None)
    BlockFiles(tmp_path).save(SavedBlock(found=lost, block="00" * 81))
    node = NodeSettings(name="node", url="http://127.0.0.1:1", cookie_file=str(tmp_path / "cookie"))
    accountant = await Accountant.open(msgspec.structs.replace(settings_of(tmp_path), nodes=(node,)))
    try:
        await accountant.follow_chain()
        async with accountant._database.reading() as reader:
            rows = await reader.rows("SELECT hash, frame FROM block ORDER BY hash")
        assert rows == [("01" * 32, number), ("02" * 32, None)]
    finally:
        await accountant.close()


# ---------------------------------------------------------------------- a database that is away

DEADLINE_SECONDS = 20.0
BRISK = Pace(
    apply_seconds=0.01,
    chain_seconds=0.01,
    keep_seconds=0.01,
    measure_seconds=0.01,
    trouble_seconds=0.01,
    database_seconds=0.02,
)


class Failing:
    """A database that may be away, so that nothing can be done with it, or full, so that it can be read."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.is_away = self.is_full = False
        self.reads = 0

    @property
    def description(self) -> str:
        return self._inner.description

    @property
    def token(self) -> int:
        return self._inner.token

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        if self.is_away:
            raise DatabaseUnavailable("it is away")
        self.reads += 1
        return self._inner.reading()

    def writing(self) -> AbstractAsyncContextManager[Writer]:
        if self.is_away or self.is_full:
            raise DatabaseUnavailable("it is away, or full")
        return self._inner.writing()

    async def close(self) -> None:
        await self._inner.close()


@asynccontextmanager
async def keeping_accounts(directory: Path) -> AsyncIterator[tuple[Accountant, Failing]]:
    """At all its duties, which come round at once; the database is up."""
    settings = settings_of(directory)
    journal = Journal.open(directory / JOURNAL)
    database = Failing(await open_database(None, directory, holder="a test", now_us=now_us()))
    accountant = Accountant(settings, database, journal, pace=BRISK)
    stop = asyncio.Event()
    task = asyncio.create_task(accountant.run(stop))
    try:
        await until(lambda: accountant.figures.is_database_up)
        yield accountant, database
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


def has_failed_twice_more(figures: AccountFigures) -> Callable[[], bool]:
    """Whether each of the duties that this accountant has was tried in vain, and tried again."""
    duties = ("counting shares", "watching blocks", "keeping", "measuring")
    before = figures.failures.copy()
    return lambda: all(figures.failures[duty] >= before[duty] + 2 for duty in duties)


async def test_what_all_duties_fail_of_is_one_outage_and_the_next_time_another(tmp_path: Path) -> None:
    async with keeping_accounts(tmp_path) as (accountant, database):
        figures = accountant.figures
        for outages in (1, 2):
            database.is_away = True
            await until(has_failed_twice_more(figures))
            assert not figures.is_database_up
            assert figures.database_errors >= 8 * outages, "of four duties, twice each"
            database.is_away = False
            await until(lambda: figures.is_database_up)
            assert figures.database_outages == outages


async def test_a_database_that_can_only_be_read_is_not_up_until_what_waits_is_written(tmp_path: Path) -> None:
    async with keeping_accounts(tmp_path) as (accountant, database):
        figures = accountant.figures
        database.is_full = True
        spool = Writing(tmp_path / "spool")
        spool.frame(1, share("alice"))
        spool.frame(2)
        await until(lambda: figures.failures["counting shares"] >= 1)
        reads = database.reads

        def is_read_on() -> bool:
            assert not figures.is_database_up, "a read says nothing of writing"
            return database.reads >= reads + 20

        await until(is_read_on)
        assert figures.failures["measuring"] == 0
        assert (figures.frames, figures.database_outages) == (0, 1)
        database.is_full = False
        await until(lambda: figures.is_database_up)
        await until(lambda: figures.frames == 1)
        assert figures.database_outages == 1


async def test_whether_the_database_is_back_does_not_wait_for_a_duty_of_every_hour(tmp_path: Path) -> None:
    async with keeping_accounts(tmp_path) as (accountant, _):
        tries = 0

        async def pay() -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise DatabaseUnavailable("it is away")

        task = asyncio.create_task(accountant._repeat("paying", 3600.0, pay))
        await until(lambda: tries == 1)
        await until(lambda: accountant.figures.is_database_up)
        assert (tries, accountant.figures.failures["paying"]) == (2, 1)
        task.cancel()


async def test_a_duty_that_ends_by_a_bug_does_not_wait_for_the_database(tmp_path: Path) -> None:
    async with keeping_accounts(tmp_path) as (accountant, _):
        await until(lambda: accountant.figures.is_database_up)
        errors = iter([DatabaseUnavailable("it is away"), RuntimeError("a bug")])

        async def notice() -> None:
            raise next(errors)

        with pytest.raises(RuntimeError, match="a bug"):
            await asyncio.wait_for(accountant._repeat("noticing", 0.0, notice), 30)
        assert accountant.figures.database_outages == 1
        await until(lambda: accountant.figures.is_database_up)
