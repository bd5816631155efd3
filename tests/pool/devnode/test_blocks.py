"""submitblock's verdicts in Bitcoin Core's words (validation.cpp, rpc/mining.cpp), branches and
reorganisations."""

from collections.abc import Callable
from hashlib import sha256

import msgspec
import pytest

from stratum.work.share import BlockCandidate
from stratum.work.template import Template
from tests.harness.mining import block_hex, find_block, hash_hex
from tests.pool.devnode.chain import REGTEST, SEGWIT, Chain, with_transaction

BITS_TARGET = 0x7FFFFF << 232


def changed(template: Template, **changes: object) -> BlockCandidate:
    return find_block(msgspec.structs.replace(template, **changes), REGTEST)


def above_the_target(template: Template) -> BlockCandidate:
    candidate = find_block(template, REGTEST)
    start = candidate.header[:76]
    for nonce in range(1000):  # every second hash is above it
        header = start + nonce.to_bytes(4, "little")
        digest = sha256(sha256(header).digest()).digest()
        if int.from_bytes(digest, "little") > BITS_TARGET:
            return msgspec.structs.replace(candidate, header=header, block_hash=digest)
    raise AssertionError("no hash above the target")


def with_the_coinbase_of_another(template: Template) -> BlockCandidate:
    other = find_block(template, REGTEST, extranonce=1)
    return msgspec.structs.replace(find_block(template, REGTEST), coinbase=other.coinbase)


MADE_WRONG: dict[str, Callable[[Template], BlockCandidate]] = {
    "high-hash": above_the_target,
    "bad-txnmrklroot": with_the_coinbase_of_another,
    "bad-cb-amount": lambda t: changed(t, coinbase_value_sats=t.coinbase_value_sats + 1),
    "bad-cb-height": lambda t: changed(t, height=t.height - 1),
    "prev-blk-not-found": lambda t: changed(t, previous_hash=bytes(31) + b"\x01"),
    "time-too-old": lambda t: changed(t, current_time=t.minimum_time - 1),
    "time-too-new": lambda t: changed(t, current_time=t.current_time + 2 * 3600 + 60),
    "bad-diffbits": lambda t: changed(t, bits=t.bits - 1),
    "bad-version(0x00000001)": lambda t: changed(t, version=1),
    "bad-witness-merkle-match": lambda t: changed(
        t, witness_commitment=bytes.fromhex("6a24aa21a9ed") + bytes(32)
    ),
}


@pytest.mark.parametrize("verdict", MADE_WRONG)
async def test_a_wrong_block_is_refused_in_cores_words_and_moves_nothing(chain: Chain, verdict: str) -> None:
    [tip] = await chain.mine(1)
    template = await chain.template()
    assert await chain.submit(MADE_WRONG[verdict](template)) == verdict
    assert await chain.call("getbestblockhash") == tip
    assert await chain.submit(find_block(template, REGTEST)) is None


async def test_a_good_block_is_the_new_tip(chain: Chain) -> None:
    candidate = find_block(await chain.template(), REGTEST)
    assert await chain.submit(candidate) is None
    assert await chain.call("getbestblockhash") == hash_hex(candidate)
    assert await chain.call("getblockcount") == 1
    assert await chain.call("getblock", hash_hex(candidate), 0) == block_hex(candidate)


async def test_the_same_block_again_is_a_duplicate(chain: Chain) -> None:
    candidate = find_block(await chain.template(), REGTEST)
    assert await chain.submit(candidate) is None
    assert await chain.submit(candidate) == "duplicate"


async def test_an_invalid_block_again_is_duplicate_invalid(chain: Chain) -> None:
    candidate = MADE_WRONG["bad-cb-amount"](await chain.template())
    assert await chain.submit(candidate) == "bad-cb-amount"
    assert await chain.submit(candidate) == "duplicate-invalid"


@pytest.mark.parametrize("text", ["", "00", "zz", "0", "00" * 80, "ff" * 500])
async def test_what_is_no_block_is_error_22(chain: Chain, text: str) -> None:
    assert await chain.refusal("submitblock", text) == (-22, "Block decode failed")
    await chain.mine(1)


async def test_a_block_with_a_bad_signature_is_refused_though_the_engine_stores_it(chain: Chain) -> None:
    await chain.mine(101)
    template = await chain.template()
    raw = bytearray(chain.spend(await chain.coin(1), fee_sats=10))
    raw[-80] ^= 1  # in the signature: behind it are the key (34 bytes with its length) and the lock time (4)
    bad = find_block(with_transaction(template, bytes(raw), 10), REGTEST)
    verdict = await chain.submit(bad)
    assert verdict is not None
    assert "script-verify-flag-failed" in verdict
    assert await chain.call("getblockcount") == 101
    assert await chain.submit(find_block(template, REGTEST)) is None


async def test_a_block_that_spends_a_coinbase_too_early_is_refused(chain: Chain) -> None:
    await chain.mine(100)  # in block 101 the coinbase of 2 is 99 deep
    raw = chain.spend(await chain.coin(2), fee_sats=10)
    early = find_block(with_transaction(await chain.template(), raw, 10), REGTEST)
    assert await chain.submit(early) == "bad-txns-premature-spend-of-coinbase"


