"""Signed messages: published vectors of both formats, what wallets write, and all that must be refused."""

import base64
import json
from pathlib import Path

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pool.audit import bip322
from pool.audit.ownership import LONGEST_SIGNATURE_CHARACTERS, Refusal, Verified, verify_message
from stratum.work.address import Address, parse_address
from stratum.work.coin import Network, network
from tests.pool.audit.signing import (
    SECRET,
    p2pkh,
    p2sh_p2wpkh,
    p2tr,
    p2wpkh,
    sign_bip137,
    sign_key_hash,
    sign_taproot,
    text,
    witness,
)

MAINNET = network("bitcoin", "mainnet")
LITECOIN = network("litecoin", "mainnet")
OTHER_SECRET = bytes(31) + b"\x07"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_FILE = json.loads((Path(__file__).parent / "signed_messages.json").read_text())  # each list with its source
BIP322_VECTORS, BIP137_VECTORS = (
    [(vector["address"], vector["message"], vector["signature"]) for vector in _FILE[kind]["signatures"]]
    for kind in ("bip322", "bip137")
)


@pytest.mark.parametrize(("address", "message", "signature"), BIP322_VECTORS)
def test_published_bip_322_signatures_are_verified(address: str, message: str, signature: str) -> None:
    parsed = parse_address(address, MAINNET)
    assert verify_message(parsed, MAINNET, message, signature) == Verified("BIP 322 simple")
    assert isinstance(verify_message(parsed, MAINNET, message + " ", signature), Refusal)


@pytest.mark.parametrize(("address", "message", "signature"), BIP137_VECTORS)
def test_published_bip_137_signatures_are_verified(address: str, message: str, signature: str) -> None:
    parsed = parse_address(address, MAINNET)
    assert verify_message(parsed, MAINNET, message, signature) == Verified("BIP 137")
    assert isinstance(verify_message(parsed, MAINNET, message + ".", signature), Refusal)


def test_the_first_transaction_is_that_of_the_vectors() -> None:
    # bip-0322/basic-test-vectors.json, "tx_hashes": shown in display order
    script = parse_address("bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l", MAINNET).script
    empty, hello = bip322.to_spend_id(script, b""), bip322.to_spend_id(script, b"Hello World")
    assert bip322.message_hash(b"").hex().startswith("c90c269c4f8fcbe6880f72a721ddfbf1914268a7")
    assert empty[::-1].hex() == "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7"
    assert hello[::-1].hex() == "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b"


def test_a_vectors_signature_is_not_another_addresss() -> None:
    # bip-0322/generated-test-vectors.json, "wrong signer for p2wpkh / p2tr simple signature"
    _, message, signature = BIP322_VECTORS[4]
    other = parse_address("bc1qx3f9s3scavc92s3g2fhwzqzn7qucd37ez03jpf", MAINNET)
    assert isinstance(verify_message(other, MAINNET, message, signature), Refusal)
    _, message, signature = BIP322_VECTORS[6]
    other = parse_address("bc1pr72av8sh7qc2ssxs8w0hlj0cl82g2q2dvypngzgsrmd4plml84ksmfyv0q", MAINNET)
    assert isinstance(verify_message(other, MAINNET, message, signature), Refusal)


@pytest.mark.parametrize(
    ("address", "first_headers"),
    [
        (p2pkh(SECRET, compressed=False), {27}),
        (p2pkh(SECRET), {31}),
        (p2sh_p2wpkh(SECRET), {35, 31}),  # 31 is Electrum's
        (p2wpkh(SECRET), {39, 31}),
        (p2tr(SECRET), set()),
    ],
    ids=["p2pkh uncompressed", "p2pkh", "p2sh-p2wpkh", "p2wpkh", "p2tr"],
)
@pytest.mark.parametrize("chain", [MAINNET, LITECOIN], ids=["bitcoin", "litecoin"])
def test_each_kind_of_address_has_its_headers(
    address: Address, first_headers: set[int], chain: Network
) -> None:
    for first in (27, 31, 35, 39):
        signature = text(sign_bip137(SECRET, "a message", first, chain.coin))
        verdict = verify_message(address, chain, "a message", signature)
        assert isinstance(verdict, Verified) == (first in first_headers), (first, verdict)


