"""Amounts in and out of a node's JSON: exact, or not at all; and what a node says that makes no sense."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.attempt import Attempt, NoAnswer
from payouts.node_answers import amount_text, sats_of
from payouts.node_call import CallFailed, CallRefused, Node
from payouts.node_wallet import NodeWallet
from payouts.transaction import Outpoint, Spent
from payouts.wallet import AlreadyConfirmed, Handed, MissingInputs, Rejected, Unavailable, WalletUnavailable


@pytest.mark.parametrize(
    ("amount", "sats"),
    [
        (Decimal("0.00000001"), 1),
        (Decimal("-1.50000000"), -150_000_000),
        (Decimal("0E-8"), 0),
        (Decimal("84000000.00000000"), 8_400_000_000_000_000),
        (3, 300_000_000),
    ],
)
def test_amounts_become_satoshis_exactly(amount: Decimal | int, sats: int) -> None:
    assert sats_of(amount) == sats


def test_an_amount_below_a_satoshi_is_refused_and_not_rounded() -> None:
    with pytest.raises(WalletUnavailable, match="no whole number"):
        sats_of(Decimal("0.000000015"))


@pytest.mark.parametrize(
    ("sats", "text"),
    [
        (0, "0.00000000"),
        (1, "0.00000001"),
        (312_500_000, "3.12500000"),
        (10**16, "1" + "0" * 8 + ".00000000"),
    ],
)
def test_satoshis_become_text_with_eight_decimals(sats: int, text: str) -> None:
    assert amount_text(sats) == text


def test_a_negative_amount_is_never_sent() -> None:
    with pytest.raises(ValueError, match="not negative"):
        amount_text(-1)


@given(st.integers(0, 2**63 - 1))
def test_what_goes_out_comes_in_again(sats: int) -> None:
    assert sats_of(Decimal(amount_text(sats))) == sats


class Scripted:
    """A node that gives one answer, or one error, to everything."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    async def __call__(self, method: str, *params: object) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


ATTEMPT = Attempt(
    number=1,
    txid="11" * 32,
    raw=b"\x01",
    inputs=(Spent(Outpoint("aa" * 32, 0), 1000),),
    fee_sats=10,
    weight=400,
)


# Codes and texts of Core (rpc/protocol.h, util/error.cpp, node/transaction.cpp) and of Litecoin Core.
@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (-27, "Transaction already in block chain", AlreadyConfirmed()),
        (-27, "Transaction outputs already in utxo set", AlreadyConfirmed()),
        (-25, "bad-txns-inputs-missingorspent", MissingInputs()),
        (-25, "Missing inputs", MissingInputs()),
        (-25, "Fee exceeds maximum configured by user", Rejected("Fee exceeds maximum configured by user")),
        (-26, "txn-mempool-conflict", Rejected("txn-mempool-conflict")),
        (-22, "TX decode failed", Rejected("TX decode failed")),
        (-28, "Loading block index...", Unavailable("the node is warming up")),
    ],
)
async def test_what_a_node_says_to_a_broadcast_is_an_outcome(
    code: int, message: str, expected: Handed
) -> None:
    wallet = NodeWallet(Scripted(CallRefused(code, message)))
    assert await wallet.broadcast(ATTEMPT) == expected


async def test_a_node_that_does_not_answer_leaves_everything_open() -> None:
    wallet = NodeWallet(Scripted(CallFailed("it hangs")))
    assert await wallet.broadcast(ATTEMPT) == Unavailable("it hangs")
    assert await wallet.look([ATTEMPT], 100) == {ATTEMPT.txid: NoAnswer("it hangs")}
    with pytest.raises(WalletUnavailable, match="it hangs"):
        await wallet.coins(6)


@pytest.mark.parametrize(
    "answer", [None, 7, "text", [{"txid": "zz", "amount": 1}], {"confirmations": "many"}]
)
async def test_an_answer_of_another_shape_is_no_answer(answer: object) -> None:
    wallet = NodeWallet(Scripted(answer))
    with pytest.raises(WalletUnavailable, match="something unexpected"):
        await wallet.coins(6)
    assert isinstance((await wallet.look([ATTEMPT], 100))[ATTEMPT.txid], NoAnswer)


async def test_outputs_that_cannot_be_an_input_are_no_coins() -> None:
    plain = {
        "txid": "aa" * 32,
        "vout": 3,
        "scriptPubKey": "0014" + "01" * 20,
        "amount": Decimal("0.5"),
        "confirmations": 7,
    }
    mweb = {"txid": "bb" * 32, "amount": Decimal("0.3"), "confirmations": 6, "spendable": True}
    listed = [plain, mweb, {**plain, "spendable": False}, {**plain, "safe": False}]
    coins = await NodeWallet(Scripted(listed)).coins(6)
    assert [(coin.outpoint, coin.sats, coin.confirmations) for coin in coins] == [
        (Outpoint("aa" * 32, 3), 50_000_000, 7)
    ]


async def test_a_send_to_an_mweb_address_is_told_even_beside_one_to_the_wallet_itself() -> None:
    entry = {"txid": "cc" * 32, "confirmations": 1, "amount": Decimal("-0.2")}
    listed = [
        {**entry, "category": "send", "address": "tmweb1theirs"},
        {**entry, "category": "send", "address": "tmweb1ours"},
        {**entry, "category": "receive", "address": "tmweb1ours", "amount": Decimal("0.2")},
    ]
    sends = await NodeWallet(Scripted({"transactions": listed, "lastblock": "dd" * 32})).sends_since(None)
    assert [(send.sats, send.addresses) for send in sends.sends] == [(20_000_000, ("tmweb1theirs",))]


async def test_a_send_that_was_given_up_by_abandontransaction_is_none() -> None:
    entry = {"txid": "cc" * 32, "confirmations": 0, "amount": Decimal("-0.2"), "address": "a", "vout": 0}
    listed = [{**entry, "category": "send", "abandoned": True}]
    sends = await NodeWallet(Scripted({"transactions": listed, "lastblock": "dd" * 32})).sends_since(None)
    assert sends.sends == ()


async def test_an_error_where_none_is_foreseen_is_told_with_its_code() -> None:
    with pytest.raises(WalletUnavailable, match=r"getblockcount with an error: no such thing \(code -1\)"):
        await Node(Scripted(CallRefused(-1, "no such thing"))).ask("getblockcount", result=int)
