"""Replacing what waits (BIP 125), trying a transaction out, and the least that the mempool asks of one."""

from typing import Any

import pytest

from pool.devnode.spending import Spendable, spend
from stratum.work.transaction import Output
from tests.pool.devnode.chain import Chain

# A spend of one P2WPKH coin to one output is 82 bytes and its witness 109 or so, by the signature's length:
# 3 * 82 + 82 + 109 = 437 weight units, 110 virtual bytes. At 100 satoshis per 1,000 that is 11 satoshis.
RELAY_SATS = 11


async def tried(chain: Chain, raw: bytes, *rate: object) -> dict[str, Any]:
    [answer] = await chain.call("testmempoolaccept", [raw.hex()], *rate)
    return answer  # type: ignore[no-any-return]


async def sent_refusal(chain: Chain, raw: bytes) -> str:
    code, text = await chain.refusal("sendrawtransaction", raw.hex())
    assert code == -26
    return text


async def test_a_replacement_pays_what_leaves_and_its_own_relay(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    first = await chain.send(chain.spend(coin, fee_sats=1_000))
    short = chain.spend(coin, fee_sats=1_000 + RELAY_SATS - 1)
    # Bitcoin Core, policy/rbf.cpp, PaysForRBF
    assert "not enough additional fees to relay; 0.00000010 < 0.00000011" in await sent_refusal(chain, short)
    assert (await tried(chain, short))["reject-reason"] == "insufficient fee"
    assert await chain.call("getrawmempool") == [first]
    enough = chain.spend(coin, fee_sats=1_000 + RELAY_SATS)
    assert (await tried(chain, enough))["allowed"]
    second = await chain.send(enough)
    assert await chain.call("getrawmempool") == [second]
    code, _ = await chain.refusal("getmempoolentry", first)
    assert code == -5


async def test_a_replacement_pays_for_the_children_that_leave_too(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    parent = await chain.send(chain.spend(coin, fee_sats=100))
    child = await chain.send(chain.spend(made(parent, coin.value_sats - 100), fee_sats=5_000))
    rival = chain.spend(coin, fee_sats=5_000)
    assert "less fees than conflicting txs; 0.00005000 < 0.00005100" in await sent_refusal(chain, rival)
    entry = await chain.call("getmempoolentry", parent)
    assert (entry["spentby"], entry["descendantcount"], str(entry["fees"]["descendant"])) == (
        [child],
        2,
        "0.00005100",
    )
    winner = await chain.send(chain.spend(coin, fee_sats=5_100 + RELAY_SATS))
    assert await chain.call("getrawmempool") == [winner]
    await chain.mine(1)
    assert await chain.call("getrawmempool") == []


async def test_a_replacement_has_a_higher_rate_though_it_pays_more(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    await chain.send(chain.spend(coin, fee_sats=1_000))
    outputs = [Output(1_000, b"\x00\x14" + bytes((n,)) * 20) for n in range(30)]
    rest = coin.value_sats - 30 * 1_000 - 2_000
    # about 110 + 30 * 31 virtual bytes: twice the fee at a ninth of the rate
    larger = spend(chain.key, coin, [*outputs, Output(rest, chain.key.script)])
    assert "new feerate" in await sent_refusal(chain, larger)


async def test_what_does_not_say_that_it_may_be_replaced_stays_unless_its_parent_says_so(
    chain: Chain,
) -> None:
    await chain.mine(102)
    final, other = await chain.coin(1), await chain.coin(2)
    output = [Output(final.value_sats - 100, chain.key.script)]
    await chain.send(spend(chain.key, final, output, sequence=0xFFFFFFFE))
    assert await sent_refusal(chain, chain.spend(final, fee_sats=9_000)) == "txn-mempool-conflict"

    parent = await chain.send(chain.spend(other, fee_sats=100))
    inherited = made(parent, other.value_sats - 100)
    output = [Output(inherited.value_sats - 100, chain.key.script)]
    await chain.send(spend(chain.key, inherited, output, sequence=0xFFFFFFFF))
    await chain.send(chain.spend(inherited, fee_sats=9_000))


async def test_a_replacement_cannot_spend_what_it_throws_out(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    parent = await chain.send(chain.spend(coin, fee_sats=100))
    address = (await chain.call("decodescript", chain.key.script.hex()))["address"]
    inputs = [{"txid": coin.txid[::-1].hex(), "vout": 0}, {"txid": parent, "vout": 0}]
    raw = await chain.call("createrawtransaction", inputs, {address: "99.9999"})
    signed = await signed_by_the_wallet(chain, raw)
    assert await sent_refusal(chain, signed) == "bad-txns-spends-conflicting-tx"


async def test_a_fee_below_the_relay_fee_dust_and_a_fee_by_mistake_are_refused(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    cheap = chain.spend(coin, fee_sats=RELAY_SATS - 1)
    assert await sent_refusal(chain, cheap) == "min relay fee not met, 10 < 11"
    dust = Output(293, b"\x00\x14" + bytes(20))  # 294 is the least for P2WPKH at Core's rate of 3,000
    raw = spend(chain.key, coin, [Output(coin.value_sats - 1_000, chain.key.script), dust])
    assert await sent_refusal(chain, raw) == "dust"
    # 0.10 coins per 1,000 virtual bytes are 1,100,000 satoshis for 110 of them
    dear = chain.spend(coin, fee_sats=1_100_001)
    code, text = await chain.refusal("sendrawtransaction", dear.hex())
    assert (code, text.partition(" (")[0]) == (-25, "Fee exceeds maximum configured by user")
    assert (await tried(chain, dear))["reject-reason"] == "max-fee-exceeded"
    assert (await tried(chain, dear, 0))["allowed"]
    await chain.call("sendrawtransaction", dear.hex(), 0)


async def test_what_is_not_final_waits_outside(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    address = (await chain.call("decodescript", chain.key.script.hex()))["address"]
    inputs = [{"txid": coin.txid[::-1].hex(), "vout": 0}]
    raw = await signed_by_the_wallet(
        chain, await chain.call("createrawtransaction", inputs, {address: "49.9999"}, 102)
    )
    assert await sent_refusal(chain, raw) == "non-final"  # block 102 is the first above which it may stand
    await chain.mine(1)
    await chain.send(raw)
    # its child may be spent 2 blocks after it is confirmed: BIP 68
    relative = [{"txid": (await chain.call("getrawmempool"))[0], "vout": 0, "sequence": 2}]
    young = await signed_by_the_wallet(
        chain, await chain.call("createrawtransaction", relative, {address: "49.9998"})
    )
    await chain.mine(1)
    assert await sent_refusal(chain, young) == "non-BIP68-final"
    await chain.mine(1)
    await chain.send(young)
    await chain.mine(1)  # the engine takes it


async def test_trying_says_what_is_there_already_and_what_is_missing(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    raw = chain.spend(coin, fee_sats=110)
    answer = await tried(chain, raw)
    assert answer["allowed"]
    assert str(answer["fees"]["base"]) == "0.00000110"
    assert await chain.call("getrawmempool") == []
    await chain.send(raw)
    assert (await tried(chain, raw))["reject-reason"] == "txn-already-in-mempool"
    await chain.mine(1)
    assert (await tried(chain, raw))["reject-reason"] == "txn-already-known"
    lost = chain.spend(Spendable(b"\x07" * 32, 0, 5_000), fee_sats=110)
    assert (await tried(chain, lost))["reject-reason"] == "missing-inputs"


@pytest.mark.parametrize("raws", [[], ["00"] * 26])
async def test_a_list_that_is_empty_or_too_long_is_refused(chain: Chain, raws: list[str]) -> None:
    code, _ = await chain.refusal("testmempoolaccept", raws)
    assert code == -8


def made(txid: str, value_sats: int) -> Spendable:
    return Spendable(bytes.fromhex(txid)[::-1], 0, value_sats)


async def signed_by_the_wallet(chain: Chain, raw: str) -> bytes:
    """The chain's key is the number 1; the text is its WIF for test networks."""
    await chain.call("importprivkey", "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA")
    answer = await chain.call("signrawtransactionwithwallet", raw)
    assert answer["complete"]
    return bytes.fromhex(answer["hex"])
