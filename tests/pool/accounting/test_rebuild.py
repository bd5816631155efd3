"""What archive and journal make of the accounts, against the accounts: equal, or named to the row."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from config.schema import Settings
from pool.accounting.journal_entries import Correction, PaymentPlanned, PlannedPayee
from pool.accounting.rebuild import rebuild
from pool.storage.backup import restore
from pool.storage.database import DatabaseError
from pool.storage.opening import open_database
from tests.pool.accounting.kept import lose_database
from tests.pool.accounting.mined import DAY, START, Writing, candidate, share, us
from tests.pool.accounting.pool_of import Pool, pool_of, settings_of
from tests.pool.accounting.test_intake import gap
from tests.pool.accounting.test_keeping import HOUR, aged
from tests.pool.spool.test_tail import flip

pytestmark = pytest.mark.usefixtures("either_database")

WORK = 2**32


async def counted_again(settings: Settings, into: Path | None = None) -> tuple[list[str], list[str]]:
    """(differences, what was told)."""
    told: list[str] = []
    steps: list[tuple[int, int]] = []
    found = await rebuild(settings, told.append, lambda done, total: steps.append((done, total)), into)
    assert steps[-1][0] == steps[-1][1]
    return found, told


async def lived(pool: Pool) -> None:
    """Two gateways, three blocks: one matures, one is orphaned and returns, one waits; money is moved."""
    one, other = Writing(pool.spool), Writing(pool.spool, "gateway-1")
    for second in range(0, 120, 6):
        one.frame(second, *[share("alice")] * (second % 4), share("bob"))
        other.frame(second + 1.5, share("carol"))
        if second in (30, 60, 90):
            one.frame(second + 2, candidate("bob", second // 30, second + 2))
    one.segment(130)
    for spool in (one, other):
        spool.frame(131)
        spool.frame(132)
    await pool.count(133)
    for tag in (1, 2):
        await pool.judge(tag, "accepted", 134)
    await pool.settle(135)
    await pool.judge(1, "mature", 136)
    await pool.judge(2, "orphaned", 137)
    await pool.judge(2, "accepted", 138)
    payee = PlannedPayee(account="bob", address="bob", sats=1_000)
    await pool.changes.make(PaymentPlanned(payment_id=1, fee_payer="pool", payees=(payee,)), us(139))
    await pool.changes.make(
        Correction(account="bob", against="@operator", pot="balance", sats=5, reason="a gift"), us(140)
    )
    await pool.keep(141)


def leftovers(directory: Path) -> list[Path]:
    return list(directory.glob("rebuild-*"))


SCHEMES: list[dict[str, Any]] = [
    {"scheme": "pplns", "window": {"multiple": 3}},
    {"scheme": "proportional"},
    {"scheme": "pps", "pps": {"reserve_sats": 10**14}},
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme["scheme"])
async def test_accounts_that_nobody_touched_are_what_archive_and_journal_make_them(
    tmp_path: Path, scheme: dict[str, Any]
) -> None:
    settings = settings_of(tmp_path, **scheme)
    async with pool_of(settings) as pool:
        await lived(pool)
        assert await counted_again(settings) == ([], [])  # beside the living, which goes on
        assert await pool.rows("SELECT COUNT(*) FROM settlement") == [(2,)]
    assert await counted_again(settings) == ([], [])
    assert leftovers(tmp_path) == []


Touch = Callable[[Pool], Awaitable[None]]
TOUCHES: dict[str, tuple[str, str]] = {
    "a share more": (
        (
            "UPDATE slot_account SET work_high = work_high + 1 WHERE slot = 1699920000 AND account_id = "
            "(SELECT id FROM account WHERE name = 'bob')"
        ),
        "work of bob in the hour of 2023-11-14 00:00 UTC: the accounts hold ",
    ),
    "a block of somebody else": (
        "UPDATE block SET account_id = (SELECT id FROM account WHERE name = 'alice') WHERE hash LIKE '03%'",
        f"block {'03' * 32}: the accounts hold ",
    ),
    "a balance": ("UPDATE balance SET sats = sats + 1 WHERE account_id = 7", "balance of "),
    "a ledger row": (
        "UPDATE ledger SET sats = sats + 1 WHERE id = (SELECT MAX(id) FROM ledger)",
        "ledger entry correction:",
    ),
    "a payment": ("UPDATE payment SET state = 'confirmed'", "payment 1: the accounts hold confirmed"),
    "an item": ("UPDATE payment_item SET sats = 999", "item of payment 1 bob: "),
    "a settlement": (
        "UPDATE settlement SET statement_hash = 'ff' WHERE hash LIKE '01%'",
        f"settlement of block {'01' * 32}: ",
    ),
    "a mark": ("UPDATE source SET mark = mark + 9 WHERE name = 'gateway-1'", "source gateway-1 "),
}


@pytest.mark.parametrize("touch", TOUCHES)
async def test_each_row_that_was_touched_is_named(tmp_path: Path, touch: str) -> None:
    settings = settings_of(tmp_path, window={"multiple": 3})
    sql, start = TOUCHES[touch]
    async with pool_of(settings) as pool:
        await lived(pool)
        await pool.execute(sql)
    found, _ = await counted_again(settings)
    assert any(line.startswith(start) for line in found), found
    assert len(found) <= 2


async def test_credits_that_the_shares_do_not_give_are_named(tmp_path: Path) -> None:
    """A segment that is exchanged for another: the journal's credits no longer follow from the work."""
    settings = settings_of(tmp_path, window={"multiple": 3})
    async with pool_of(settings) as pool:
        await lived(pool)
    [path] = (tmp_path / "spool" / "gateway-1").glob("*.frames")
    path.unlink()
    other = Writing(tmp_path / "spool", "gateway-1")
    for second in range(0, 120, 6):
        other.frame(second + 1.5, share("alice"))
    other.frame(131)
    other.frame(132)
    found, _ = await counted_again(settings)
    assert any("carol was credited" in line and "the shares give 0" in line for line in found)
    assert any(line.startswith("work of carol in the hour of") for line in found)


