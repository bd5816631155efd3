"""sendrawtransaction: what is taken into the mempool, and what is refused with which of Bitcoin Core's
codes."""

import asyncio

import pytest

from pool.devnode.spending import Key, spend
from stratum.work.transaction import Output
from tests.harness.mining import find_block
from tests.pool.devnode.chain import REGTEST, SEGWIT, Chain, with_transaction


async def test_a_coinbase_ripens_after_a_hundred_blocks(chain: Chain) -> None:
    await chain.mine(99)
    raw = chain.spend(await chain.coin(1), fee_sats=30)
    assert await chain.refusal("sendrawtransaction", raw.hex()) == (
        -26,  # block 100 would spend what block 1 made: 99 deep
        "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 99",
    )
    await chain.mine(1)
    assert await chain.send(raw) in await chain.call("getrawmempool")


async def test_the_same_transaction_again_is_taken_until_it_is_mined(chain: Chain) -> None:
    await chain.mine(101)
    raw = chain.spend(await chain.coin(1), fee_sats=30)
    assert await chain.send(raw) == await chain.send(raw)
    assert len(await chain.call("getrawmempool")) == 1
    await chain.mine(1)
    code, _ = await chain.refusal("sendrawtransaction", raw.hex())
    assert code == -27


async def test_a_second_spend_of_the_same_coin_is_a_conflict(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    final = spend(chain.key, coin, [Output(coin.value_sats - 100, chain.key.script)], sequence=0xFFFFFFFF)
    await chain.send(final)
    rival = chain.spend(coin, fee_sats=5_000).hex()
    assert await chain.refusal("sendrawtransaction", rival) == (-26, "txn-mempool-conflict")
    await chain.mine(1)
    assert await chain.refusal("sendrawtransaction", rival) == (-25, "bad-txns-inputs-missingorspent")


async def test_a_block_with_the_rival_drops_the_transaction_and_its_child(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    rival = find_block(with_transaction(await chain.template(), chain.spend(coin, fee_sats=1), 1), REGTEST)
    parent_id = await chain.send(chain.spend(coin, fee_sats=100))
    child = type(coin)(bytes.fromhex(parent_id)[::-1], 0, coin.value_sats - 100)
    await chain.send(chain.spend(child, fee_sats=200))
    assert await chain.submit(rival) is None
    assert await chain.call("getrawmempool") == []
    await chain.mine(1)


async def test_a_coin_that_never_was_is_missing(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    unknown = type(coin)(bytes(32), 0, coin.value_sats)
    raw = chain.spend(unknown, fee_sats=30)
    assert await chain.refusal("sendrawtransaction", raw.hex()) == (-25, "bad-txns-inputs-missingorspent")


async def test_more_out_than_in_is_refused(chain: Chain) -> None:
    await chain.mine(101)
    raw = chain.spend(await chain.coin(1), fee_sats=-1)
    code, text = await chain.refusal("sendrawtransaction", raw.hex())
    assert (code, text.partition(",")[0]) == (-26, "bad-txns-in-belowout")


async def test_a_signature_of_another_key_is_refused(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    thief = Key(bytes(31) + b"\x02")
    raw = spend(thief, coin, [Output(coin.value_sats - 30, thief.script)])
    code, text = await chain.refusal("sendrawtransaction", raw.hex())
    assert code == -26
    assert "script-verify-flag-failed" in text
    assert await chain.call("getrawmempool") == []


@pytest.mark.parametrize("text", ["", "zz", "00", "02000000"])
async def test_what_is_no_transaction_is_error_22(chain: Chain, text: str) -> None:
    code, message = await chain.refusal("sendrawtransaction", text)
    assert (code, message[:16]) == (-22, "TX decode failed")


async def test_bytes_behind_a_transaction_make_it_none(chain: Chain) -> None:
    await chain.mine(101)
    raw = chain.spend(await chain.coin(1), fee_sats=30) + b"\x00"
    code, _ = await chain.refusal("sendrawtransaction", raw.hex())
    assert code == -22


async def test_templates_can_be_asked_for_while_transactions_arrive(chain: Chain) -> None:
    """Scripts are checked in the engine's thread: what it puts into the mempool must not disturb a reader."""
    await chain.mine(140)
    raws = [chain.spend(await chain.coin(height), fee_sats=100 + height) for height in range(1, 41)]
    sending = [asyncio.create_task(chain.send(raw)) for raw in raws]
    seen = []
    for arrived in asyncio.as_completed(sending):
        await arrived
        answer = await chain.call("getblocktemplate", SEGWIT)
        seen.append(len(answer["transactions"]))
        # 50 coins at height 141, and the fees 101 … 100 + n of what is in it
        assert answer["coinbasevalue"] == 5_000_000_000 + 100 * seen[-1] + seen[-1] * (seen[-1] + 1) // 2
    assert seen == sorted(seen)
    assert seen[-1] == 40
