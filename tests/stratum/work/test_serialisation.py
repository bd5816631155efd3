"""Byte orders, counts, heights, commitments and merkle trees against the vectors."""

import pytest

from stratum.work.byteorder import displayed, from_displayed, previous_hash_wire
from stratum.work.hashing import sha256d
from stratum.work.merkle import fold_branch, merkle_branch, merkle_root
from stratum.work.script import legacy_sigops, push_data, push_height, witness_commitment_script
from stratum.work.transaction import compact_size, read_compact_size
from tests.vectors import JOBS, VECTORS


@pytest.mark.parametrize("vector", VECTORS["prevhash"], ids=lambda v: v["display"][-8:])
def test_a_previous_hash_in_its_three_orders(vector: dict[str, str]) -> None:
    internal = from_displayed(vector["display"])
    assert internal.hex() == vector["header_internal"]
    assert previous_hash_wire(internal) == vector["stratum_notify"]
    assert displayed(internal) == vector["display"]


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, " " + "0" * 63, "0 " * 32])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hash|hex"):
        from_displayed(text)


@pytest.mark.parametrize("vector", VECTORS["bip34"], ids=lambda v: str(v["height"]))
def test_a_height_is_pushed_minimally(vector: dict[str, object]) -> None:
    height = vector["height"]
    assert isinstance(height, int)
    assert push_height(height).hex() == vector["script_hex"]


@pytest.mark.parametrize("vector", VECTORS["compact_size"], ids=lambda v: str(v["n"]))
def test_counts_are_written_and_read(vector: dict[str, object]) -> None:
    number = vector["n"]
    assert isinstance(number, int)
    assert compact_size(number).hex() == vector["hex"]
    assert read_compact_size(compact_size(number) + b"tail", 0) == (number, len(compact_size(number)))


def leaves_of(vector: dict[str, object]) -> list[bytes]:
    """The vector's transaction ids; the two largest name a rule instead: sha256d of "tx0", "tx1" …"""
    txids, count = vector.get("txids_internal"), vector["non_coinbase_tx_count"]
    if isinstance(txids, list):
        return [bytes.fromhex(txid) for txid in txids]
    assert vector["txid_rule"] == 'txid_i = sha256d(ascii "tx<i>") for i in 0..n-1'
    assert isinstance(count, int)
    return [sha256d(f"tx{number}".encode()) for number in range(count)]


@pytest.mark.parametrize("vector", VECTORS["merkle_branch"], ids=lambda v: str(v["non_coinbase_tx_count"]))
def test_a_branch_folds_to_the_root(vector: dict[str, object]) -> None:
    branch_hex = vector["branch_internal"]
    assert isinstance(branch_hex, list)
    coinbase_id = bytes.fromhex(str(vector["coinbase_txid_internal"]))
    branch = tuple(bytes.fromhex(sibling) for sibling in branch_hex)
    leaves = leaves_of(vector)
    assert len(branch) == vector["branch_len"]
    assert merkle_branch(leaves) == branch
    assert fold_branch(coinbase_id, branch).hex() == vector["merkle_root_internal"]
    assert merkle_root([coinbase_id, *leaves]).hex() == vector["merkle_root_internal"]


def test_the_commitment_of_an_empty_block() -> None:
    vector = VECTORS["witness_commitment_empty_block"]
    commitment = sha256d(bytes.fromhex(vector["witness_root"]) + bytes(32))
    assert commitment.hex() == vector["commitment"]
    assert witness_commitment_script(commitment).hex() == vector["scriptPubKey"]


def test_the_commitment_of_a_block_with_segwit_transactions() -> None:
    job = JOBS["segwit_commitment_block"]
    witness_ids = [bytes(32)] + [from_displayed(tx["hash"]) for tx in job["template"]["transactions"]]
    root = merkle_root(witness_ids)
    assert root.hex() == job["witness_merkle_root_internal"]
    assert sha256d(root + bytes(32)).hex() == job["witness_commitment_internal"]


def test_bytes_inside_a_push_are_no_operations() -> None:
    assert legacy_sigops(push_data(b"\xac" * 60)) == 0
    assert legacy_sigops(push_data(b"\xac" * 200)) == 0  # OP_PUSHDATA1
    assert legacy_sigops(b"\xac\xad") == 2
    assert legacy_sigops(b"\xae") == 20
    assert legacy_sigops(b"\x05\xac") == 0  # a push that runs over the end


def test_a_push_that_no_coinbase_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        push_data(bytes(256))
