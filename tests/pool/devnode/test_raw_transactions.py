"""Raw transactions made and decoded, what is refused in them, fees that are told, and unspent outputs."""

from decimal import Decimal

import pytest

from tests.pool.devnode.chain import Chain
from tests.pool.devnode.wallet_money import foreign, funded

FIFTY = Decimal("50.00000000")


async def test_what_is_created_decodes_to_what_was_asked_for(chain: Chain) -> None:
    away = await foreign(chain)
    inputs = [{"txid": "07" * 32, "vout": 3}, {"txid": "08" * 32, "vout": 0, "sequence": 5}]
    outputs = [{away: "0.00000546"}, {"data": "c0ffee"}]
    raw = await chain.call("createrawtransaction", inputs, outputs, 77)
    decoded = await chain.call("decoderawtransaction", raw)
    # version 4, counts 1 + 1, inputs 41 each, outputs 8 + 1 + 22 and 8 + 1 + 5, lock time 4
    assert (decoded["size"], decoded["vsize"], decoded["weight"]) == (137, 137, 548)
    assert (decoded["version"], decoded["locktime"]) == (2, 77)
    assert [(entry["txid"], entry["vout"], entry["sequence"]) for entry in decoded["vin"]] == [
        ("07" * 32, 3, 0xFFFFFFFD),  # replaceable unless told otherwise
        ("08" * 32, 0, 5),
    ]
    paid, data = decoded["vout"]
    assert (paid["value"], paid["scriptPubKey"]["address"]) == (Decimal("0.00000546"), away)
    assert (data["scriptPubKey"]["hex"], data["scriptPubKey"]["type"]) == ("6a03c0ffee", "nulldata")
    final = await chain.call("createrawtransaction", inputs[:1], {away: 1}, 0, False)
    assert (await chain.call("decoderawtransaction", final))["vin"][0]["sequence"] == 0xFFFFFFFF


ONE_INPUT = [{"txid": "07" * 32, "vout": 0}]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("-1", "Amount out of range"),
        ("21000000.00000001", "Amount out of range"),
        ("1e99", "Amount out of range"),
        ("0.000000001", "Invalid amount"),
        ("one", "Invalid amount"),
        ("NaN", "Invalid amount"),
        (None, "Amount is not a number or string"),
        (True, "Amount is not a number or string"),
    ],
)
async def test_an_amount_that_is_none_is_refused(chain: Chain, amount: object, text: str) -> None:
    paid = {await foreign(chain): amount}
    assert await chain.refusal("createrawtransaction", ONE_INPUT, paid) == (-3, text)


async def test_addresses_that_cannot_be_paid_or_are_there_twice_are_refused(chain: Chain) -> None:
    mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
    text = f"Invalid Bitcoin address: {mainnet}"
    assert await chain.refusal("createrawtransaction", ONE_INPUT, {mainnet: 1}) == (-5, text)
    assert await chain.refusal("sendtoaddress", mainnet, 1) == (-5, text)
    away = await foreign(chain)
    twice = [{away: 1}, {away: 2}]
    text = f"Invalid parameter, duplicated address: {away}"
    assert await chain.refusal("createrawtransaction", ONE_INPUT, twice) == (-8, text)
    assert (await chain.refusal("getaddressinfo", mainnet))[0] == -5
    assert not (await chain.call("validateaddress", mainnet))["isvalid"]


async def test_a_young_chain_knows_no_fee_and_says_what_it_relays(chain: Chain) -> None:
    # as a Bitcoin Core on regtest answers
    assert await chain.call("estimatesmartfee", 6) == {
        "errors": ["Insufficient data or no feerate found"],
        "blocks": 6,
    }
    text = "Invalid conf_target, must be between 1 and 1008"
    assert await chain.refusal("estimatesmartfee", 0) == (-8, text)
    network, mempool = await chain.call("getnetworkinfo"), await chain.call("getmempoolinfo")
    assert str(network["relayfee"]) == "0.00000100"
    assert str(network["incrementalfee"]) == "0.00000100"
    assert (str(mempool["mempoolminfee"]), mempool["size"]) == ("0.00000100", 0)


async def test_gettxout_knows_what_is_spent_and_whether_the_mempool_was_asked(chain: Chain) -> None:
    txid = await funded(chain)
    held = await chain.call("gettxout", txid, 0)
    assert (held["value"], held["confirmations"], held["coinbase"]) == (FIFTY, 101, True)
    sent = await chain.call("sendtoaddress", await foreign(chain), "1")
    assert await chain.call("gettxout", txid, 0) is None
    assert (await chain.call("gettxout", txid, 0, False))["confirmations"] == 101
    assert (await chain.call("gettxout", sent, 0))["confirmations"] == 0
    assert await chain.call("gettxout", sent, 0, False) is None
    assert await chain.call("gettxout", sent, 9) is None
    await chain.mine(1)
    assert await chain.call("gettxout", txid, 0, False) is None
