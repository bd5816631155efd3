"""What may happen to money on its way: a reorganisation, a fee bump, a database gone, a backup put back."""

import asyncio
from pathlib import Path

import pytest

from config.loading import load
from pool.accounting import ledger
from pool.accounting.control import Refused, ask
from pool.storage.backup import backup, restore
from pool.storage.opening import ACCOUNTS_FILE, open_database, open_for_reading
from tests.end_to_end.money import MINER, REWARD_SATS, Money, comes, keeping, money_pool
from tests.harness.postgres import Postgres


async def states(money: Money) -> list[str]:
    return [state for (state,) in await money.rows("SELECT state FROM block ORDER BY height")]


async def payment_states(money: Money) -> list[str]:
    return [state for (state,) in await money.rows("SELECT state FROM payment ORDER BY id")]


async def test_a_reorganisation_takes_a_blocks_credits_and_the_way_back_returns_them(tmp_path: Path) -> None:
    async with keeping(money_pool(tmp_path)) as (money, accountant):
        node, (first, second, _) = money.node, money.payees
        await money.mine(first, 6)
        ours = await money.mine(second, 4, block=True)
        credited = {first: (REWARD_SATS * 6 // 10, 0), second: (REWARD_SATS * 4 // 10, 0)}

        async def is_credited() -> bool:
            return await money.owed() == credited

        async def is_taken_back() -> bool:
            return await states(money) == ["orphaned"] and await money.owed() == {}

        await comes(accountant, is_credited)
        await node.rpc("invalidateblock", ours)
        theirs = (await node.mine(6, MINER))[0]
        await comes(accountant, is_taken_back)
        await node.rpc("invalidateblock", theirs)
        await node.rpc("reconsiderblock", ours)
        assert await node.rpc("getbestblockhash") == ours
        await node.mine(101, MINER)

        async def is_mature() -> bool:
            return await states(money) == ["mature"]

        await comes(accountant, is_mature)
        assert await money.owed() == {payee: (0, amount) for payee, (amount, _) in credited.items()}
        transitions = await money.rows("SELECT from_state, to_state FROM block_transition ORDER BY number")
        assert transitions == [
            ("candidate", "accepted"),
            ("accepted", "orphaned"),
            ("orphaned", "accepted"),
            ("accepted", "mature"),
        ]
        assert await accountant.stop() == 0


async def mine_without_the_mempool(money: Money, *raw: str) -> None:
    """A block with these transactions and no others."""
    await money.node.rpc("generateblock", MINER, list(raw))


async def test_after_a_fee_bump_the_original_may_confirm_and_the_books_follow(tmp_path: Path) -> None:
    async with keeping(money_pool(tmp_path, "-mempoolreplacement=1")) as (money, accountant):
        node, (first, *_) = money.node, money.payees
        spare = await money.wallet("getnewaddress", "", "bech32")
        await node.mine(1, spare)  # what a higher fee may be taken from
        await money.mine(first, 1, block=True)
        await node.mine(101, MINER)

        async def is_in_a_memory_pool() -> bool:
            return len(await node.rpc("getrawmempool")) == 1

        async def is_bumped() -> bool:
            attempts = await money.rows("SELECT txid FROM attempt WHERE broadcast_height IS NOT NULL")
            return len(attempts) == 2 and await node.rpc("getrawmempool") == [attempts[1][0]]

        async def is_confirmed() -> bool:
            return await payment_states(money) == ["confirmed"]

        await comes(accountant, is_in_a_memory_pool)
        await mine_without_the_mempool(money)
        await comes(accountant, is_bumped)
        [(original, raw, fee_sats, _), (*_, higher_fee_sats, _)] = await money.rows(
            "SELECT txid, raw, fee_sats, number FROM attempt ORDER BY number"
        )
        assert higher_fee_sats > fee_sats
        await mine_without_the_mempool(money, raw.hex())
        await node.mine(5, MINER)
        await comes(accountant, is_confirmed)
        assert await accountant.stop() == 0
        assert (await money.received())[first] == [(original, REWARD_SATS - fee_sats)]
        assert await money.owed() == {}
        async with money.reading() as reader:
            system = await ledger.system_balances(reader)
        assert system[ledger.PAID] == REWARD_SATS - fee_sats
        assert system[ledger.NETWORK] == fee_sats == await money.fee_of(original)
        assert system[ledger.OPERATOR] == 0, "the fee that was never paid is nobody's"


async def test_while_the_database_is_gone_miners_notice_nothing_and_all_is_counted_after(
    tmp_path: Path, postgres: Postgres
) -> None:
    database = postgres.new_database()
    async with keeping(money_pool(tmp_path, database=database)) as (money, accountant):
        first, second, _ = money.payees
        await money.mine(first, 2)

        async def shares_counted() -> list[tuple[int]]:
            return await money.rows("SELECT SUM(shares) FROM slot_account")

        async def is_first_counted() -> bool:
            return await shares_counted() == [(2,)]

        async def is_credited() -> bool:
            return await money.owed() == {first: (REWARD_SATS * 2 // 8, 0), second: (REWARD_SATS * 6 // 8, 0)}

        await comes(accountant, is_first_counted)
        await asyncio.to_thread(postgres.kill)
        await money.mine(second, 6, block=True)
        postgres.start()  # here: it ends with the thread that started it (PR_SET_PDEATHSIG)
        await comes(accountant, is_credited)
        assert await shares_counted() == [(8,)]
        assert await accountant.stop() == 0
        assert "waits" in accountant.log, "it has noticed"


async def put_back(money: Money, file: Path) -> None:
    for path in money.data.glob(f"{ACCOUNTS_FILE}*"):
        path.unlink()
    settings = load(money.pool.settings_file)
    database = await open_database(settings.database, money.data, holder="restore", now_us=1)
    await restore(file, database)
    await database.close()


async def test_after_a_restore_a_send_that_nobody_knows_is_named_and_waits_to_be_adopted(
    tmp_path: Path,
) -> None:
    async with keeping(money_pool(tmp_path)) as (money, accountant):
        node, (first, *_) = money.node, money.payees
        await node.mine(1, await money.wallet("getnewaddress", "", "bech32"))
        await money.mine(first, 1, block=True)

        async def is_settled() -> bool:
            return await states(money) == ["accepted"] and await money.owed() != {}

        async def is_confirmed() -> bool:
            return await payment_states(money) == ["confirmed"]

        await comes(accountant, is_settled)
        view = await open_for_reading(None, money.data)
        await backup(view, tmp_path / "yesterday.sqlite")
        await view.close()
        await node.mine(101, MINER)
        await comes(accountant, lambda: is_in_the_mempool(money))
        await node.mine(6, MINER)
        await comes(accountant, is_confirmed)
        before = await money.received()
        by_hand = await money.wallet("sendtoaddress", MINER, 1)
        await accountant.kill()
        await put_back(money, tmp_path / "yesterday.sqlite")
        seen = len(accountant.log)
        await accountant.start()

        async def is_named() -> bool:
            return f"the wallet sent {by_hand}, which matches no payment" in accountant.log[seen:]

        await comes(accountant, is_named)
        assert await payment_states(money) == ["confirmed"], "the journal has written the payment back"

        async def is_on_hold() -> bool:
            return "hold" in (await ask(money.data, "payouts_run"))["reason"]

        await comes(accountant, is_on_hold)  # until the chain has been looked at, that is why
        with pytest.raises(Refused, match="matched"):
            await ask(money.data, "release", scope="all", reason="in a hurry")
        with pytest.raises(Refused, match="adopt it when it has 6"):
            await ask(money.data, "adopt", what=by_hand, reason="bought a fan")
        adopted = await ask(money.data, "adopt", what=by_hand, reason="bought a fan", is_nobodys=True)
        assert adopted["is_released"]
        assert "hold" not in (await ask(money.data, "payouts_run"))["reason"]
        assert await accountant.stop() == 0
        assert await money.received() == before, "nobody was paid again"
        assert await money.owed() == {}


async def is_in_the_mempool(money: Money) -> bool:
    return len(await money.node.rpc("getrawmempool")) == 1
