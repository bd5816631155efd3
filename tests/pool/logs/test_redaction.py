"""What is shown of a field: by its type, and of free text by its looks."""

from pathlib import Path

import pytest

from config.secret import Secret
from pool.logs.redaction import LONGEST_TEXT, AddressText, Field, Plain, UrlText, UserText, shown

# BIP 173's key, and BIP 141's example of a script hash, as each network writes them
BECH32 = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
BECH32_REGTEST = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
BECH32_LITECOIN = "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"
BASE58 = "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ"
LONG_NAME = "hall-b-row-12-rack-3-antminer-s19-0034"
SERIAL_NUMBERS = "SMTTYRHBDJJAI0234SMTTYRHBDJJAI0234"
TXID = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"  # of bitcoin's genesis block


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, None),
        (True, True),
        (5_000_000_000, 5_000_000_000),
        (0.5, 0.5),
        ("hall-a", "hall-a"),
        (b"\x51\x00", "5100"),
        (bytes(LONGEST_TEXT), 2 * LONGEST_TEXT * "0"),  # a coinbase to build a block with is never cut
        (Path("/var/lib/engineroom"), "/var/lib/engineroom"),
        (ValueError("no"), "no"),
        (TimeoutError(), "TimeoutError"),
        (Secret("hunter2"), "•••"),
        (AddressText(BECH32), "bc1qw5…v8f3t4"),
        (AddressText(BASE58), "LVuDpN…DEVUnJ"),
        (AddressText("operator"), "operator"),
        (AddressText(None), None),
        (UserText(f"{BECH32}.rack7"), "bc1qw5…v8f3t4.rack7"),
        (UserText(f"{BASE58}_a/b"), "LVuDpN…DEVUnJ_a/b"),
        (UserText(BASE58), "LVuDpN…DEVUnJ"),
        (UserText(f"{BECH32}.{BECH32_REGTEST}"), "bc1qw5…v8f3t4.bcrt1q…ygt080"),
        (UserText(f"{BECH32}.{BASE58}_rack7"), "bc1qw5…v8f3t4.LVuDpN…DEVUnJ_rack7"),
        (UserText(f"rig/{BECH32_LITECOIN}"), "rig/ltc1qw…gmn4n9"),
        (UserText(f"{BECH32}.{LONG_NAME}"), f"bc1qw5…v8f3t4.{LONG_NAME}"),
        (UserText(f"{BASE58}.{SERIAL_NUMBERS}"), f"LVuDpN…DEVUnJ.{SERIAL_NUMBERS}"),
        (UserText("alice.rig"), "alice.rig"),
        (UrlText("postgresql://pool:hunter2@db.example/accounts"), "postgresql://db.example/accounts"),
        (UrlText("https://hook.example/1"), "https://hook.example/1"),
        ({"a": f"pays {BECH32}"}, {"a": "pays bc1qw5…v8f3t4"}),
    ],
)
def test_a_field_is_shown_by_its_type(field: Field, expected: Plain) -> None:
    assert shown(field, full_addresses=False) == expected


@pytest.mark.parametrize("address", [BECH32, BECH32.upper(), BECH32_REGTEST, BECH32_LITECOIN, BASE58])
def test_an_address_in_somebody_elses_words_is_short_too(address: str) -> None:
    text = f"the node refuses {address}: dust ({address})"
    cut = f"{address[:6]}…{address[-6:]}"
    assert shown(text, full_addresses=False) == f"the node refuses {cut}: dust ({cut})"
    assert shown(ValueError(text), full_addresses=False) == f"the node refuses {cut}: dust ({cut})"
    assert shown(text, full_addresses=True) == text


@pytest.mark.parametrize(
    "text",
    [
        TXID,
        f"journal entry 5 of {TXID[:32]}…",
        "MinimumDifficuttyBtocksByTimeAre",  # 32 characters of base58, and no digit
        "1" + 40 * "a",  # longer than any address
        "/tmp/pytest-of-root/pytest-0/test_a_disk_that_fails0/blocks",
    ],
)
def test_what_is_no_address_stays_whole(text: str) -> None:
    assert shown(text, full_addresses=False) == text


def test_full_addresses_are_shown_where_they_are_wanted() -> None:
    assert shown(AddressText(BECH32), full_addresses=True) == BECH32
    assert shown(UserText(f"{BECH32}.rack7"), full_addresses=True) == f"{BECH32}.rack7"


@pytest.mark.parametrize("full_addresses", [False, True])
def test_a_password_is_never_shown(full_addresses: bool) -> None:
    fields: list[Field] = [
        Secret("hunter2"),
        UrlText("http://u:hunter2@node:8332"),
        "cannot reach http://u:hunter2@node:8332/ now",
        OSError("postgresql://pool:hunter2@db:5432/x: refused"),
        {"a": "http://u:hunt@er2@node/"},  # an @ in a password that nobody has escaped
    ]
    for field in fields:
        told = str(shown(field, full_addresses=full_addresses))
        assert "hunt" not in told
        assert "er2" not in told


HOSTILE = "a\nb\r\x1b[2J\u2028\u202e\x00\ud800é"
ESCAPED = "a\\nb\\r\\x1b[2J\\u2028\\u202e\\x00\\ud800é"


@pytest.mark.parametrize("kind", [str, UserText, AddressText, UrlText, ValueError, Path])
@pytest.mark.parametrize("full_addresses", [False, True])
def test_no_text_leaves_its_line_or_turns_a_terminal_around(
    kind: type[str | UserText | AddressText | UrlText | ValueError | Path], full_addresses: bool
) -> None:
    text = HOSTILE.replace("\x00", "") if kind is Path else HOSTILE
    expected = ESCAPED.replace("\\x00", "") if kind is Path else ESCAPED
    assert shown(kind(text), full_addresses=full_addresses) == expected


def test_text_of_any_length_is_cut() -> None:
    assert shown("x" * 1_000_000, full_addresses=False) == "x" * LONGEST_TEXT + "…"
