"""The search for nonces, against headers that the whole network has checked."""

import pytest

from pool.miner.grinding import NONCES, Found, proof_of_work, search

# Bitcoin's genesis block (Bitcoin Core, chainparams.cpp), without its nonce.
BITCOIN_GENESIS = bytes.fromhex(
    "01000000"
    + "00" * 32
    + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
    + "29ab5f49"
    + "ffff001d"
)
BITCOIN_GENESIS_NONCE = 2_083_236_893
BITCOIN_GENESIS_HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
# Block 125552, the worked example of the Bitcoin wiki's "Block hashing algorithm".
BLOCK_125552 = bytes.fromhex(
    "01000000"
    "81cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000"
    "e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122b"
    "c7f5d74d"
    "f2b9441a"
)
BLOCK_125552_NONCE = 0x9546A142
BLOCK_125552_HASH = "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d"
# Litecoin's genesis block (Litecoin Core, chainparams.cpp). Its name there is the sha256d
# 12a765e3…04bfe2; this is the scrypt hash that met the target.
LITECOIN_GENESIS = bytes.fromhex(
    "01000000"
    + "00" * 32
    + "d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97"
    + "b9aa8e4e"
    + "f0ff0f1e"
)
LITECOIN_GENESIS_NONCE = 2_084_524_493
LITECOIN_GENESIS_PROOF = "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00"

EVERY_HASH = 2**256 - 1


def from_display(text: str) -> bytes:
    return bytes.fromhex(text)[::-1]


@pytest.mark.parametrize(
    ("algorithm", "header", "target", "nonce", "proof", "around"),
    [
        # targets from the bits: 00ffff and 0x1d - 3 bytes, 44b9f2 and 0x1a - 3, 0ffff0 and 0x1e - 3
        ("sha256d", BITCOIN_GENESIS, 0xFFFF << 208, BITCOIN_GENESIS_NONCE, BITCOIN_GENESIS_HASH, 2000),
        ("sha256d", BLOCK_125552, 0x44B9F2 << 184, BLOCK_125552_NONCE, BLOCK_125552_HASH, 2000),
        ("scrypt", LITECOIN_GENESIS, 0x0FFFF0 << 216, LITECOIN_GENESIS_NONCE, LITECOIN_GENESIS_PROOF, 20),
    ],
    ids=["bitcoin genesis", "block 125552", "litecoin genesis"],
)
def test_the_nonce_of_a_known_block_is_found_and_no_other_around_it(
    algorithm: str, header: bytes, target: int, nonce: int, proof: str, around: int
) -> None:
    found = list(search(algorithm, header, target, nonce - around, 2 * around + 1))
    assert found == [Found(nonce, from_display(proof))]


@pytest.mark.parametrize(
    ("algorithm", "header", "nonce", "proof"),
    [
        ("sha256d", BITCOIN_GENESIS, BITCOIN_GENESIS_NONCE, BITCOIN_GENESIS_HASH),
        ("scrypt", LITECOIN_GENESIS, LITECOIN_GENESIS_NONCE, LITECOIN_GENESIS_PROOF),
    ],
)
def test_a_hash_that_equals_the_target_meets_it_and_one_less_does_not(
    algorithm: str, header: bytes, nonce: int, proof: str
) -> None:
    as_number = int(proof, 16)
    assert [found.nonce for found in search(algorithm, header, as_number, nonce, 1)] == [nonce]
    assert list(search(algorithm, header, as_number - 1, nonce, 1)) == []


@pytest.mark.parametrize("algorithm", ["sha256d", "scrypt"])
def test_the_range_goes_on_at_0_behind_the_last_nonce(algorithm: str) -> None:
    last = 0xFFFFFFFF
    found = list(search(algorithm, BITCOIN_GENESIS, EVERY_HASH, last - 1, 5))
    assert [one.nonce for one in found] == [last - 1, last, 0, 1, 2]
    for one in found:
        header = BITCOIN_GENESIS + one.nonce.to_bytes(4, "little")
        assert one.hash == proof_of_work(algorithm, header)


def test_a_start_behind_the_last_nonce_is_taken_round() -> None:
    assert NONCES == 4_294_967_296
    found = search("sha256d", BITCOIN_GENESIS, EVERY_HASH, NONCES + 7, 2)
    assert [one.nonce for one in found] == [7, 8]


def test_a_target_above_every_hash_finds_each_nonce_once() -> None:
    found = search("sha256d", BLOCK_125552, EVERY_HASH, 0, 300)
    assert [one.nonce for one in found] == list(range(300))


def test_an_unknown_algorithm_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'x11'; choose sha256d or scrypt"):
        proof_of_work("x11", bytes(80))
