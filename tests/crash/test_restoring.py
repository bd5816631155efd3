"""Yesterday's backup put back, or no database left at all, at every step of a payment: nobody is paid twice.

The backup is of the moment at which the block was settled; everything of the payment is younger. The journal
writes it into the database again, the spool has the shares, and payouts are on hold until all is matched.
"""

import asyncio
from pathlib import Path

import pytest

from config.loading import load
from pool.accounting import directories
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import HoldPlaced, HoldReleased, Restored
from pool.storage.backup import backup, restore
from pool.storage.opening import ACCOUNTS_FILE, open_database
from tests.crash.matrix import Deal, Life, Plan, Pool, Result, outcome, run
from tests.crash.steps import PAYING
from tests.harness.postgres import Postgres

BACKUP_FILE = "yesterday.sqlite"
AT_ONCE = 8  # on PostgreSQL each has up to six connections


async def make_backup(pool: Pool) -> None:
    async with pool.dug.reading() as database:
        await backup(database, pool.dug.directory / BACKUP_FILE)


def losing(server: Postgres | None, *, then_begin: bool = True) -> Deal:
    """Where the accountant stands it is killed, and started again with nothing but journal and spool."""

    async def lose(pool: Pool) -> None:
        await pool.accountant.kill()
        await pool.look_away()
        if server is not None:
            await asyncio.to_thread(server.empty, str(pool.plan.database))
        for path in pool.dug.data.glob(f"{ACCOUNTS_FILE}*"):
            path.unlink()
        if then_begin:
            await pool.begin()

    return lose


def putting_back(server: Postgres | None) -> Deal:
    """Its database is yesterday's when it starts again."""
    lose = losing(server, then_begin=False)

    async def put_yesterday_back(pool: Pool) -> None:
        await lose(pool)
        settings = load(pool.dug.settings_file)
        database = await open_database(settings.database, pool.dug.data, holder="restore", now_us=1)
        await restore(pool.dug.directory / BACKUP_FILE, database)
        await database.close()
        await pool.begin()

    return put_yesterday_back


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> dict[str, Result]:
    plans = []
    for kept, server in (("sqlite", None), ("postgres", postgres)):
        for what, deal in (("restored", putting_back(server)), ("lost", losing(server))):
            plans += [
                Plan(
                    name=f"{what} {kept} {step}",
                    lives=(Life(at=step),),
                    when_settled=make_backup,
                    deal=deal,
                    database=None if server is None else server.new_database(),
                )
                for step in PAYING
            ]
    return run(tmp_path_factory.mktemp("restoring"), plans, AT_ONCE)


def holds_of(data: Path) -> tuple[int, int, int]:
    """How often the journal says restored, held and released."""
    with Journal.open(data / directories.JOURNAL) as journal:
        bodies = [entry.body for entry in journal.entries()]
    placed, released = (sum(isinstance(body, kind) for body in bodies) for kind in (HoldPlaced, HoldReleased))
    return sum(isinstance(body, Restored) for body in bodies), placed, released


@pytest.mark.parametrize("kept", ["sqlite", "postgres"])
@pytest.mark.parametrize("step", PAYING)
def test_yesterdays_database_at_a_step_pays_nobody_twice(
    step: str, kept: str, results: dict[str, Result]
) -> None:
    pool = outcome(results, f"restored {kept} {step}")
    assert pool.stood == [step]
    # Before the payment is in the journal, "mature" is the one entry that the backup lacks, as after a crash;
    # what `restore` has filled is on hold all the same.
    is_older = step != "before append payment_planned"
    assert holds_of(pool.dug.data) == (int(is_older), 1, 1)


@pytest.mark.parametrize("kept", ["sqlite", "postgres"])
@pytest.mark.parametrize("step", PAYING)
def test_a_lost_database_at_a_step_pays_nobody_twice(
    step: str, kept: str, results: dict[str, Result]
) -> None:
    pool = outcome(results, f"lost {kept} {step}")
    assert pool.stood == [step]
    assert holds_of(pool.dug.data) == (1, 1, 1)
