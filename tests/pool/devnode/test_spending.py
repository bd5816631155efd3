"""Signing: BIP 143's own example, and keys and addresses of known vectors."""

import pytest

from pool.devnode.addresses import key_hash_address, script_kind, secret_of_wif
from pool.devnode.parsing import TransactionOutput, parse_transaction
from pool.devnode.spending import Key, signed
from stratum.work.address import parse_address
from tests.pool.devnode.chain import REGTEST

# BIP 143, "Native P2WPKH": its first input is P2PK and signed already, the second is ours.
UNSIGNED = (
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89"
    "d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378"
    "db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac110000"
    "00"
)
SECRET = "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"
SPENT_SATS = 600_000_000
SIGNATURE = (
    "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f"
    "3358f51928d43c212a8caed02de67eebee01"
)
PUBLIC = "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357"


def test_the_example_of_bip_143_is_signed_as_it_says() -> None:
    key = Key(bytes.fromhex(SECRET))
    spent = [None, TransactionOutput(SPENT_SATS, key.script)]
    raw = signed(parse_transaction(bytes.fromhex(UNSIGNED)), spent, {key.script: key}.get)
    transaction = parse_transaction(raw)
    assert [item.hex() for item in transaction.witnesses[1]] == [SIGNATURE, PUBLIC]
    assert transaction.witnesses[0] == ()
    assert (transaction.version, transaction.lock_time, transaction.sequences) == (
        1,
        17,
        (0xFFFFFFEE, 0xFFFFFFFF),
    )
    assert transaction.txid == parse_transaction(bytes.fromhex(UNSIGNED)).txid


def test_what_has_no_key_here_stays_as_it_was() -> None:
    raw = bytes.fromhex(UNSIGNED)
    assert signed(parse_transaction(raw), [None, None], {}.get) == raw


def test_the_key_of_the_number_one_has_the_address_of_bip_173() -> None:
    secret = secret_of_wif("cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA")
    assert secret == bytes(31) + b"\x01"
    assert key_hash_address(Key(secret).public_hash) == "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.mark.parametrize(
    "text",
    [
        "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcB",  # its checksum
        "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn",  # mainnet's number one
        "91avARGdfge8E4tZfYLoxeJ5sGBdNJQH4kvjJoQFacbgwmaKkrx",  # a test network's, of an uncompressed key
        "0OIl",
        "",
        "z" * 200,
    ],
)
def test_what_is_no_private_key_of_a_test_network_is_none(text: str) -> None:
    assert secret_of_wif(text) is None


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("0014" + "01" * 20, "witness_v0_keyhash"),
        ("0020" + "02" * 32, "witness_v0_scripthash"),
        ("5120" + "03" * 32, "witness_v1_taproot"),
        ("a914" + "04" * 20 + "87", "scripthash"),
        ("76a914" + "00" * 20 + "88ac", "pubkeyhash"),
    ],
)
def test_a_scripts_address_stands_for_that_script(script: str, name: str) -> None:
    kind = script_kind(bytes.fromhex(script))
    assert kind.name == name
    assert kind.address is not None
    assert parse_address(kind.address, REGTEST).script.hex() == script


@pytest.mark.parametrize(
    ("script", "name"), [("6a04deadbeef", "nulldata"), ("51", "nonstandard"), ("", "nonstandard")]
)
def test_a_script_without_an_address_has_none(script: str, name: str) -> None:
    kind = script_kind(bytes.fromhex(script))
    assert (kind.name, kind.address) == (name, None)
