"""Proposals (BIP 23): a block is judged without its work, in Bitcoin Core's words, and changes nothing."""

from pathlib import Path

import msgspec
import pytest

from pool.devnode.parsing import parse_transaction
from pool.node.proposals import NoVerdict, propose_block
from pool.node.rpc import NodeRpc
from stratum.work.block import assemble_block
from stratum.work.coinbase import build_coinbase
from stratum.work.hashing import sha256d
from stratum.work.merkle import fold_branch, merkle_branch, merkle_root
from stratum.work.share import BlockCandidate
from stratum.work.template import Template
from stratum.work.transaction import Output
from tests.harness.devnode import RunningDevnode
from tests.harness.mining import block_hex, find_block
from tests.pool.devnode.chain import REGTEST, Chain, with_transaction
from tests.pool.devnode.payments import template_of
from tests.pool.devnode.test_blocks import MADE_WRONG


async def proposed(chain: Chain, block: str) -> str | None:
    verdict: str | None = await chain.call("getblocktemplate", {"mode": "proposal", "data": block})
    return verdict


def unworked(candidate: BlockCandidate) -> str:
    """The block with the work taken out: a nonce that was not looked for."""
    header = candidate.header[:76] + b"\xff\xff\xff\x7f"
    return block_hex(msgspec.structs.replace(candidate, header=header))


def paying(template: Template, outputs: list[Output]) -> str:
    """A block without work whose coinbase has these outputs."""
    halves = build_coinbase(template, outputs, tag=b"/test/", uniqueness=bytes(8), extranonce_bytes=0)
    coinbase = halves.prefix + halves.suffix
    root = fold_branch(sha256d(coinbase), template.merkle_branch)
    start = template.version.to_bytes(4, "little") + template.previous_hash + root
    start += template.current_time.to_bytes(4, "little") + template.bits.to_bytes(4, "little")
    return assemble_block(start + bytes(4), coinbase, template).hex()


async def test_a_good_block_without_work_has_no_reason_against_it_and_is_not_taken(chain: Chain) -> None:
    await chain.mine(101)
    await chain.send(chain.spend(await chain.coin(1), fee_sats=777))
    candidate = find_block(await chain.template(), REGTEST)
    assert await proposed(chain, unworked(candidate)) is None
    assert await chain.call("getblockcount") == 101
    assert await chain.submit(candidate) is None  # the engine thinks the same of it


@pytest.mark.parametrize("verdict", sorted(set(MADE_WRONG) - {"high-hash", "prev-blk-not-found"}))
async def test_a_wrong_block_is_refused_in_the_words_that_submitting_it_gets(
    chain: Chain, verdict: str
) -> None:
    """The same blocks as in test_blocks, where the engine says so."""
    await chain.mine(1)
    assert await proposed(chain, unworked(MADE_WRONG[verdict](await chain.template()))) == verdict


async def test_a_block_with_a_wrong_transaction_is_refused_for_it(chain: Chain) -> None:
    await chain.mine(101)
    template = await chain.template()
    early = chain.spend(await chain.coin(3), fee_sats=10)
    broken = bytearray(chain.spend(await chain.coin(1), fee_sats=10))
    broken[-80] ^= 1  # in the signature, see test_blocks
    minting = chain.spend(await chain.coin(1), fee_sats=-1)
    unknown = chain.spend(type(await chain.coin(1))(b"\x07" * 32, 0, 5_000), fee_sats=10)
    verdicts = [
        await proposed(chain, unworked(find_block(with_transaction(template, bytes(raw), 10), REGTEST)))
        for raw in (early, broken, minting, unknown)
    ]
    assert verdicts[0] == "bad-txns-premature-spend-of-coinbase"
    assert str(verdicts[1]).startswith("block-script-verify-flag-failed")
    assert verdicts[2:] == ["bad-txns-in-belowout", "bad-txns-inputs-missingorspent"]


async def test_a_block_that_spends_a_coin_twice_is_refused(chain: Chain) -> None:
    await chain.mine(101)
    coin = await chain.coin(1)
    template = await chain.template()
    first, second = (with_transaction(template, chain.spend(coin, fee_sats=fee), fee) for fee in (10, 20))
    both = (*first.transactions, *second.transactions)
    witness_txids = [parse_transaction(bytes.fromhex(one.data_hex)).witness_txid for one in both]
    root = merkle_root([bytes(32), *witness_txids])
    twice = msgspec.structs.replace(
        first,
        transactions=both,
        merkle_branch=merkle_branch([transaction.txid for transaction in both]),
        witness_commitment=bytes.fromhex("6a24aa21a9ed") + sha256d(root + bytes(32)),
    )
    assert await proposed(chain, unworked(find_block(first, REGTEST))) is None
    assert await proposed(chain, unworked(find_block(twice, REGTEST))) == "bad-txns-inputs-missingorspent"


async def test_a_coinbase_of_many_outputs_is_good_until_its_sum_or_its_sigops_are_too_much(
    chain: Chain,
) -> None:
    template = await chain.template()
    value = template.coinbase_value_sats
    many = [Output(value // 500, b"\x00\x14" + n.to_bytes(20, "big")) for n in range(500)]
    assert await proposed(chain, paying(template, many)) is None
    richer = msgspec.structs.replace(template, coinbase_value_sats=value + 1)
    assert await proposed(chain, paying(richer, [*many, Output(1, b"\x51")])) == "bad-cb-amount"
    # 1,000 signature operations of 20 each in bare multisigs, 4 units each, reach 80,000; one more is above
    multisig = bytes.fromhex("51ae")  # counts 20 wherever the number of keys is not looked at
    full = [Output(value // 1000, multisig) for _ in range(1000)]
    assert value % 1000 == 0
    assert await proposed(chain, paying(template, full)) is None
    assert await proposed(chain, paying(template, [*full, Output(0, b"\xac")])) == "bad-blk-sigops"


async def test_a_known_block_and_one_on_another_tip_get_no_verdict(chain: Chain) -> None:
    template = await chain.template()
    first, second = (find_block(template, REGTEST, extranonce=number) for number in range(2))
    assert await chain.submit(first) is None
    assert await proposed(chain, block_hex(first)) == "duplicate"
    assert await proposed(chain, block_hex(second)) == "inconclusive-not-best-prevblk"
    assert await chain.submit(second) == "inconclusive"
    assert await proposed(chain, block_hex(second)) == "duplicate-inconclusive"


@pytest.mark.parametrize("text", ["", "00", "zz", "00" * 80])
async def test_what_is_no_block_is_error_22(chain: Chain, text: str) -> None:
    asked = {"mode": "proposal", "data": text}
    assert await chain.refusal("getblocktemplate", asked) == (-22, "Block decode failed")


async def test_a_proposal_without_a_block_is_refused_in_cores_words(chain: Chain) -> None:
    text = "Missing data String key for proposal"
    assert await chain.refusal("getblocktemplate", {"mode": "proposal"}) == (-3, text)


async def test_the_pools_own_rehearsal_asks_a_devnode_as_it_asks_core(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        rpc = NodeRpc(node.endpoint())
        try:
            template = await template_of(node)
            good = unworked(find_block(template, REGTEST))
            dear = msgspec.structs.replace(template, coinbase_value_sats=template.coinbase_value_sats + 1)
            assert await propose_block(rpc, good) is None
            assert await propose_block(rpc, unworked(find_block(dear, REGTEST))) == "bad-cb-amount"
            await node.mine(1)
            with pytest.raises(NoVerdict):
                await propose_block(rpc, good)
        finally:
            await rpc.close()
