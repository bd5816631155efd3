"""The wallet's RPC: coins, locks, balances, lists and signing, in Bitcoin Core's shapes and words."""

from decimal import Decimal
from typing import Any

from tests.pool.devnode.chain import Chain
from tests.pool.devnode.wallet_money import foreign, funded

FIFTY = Decimal("50.00000000")
WIF_OF_ONE = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA"  # the chain's own key


async def mine_balance(chain: Chain) -> dict[str, Any]:
    balances: dict[str, Any] = (await chain.call("getbalances"))["mine"]
    return balances


async def test_a_coinbase_counts_as_immature_until_101_deep(chain: Chain) -> None:
    address = await chain.call("getnewaddress")
    [block_hash] = await chain.call("generatetoaddress", 1, address)
    await chain.mine(99)
    [txid] = (await chain.call("getblock", block_hash))["tx"]
    assert await mine_balance(chain) == {"trusted": 0, "untrusted_pending": 0, "immature": FIFTY}
    assert await chain.call("listunspent") == []
    [raw] = await chain.call("listunspent", 1, 9_999_999, [], True, {"include_immature_coinbase": True})
    assert raw["confirmations"] == 100
    seen = await chain.call("gettransaction", txid)
    assert (seen["amount"], seen["generated"]) == (0, True)
    [detail] = seen["details"]
    assert (detail["category"], detail["amount"], detail["address"]) == ("immature", FIFTY, address)

    await chain.mine(1)
    assert await mine_balance(chain) == {"trusted": FIFTY, "untrusted_pending": 0, "immature": 0}
    [coin] = await chain.call("listunspent")
    assert coin == {
        "txid": txid,
        "vout": 0,
        "address": address,
        "scriptPubKey": (await chain.call("validateaddress", address))["scriptPubKey"],
        "amount": FIFTY,
        "confirmations": 101,
        "spendable": True,
        "solvable": True,
        "safe": True,
    }
    seen = await chain.call("gettransaction", txid)
    assert (seen["amount"], seen["details"][0]["category"]) == (FIFTY, "generate")


async def test_listunspent_filters_by_depth_address_and_amount(chain: Chain) -> None:
    txid = await funded(chain)
    [coin] = await chain.call("listunspent")
    assert [one["txid"] for one in await chain.call("listunspent", 101, 101)] == [txid]
    assert await chain.call("listunspent", 102) == []
    assert await chain.call("listunspent", 1, 100) == []
    assert len(await chain.call("listunspent", 1, 9_999_999, [coin["address"]])) == 1
    assert await chain.call("listunspent", 1, 9_999_999, [await chain.call("getnewaddress")]) == []
    assert await chain.call("listunspent", 1, 9_999_999, [], True, {"minimumAmount": "50.00000001"}) == []
    assert (await chain.refusal("listunspent", 1, 9_999_999, [], True, {"maximumCount": 1}))[0] == -3


async def test_locks_hide_a_coin_from_lists_and_from_sending_and_are_told_in_cores_words(
    chain: Chain,
) -> None:
    coin = {"txid": await funded(chain), "vout": 0}
    assert await chain.call("lockunspent", False, [coin])
    assert await chain.call("listlockunspent") == [coin]
    assert await chain.call("listunspent") == []
    away = await foreign(chain)
    assert await chain.refusal("sendtoaddress", away, "1") == (-6, "Insufficient funds")
    # Bitcoin Core, wallet/rpc/coins.cpp
    locked_already = (-8, "Invalid parameter, output already locked")
    assert await chain.refusal("lockunspent", False, [coin]) == locked_already
    assert await chain.call("lockunspent", True, [coin])
    not_locked = (-8, "Invalid parameter, expected locked output")
    assert await chain.refusal("lockunspent", True, [coin]) == not_locked
    unknown = {"txid": "07" * 32, "vout": 0}
    text = "Invalid parameter, unknown transaction"
    assert await chain.refusal("lockunspent", False, [coin, unknown]) == (-8, text)
    assert await chain.call("listlockunspent") == []  # all or nothing
    no_such_output = {**coin, "vout": 7}
    text = "Invalid parameter, vout index out of bounds"
    assert await chain.refusal("lockunspent", False, [no_such_output]) == (-8, text)
    await chain.call("lockunspent", False, [coin])
    assert await chain.call("lockunspent", True)
    assert await chain.call("listlockunspent") == []
    await chain.call("lockunspent", False, [coin])
    raw = await chain.call("createrawtransaction", [coin], {away: "49.9999"})
    signed = await chain.call("signrawtransactionwithwallet", raw)  # a lock keeps nobody from signing
    await chain.call("sendrawtransaction", signed["hex"])
    assert await chain.call("listlockunspent") == []  # what is spent needs none
    text = "Invalid parameter, expected unspent output"
    assert await chain.refusal("lockunspent", False, [coin]) == (-8, text)


