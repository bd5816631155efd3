"""From shares to money in three wallets: `engineroom run`, `engineroom accountant`, a real litecoind."""

from pathlib import Path

from pool.accounting import ledger
from pool.accounting.control import ask
from tests.end_to_end.money import MINER, REWARD_SATS, money_pool
from tests.harness.accountant import RunningAccountant


async def test_three_payees_mine_and_a_batched_payment_is_confirmed(tmp_path: Path) -> None:
    async with money_pool(tmp_path) as money, RunningAccountant(money.pool.settings_file) as accountant:
        first, second, third = money.payees
        await money.mine(second, 3)
        await money.mine(third, 2)
        await money.mine(first, 5, block=True)
        line = await accountant.says("is settled")
        assert await money.owed() == {
            # 5, 3 and 2 of 10 shares of equal work
            first: (REWARD_SATS * 5 // 10, 0),
            second: (REWARD_SATS * 3 // 10, 0),
            third: (REWARD_SATS * 2 // 10, 0),
        }
        await money.mine(second, 1, block=True)
        line = await accountant.says("is settled", after=line)
        # Now 5, 4 and 2 of 11. Of 5,000,000,000: 2,272,727,272 8/11; 1,818,181,818 2/11; 909,090,909 1/11.
        # One satoshi is left, for the largest remainder.
        owed = {
            first: 2_500_000_000 + 2_272_727_273,
            second: 1_500_000_000 + 1_818_181_818,
            third: 1_000_000_000 + 909_090_909,
        }
        assert await money.owed() == {payee: (amount, 0) for payee, amount in owed.items()}

        await money.node.mine(101, MINER)
        line = await accountant.says("is mature", after=line)
        line = await accountant.says("is mature", after=line)
        assert await money.owed() == {payee: (0, amount) for payee, amount in owed.items()}
        assert (await ask(money.data, "payouts_run"))["payment_ids"] == [1]
        await accountant.says("handed to the node: taken", after=line)
        [txid] = await money.node.rpc("getrawmempool")
        await money.node.mine(6, MINER)
        await accountant.says(f"is confirmed by {txid}")
        assert await accountant.stop() == 0

        fee_sats = await money.fee_of(txid)
        shares_of_fee = dict(
            await money.rows(
                "SELECT account.name, fee_sats FROM payment_item JOIN account ON account.id = account_id"
            )
        )
        assert sum(shares_of_fee.values()) == fee_sats > 0
        assert await money.received() == {
            payee: [(txid, amount - shares_of_fee[payee])] for payee, amount in owed.items()
        }
        assert await money.owed() == {}
        async with money.reading() as reader:
            system = await ledger.system_balances(reader)
        assert system == {
            ledger.MINED: -2 * REWARD_SATS,
            ledger.PAID: 2 * REWARD_SATS - fee_sats,
            ledger.NETWORK: fee_sats,
            ledger.PAYING: 0,
            ledger.OPERATOR: 0,
        }


async def test_a_block_found_while_no_accountant_runs_is_credited_later(tmp_path: Path) -> None:
    async with money_pool(tmp_path) as money:
        accountant = RunningAccountant(money.pool.settings_file)
        first, second, _ = money.payees
        async with accountant:
            await money.mine(first, 1)
            await accountant.says("accounts in")
            assert await accountant.stop() == 0
        await money.mine(second, 4, block=True)
        assert await money.owed() == {}
        async with accountant:
            await accountant.says("is settled")
            # 1 and 4 of 5 shares
            assert await money.owed() == {
                first: (REWARD_SATS // 5, 0),
                second: (REWARD_SATS * 4 // 5, 0),
            }