async def test_a_sibling_of_the_tip_is_inconclusive_and_not_best(chain: Chain) -> None:
    template = await chain.template()
    first, second = (find_block(template, REGTEST, extranonce=number) for number in range(2))
    assert await chain.submit(first) is None
    assert await chain.submit(second) == "inconclusive"
    assert await chain.call("getbestblockhash") == hash_hex(first)
    assert (await chain.call("getblockheader", hash_hex(first)))["confirmations"] == 1
    assert (await chain.call("getblockheader", hash_hex(second)))["confirmations"] == -1


async def mine_on(chain: Chain, template: Template, parent: BlockCandidate) -> str:
    """One more block of the side branch, which makes it the longer one; gives its hash."""
    above = msgspec.structs.replace(
        template,
        height=parent.template.height + 1,
        previous_hash=parent.block_hash,
        current_time=parent.template.current_time + 1,
    )
    candidate = find_block(above, REGTEST)
    assert await chain.submit(candidate) is None
    return hash_hex(candidate)


async def test_a_longer_branch_takes_over_and_gives_the_transactions_back(chain: Chain) -> None:
    await chain.mine(101)
    empty = await chain.template()
    side = find_block(empty, REGTEST)
    txid = await chain.send(chain.spend(await chain.coin(1), fee_sats=777))
    [loser] = await chain.mine(1)
    assert await chain.call("getrawmempool") == []
    assert await chain.submit(side) == "inconclusive"
    assert await chain.call("getbestblockhash") == loser

    winner = await mine_on(chain, empty, side)

    assert await chain.call("getbestblockhash") == winner
    assert await chain.call("getblockcount") == 103
    assert (await chain.call("getblockheader", loser))["confirmations"] == -1
    assert (await chain.call("getblockheader", hash_hex(side)))["confirmations"] == 2
    assert await chain.call("getrawmempool") == [txid]
    answer = await chain.call("getblocktemplate", SEGWIT)
    assert [entry["fee"] for entry in answer["transactions"]] == [777]
    [block_hash] = await chain.mine(1)
    assert txid in (await chain.call("getblock", block_hash))["tx"]


async def test_a_transaction_that_the_longer_branch_conflicts_with_does_not_come_back(chain: Chain) -> None:
    await chain.mine(101)
    empty = await chain.template()
    coin = await chain.coin(1)
    side = find_block(with_transaction(empty, chain.spend(coin, fee_sats=1), 1), REGTEST)
    txid = await chain.send(chain.spend(coin, fee_sats=777))
    await chain.mine(1)
    assert await chain.submit(side) == "inconclusive"
    await mine_on(chain, empty, side)
    assert await chain.call("getrawmempool") == []
    code, _ = await chain.refusal("getrawtransaction", txid)
    assert code == -5


async def test_a_reorganisation_of_two_blocks_gives_back_parent_and_child(chain: Chain) -> None:
    await chain.mine(101)
    empty = await chain.template()
    side = [find_block(empty, REGTEST)]
    coin = await chain.coin(1)
    parent_id = await chain.send(chain.spend(coin, fee_sats=100))
    await chain.mine(1)
    child = type(coin)(bytes.fromhex(parent_id)[::-1], 0, coin.value_sats - 100)
    child_id = await chain.send(chain.spend(child, fee_sats=200))
    await chain.mine(1)

    for _ in range(2):
        parent = side[-1]
        above = msgspec.structs.replace(
            empty,
            height=parent.template.height + 1,
            previous_hash=parent.block_hash,
            current_time=parent.template.current_time + 1,
        )
        side.append(find_block(above, REGTEST))
    verdicts = [await chain.submit(candidate) for candidate in side]

    assert verdicts == ["inconclusive", "inconclusive", None]
    assert await chain.call("getrawmempool") == [parent_id, child_id]
    await chain.mine(1)
    assert await chain.call("getrawmempool") == []


async def test_unknown_blocks_and_heights_are_refused_in_cores_words(chain: Chain) -> None:
    assert await chain.refusal("getblockheader", "00" * 32) == (-5, "Block not found")
    assert await chain.refusal("getblock", "00" * 32) == (-5, "Block not found")
    assert await chain.refusal("getblockhash", 1) == (-8, "Block height out of range")
    assert await chain.refusal("getblockhash", -1) == (-8, "Block height out of range")


async def test_chainwork_counts_two_hashes_a_block(chain: Chain) -> None:
    """Work of a target is 2^256 / (target + 1): 2 for 7fffff00…00, and the genesis block counts too."""
    await chain.mine(9)
    assert int((await chain.call("getblockchaininfo"))["chainwork"], 16) == 20


async def test_mining_to_an_address_of_another_network_is_refused(chain: Chain) -> None:
    mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
    assert await chain.refusal("generatetoaddress", 1, mainnet) == (-5, "Error: Invalid address")
