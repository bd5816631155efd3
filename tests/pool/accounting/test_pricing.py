"""What work is bought at, and when no more is: decided once, and the same for whoever reads it again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.schema import Settings
from pool.accounting.batch import PriceOf
from pool.accounting.journal_entries import BuyingChanged, FeeMeanFixed, SourceMark
from pool.accounting.rebuild import rebuild
from pool.spool.records import TemplateFacts
from pool.storage.work import joined
from tests.pool.accounting.kept import lose_database
from tests.pool.accounting.mined import EPOCH, FEES_SATS, REWARD_SATS, TEMPLATE, Writing, replaced, share
from tests.pool.accounting.pool_of import Pool, pool_of, settings_of

pytestmark = pytest.mark.usefixtures("either_database")

WORK = 2**32
# A block is worth four shares, its subsidy 5·10^9 − 1,000
SHARE_SATS = (REWARD_SATS - FEES_SATS) // 4


def buying(directory: Path, reserve_sats: int, scheme: str = "pps") -> Settings:
    return settings_of(directory, scheme=scheme, pps={"reserve_sats": reserve_sats})


async def counted_again(settings: Settings) -> list[str]:
    told: list[str] = []
    found = await rebuild(settings, told.append, lambda done, total: None)
    return found + told


async def bought(pool: Pool) -> dict[str, tuple[int, int]]:
    """Account → work that was bought, and work that counts by window."""
    found: dict[str, list[int]] = {}
    for name, is_bought, high, low in await pool.rows(
        "SELECT account.name, rate_id > 0, SUM(work_high), SUM(work_low) FROM slot_account "
        "JOIN account ON account.id = account_id GROUP BY account.name, rate_id > 0"
    ):
        found.setdefault(name, [0, 0])[0 if is_bought else 1] += joined(int(high), int(low))
    return {name: (one, other) for name, (one, other) in found.items()}


def decisions(pool: Pool) -> list[BuyingChanged]:
    return [one.body for one in pool.journal.entries() if isinstance(one.body, BuyingChanged)]


async def test_work_that_was_bought_and_not_credited_yet_uses_up_the_reserve(tmp_path: Path) -> None:
    async with pool_of(buying(tmp_path, 2 * SHARE_SATS)) as pool:
        spool = Writing(pool.spool)
        for second, account in ((1, "alice"), (3, "alice"), (5, "bob")):
            spool.frame(second, share(account))
            spool.frame(second + 1)
            await pool.count(second + 1.5)
        assert await pool.owed("balance") == {}, "the slot is not over: nothing has been credited"
        # two shares are worth all of the reserve, so bob's, the third, is not bought
        assert await bought(pool) == {"alice": (2 * WORK, 0), "bob": (0, WORK)}
        [decision] = decisions(pool)
        assert not decision.is_buying
        assert decision.marks == (SourceMark(source="gateway-0", epoch=EPOCH, frame=3),)  # 4 was not durable


async def test_a_reserve_that_is_filled_buys_what_comes_next(tmp_path: Path) -> None:
    async with pool_of(buying(tmp_path, SHARE_SATS)) as pool:
        spool = Writing(pool.spool)
        spool.frame(1, share("alice"))
        spool.frame(2)
        await pool.count(3)
        spool.frame(15, share("bob"))
        spool.frame(16)
        await pool.count(17)
        assert [one.is_buying for one in decisions(pool)] == [False]
    async with pool_of(buying(tmp_path, 10 * SHARE_SATS)) as pool:  # the operator puts more aside
        spool.frame(41, share("carol"))
        spool.frame(42)
        await pool.count(43)
        assert [one.is_buying for one in decisions(pool)] == [False, True]
        assert await bought(pool) == {"alice": (WORK, 0), "bob": (0, WORK), "carol": (WORK, 0)}


async def a_reserve_that_came_and_went(directory: Path, scheme: str) -> dict[str, tuple[int, int]]:
    """Two gateways whose frames are counted while work is bought, then not, then again."""
    spools = [Writing(directory / "spool", name) for name in ("gateway-0", "gateway-1")]
    for step, reserve_sats in enumerate((SHARE_SATS, SHARE_SATS, 10**12)):
        async with pool_of(buying(directory, reserve_sats, scheme)) as pool:
            for number, spool in enumerate(spools):
                spool.frame(20 * step + 1 + number, share(("alice", "bob")[number]))
                spool.frame(20 * step + 12)
            await pool.count(20 * step + 13)
            is_bought = await bought(pool)
    return is_bought


@pytest.mark.parametrize("scheme", ["pps", "fpps"])
async def test_a_rebuild_buys_what_was_bought_whatever_the_reserve_is_by_then(
    tmp_path: Path, scheme: str
) -> None:
    lived = await a_reserve_that_came_and_went(tmp_path, scheme)
    assert sum(by_window for _, by_window in lived.values()), "some of it was not bought"
    assert await counted_again(buying(tmp_path, 10**12, scheme)) == []
    assert await counted_again(buying(tmp_path, 1, scheme)) == []


@pytest.mark.parametrize("scheme", ["pps", "fpps"])
async def test_a_database_of_yesterday_buys_the_same_frames_as_they_were_bought(
    tmp_path: Path, scheme: str
) -> None:
    lived = await a_reserve_that_came_and_went(tmp_path, scheme)
    lose_database(tmp_path)
    async with pool_of(buying(tmp_path, 10**12, scheme)) as pool:  # an empty one is as old as can be
        await pool.changes.catch_up()
        await pool.count(200)
        assert await bought(pool) == lived
        assert len(decisions(pool)) == 2, "nothing was decided again"


def template(height: int, fee_percent: int) -> TemplateFacts:
    """With a subsidy of 5·10^9 sats."""
    fees_sats = fee_percent * 50_000_000
    changes: dict[str, Any] = {
        "number": height,
        "height": height,
        "value_sats": 5_000_000_000 + fees_sats,
        "fees_sats": fees_sats,
    }
    made: TemplateFacts = replaced(TEMPLATE, **changes)
    return made


async def test_fees_are_paid_at_the_mean_of_the_templates_before_the_hour(tmp_path: Path) -> None:
    settings = buying(tmp_path, 10**13, "fpps")
    async with pool_of(settings) as pool:
        spool = Writing(pool.spool)
        spool.frame(-120, template(118, 1))
        spool.frame(-60, template(119, 3))
        spool.frame(5, share("alice"))
        spool.frame(6, template(121, 90))
        spool.frame(7)
        await pool.count(8)
        spool.frame(11, share("bob"))
        for second in (21, 31):
            spool.frame(second)
        await pool.count(32)
        fixed = [one.body for one in pool.journal.entries() if isinstance(one.body, FeeMeanFixed)]
        # (1 % + 3 %) / 2, and the 90 % that came within the hour count in the next one only
        assert [one.fee_millionths for one in fixed] == [20_000]
        # 2 % of a subsidy of 4,999,999,000 are 99,999,980; a quarter of both together
        share_sats = (4_999_999_000 + 99_999_980) // 4
        assert await pool.owed("balance") == {
            "alice": share_sats,
            "bob": share_sats,
            "@operator": -2 * share_sats,
        }
    assert await counted_again(settings) == []


async def test_forgetting_while_frames_are_read_buys_nothing_that_is_not_bought(tmp_path: Path) -> None:
    """As another duty does whose connection was cut."""
    settings = buying(tmp_path, SHARE_SATS)
    async with pool_of(settings) as pool:
        spool = Writing(pool.spool)
        for second, account in ((1, "alice"), (15, "bob")):
            spool.frame(second, share(account))
            spool.frame(second + 1)
            await pool.count(second + 2)
        spool.frame(31, share("bob"))
        spool.frame(32)
        loop, price_of = asyncio.get_running_loop(), pool.pricing.price_of

        def forgetting(name: str, epoch: str) -> PriceOf:
            price = price_of(name, epoch)

            def ask(template: TemplateFacts, frame: int, at_us: int) -> str | None:
                loop.call_soon_threadsafe(pool.intake.forget)
                return price(template, frame, at_us)

            return ask

        pool.pricing.price_of = forgetting  # type: ignore[method-assign]
        await pool.count(33)
        await pool.count(34)
        assert await bought(pool) == {"alice": (WORK, 0), "bob": (0, 2 * WORK)}
    assert await counted_again(settings) == []


async def test_what_is_bought_is_looked_at_before_anything_is_priced(tmp_path: Path) -> None:
    async with pool_of(buying(tmp_path, SHARE_SATS)) as pool:
        with pytest.raises(LookupError, match="not been looked at"):
            pool.pricing.price_of("gateway-0", EPOCH)


async def test_bought_work_that_a_gateway_showed_too_late_does_not_contradict_a_rebuild(
    tmp_path: Path,
) -> None:
    """Live it is bought in the slot that is open then, by a rebuild in its own: each account got the same."""
    settings = buying(tmp_path, 10**12)
    async with pool_of(settings) as pool:
        one, other = Writing(pool.spool), Writing(pool.spool, "gateway-1")
        for spool in (one, other):
            spool.frame(1)
            spool.frame(2)
        await pool.count(3)
        for second in range(10, 4_000, 10):  # gateway-1's disk hangs for more than an hour
            one.frame(second, share("alice"))
        one.frame(4_001)
        await pool.count(4_002)
        other.frame(20, share("bob"))
        for spool in (one, other):
            spool.frame(4_003)
            spool.frame(4_200)
        await pool.count(4_201)
        assert (await pool.owed("balance"))["bob"] == SHARE_SATS
    differences = await counted_again(settings)
    assert [line for line in differences if not line.startswith("work of bob in the hour")] == []
