"""The gateway killed again and again under miners that submit, and the accountant with it every other time.

Every share that a miner was told is accepted is counted, and none twice. What a miner was not told in time
may be counted or not: the spool says which.
"""

import asyncio
import random
import signal
from collections import Counter
from hashlib import sha256
from pathlib import Path

from pool.accounting import directories
from pool.accounting.archive_reading import frames_after
from pool.miner.client import Job
from pool.node.rpc import RpcError
from pool.spool.frames import SpoolGap
from pool.spool.records import ShareMade, share_header
from pool.spool.segments import newest_epoch
from pool.spool.tail import Delivery, SourceTail
from tests.crash.matrix import POINTS
from tests.end_to_end.money import REGTEST_TARGET, Money, comes, money_pool
from tests.harness.dying_gateway import BLOCK_STEPS, SAVED, SHARE_STEPS
from tests.harness.hand_miner import HandMiner, HandShare
from tests.harness.pool_process import RunningPool
from tests.harness.stepped_accountant import SteppedAccountant

LIVES = max(4, POINTS // 10)
LONGEST_LIFE_SECONDS = 0.6


async def submit_for_ever(money: Money, payee: str, accepted: Counter[str]) -> None:
    """Shares that are no blocks; each that was accepted is noted by the hash of its header."""
    miner = await money.miner(payee)
    job = await miner.next_job()
    while True:
        share = miner.find(job, job.target, above=REGTEST_TARGET)
        assert await miner.submit(job, share) is None
        accepted[share.block_hash] += 1


async def one_life(money: Money, accepted: Counter[str], seconds: float) -> None:
    """So long after the first answer the gateway is killed."""
    before = len(accepted)
    mining = [asyncio.create_task(submit_for_ever(money, payee, accepted)) for payee in money.payees]
    while len(accepted) == before:
        await asyncio.sleep(0)
        assert not any(task.done() for task in mining), "a miner has ended"
    await asyncio.sleep(seconds)
    assert await money.pool.stop(signal.SIGKILL) == -signal.SIGKILL
    for task in mining:
        task.cancel()
    await asyncio.gather(*mining, return_exceptions=True)


def recorded(data: Path) -> list[Delivery]:
    """Every frame that there ever was, archived ones included."""
    spool = data / directories.SPOOL / "gateway-0"
    epoch = newest_epoch(spool)
    assert epoch is not None
    try:
        return SourceTail(spool, epoch, is_over=True).poll(10**9)
    except SpoolGap as gap:
        through = gap.found - 1
        archived = list(frames_after(data / directories.ARCHIVE, spool, epoch, 0, through=through))
        return archived + SourceTail(spool, epoch, through, is_over=True).poll(10**9)


def shares_in(deliveries: list[Delivery]) -> dict[str, str]:
    """Hash of the header, as nodes display it → account, of every share; no share is there twice."""
    found: dict[str, str] = {}
    for delivery in deliveries:
        dictionary = delivery.dictionary
        for record in delivery.frame.records:
            if isinstance(record, ShareMade):
                job = dictionary.job(record.job)
                header = share_header(record, job, dictionary.template(job.template))
                name = sha256(sha256(header).digest()).digest()[::-1].hex()
                assert name not in found, f"share {name} is recorded twice"
                found[name] = dictionary.name(record.name).account
    return found


async def shares_that_count(money: Money, accepted: Counter[str]) -> dict[str, str]:
    """As `shares_in`, of all that there ever was; and the accounts have counted just these."""
    counted = await money.rows(
        "SELECT account.name, SUM(shares) FROM slot_account JOIN account ON account.id = account_id "
        "GROUP BY account.name"
    )
    shares = shares_in(recorded(money.data))
    assert set(accepted) <= set(shares), "every share that a miner was told of is recorded"
    assert dict(counted) == Counter(shares.values()), "every recorded share is counted, once"
    return shares


async def test_no_accepted_share_is_lost_or_counted_twice_however_often_the_gateway_dies(
    tmp_path: Path,
) -> None:
    chance = random.Random(20261124)
    accepted: Counter[str] = Counter()
    async with money_pool(tmp_path) as money, SteppedAccountant(money.pool.settings_file) as accountant:
        for life in range(LIVES):
            await one_life(money, accepted, chance.uniform(0.02, LONGEST_LIFE_SECONDS))
            if life % 2:
                await accountant.kill()
                await accountant.start()
            money.pool = await restarted(money.pool)
        assert await money.pool.stop() == 0

        async def is_all_counted() -> bool:
            return await money.rows("SELECT state FROM source") == [("closed",)]

        await comes(accountant, is_all_counted)
        assert await accountant.stop() == 0
        shares = await shares_that_count(money, accepted)
    assert len(accepted) > 10 * LIVES
    assert len(shares) <= len(accepted) + LIVES * len(money.payees), "a miner waits for one answer at a time"


async def die_at(money: Money, step: str, accepted: Counter[str]) -> str | None:
    """A gateway that ends at this step of a share, or of a block, whose hash is the answer."""
    money.pool.entry = ("tests.harness.dying_gateway", step)
    money.pool = await restarted(money.pool)
    miner = await money.miner(money.payees[0])
    job = await miner.next_job()
    found = None
    if step in SHARE_STEPS:
        asked = asyncio.create_task(submit_for_ever(money, money.payees[1], accepted))
    else:
        share = miner.find(job, REGTEST_TARGET)
        found = share.block_hash
        asked = asyncio.create_task(submit_once(miner, job, share, accepted))
    assert await money.pool.wait() == -signal.SIGKILL
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    money.pool.entry = ("pool.entry",)
    money.pool = await restarted(money.pool)
    return found


async def submit_once(miner: HandMiner, job: Job, share: HandShare, accepted: Counter[str]) -> None:
    assert await miner.submit(job, share) is None
    accepted[share.block_hash] += 1


async def test_killed_at_each_step_of_a_share_and_of_a_block_it_loses_nothing_that_it_owes(
    tmp_path: Path,
) -> None:
    """A share from its record to its sync; a block from its record, file and submission to its verdict."""
    accepted: Counter[str] = Counter()
    found: dict[str, str] = {}
    async with money_pool(tmp_path) as money, SteppedAccountant(money.pool.settings_file) as accountant:
        await money.pool.stop()
        for step in (*SHARE_STEPS, *BLOCK_STEPS):
            block_hash = await die_at(money, step, accepted)
            if block_hash is not None:
                found[step] = block_hash
            if step in SAVED:
                await gets_into_the_chain(money, found[step])
            await money.mine(money.payees[2], 1)
            assert await money.pool.stop() == 0

        async def is_all_counted() -> bool:
            return await money.rows("SELECT DISTINCT state FROM source") == [("closed",)]

        await comes(accountant, is_all_counted)
        on_chain = {one for one in found.values() if await is_in_the_chain(money, one)}

        async def are_all_settled() -> bool:
            return {one for (one,) in await money.rows("SELECT hash FROM settlement")} == on_chain

        await comes(accountant, are_all_settled)
        assert await accountant.stop() == 0
        await shares_that_count(money, accepted)
    assert {found[step] for step in SAVED} <= on_chain


async def gets_into_the_chain(money: Money, block_hash: str) -> None:
    """It is there, or its file is submitted at the start, and a verdict comes soon after."""
    if not await is_in_the_chain(money, block_hash):
        await money.pool.says(f"block {block_hash} at height")
        assert await is_in_the_chain(money, block_hash)


async def is_in_the_chain(money: Money, block_hash: str) -> bool:
    try:
        header = await money.node.rpc("getblockheader", block_hash)
    except RpcError:  # it knows no such block
        return False
    return int(header["confirmations"]) > 0


async def restarted(pool: RunningPool) -> RunningPool:
    """The same settings, another process, and a log that begins anew."""
    pool.lines.clear()
    return await pool.__aenter__()