async def test_what_was_sent_is_listed_with_its_fee_and_without_its_change(chain: Chain) -> None:
    await funded(chain)
    away = await foreign(chain)
    start = await chain.call("getbestblockhash")
    txid = await chain.call("sendtoaddress", away, Decimal("1.5"))
    # unconfirmed change of one's own counts as trusted; one input, two outputs of P2WPKH: 141 virtual bytes
    # at 20 satoshis are 2,820
    assert await mine_balance(chain) == {
        "trusted": FIFTY - Decimal("1.50002820"),
        "untrusted_pending": 0,
        "immature": 0,
    }
    [change] = await chain.call("listunspent", 0)
    assert (change["confirmations"], change["safe"]) == (0, True)
    [block_hash] = await chain.mine(1)
    seen = await chain.call("gettransaction", txid)
    assert (seen["amount"], seen["fee"], seen["confirmations"]) == (
        Decimal("-1.5"),
        Decimal("-0.0000282"),
        1,
    )
    assert (seen["blockhash"], seen["blockheight"], seen["blockindex"]) == (block_hash, 102, 1)
    [detail] = seen["details"]
    assert (detail["address"], detail["category"], detail["amount"]) == (away, "send", Decimal("-1.5"))
    [entry] = (await chain.call("listsinceblock", start))["transactions"]
    assert (entry["txid"], entry["category"], entry["vout"]) == (txid, "send", detail["vout"])
    since = await chain.call("listsinceblock", block_hash, 2)
    assert (since["transactions"], since["lastblock"]) == ([], start)  # two deep is the block below the tip
    assert await chain.refusal("listsinceblock", "07" * 32) == (-5, "Block not found")


async def test_a_fee_can_be_taken_out_of_the_amount_and_too_much_is_refused(chain: Chain) -> None:
    await funded(chain)
    away = await foreign(chain)
    assert await chain.refusal("sendtoaddress", away, "50") == (-6, "Insufficient funds")
    assert await chain.refusal("sendtoaddress", away, "0.00000001") == (-6, "Transaction amount too small")
    txid = await chain.call("sendtoaddress", away, "50", "", "", True)
    sent = await chain.call("getrawtransaction", txid, True)
    # the fee is reckoned with a change output, 2,820 as above, and all of the coin is spent
    assert [out["value"] for out in sent["vout"]] == [FIFTY - Decimal("0.00002820")]
    await chain.mine(1)


async def test_money_of_others_is_pending_until_it_is_confirmed(chain: Chain) -> None:
    await chain.mine(101)
    address = await chain.call("getnewaddress")
    coin = await chain.coin(1)
    inputs = [{"txid": coin.txid[::-1].hex(), "vout": 0}]
    raw = await chain.call("createrawtransaction", inputs, [{address: "49.9999"}])
    assert not (await chain.call("signrawtransactionwithwallet", raw))["complete"]
    await chain.call("createwallet", "other")
    await chain.methods.call("importprivkey", [WIF_OF_ONE], "other")
    signed = await chain.methods.call("signrawtransactionwithwallet", [raw], "other")
    txid = await chain.call("sendrawtransaction", signed["hex"])
    balances = (await chain.methods.call("getbalances", [], ""))["mine"]
    assert balances == {"trusted": 0, "untrusted_pending": Decimal("49.9999"), "immature": 0}
    assert await chain.methods.call("listunspent", [0, 9, [], False], "") == []  # not safe
    seen = await chain.methods.call("gettransaction", [txid], "")
    assert (seen["amount"], seen["trusted"], seen["details"][0]["category"]) == (
        Decimal("49.9999"),
        False,
        "receive",
    )
    assert "fee" not in seen
    await chain.mine(1)
    balances = (await chain.methods.call("getbalances", [], ""))["mine"]
    assert balances["trusted"] == Decimal("49.9999")


