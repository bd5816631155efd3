"""The accounts' pace: frames applied a second, and a window of ten million shares on both databases.

Prints and asserts nothing. PostgreSQL is measured where Debian's package is there.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from payouts.settlement import Terms, settle
from payouts.window import cut, weights
from pool.accounting import windows
from pool.accounting.intake import Horizon, Intake
from pool.accounting.names import Names
from pool.spool.records import Name, ShareMade
from pool.storage.database import Database
from pool.storage.opening import open_database
from tests.harness.postgres import Postgres
from tests.pool.accounting.mined import DEFINITIONS, HARD, JOB, START, NoPrices, Writing, us

ACCOUNTS, SLOTS = 500, 500
SHARES_PER_ROW = 40  # 500 × 500 × 40 = ten million
FRAMES, SHARES_PER_FRAME = 2_000, 100


async def measure_intake(database: Database, directory: Path, label: str) -> None:
    """Two thousand frames of a hundred shares, as a busy gateway writes them."""
    spool = Writing(directory / label)
    names = [
        Name(100 + n, f"account-{n}", bytes([n % 256]) * 22, f"rig-{n}", "cgminer") for n in range(ACCOUNTS)
    ]
    spool.segment(0, [*DEFINITIONS, *names])
    for number in range(FRAMES):
        shares = [
            ShareMade(
                names[(number + n) % ACCOUNTS].number,
                JOB.number,
                HARD.number,
                b"\x01\x00\x00\x01",
                bytes(8),
                0x20000000,
                1,
                n,
                False,
            )
            for n in range(SHARES_PER_FRAME)
        ]
        spool.frame(number / 100, *shares)

    async def horizon(_: object) -> Horizon:
        return Horizon()

    intake = Intake(
        directory / label,
        directory / "archive",
        database,
        Names(),
        slot_seconds=10,
        prices=NoPrices(),
        horizon=horizon,
    )
    began = time.perf_counter()
    frames = await intake.apply_all(us(100))
    seconds = time.perf_counter() - began
    print(  # noqa: T201
        f"{label}: {frames / seconds:,.0f} frames/s with {SHARES_PER_FRAME} shares each, "
        f"{intake.shares / seconds:,.0f} shares/s"
    )


async def measure_window(database: Database, label: str) -> None:
    """Ten million shares of 500 accounts in 500 slots, cut in the oldest of them, and divided."""
    async with database.writing() as writer:
        await writer.execute("DELETE FROM slot_account")
        first = await writer.row("SELECT MIN(id) FROM account")
        base = 1 if first is None else int(first[0])
        for slot in range(SLOTS):
            await writer.execute_many(
                "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, work_low) "
                "VALUES (?, 10, ?, 0, ?, ?, ?)",
                [(START + 10 * slot, base + n, SHARES_PER_ROW, n + 1, 5) for n in range(ACCOUNTS)],
            )
    of_a_slot = sum(((n + 1) << 32) + 5 for n in range(ACCOUNTS))
    needed, newest = of_a_slot * SLOTS - of_a_slot // 3, START + 10 * (SLOTS - 1)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        async with database.reading() as reader:
            edge = cut(await windows.totals(reader, START, newest, needed), needed, START)
            whole = await windows.between(reader, edge.whole_after, newest)
            at_edge = {} if edge.slot is None else await windows.at(reader, edge.slot)
            settled = settle(
                5_000_000_000, weights(whole, at_edge, edge), Terms(operator="@operator"), edge.missing
            )
        times.append(time.perf_counter() - began)
    shares, best, middle = SLOTS * ACCOUNTS * SHARES_PER_ROW, 1000 * min(times), 1000 * sorted(times)[2]
    print(  # noqa: T201
        f"{label}: PPLNS over {shares:,} shares of {len(settled.by_account)} accounts: "
        f"{best:.0f} ms at best, {middle:.0f} ms as a rule (target 200)"
    )


@asynccontextmanager
async def opened(url: str | None, directory: Path) -> AsyncIterator[Database]:
    database = await open_database(url, directory, holder="benchmark", now_us=us(0))
    try:
        yield database
    finally:
        await database.close()


async def measure(url: str | None, directory: Path, label: str) -> None:
    async with opened(url, directory) as database:
        await measure_intake(database, directory, label)
        await measure_window(database, label)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="engineroom-bench-") as text:
        asyncio.run(measure(None, Path(text), "sqlite"))
        with Postgres() as server:
            asyncio.run(measure(server.new_database(), Path(text), "postgresql"))


if __name__ == "__main__":
    main()
