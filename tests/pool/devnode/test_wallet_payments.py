"""The pool's own node wallet pays from a running devnode as it does from Bitcoin Core."""

from pathlib import Path

import msgspec

from payouts.bump import Replaced, bump
from payouts.composition import Composition
from payouts.payment import (
    Confirm,
    Confirmed,
    Conflicted,
    InputsGone,
    NoAnswer,
    PaymentState,
    Rebroadcast,
    Reopen,
    SetAside,
    Unconfirmed,
    next_step,
)
from payouts.wallet import (
    AlreadyConfirmed,
    AlreadyKnown,
    Balances,
    FeePolicy,
    MissingInputs,
    Rejected,
    Taken,
    Unavailable,
)
from tests.harness.devnode import RunningDevnode
from tests.payouts.node_wallets import (
    COIN,
    NamedWallet,
    first_attempt,
    payees,
    signed,
    terms_of,
    wallet_of,
)
from tests.pool.devnode.payments import SideBranch, fund

RATE_OF_THE_BUMP = 40_000  # satoshis per 1,000 virtual bytes, twice that of the first attempt


async def test_three_payees_are_paid_by_one_transaction_that_confirms(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 3)
        wallet = wallet_of(node)
        assert await wallet.balances() == Balances(trusted_sats=150 * COIN, pending_sats=0, immature_sats=0)
        start = await node.rpc("getbestblockhash")
        items = await payees(node, 30 * COIN, 20 * COIN, 10 * COIN + 1)
        attempt, made = await first_attempt(wallet, items, fee_paid_by="pool")
        assert len(made.inputs) == 2  # 60.00000001 coins and the fee out of coinbases of 50
        assert made.weight - 2 <= attempt.weight <= made.weight  # a signature may be a byte shorter, or not
        assert await wallet.check(attempt.raw) is None
        assert await wallet.broadcast(attempt) == Taken()
        assert await wallet.broadcast(attempt) == AlreadyKnown()
        entry = await node.rpc("getmempoolentry", attempt.txid)
        assert entry["fees"]["base"] * COIN == made.fee_sats
        assert entry["bip125-replaceable"]

        [block_hash] = await node.mine(1)
        assert await wallet.broadcast(attempt) == AlreadyConfirmed()
        height = await wallet.tip_height()
        await node.mine(5)
        assert await wallet.look([attempt], height - 1) == {attempt.txid: Confirmed(6, block_hash, height)}
        # a coinbase of 50 was not touched; the change came back out of the two others
        left = 150 * COIN - 60 * COIN - 1 - made.fee_sats
        assert (await wallet.balances()).trusted_sats == left
        [send] = (await wallet.sends_since(start)).sends
        assert (send.txid, send.sats, send.confirmations) == (attempt.txid, 60 * COIN + 1, 6)
        assert send.addresses == tuple(item.address for item in items)


async def test_a_fee_bump_takes_the_place_of_the_first_attempt_and_either_of_them_may_confirm(
    tmp_path: Path,
) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 2)
        wallet = wallet_of(node)
        items = await payees(node, 7 * COIN, 5 * COIN)
        first, made = await first_attempt(wallet, items)
        start = await wallet.tip_height()
        await wallet.broadcast(first)
        policy = await wallet.fee_policy(6)
        assert policy == FeePolicy(relay=100, incremental=100, minimum=100, estimate=None)
        terms = terms_of(policy, await wallet.change(), rate=RATE_OF_THE_BUMP)
        replaced = Replaced(
            attempt=first, outputs=made.outputs, payee_scripts={item.script for item in items}
        )
        higher = bump(replaced, [first], await wallet.coins(6), terms, policy.incremental)
        assert isinstance(higher, Composition)
        second = await signed(wallet, 2, higher)
        assert await wallet.check(second.raw) is None
        assert await wallet.broadcast(second) == Taken()
        assert await wallet.check(first.raw) == Rejected("insufficient fee")
        refused = await wallet.broadcast(first)
        assert isinstance(refused, Rejected)
        assert refused.reason.startswith(f"insufficient fee, rejecting replacement {first.txid}")
        attempts = [first, second]
        seen = await wallet.look(attempts, start)
        assert seen == {first.txid: Unconfirmed(in_mempool=False), second.txid: Unconfirmed(in_mempool=True)}

        # a miner whose template is older than the bump mines the first attempt
        await node.rpc("generateblock", await node.address(), [first.raw.hex()])
        seen = await wallet.look(attempts, start)
        assert isinstance(seen[first.txid], Confirmed)
        assert seen[second.txid] == Conflicted(first.txid, 1)
        assert await wallet.broadcast(second) == MissingInputs()
        conflicted = await node.rpc("gettransaction", second.txid)
        assert conflicted["confirmations"] == -1
        assert conflicted["walletconflicts"] == [first.txid]
        await node.mine(5)
        sent = [msgspec.structs.replace(attempt, broadcast_height=start) for attempt in attempts]
        step = next_step(PaymentState.BROADCAST, sent, await wallet.look(sent, start), start + 6)
        assert isinstance(step, Confirm)
        assert (step.number, step.sight.confirmations) == (1, 6)
        # two coinbases of 50, and the payees paid the fee out of their 12
        assert (await wallet.balances()).trusted_sats == 100 * COIN - 12 * COIN