async def test_signing_names_the_inputs_that_it_cannot_sign(chain: Chain) -> None:
    own = {"txid": await funded(chain), "vout": 0}
    block = await chain.call("getblock", await chain.call("getblockhash", 2))
    others = {"txid": block["tx"][0], "vout": 0}
    lost = {"txid": "07" * 32, "vout": 1}
    raw = await chain.call("createrawtransaction", [own, others, lost], {await foreign(chain): 1})
    answer = await chain.call("signrawtransactionwithwallet", raw)
    assert not answer["complete"]
    # Bitcoin Core, rpc/rawtransaction_util.cpp and script/interpreter
    assert [(error["txid"], error["vout"], error["error"]) for error in answer["errors"]] == [
        (others["txid"], 0, "Unable to sign input, invalid stack size (possibly missing key)"),
        (lost["txid"], 1, "Input not found or already spent"),
    ]
    decoded = await chain.call("decoderawtransaction", answer["hex"])
    assert ["txinwitness" in entry for entry in decoded["vin"]] == [True, False, False]


async def test_addresses_know_whose_they_are_and_what_for(chain: Chain) -> None:
    received, change = await chain.call("getnewaddress"), await chain.call("getrawchangeaddress", "bech32")
    assert received != change
    own = await chain.call("getaddressinfo", received)
    assert (own["ismine"], own["ischange"], own["iswitness"], own["witness_version"]) == (
        True,
        False,
        True,
        0,
    )
    assert (await chain.call("getaddressinfo", change))["ischange"]
    assert not (await chain.call("getaddressinfo", await foreign(chain)))["ismine"]
    assert (await chain.refusal("getnewaddress", "", "legacy"))[0] == -5


async def test_an_imported_key_brings_what_was_paid_to_it_before(chain: Chain) -> None:
    await chain.mine(101)
    assert await chain.call("listunspent") == []
    await chain.call("importprivkey", WIF_OF_ONE)
    assert len(await chain.call("listunspent")) == 1
    assert await chain.refusal("importprivkey", "nonsense") == (-5, "Invalid private key encoding")


async def test_the_coins_of_a_replaced_transaction_come_back_when_the_chain_excludes_it(chain: Chain) -> None:
    """As in Core, where the replaced one might still confirm: `bump` may take only coins that are free."""
    await chain.mine(102)
    await chain.call("importprivkey", WIF_OF_ONE)
    away = await foreign(chain)
    first, second = sorted(
        ({"txid": coin["txid"], "vout": 0} for coin in await chain.call("listunspent")),
        key=lambda point: str(point["txid"]),
    )

    async def sent(inputs: list[dict[str, Any]], amount: str) -> str:
        raw = await chain.call("createrawtransaction", inputs, {away: amount})
        signed = await chain.call("signrawtransactionwithwallet", raw)
        return str(await chain.call("sendrawtransaction", signed["hex"]))

    async def free() -> list[str]:
        return [coin["txid"] for coin in await chain.call("listunspent", 101)]

    replaced = await sent([first, second], "99.9999")
    winner = await sent([first], "49.9998")
    assert await chain.call("getrawmempool") == [winner]
    assert second["txid"] not in await free()
    seen = await chain.call("gettransaction", replaced)
    assert (seen["confirmations"], seen["walletconflicts"]) == (0, [winner])
    assert seen["mempoolconflicts"] == [winner]
    await chain.call("generatetoaddress", 1, away)
    assert second["txid"] in await free()
    assert (await chain.call("gettransaction", replaced))["confirmations"] == -1