def test_a_message_signed_for_another_coin_is_refused() -> None:
    signature = text(sign_bip137(SECRET, "a message", 31, "litecoin"))
    assert isinstance(verify_message(p2pkh(SECRET), MAINNET, "a message", signature), Refusal)


def test_both_forms_of_a_taproot_signature_are_verified_and_no_third() -> None:
    def verdict(hash_type: int, written: bytes) -> Verified | Refusal:
        (signature,) = sign_taproot(SECRET, "a message", hash_type)
        return verify_message(p2tr(SECRET), MAINNET, "a message", text(witness([signature[:64] + written])))

    assert verdict(0, b"") == verdict(1, b"\x01") == Verified("BIP 322 simple")
    for hash_type, written in [(0, b"\x00"), (0, b"\x01"), (1, b""), (2, b"\x02"), (0x81, b"\x81")]:
        assert isinstance(verdict(hash_type, written), Refusal)


def test_a_key_hash_signature_is_strict_der_low_s_and_for_the_whole_transaction() -> None:
    def verdict(signature: bytes, key: bytes) -> Verified | Refusal:
        return verify_message(p2wpkh(SECRET), MAINNET, "a message", text(witness([signature, key])))

    signature, key = sign_key_hash(SECRET, "a message")
    r_end = 4 + signature[3]
    r, s = signature[4:r_end], int.from_bytes(signature[r_end + 2 : -1], "big")
    high = (ORDER - s).to_bytes(33, "big")
    high_s = bytes((0x30, 4 + len(r) + 33, 2, len(r))) + r + bytes((2, 33)) + high
    padded = bytes((0x30, signature[1] + 1, 2, len(r) + 1, 0)) + signature[4:-1]  # a needless zero before r
    uncompressed = PrivateKey(SECRET).public_key.format(compressed=False)

    assert verdict(signature, key) == Verified("BIP 322 simple")
    assert isinstance(verdict(high_s + b"\x01", key), Refusal)
    assert isinstance(verdict(padded + b"\x01", key), Refusal)
    assert isinstance(verdict(signature[:-1] + b"\x02", key), Refusal)
    assert isinstance(verdict(signature[:-1], key), Refusal)
    assert isinstance(verdict(signature + b"\x01", key), Refusal)
    assert isinstance(verdict(b"\x01", key), Refusal)
    assert isinstance(verdict(b"", key), Refusal)
    assert isinstance(verdict(signature, uncompressed), Refusal)
    assert isinstance(verdict(signature, PrivateKey(OTHER_SECRET).public_key.format()), Refusal)


def test_a_strangers_good_signature_for_the_address_is_refused() -> None:
    # right in everything but whose key it is: signed over the very transaction that the address would sign
    digest = bip322.key_hash_digest(p2wpkh(SECRET).script, b"a message")
    stranger = PrivateKey(OTHER_SECRET)
    items = [stranger.sign(digest, hasher=None) + b"\x01", stranger.public_key.format()]
    assert isinstance(verify_message(p2wpkh(SECRET), MAINNET, "a message", text(witness(items))), Refusal)
    for first, address in ((31, p2pkh(SECRET)), (35, p2sh_p2wpkh(SECRET)), (39, p2wpkh(SECRET))):
        signature = text(sign_bip137(OTHER_SECRET, "a message", first))
        assert isinstance(verify_message(address, MAINNET, "a message", signature), Refusal)


def test_a_witness_of_another_shape_is_refused() -> None:
    signature, key = sign_key_hash(SECRET, "a message")
    good = witness([signature, key])
    assert isinstance(verify_message(p2wpkh(SECRET), MAINNET, "a message", text(good)), Verified)
    for wrong in (
        b"\x00",
        good + b"\x00",
        good[:-1],
        b"\x03" + good[1:] + b"\x00",
        witness([signature]),
        b"\x02\xfd" + good[2:],
        b"\x01",
    ):
        assert isinstance(verify_message(p2wpkh(SECRET), MAINNET, "a message", text(wrong)), Refusal)
    taproot = sign_taproot(SECRET, "a message")
    annexed = witness([*taproot, b"\x50"])
    assert isinstance(verify_message(p2tr(SECRET), MAINNET, "a message", text(annexed)), Refusal)