async def test_days_whose_segments_are_gone_are_those_of_their_digests(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})
    async with pool_of(settings) as pool:
        await aged(pool)
        await pool.settle(72 * HOUR)
        await pool.keep(72 * HOUR)
    found, told = await counted_again(settings)
    assert found == []
    assert [line for line in told if "are gone" in line]
    async with pool_of(settings) as pool:
        await pool.execute("UPDATE account_day SET work_low = 5")
    found, _ = await counted_again(settings)
    assert found == [
        (
            "work of alice in the day of 2023-11-14 00:00 UTC: "
            f"the accounts hold {24 * WORK + 5}, the shares give {24 * WORK}"
        )
    ]


async def test_a_window_that_began_in_a_rolled_hour_is_divided_alike(tmp_path: Path) -> None:
    """The far edge cuts an hour, which is one long slot here and two of ten seconds in the shares."""
    settings = settings_of(tmp_path, window={"multiple": 2})
    async with pool_of(settings) as pool:
        spool = Writing(pool.spool)
        for hour in range(4):
            spool.segment(hour * HOUR)
            spool.frame(hour * HOUR + 10, *[share("alice")] * 3)
            spool.frame(hour * HOUR + 20, *[share("bob")] * (1 + hour % 2))
        spool.segment(3 * DAY)
        spool.frame(3 * DAY, share("carol"), candidate("carol", 1, 3 * DAY))
        spool.frame(3 * DAY + 10)
        spool.frame(3 * DAY + 11)
        await pool.count(3 * DAY + 20)
        await pool.keep(3 * DAY + 20)
        await pool.judge(1, "accepted", 3 * DAY + 21)
        await pool.settle(3 * DAY + 22)
        [[from_slot]] = await pool.rows("SELECT from_slot FROM settlement")
        # N is 8: carol's 1 and hour 3's 5 leave 2 to hour 2, which holds 4: alice 3, bob 1. By the hour half
        # of each counts; by slots it would be bob's 1 and a third of alice's
        assert from_slot == START + 2 * HOUR
        # of 8: alice 3 + 1.5, bob 2 + 0.5, carol 1
        assert {name: sats * 16 // 5_000_000_000 for name, sats in (await pool.owed()).items()} == {
            "@mined": -16,
            "alice": 9,
            "bob": 5,
            "carol": 2,
        }
    assert await counted_again(settings) == ([], [])


async def test_frames_that_were_given_up_do_not_count_again(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, window={"multiple": 3})
    async with pool_of(settings) as pool:
        spool = Writing(pool.spool)
        for second in range(1, 4):
            spool.frame(second, share("alice"))
        size = spool.path.stat().st_size
        for second in range(4, 9):
            spool.frame(second, share("alice"))
        flip(spool.path, size + 20)
        await pool.count(10)
        await pool.changes.make(gap(4, 5), us(11))
        pool.intake.forget()
        assert await pool.sources() == [("gateway-0", 5, "live")]
        assert await counted_again(settings) == ([], [])
        await pool.count(12)
        assert await pool.work() == {(0, "alice"): 5 * WORK}
        assert await counted_again(settings) == ([], [])
        flip(spool.path, size + 20)  # mended after all: it stays given up
        assert await counted_again(settings) == ([], [])


async def test_a_lost_database_is_rebuilt_into_a_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, window={"multiple": 3})
    async with pool_of(settings) as pool:
        await lived(pool)
        balances = await pool.owed("balance"), await pool.owed()
        work = await pool.work()
    lose_database(tmp_path)
    settings = settings_of(tmp_path, window={"multiple": 3})
    with pytest.raises(DatabaseError):
        await counted_again(settings)
    into = tmp_path / "rebuilt.sqlite"
    assert await counted_again(settings, into) == ([], [])
    database = await open_database(settings.database, tmp_path, holder="restore", now_us=us(0))
    await restore(into, database)
    await database.close()
    async with pool_of(settings) as pool:
        assert (await pool.owed("balance"), await pool.owed()) == balances
        assert await pool.work() == work
        assert await pool.changes.catch_up() == 0
        await pool.count(150)
        assert await pool.work() == work


async def test_a_rebuilt_file_takes_nobodys_place(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with pool_of(settings):
        pass
    (tmp_path / "there.sqlite").touch()
    with pytest.raises(DatabaseError, match="takes nobody's place"):
        await counted_again(settings, tmp_path / "there.sqlite")