async def test_a_payment_that_a_longer_branch_throws_out_waits_again_and_confirms_in_another_block(
    tmp_path: Path,
) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        branch = await SideBranch.from_the_tip(node)
        await wallet.broadcast(attempt)
        [lost] = await node.mine(1)
        await node.mine(5)
        counted = msgspec.structs.replace(attempt, broadcast_height=start, is_counted=True)
        assert await wallet.look([counted], start) == {attempt.txid: Confirmed(6, lost, start + 1)}
        mark = (await wallet.sends_since(None)).last_block

        await branch.overtake(node)
        seen = await wallet.look([counted], start)
        assert seen == {attempt.txid: Unconfirmed(in_mempool=True)}
        assert isinstance(next_step(PaymentState.CONFIRMED, [counted], seen, start + 7), Reopen)
        [send] = (await wallet.sends_since(mark)).sends  # asked from a block that is on no chain now
        assert (send.txid, send.confirmations) == (attempt.txid, 0)
        since = await node.rpc("listsinceblock", mark)
        assert {entry["txid"] for entry in since["removed"]} == {attempt.txid}

        [found] = await node.mine(1)
        assert found != lost
        assert await wallet.look([counted], start) == {attempt.txid: Confirmed(1, found, start + 8)}


async def test_an_attempt_whose_coin_was_spent_by_hand_is_excluded_by_that_transaction(
    tmp_path: Path,
) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        by_hand = await node.rpc("sendtoaddress", await node.address(), "1")
        assert await wallet.look([attempt], start) == {attempt.txid: Unconfirmed(in_mempool=False)}
        await node.mine(2)
        seen = await wallet.look([attempt], start)
        paid = frozenset(one.script for one in (await wallet.transaction(by_hand)).signed.outputs)
        assert len(paid) == 2, "the address and change"
        assert seen == {attempt.txid: Conflicted(by_hand, 2, paid)}
        assert isinstance(next_step(PaymentState.SIGNED, [attempt], seen, start + 2), SetAside)


async def test_an_attempt_whose_coin_has_left_the_chain_is_not_given_up(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 1)
        branch = await SideBranch.from_the_tip(node)
        await node.rpc("sendtoaddress", await node.rpc("getnewaddress"), "49")
        await node.mine(7)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        await branch.overtake(node)
        old = msgspec.structs.replace(attempt, broadcast_height=start - 10)
        seen = await wallet.look([old], start)
        assert seen == {attempt.txid: InputsGone()}
        assert next_step(PaymentState.BROADCAST, [old], seen, start) == Rebroadcast(1)
        assert await wallet.broadcast(old) == Taken()  # what made its coin waits in the mempool


async def test_keys_and_coins_outlive_kill_9_and_the_stored_attempt_is_sent_again(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 2)
        wallet = wallet_of(node)
        attempt, made = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        inputs = [spent.outpoint for spent in made.inputs]
        await wallet.lock(inputs)
        await wallet.lock(inputs)  # repeating changes nothing
        coins = await wallet.coins(6)
        assert len(coins) == 1
        assert not {coin.outpoint for coin in coins} & set(inputs)
        await wallet.broadcast(attempt)
        address = await node.rpc("getnewaddress")

        await node.kill()
        assert isinstance(await wallet.broadcast(attempt), Unavailable)
        assert isinstance((await wallet.look([attempt], start))[attempt.txid], NoAnswer)
        await node.start()
        assert await wallet.look([attempt], start) == {attempt.txid: Unconfirmed(in_mempool=False)}
        assert len(await wallet.coins(6)) == 2  # a node forgets locks
        await wallet.lock(inputs)
        assert len(await wallet.coins(6)) == 1
        await wallet.unlock(inputs)
        await wallet.unlock(inputs)
        assert len(await wallet.coins(6)) == 2
        assert (await node.rpc("getaddressinfo", address))["ismine"]
        assert await node.rpc("getnewaddress") != address
        assert await wallet.broadcast(attempt) == Taken()
        [block_hash] = await node.mine(1)
        assert await wallet.look([attempt], start) == {attempt.txid: Confirmed(1, block_hash, start + 1)}


async def test_a_wallet_of_a_name_has_an_address_of_its_own_and_its_own_money(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        await fund(node, 1)
        attempt, _ = await first_attempt(wallet_of(node), await payees(node, 3 * COIN))
        start = await node.rpc("getblockcount")
        await node.rpc("createwallet", "forgetful")
        async with NamedWallet(node, "forgetful") as forgetful:
            assert await forgetful.balances() == Balances(trusted_sats=0, pending_sats=0, immature_sats=0)
            assert await forgetful.broadcast(attempt) == Taken()
            [block_hash] = await node.mine(1)
            # this wallet does not know the transaction: it is found in the chain
            assert await forgetful.look([attempt], start) == {
                attempt.txid: Confirmed(1, block_hash, start + 1)
            }
