"""Blocks that pay the miners themselves, on litecoind: by the plan of the job that each was found on."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from pool.miner.client import Job
from pool.storage.database import DatabaseError, Reader
from pool.storage.opening import open_for_reading
from stratum.work.address import parse_address
from stratum.work.coin import network
from tests.harness.hand_miner import HandMiner
from tests.harness.litecoind import Litecoind
from tests.harness.pool_process import RunningPool

REGTEST_TARGET = 0x7FFFFF << 232  # bits 207fffff: every second hash is a block
EVERY_HASH = 2**256 - 1  # a share difficulty this small lets all pass: what is above the target is no block
TINY = "{start: 0.000000001, minimum: 0.000000001}"
RENEWED = "template_refresh_seconds: 1\n"  # so that a new plan is in a job soon
PATIENCE_SECONDS = 60.0
REWARD_SATS = 50 * 100_000_000


def script_of(address: str) -> bytes:
    return parse_address(address, network("litecoin", "regtest")).script


async def share_without_block(miner: HandMiner, job: Job) -> None:
    share = miner.find(job, EVERY_HASH, above=REGTEST_TARGET)
    assert await miner.submit(job, share) is None


async def block_on(miner: HandMiner, job: Job) -> str:
    share = miner.find(job, REGTEST_TARGET)
    assert await miner.submit(job, share) is None
    return share.block_hash


async def job_that_pays(miner: HandMiner, *scripts: bytes, on: str | None = None) -> Job:
    """The next job, on top of a given block if one is, whose coinbase has an output for each of them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            job = await miner.next_job(previous_hash_hex=on)
            if all(script in job.coinbase_end for script in scripts):
                return job


async def until(directory: Path, question: Callable[[Reader], Any]) -> Any:
    """What the accounts answer, once they answer something."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                database = await open_for_reading(None, directory)
            except DatabaseError:  # the accountant is still making it
                await asyncio.sleep(0.2)
                continue
            try:
                async with database.reading() as reader:
                    answer = await question(reader)
            finally:
                await database.close()
            if answer:
                return answer
            await asyncio.sleep(0.2)


async def settled(directory: Path, block_hash: str) -> dict[tuple[str, str], int]:
    """(account, kind) → sats of the block's ledger rows."""

    async def rows(reader: Reader) -> dict[tuple[str, str], int]:
        return {
            (name, kind): sats
            for name, kind, sats in await reader.rows(
                "SELECT account.name, kind, SUM(sats) FROM ledger JOIN account ON account.id = account_id "
                "WHERE block_hash = ? GROUP BY account.name, kind",
                block_hash,
            )
        }

    found: dict[tuple[str, str], int] = await until(directory, rows)
    return found


async def payees_of(node: Litecoind, block_hash: str) -> dict[str, int]:
    """Script hex → sats of the block's coinbase, as the node has it."""
    block = await node.rpc("getblock", block_hash, 2)
    return {
        output["scriptPubKey"]["hex"]: int(Decimal(output["value"]) * 100_000_000)
        for output in block["tx"][0]["vout"]
        if output["value"]
    }


async def test_a_late_block_on_an_old_plan_pays_and_is_credited_by_that_plan(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p")
    async with Litecoind(tmp_path, name="node") as node:
        await node.mine(10)
        custody, alice, bob = [await node.address() for _ in range(3)]
        payout = f"{{scheme: pplns, method: coinbase, address: {custody}}}"
        async with RunningPool(
            tmp_path, [node], payout=payout, difficulty=TINY, stratum_extra=RENEWED, accountant=True
        ) as pool:
            first = await HandMiner.connect(pool.port, f"{alice}.rig", "scrypt")
            await share_without_block(first, await first.next_job())
            old_job = await job_that_pays(first, script_of(alice))
            second = await HandMiner.connect(pool.port, f"{bob}.rig", "scrypt")
            await share_without_block(second, await second.next_job())
            new_job = await job_that_pays(first, script_of(alice), script_of(bob))
            assert new_job.previous_hash == old_job.previous_hash

            late = await block_on(first, old_job)
            await pool.says(f"block {late} at height")
            paid = await payees_of(node, late)
            credited = await settled(pool.data_directory, late)

            fair_job = await job_that_pays(second, script_of(alice), script_of(bob), on=late)
            fair = await block_on(second, fair_job)
            await pool.says(f"block {fair} at height")
            paid_fairly = await payees_of(node, fair)
            await settled(pool.data_directory, fair)
            balances = await until(pool.data_directory, sums)
            await first.close()
            await second.close()
    assert paid == {script_of(alice).hex(): REWARD_SATS}
    assert credited == {
        ("@mined", "block"): -REWARD_SATS,
        (alice, "credit"): REWARD_SATS,
        (alice, "coinbase"): -REWARD_SATS,
        ("@paid", "coinbase"): REWARD_SATS,
    }
    # One share each, of 1 work; or 2 : 1 where the plan knew of alice's winning share by then.
    parts = (paid_fairly[script_of(alice).hex()], paid_fairly[script_of(bob).hex()])
    assert parts in ((REWARD_SATS // 2, REWARD_SATS // 2), (3_333_333_333, 1_666_666_667))
    # everything that was earned was paid by the coinbases themselves
    assert balances == {"@mined": -2 * REWARD_SATS, "@paid": 2 * REWARD_SATS}


async def sums(reader: Reader) -> dict[str, int]:
    rows = await reader.rows(
        "SELECT account.name, SUM(sats) FROM balance JOIN account ON account.id = account_id "
        "GROUP BY account.name"
    )
    return {name: sats for name, sats in rows if sats}
