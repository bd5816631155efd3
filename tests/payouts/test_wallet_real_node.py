"""Payments from a real node's wallet: stored bytes, fee bumps, conflicts, reorganisations."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from payouts.attempt import Attempt, Confirmed, Conflicted, InputsGone, NoAnswer, Unconfirmed
from payouts.batch import Item
from payouts.bump import Replaced, bump
from payouts.composition import Composition
from payouts.node_wallet import NodeWallet
from payouts.payment import Confirm, PaymentState, PlanAnew, Rebroadcast, Reopen, SetAside, Wait, next_step
from payouts.wallet import AlreadyConfirmed, AlreadyKnown, MissingInputs, Rejected, Taken, Unavailable
from tests.harness.litecoind import Litecoind, real_node
from tests.payouts.node_wallets import (
    COIN,
    NamedWallet,
    first_attempt,
    fund,
    payees,
    replacing_node,
    signed,
    spent_sats,
    terms_of,
    wallet_of,
)


def broadcast_at(attempt: Attempt, height: int) -> Attempt:
    return msgspec.structs.replace(attempt, broadcast_height=height)


async def raised(wallet: NodeWallet, attempt: Attempt, made: Composition, items: Sequence[Item]) -> Attempt:
    """A second attempt at twice the rate."""
    scripts = {item.script for item in items}
    policy = await wallet.fee_policy(6)
    terms = terms_of(policy, await wallet.change(), rate=40_000)
    replaced = Replaced(attempt=attempt, outputs=made.outputs, payee_scripts=scripts)
    higher = bump(replaced, [attempt], await wallet.coins(6), terms, policy.incremental)
    assert isinstance(higher, Composition), higher
    assert spent_sats(higher.inputs) == sum(out.sats for out in higher.outputs) + higher.fee_sats
    return await signed(wallet, 2, higher)


async def test_three_payees_are_paid_by_one_transaction_of_chosen_coins_and_sending_it_again_is_harmless(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 3)
        wallet = wallet_of(node)
        items = await payees(node, 30 * COIN, 20 * COIN, 10 * COIN + 1)
        attempt, made = await first_attempt(wallet, items, fee_paid_by="pool")
        assert len(made.inputs) == 2  # 60.00000001 coins and the fee out of coinbases of 50
        assert await wallet.check(attempt.raw) is None
        assert await wallet.broadcast(attempt) == Taken()
        assert await wallet.broadcast(attempt) == AlreadyKnown()

        transaction = await node.rpc("getrawtransaction", attempt.txid, True)
        assert [(entry["txid"], entry["vout"]) for entry in transaction["vin"]] == [
            (spent.outpoint.txid, spent.outpoint.output) for spent in made.inputs
        ]
        values = [entry["value"] for entry in transaction["vout"]]
        assert [str(value) for value in values[:3]] == ["30.00000000", "20.00000000", "10.00000001"]
        entry = await node.rpc("getmempoolentry", attempt.txid)
        assert entry["fees"]["base"] * COIN == made.fee_sats
        assert entry["bip125-replaceable"]

        (block_hash,) = await node.mine(1, elsewhere)
        assert await wallet.broadcast(attempt) == AlreadyConfirmed()
        height = await wallet.tip_height()
        seen = await wallet.look([attempt], height - 1)
        assert seen == {attempt.txid: Confirmed(1, block_hash, height)}


async def test_when_the_original_confirms_after_a_fee_bump_the_payment_is_confirmed_once_by_the_original(
    tmp_path: Path,
) -> None:
    async with replacing_node(tmp_path) as node:
        elsewhere = await fund(node, 2)
        wallet = wallet_of(node)
        items = await payees(node, 7 * COIN, 5 * COIN)
        first, made = await first_attempt(wallet, items)
        start = await wallet.tip_height()
        await wallet.broadcast(first)
        second = await raised(wallet, first, made, items)
        assert await wallet.check(second.raw) is None
        assert await wallet.broadcast(second) == Taken()
        refused = await wallet.broadcast(first)
        assert isinstance(refused, Rejected)

        attempts = [broadcast_at(first, start), broadcast_at(second, start)]
        seen = await wallet.look(attempts, start)
        assert seen == {first.txid: Unconfirmed(in_mempool=False), second.txid: Unconfirmed(in_mempool=True)}
        # A miner whose template is older than the bump mines the original.
        await node.rpc("generateblock", elsewhere, [first.raw.hex()])
        seen = await wallet.look(attempts, start)
        assert isinstance(seen[first.txid], Confirmed)
        assert seen[second.txid] == Conflicted(first.txid, 1)
        assert next_step(PaymentState.BROADCAST, attempts, seen, start + 1) == Wait()
        assert await wallet.broadcast(second) == MissingInputs()

        await node.mine(5, elsewhere)
        seen = await wallet.look(attempts, start)
        step = next_step(PaymentState.BROADCAST, attempts, seen, start + 6)
        assert isinstance(step, Confirm)
        assert (step.number, step.sight.confirmations) == (1, 6)
        # 50 and 50 coins came in. The payees have their 12 less the original's fee; nothing left twice.
        left = (await wallet.balances()).trusted_sats
        assert left == 100 * COIN - 12 * COIN


async def test_where_the_node_replaces_nothing_a_bump_is_refused_before_it_is_stored(tmp_path: Path) -> None:
    async with Litecoind(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        items = await payees(node, 7 * COIN)
        first, made = await first_attempt(wallet, items)
        await wallet.broadcast(first)
        second = await raised(wallet, first, made, items)
        assert await wallet.check(second.raw) == Rejected("txn-mempool-conflict")
        assert await wallet.broadcast(first) == AlreadyKnown()


async def test_a_payment_that_a_reorganisation_takes_out_of_the_chain_is_reopened_and_confirms_again(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 1)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        await wallet.broadcast(attempt)
        (block_hash,) = await node.mine(1, elsewhere)
        await node.mine(5, elsewhere)
        counted = msgspec.structs.replace(attempt, broadcast_height=start, is_counted=True)
        seen = await wallet.look([counted], start)
        assert seen == {attempt.txid: Confirmed(6, block_hash, start + 1)}

        await node.rpc("invalidateblock", block_hash)
        seen = await wallet.look([counted], start)
        assert seen == {attempt.txid: Unconfirmed(in_mempool=True)}
        assert isinstance(next_step(PaymentState.CONFIRMED, [counted], seen, start), Reopen)

        await node.rpc("reconsiderblock", block_hash)
        seen = await wallet.look([counted], start)
        assert seen == {attempt.txid: Confirmed(6, block_hash, start + 1)}
        assert next_step(PaymentState.CONFIRMED, [counted], seen, start + 6) == Wait()


async def test_an_attempt_that_has_left_the_memory_pool_is_sent_again_as_stored(
    tmp_path: Path,
) -> None:
    async with Litecoind(tmp_path, extra_arguments=("-walletbroadcast=0", "-persistmempool=0")) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        await wallet.broadcast(attempt)
        await node.stop()
        down = (await wallet.look([attempt], start))[attempt.txid]
        assert isinstance(down, NoAnswer)
        assert isinstance(await wallet.broadcast(attempt), Unavailable)
        await node.start()
        evicted = broadcast_at(attempt, start)
        seen = await wallet.look([evicted], start)
        assert seen == {attempt.txid: Unconfirmed(in_mempool=False)}
        assert next_step(PaymentState.BROADCAST, [evicted], seen, start) == Rebroadcast(1)
        assert await wallet.broadcast(evicted) == Taken()


async def test_payees_are_planned_anew_only_when_a_foreign_spender_of_the_coins_is_a_hundred_deep(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 1)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        foreign_txid = await node.send("1")  # by hand, from the one coin there is
        assert await wallet.look([attempt], start) == {attempt.txid: Unconfirmed(in_mempool=False)}
        (block_hash,) = await node.mine(1, elsewhere)
        seen = await wallet.look([attempt], start)
        foreign = await wallet.transaction(foreign_txid)
        assert (foreign.confirmations, foreign.fee_sats) == (1, 141 * 20), "vB at the fallback rate"
        paid = frozenset(one.script for one in foreign.signed.outputs)
        assert len(paid) == 2, "the address and change"
        assert seen == {attempt.txid: Conflicted(foreign_txid, 1, paid)}
        assert await wallet_of(node).look([attempt], None) == seen
        assert isinstance(next_step(PaymentState.SIGNED, [attempt], seen, start + 1), SetAside)

        await node.mine(98, elsewhere)
        seen = await wallet.look([attempt], start)
        assert seen == {attempt.txid: Conflicted(foreign_txid, 99, paid)}
        assert next_step(PaymentState.SET_ASIDE, [attempt], seen, start + 99) == Wait()
        await node.mine(1, elsewhere)
        seen = await wallet.look([attempt], start)
        own = next_step(PaymentState.SET_ASIDE, [attempt], seen, start + 100, payees=paid)
        assert own == Wait(), "had it paid a payee"
        step = next_step(PaymentState.SET_ASIDE, [attempt], seen, start + 100, payees=frozenset())
        assert isinstance(step, PlanAnew)
        assert step.conflicting_txid == foreign_txid

        await node.rpc("invalidateblock", block_hash)
        seen = await wallet.look([attempt], start)
        assert seen == {attempt.txid: Unconfirmed(in_mempool=False)}


async def test_a_transaction_that_the_wallet_does_not_know_is_found_in_the_chain(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 1)
        attempt, _ = await first_attempt(wallet_of(node), await payees(node, 3 * COIN))
        start = await node.rpc("getblockcount")
        await node.rpc("createwallet", "forgetful")
        async with NamedWallet(node, "forgetful") as forgetful:
            assert await forgetful.broadcast(attempt) == Taken()
            (block_hash,) = await node.mine(1, elsewhere)
            await node.mine(2, elsewhere)
            seen = await forgetful.look([attempt], start)
            assert seen == {attempt.txid: Confirmed(3, block_hash, start + 1)}
            # where the height is not known either, nothing is concluded
            assert await forgetful.look([attempt], None) == {attempt.txid: InputsGone()}


async def test_an_attempt_whose_coin_has_left_the_chain_is_not_given_up(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 1)
        await node.rpc("sendtoaddress", await node.address(), "49")
        (block_hash,) = await node.mine(1, elsewhere)
        await node.mine(6, elsewhere)
        wallet = wallet_of(node)
        attempt, _ = await first_attempt(wallet, await payees(node, 3 * COIN))
        start = await wallet.tip_height()
        await node.rpc("invalidateblock", block_hash)
        old = broadcast_at(attempt, start - 10)
        seen = await wallet.look([old], start)
        assert seen == {attempt.txid: InputsGone()}
        assert next_step(PaymentState.BROADCAST, [old], seen, start) == Rebroadcast(1)
