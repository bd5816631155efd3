"""Blocks and transactions read from bytes, against a block whose ids were computed by other code."""

import pytest

from pool.devnode.parsing import Unparsable, parse_block, parse_transaction
from tests.vectors import JOBS

VECTOR = JOBS["segwit_commitment_block"]
BLOCK = bytes.fromhex(VECTOR["submitblock_hex"])
GENESIS_COINBASE = bytes.fromhex(JOBS["mainnet_genesis_no_branches"]["expect"]["coinbase_hex"])


def test_a_block_of_legacy_and_segwit_transactions_is_read_with_both_their_ids() -> None:
    header, [coinbase, *others] = parse_block(BLOCK)
    expected = VECTOR["template"]["transactions"]
    assert header.hex() == VECTOR["expect"]["header_hex"]
    assert coinbase.txid[::-1].hex() == VECTOR["expect"]["coinbase_txid"]
    assert [transaction.txid[::-1].hex() for transaction in others] == [t["txid"] for t in expected]
    assert [transaction.witness_txid[::-1].hex() for transaction in others] == [t["hash"] for t in expected]
    assert [transaction.raw.hex() for transaction in others] == [t["data"] for t in expected]


def test_the_genesis_coinbase_is_read() -> None:
    transaction = parse_transaction(GENESIS_COINBASE)
    assert transaction.inputs == ((bytes(32), 0xFFFFFFFF),)
    [output] = transaction.outputs
    assert output.value_sats == 5_000_000_000
    assert (len(output.script), output.script[-1]) == (67, 0xAC)  # a key of 65 bytes, OP_CHECKSIG
    assert transaction.weight == 4 * 204  # a size known from any explorer; no witness


@pytest.mark.parametrize(
    "data", [b"", GENESIS_COINBASE[:-1], GENESIS_COINBASE + b"\x00", GENESIS_COINBASE[1:]]
)
def test_bytes_that_are_not_one_whole_transaction_are_refused(data: bytes) -> None:
    with pytest.raises(Unparsable):
        parse_transaction(data)


@pytest.mark.parametrize("length", [0, 79, 80, 81, len(BLOCK) - 1])
def test_a_block_cut_short_is_refused(length: int) -> None:
    with pytest.raises(Unparsable):
        parse_block(BLOCK[:length])
