"""Blocks that pay the miners themselves: by the plan of their own job, however old that is by then."""

from pathlib import Path

from pool.accounting import ledger
from pool.miner.client import Job
from stratum.work.coinbase import outputs_of_transaction
from tests.crash.proof import sats
from tests.end_to_end.money import BY_COINBASE, REWARD_SATS, Money, comes, keeping, money_pool
from tests.harness.hand_miner import HandMiner
from tests.harness.stepped_accountant import SteppedAccountant


async def job_that_pays(miner: HandMiner, payees: int, on: str) -> Job:
    """The next job on top of a block whose coinbase pays so many."""
    while True:
        job = await miner.next_job(previous_hash_hex=on)
        coinbase = job.coinbase_start + job.extranonce1 + bytes(job.extranonce2_size) + job.coinbase_end
        if sum(amount > 0 for _, amount in outputs_of_transaction(coinbase)) == payees:
            return job


async def paid_by(money: Money, block_hash: str) -> dict[str, int]:
    """What a block's coinbase pays, by address."""
    block = await money.node.rpc("getblock", block_hash, 2)
    return {
        output["scriptPubKey"]["addresses"][0]: sats(output["value"])
        for output in block["tx"][0]["vout"]
        if output["value"]
    }


async def credits_of(money: Money, block_hash: str) -> dict[str, int]:
    """What the books say that a block has earned each payee."""
    sql = (
        "SELECT account.name, sats FROM ledger JOIN account ON account.id = account_id "
        "WHERE block_hash = ? AND kind = 'credit'"
    )
    return dict(await money.rows(sql, block_hash))


async def test_a_late_block_on_an_old_plan_is_credited_by_that_plan_and_the_next_by_its_own(
    tmp_path: Path,
) -> None:
    async with keeping(money_pool(tmp_path, payout=BY_COINBASE)) as (money, accountant):
        first, second, third = money.payees
        await money.mine(first, 3)
        await money.mine(second, 2)
        miner = await money.miner(third)
        tip = await money.node.rpc("getbestblockhash")
        old = await job_that_pays(miner, 2, tip)
        await money.mine(third, 5)
        await job_that_pays(miner, 3, tip)

        late = await money.find_block(miner, old)
        by_old_plan = {first: REWARD_SATS * 3 // 5, second: REWARD_SATS * 2 // 5}
        assert await paid_by(money, late) == by_old_plan
        await comes(accountant, lambda: is_credited(money, late, by_old_plan))

        # The next plan is of all shares, the found ones too, and of nothing that the first block has paid.
        block = await money.find_block(miner, await job_that_pays(miner, 3, late))
        paid = await paid_by(money, block)
        assert set(paid) == set(money.payees)
        assert sum(paid.values()) == REWARD_SATS
        await comes(accountant, lambda: is_credited(money, block, paid))
        assert await money.owed() == {}
        await assert_paid(money, accountant)
        await miner.close()


async def is_credited(money: Money, block_hash: str, amounts: dict[str, int]) -> bool:
    found = await credits_of(money, block_hash)
    assert found in ({}, amounts), "never anything else"
    return bool(found)


async def assert_paid(money: Money, accountant: SteppedAccountant) -> None:
    """Everything that was mined is paid, by coinbases alone."""
    assert await accountant.stop() == 0
    async with money.reading() as reader:
        system = await ledger.system_balances(reader)
    assert system[ledger.MINED] == -2 * REWARD_SATS
    assert system[ledger.PAID] == 2 * REWARD_SATS