CASES = [
    (p2pkh(SECRET), sign_bip137(SECRET, "a message", 31)),
    (p2sh_p2wpkh(SECRET), sign_bip137(SECRET, "a message", 35)),
    (p2wpkh(SECRET), witness(sign_key_hash(SECRET, "a message"))),
    (p2tr(SECRET), witness(sign_taproot(SECRET, "a message"))),
]


@pytest.mark.parametrize(("address", "signature"), CASES, ids=["p2pkh", "p2sh", "p2wpkh", "p2tr"])
def test_a_signature_with_any_bit_changed_is_refused(address: Address, signature: bytes) -> None:
    assert isinstance(verify_message(address, MAINNET, "a message", text(signature)), Verified)
    for bit in range(8 * len(signature)):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        verdict = verify_message(address, MAINNET, "a message", text(bytes(changed)))
        # 35 ^ 4 = 39 and the like say another kind of address; none of them is Electrum's for these two
        assert isinstance(verdict, Refusal), bit


@pytest.mark.parametrize(("address", "signature"), CASES, ids=["p2pkh", "p2sh", "p2wpkh", "p2tr"])
def test_white_space_around_and_inside_the_signature_is_forgiven(address: Address, signature: bytes) -> None:
    written = text(signature)
    pasted = f"  {written[:40]}\r\n{written[40:]}\n"
    assert isinstance(verify_message(address, MAINNET, "a message", pasted), Verified)
    assert isinstance(verify_message(address, MAINNET, "a message\n", pasted), Refusal)


def test_base64_with_stray_bits_or_without_its_end_is_refused() -> None:
    written = text(sign_bip137(SECRET, "a message", 31))  # 65 bytes: one '=', two bits unused
    assert written.endswith("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = written[:-2] + alphabet[alphabet.index(written[-2]) ^ 1] + "="
    assert base64.b64decode(stray) == base64.b64decode(written)
    for wrong in (stray, written[:-1], written + "=", "", "=", "smp", "not-valid-base64!!!"):
        assert isinstance(verify_message(p2pkh(SECRET), MAINNET, "a message", wrong), Refusal)


def test_an_address_of_a_script_is_refused_with_a_sentence() -> None:
    script_address = parse_address("bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", MAINNET)
    for signature in (sign_bip137(SECRET, "m", 39), witness(sign_key_hash(SECRET, "m"))):
        verdict = verify_message(script_address, MAINNET, "m", text(signature))
        assert isinstance(verdict, Refusal)


@given(
    st.sampled_from([address for address, _ in CASES]),
    st.text(),
    st.one_of(
        st.text(), st.binary(max_size=200).map(text), st.just("A" * (LONGEST_SIGNATURE_CHARACTERS + 4))
    ),
)
def test_nothing_that_is_sent_makes_it_raise(address: Address, message: str, signature: str) -> None:
    assert isinstance(verify_message(address, MAINNET, message, signature), Refusal)


@given(st.sampled_from(CASES), st.data())
def test_a_damaged_signature_never_makes_it_raise(case: tuple[Address, bytes], data: st.DataObject) -> None:
    address, signature = case
    start = data.draw(st.integers(0, len(signature)))
    damaged = (
        signature[:start] + data.draw(st.binary(max_size=40)) + signature[data.draw(st.integers(0, 140)) :]
    )
    if damaged[1:] != signature[1:]:  # the first byte alone can name another wallet's habit (31 for 35)
        assert isinstance(verify_message(address, MAINNET, "a message", text(damaged)), Refusal)


def test_text_that_is_no_unicode_is_refused() -> None:
    verdict = verify_message(p2pkh(SECRET), MAINNET, "\ud800", text(sign_bip137(SECRET, "m", 31)))
    assert isinstance(verdict, Refusal)
