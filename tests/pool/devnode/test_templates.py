"""getblocktemplate: its fields, the rule that it demands, what it holds of the mempool, and its long-poll."""

import asyncio
import time
from typing import Any

import pytest

from tests.pool.devnode.chain import SEGWIT, SUBSIDY_SATS, Chain

GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"  # Bitcoin Core, chainparams.cpp
GENESIS_TIME = 1_296_688_602
REGTEST_TARGET = "7fffff" + "00" * 29  # bits 207fffff: 0x7fffff followed by 0x20 - 3 bytes
EMPTY_COMMITMENT = "6a24aa21a9ed" + "e2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"
# BIP 141: sha256d of 64 zero bytes, in every block without witness transactions (see any empty block).


async def test_the_fields_on_an_empty_chain_are_cores(chain: Chain) -> None:
    before = int(time.time())
    answer = await chain.call("getblocktemplate", SEGWIT)
    assert before <= answer.pop("curtime") <= time.time()
    assert answer.pop("longpollid").startswith(GENESIS)
    assert answer == {
        "capabilities": ["proposal"],
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": GENESIS,
        "transactions": [],
        "coinbaseaux": {},
        "coinbasevalue": SUBSIDY_SATS,
        "target": REGTEST_TARGET,
        "mintime": GENESIS_TIME + 1,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80_000,
        "sizelimit": 4_000_000,
        "weightlimit": 4_000_000,
        "bits": "207fffff",
        "height": 1,
        "default_witness_commitment": EMPTY_COMMITMENT,
    }


@pytest.mark.parametrize("params", [(), ({},), ({"rules": []},), ({"rules": ["csv", "mweb"]},)])
async def test_without_the_segwit_rule_it_is_refused_in_cores_words(
    chain: Chain, params: tuple[dict[str, Any], ...]
) -> None:
    # Bitcoin Core, rpc/mining.cpp, RPC_INVALID_PARAMETER
    text = 'getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})'
    assert await chain.refusal("getblocktemplate", *params) == (-8, text)


async def test_a_mode_that_is_unknown_is_refused(chain: Chain) -> None:
    asked = {"rules": ["segwit"], "mode": "wish"}
    assert await chain.refusal("getblocktemplate", asked) == (-8, "Invalid mode")


async def test_the_subsidy_halves_at_height_150(chain: Chain) -> None:
    await chain.mine(148)
    assert (await chain.template()).coinbase_value_sats == 5_000_000_000
    await chain.mine(1)
    assert (await chain.template()).coinbase_value_sats == 2_500_000_000
    await chain.mine(1)  # the engine takes the halved one


async def test_a_transaction_is_in_the_next_template_with_its_fee_and_gone_once_mined(chain: Chain) -> None:
    await chain.mine(101)
    raw = chain.spend(await chain.coin(1), fee_sats=12_345)
    txid = await chain.send(raw)
    assert await chain.call("getrawmempool") == [txid]

    answer = await chain.call("getblocktemplate", SEGWIT)
    [entry] = answer["transactions"]
    assert entry["hash"] != txid  # it has a witness
    assert entry == {
        "data": raw.hex(),
        "txid": txid,
        "hash": entry["hash"],
        "depends": [],
        "fee": 12_345,
        "sigops": 0,
        # without its witness: 4 + 1 + 36 + 1 + 4 + 1 + 8 + 1 + 22 + 4 bytes, each counted three times more
        "weight": 3 * 82 + len(raw),
    }
    assert answer["coinbasevalue"] == SUBSIDY_SATS + 12_345

    [block_hash] = await chain.mine(1)
    assert txid in (await chain.call("getblock", block_hash))["tx"]
    assert await chain.call("getrawmempool") == []
    assert (await chain.call("getrawtransaction", txid, True))["confirmations"] == 1
    assert (await chain.call("getblocktemplate", SEGWIT))["transactions"] == []


async def test_a_child_follows_its_parent_and_depends_on_its_place(chain: Chain) -> None:
    await chain.mine(102)
    first, second = await chain.coin(1), await chain.coin(2)
    await chain.send(chain.spend(second, fee_sats=50))
    parent = chain.spend(first, fee_sats=100)
    parent_id = await chain.send(parent)
    child = type(first)(bytes.fromhex(parent_id)[::-1], 0, first.value_sats - 100)
    child_id = await chain.send(chain.spend(child, fee_sats=200))

    entries = (await chain.call("getblocktemplate", SEGWIT))["transactions"]
    assert [entry["fee"] for entry in entries] == [50, 100, 200]
    assert [entry["depends"] for entry in entries] == [[], [], [2]]  # BIP 22 counts from 1
    [block_hash] = await chain.mine(1)
    assert {parent_id, child_id} < set((await chain.call("getblock", block_hash))["tx"])


async def test_a_longpoll_waits_for_the_tip_and_answers_with_it(chain: Chain) -> None:
    known = await chain.call("getblocktemplate", SEGWIT)
    question = {**SEGWIT, "longpollid": known["longpollid"]}
    waiting = asyncio.create_task(chain.call("getblocktemplate", question))
    [tip] = await chain.mine(1)
    answer = await asyncio.wait_for(waiting, 5)
    assert answer["previousblockhash"] == tip
    assert answer["height"] == 2


async def test_a_longpoll_does_not_answer_before_the_tip_changes(chain: Chain) -> None:
    await chain.mine(101)
    known = await chain.call("getblocktemplate", SEGWIT)
    question = {**SEGWIT, "longpollid": known["longpollid"]}
    waiting = asyncio.create_task(chain.call("getblocktemplate", question))
    await chain.send(chain.spend(await chain.coin(1), fee_sats=500))  # several turns of the loop
    assert not waiting.done()
    await chain.mine(1)
    await asyncio.wait_for(waiting, 5)


async def test_a_longpoll_of_an_older_tip_is_answered_at_once(chain: Chain) -> None:
    known = await chain.call("getblocktemplate", SEGWIT)
    await chain.mine(1)
    question = {**SEGWIT, "longpollid": known["longpollid"]}
    answer = await asyncio.wait_for(chain.call("getblocktemplate", question), 5)
    assert answer["height"] == 2


async def test_times_never_go_behind_the_median_of_eleven_blocks(chain: Chain) -> None:
    await chain.mine(11)
    heights = range(1, 12)
    headers = [
        await chain.call("getblockheader", await chain.call("getblockhash", height)) for height in heights
    ]
    median = sorted(header["time"] for header in headers)[5]
    template = await chain.template()
    assert template.minimum_time == median + 1
    assert template.current_time >= template.minimum_time
