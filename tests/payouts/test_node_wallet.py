"""What a real node's wallet gives and refuses: coins, locks, addresses, fees, dust, signatures."""

from pathlib import Path

import pytest

from payouts.batch import BatchRules, Item, Owed, choose
from payouts.composition import Refusal, compose
from payouts.node_wallet import NodeWallet
from payouts.transaction import (
    DUST_RATE_FACTOR,
    Output,
    Spent,
    dust_sats,
    input_weight,
    transaction_weight,
)
from payouts.wallet import Rejected, WalletRefused, WalletUnavailable
from tests.harness.litecoind import Litecoind, real_node
from tests.payouts.node_wallets import COIN, RATE, first_attempt, foreign, fund, payees, terms_of, wallet_of


async def test_an_empty_wallet_and_a_missing_estimate_are_reasons_and_no_errors(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node:
        await node.mine(1)  # immature, so not spendable
        wallet = wallet_of(node)
        policy = await wallet.fee_policy(6)
        assert policy.estimate is None
        assert policy.rate(None) is None
        assert policy.rate(RATE) == RATE
        assert policy.rate(1) == policy.relay
        assert (await wallet.balances()).immature_sats == 50 * COIN
        items = await payees(node, COIN)
        made = compose(items, await wallet.coins(1), terms_of(policy, await wallet.change()))
        assert isinstance(made, Refusal)
        assert made.passing
        assert "hold 0 sats" in made.reason


async def test_coins_are_those_deep_enough_and_not_locked_and_locks_are_renewed_after_a_restart(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 2)
        wallet = wallet_of(node)
        before = await wallet.coins(6)
        await node.rpc("sendtoaddress", await node.address(), "49.9")
        await node.mine(5, elsewhere)
        # one coinbase became two outputs, five deep; the other is untouched
        assert sorted(coin.confirmations for coin in await wallet.coins(5))[:2] == [5, 5]
        (coin,) = await wallet.coins(6)
        (spent,) = [one.outpoint for one in before if one.outpoint != coin.outpoint]
        await wallet.lock([coin.outpoint])
        await wallet.lock([coin.outpoint])
        assert await wallet.coins(6) == []
        await node.stop()
        await node.start()
        assert [one.outpoint for one in await wallet.coins(6)] == [coin.outpoint]
        await wallet.lock([coin.outpoint])
        assert await wallet.coins(6) == []
        await wallet.unlock([coin.outpoint])
        await wallet.unlock([coin.outpoint])
        assert await wallet.coins(6) == [coin]
        # an output that is spent by now needs no lock, and asking for one is no error
        await wallet.lock([spent])


async def test_one_address_that_the_node_cannot_pay_to_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async with Litecoind(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        good, mweb = await foreign(node, 1), await node.rpc("getnewaddress", "", "mweb")
        main_net = "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1"
        scripts = await wallet.scripts([good, main_net, mweb, "nonsense"])
        assert scripts == {
            good: bytes.fromhex("0014") + bytes((1,) * 20),
            main_net: None,
            mweb: None,
            "nonsense": None,
        }
        owed = [
            Owed(account=address, address=address, script=script, sats=COIN, minimum_sats=1000)
            for address, script in scripts.items()
        ]
        batch = choose(owed, BatchRules(dust_sats_per_kvb=30_000))
        assert {left.account for left in batch.left_out if left.needs_person} == {main_net, mweb, "nonsense"}
        attempt, _ = await first_attempt(wallet, batch.items)
        assert await wallet.check(attempt.raw) is None


async def test_an_address_that_reaches_signing_all_the_same_is_refused_with_its_name(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        (coin,) = await wallet.coins(6)
        with pytest.raises(WalletRefused, match="nonsense") as caught:
            await wallet.sign([Spent(coin.outpoint, coin.sats)], [Output("nonsense", b"\x51", COIN)])
        assert not caught.value.passing


async def test_a_locked_wallet_is_a_reason_and_a_passphrase_unlocks_it_for_the_signature_alone(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        await node.rpc("createwallet", "tests", False, False, "correct horse", False, None, True)
        await fund(node, 1)

        def unreadable() -> str:
            raise PermissionError(13, "Permission denied")

        items = await payees(node, COIN)
        for passphrase, reason in (
            (None, "the wallet is locked and no passphrase is set"),
            (lambda: "wrong", "the wallet's passphrase is wrong"),
            (unreadable, "the wallet's passphrase cannot be read: Permission denied"),
        ):
            with pytest.raises(WalletRefused) as caught:
                await first_attempt(wallet_of(node, passphrase), items)
            assert (caught.value.reason, caught.value.passing) == (reason, True)
        wallet = wallet_of(node, lambda: "correct horse")
        attempt, _ = await first_attempt(wallet, items)
        assert await wallet.check(attempt.raw) is None
        assert (await node.rpc("getwalletinfo"))["unlocked_until"] == 0


@pytest.mark.parametrize("kind", ["witness key hash", "witness script hash", "key hash", "script hash"])
async def test_an_output_of_the_dust_threshold_is_relayed_and_one_below_is_not(
    tmp_path: Path, kind: str
) -> None:
    script = {
        "witness key hash": b"\x00\x14" + bytes((7,) * 20),
        "witness script hash": b"\x00\x20" + bytes((7,) * 32),
        "key hash": b"\x76\xa9\x14" + bytes((7,) * 20) + b"\x88\xac",
        "script hash": b"\xa9\x14" + bytes((7,) * 20) + b"\x87",
    }[kind]
    async with Litecoind(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        decoded = await node.rpc("decodescript", script.hex())
        (address,) = decoded["addresses"]
        policy = await wallet.fee_policy(6)
        least = dust_sats(script, DUST_RATE_FACTOR * policy.relay)
        (coin,) = await wallet.coins(6)
        change = await wallet.change()
        spent = [Spent(coin.outpoint, coin.sats)]
        for sats, expected in ((least, None), (least - 1, Rejected("dust"))):
            rest = Output(change.address, change.script, coin.sats - sats - 10_000)
            transaction = await wallet.sign(spent, [Output(address, script, sats), rest])
            assert await wallet.check(transaction.raw) == expected


async def test_the_weight_reckoned_beforehand_is_a_narrow_bound_of_the_signed_one(
    tmp_path: Path,
) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 1)
        kinds = ("legacy", "p2sh-segwit", "bech32") * 3
        await node.rpc("sendmany", "", {await node.address(kind): "1" for kind in kinds})
        await node.mine(6, elsewhere)
        wallet = wallet_of(node)
        coins = [coin for coin in await wallet.coins(6) if coin.sats == COIN]
        assert len(coins) == 9
        for chosen in (coins, [c for c in coins if c.script[:1] == b"\x76"], coins[:1]):
            outputs = [Output(elsewhere, (await wallet.scripts([elsewhere]))[elsewhere] or b"", COIN // 2)]
            weights = [input_weight(coin) or 0 for coin in chosen]
            bound = transaction_weight(weights, [output.script for output in outputs])
            signed = await wallet.sign([Spent(coin.outpoint, coin.sats) for coin in chosen], outputs)
            # a legacy signature may be 2 bytes shorter than the longest, at 4 units each
            assert bound - 10 * len(chosen) - 2 <= signed.weight <= bound


async def test_what_the_wallet_sent_to_others_since_a_block_is_told_with_its_amount(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node:
        elsewhere = await fund(node, 3)
        wallet = wallet_of(node)
        attempt, made = await first_attempt(wallet, await payees(node, 3 * COIN, 2 * COIN))
        before = await wallet.sends_since(None)
        assert before.sends == ()
        await wallet.broadcast(attempt)
        to_itself = await node.send("1")
        await node.mine(1, elsewhere)
        after = await wallet.sends_since(before.last_block)
        assert to_itself not in {send.txid for send in after.sends}
        (send,) = after.sends
        assert (send.txid, send.confirmations) == (attempt.txid, 1)
        assert send.sats == sum(output.sats for output in made.outputs[:2])
        assert send.addresses == tuple(output.address for output in made.outputs[:2])
        assert (await wallet.sends_since(after.last_block)).sends == ()
        # a block that this node never had: everything is told
        assert (await wallet.sends_since("00" * 32)).sends == after.sends


async def test_a_node_that_is_down_or_has_no_wallet_is_unavailable_in_a_clear_line(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node:
        wallet: NodeWallet = wallet_of(node)
        if not await node.rpc("listwallets"):
            with pytest.raises(WalletUnavailable, match="no such wallet loaded"):
                await wallet.coins(6)
        await node.stop()
        with pytest.raises(WalletUnavailable, match="is the node running"):
            await wallet.tip_height()


async def test_stored_bytes_decode_to_what_was_signed(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node:
        await fund(node, 1)
        wallet = wallet_of(node)
        items: list[Item] = await payees(node, 3 * COIN)
        attempt, made = await first_attempt(wallet, items)
        decoded = await wallet.decode(attempt.raw)
        assert (decoded.txid, decoded.weight) == (attempt.txid, attempt.weight)
        assert decoded.outputs == made.outputs
        with pytest.raises(WalletRefused):
            await wallet.decode(attempt.raw[:-1])
