"""Addresses against the vectors of BIP 173, BIP 350, Bitcoin Core and Litecoin Core."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.work.address import AddressError, WrongNetwork, parse_address
from stratum.work.coin import COINS, Network, network

NETWORKS = [network for networks in COINS.values() for network in networks.values()]
MAINNET = network("bitcoin", "mainnet")
SIGNET = network("bitcoin", "signet")
REGTEST = network("bitcoin", "regtest")
LITECOIN = network("litecoin", "mainnet")
LITECOIN_TESTNET = network("litecoin", "testnet")
LITECOIN_REGTEST = network("litecoin", "regtest")

# Bitcoin Core, src/test/data/key_io_valid.json, beside the address of the genesis block's key, whose script
# is that of "genesis address" in every explorer. Test networks share their base58 versions, and testnet4 and
# signet their bech32 prefix too.
BITCOIN_PAIRS = [
    ("mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
    ("mainnet", "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo", "76a914a31c06bd463e3923bc1aadbde48b16976c08071788ac"),
    ("mainnet", "36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm", "a914373b819a068f32b7a6b38b6b38729647cfde01c287"),
    ("testnet4", "mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ", "76a914ce28b26c57472737f5c3561a1761185bd8589a4388ac"),
    ("testnet4", "2NC2hEhe28ULKAJkW5MjZ3jtTMJdvXmByvK", "a914ce0bba75891ff9ec60148d4bd4a09ee2dc5c933187"),
    ("signet", "2N1r7aC69VHeE7yQJPDLi9T1PYq4wnwvjuT", "a9145e5a35ab44b3efaea5129ba22b88ba3e2976614587"),
    ("regtest", "n4fajahJrAuKbN7uNsKjLjQkz9Qn5ewJXQ", "76a914fdeca3b08e38af53d7c4c60e3ad208ce5066441088ac"),
    ("regtest", "2MxFajLApXpYk4VodBSZSt7rw8y4ryABkfA", "a91436e9f191e0b75036a77f65e2eaa4752443233fbe87"),
    ("mainnet", "bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv", "00146100fc6343edc8c874496cb2f5bbfec88ea9b77c"),
    (
        "mainnet",
        "bc1qyucykdlhp62tezs0hagqury402qwhk589q80tqs5myh3rxq34nwqhkdhv7",
        "002027304b37f70e94bc8a0fbf500e0c957a80ebda87280ef58214d92f119811acdc",
    ),
    (
        "mainnet",
        "bc1p83n3au0rjylefxq2nc2xh2y4jzz4pm6zxj4mw5pagdjjr2a9f36s6jjnnu",
        "51203c671ef1e3913f94980a9e146ba895908550ef4234abb7503d436521aba54c75",
    ),
    (
        "testnet4",
        "tb1qcrh3yqn4nlleplcez2yndq2ry8h9ncg3qh7n54",
        "0014c0ef1202759fff90ff19128936814321ee59e111",
    ),
    (
        "signet",
        "tb1pae5um27ahn8n73pgexe3kcwlp8dhswpn684h2k2w6t9a7w3eq65qephd5y",
        "5120ee69cdabddbccf3f4428c9b31b61df09db783833d1eb75594ed2cbdf3a3906a8",
    ),
    (
        "regtest",
        "bcrt1qdavt4j2sd7dlhqsavtnfxvzppw6k7qy97tmnu9",
        "00146f58bac9506f9bfb821d62e69330410bb56f0085",
    ),
    (
        "regtest",
        "bcrt1pfwxjqvtt4tcxrtdluukfmy2dv7xd2qzdfy6kajv5nwn4yam3wxkq3553uh",
        "51204b8d20316baaf061adbfe72c9d914d678cd5004d49356ec9949ba752777171ac",
    ),
]

# BIP 350's valid witness addresses that a coinbase can be asked to pay (BIP 173 has the same of version 0).
BIP_PAIRS = [
    ("mainnet", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "signet",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    (
        "signet",
        "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "testnet4",
        "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "mainnet",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
]

# What Litecoin Core 0.21.2.1 answers to validateaddress on each network.
LITECOIN_PAIRS = [
    ("mainnet", "LT2KVaAy1ppRuxRgrS5RNU3vBsy7RibPeA", "76a914558dbca7118cd5894502767c7b2ffc21a22f54db88ac"),
    ("mainnet", "MHrYRxAiMNBTku3eoDHwhA1LQGDjUStZW2", "a9146d328a5b2a20d943a641c8d29b6cc3c2d2df85d387"),
    ("mainnet", "36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm", "a914373b819a068f32b7a6b38b6b38729647cfde01c287"),
    (
        "mainnet",
        "ltc1qhdhvrwe6rgqns8fz28tee0hphr5x7ulw5exv4w",
        "0014bb6ec1bb3a1a01381d2251d79cbee1b8e86f73ee",
    ),
    (
        "mainnet",
        "ltc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqpj6zg2",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    ("testnet", "mwXn5Vhicdav8Av3KMokx4YNuHoGRKxtWs", "76a914afa9e672141e283dfbcc1cf28f3793a856d3878488ac"),
    ("testnet", "QXaUgLHkZcbJb2j5XgMYzY8cF9YM48Y81Z", "a9147860667e60a6545e18e541984094b29c9c46991b87"),
    ("testnet", "2NC2hEhe28ULKAJkW5MjZ3jtTMJdvXmByvK", "a914ce0bba75891ff9ec60148d4bd4a09ee2dc5c933187"),
    (
        "testnet",
        "tltc1qpftpsvdn6mjp8celrkj0qxqy4jlapl959rlwg9",
        "00140a561831b3d6e413e33f1da4f01804acbfd0fcb4",
    ),
    (
        "testnet",
        "tltc1q9awqm4ah2lmettm3hnhgqtssvz527jxglxxshkt75l0ygdl3vlyqy5739f",
        "00202f5c0dd7b757f795af71bcee802e1060a8af48c8f98d0bd97ea7de4437f167c8",
    ),
    ("regtest", "QgDNrG4nJpE4VV7PcFMFhkTgwAHWxWS7pj", "a914d71bee7a1395c10c9ca9a7f53ac086b53e74369d87"),
    ("regtest", "2MxFajLApXpYk4VodBSZSt7rw8y4ryABkfA", "a91436e9f191e0b75036a77f65e2eaa4752443233fbe87"),
    (
        "regtest",
        "rltc1q3kquwp848h4juq7rl5q3wqsr29pd3d6wprzz8k",
        "00148d81c704f53deb2e03c3fd011702035142d8b74e",
    ),
    (
        "regtest",
        "rltc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqsyzyjh",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
]

# Litecoin Core's validateaddress calls both valid, on mainnet and on its test networks, with an empty script.
MWEB_ADDRESS = (
    "ltcmweb1qq20e2arnhvxw97katjkmsd35agw3capxjkrkh7dk8d30rczm8ypxuq329nwh2twmchhqn3jqh7ua4ps539f6aazh79jy76urqht4"
    "qa59ts3at6gf"
)
MWEB_TEST_ADDRESS = (
    "tmweb1qqvyk2xmvquxe9qhnfk9cn7zd4ahyelaj233mly7nyacxnc8ejt2dxq69frwmgdf09hkc68dlllwhz3as06t4e2tshrzv9ucp9a647n"
    "wztuxmecr2"
)


@pytest.mark.parametrize(
    ("coin", "name", "text", "script_hex"),
    [("bitcoin", *pair) for pair in BITCOIN_PAIRS + BIP_PAIRS]
    + [("litecoin", *pair) for pair in LITECOIN_PAIRS],
)
def test_an_address_pays_the_script_that_its_node_says(
    coin: str, name: str, text: str, script_hex: str
) -> None:
    address = parse_address(text, network(coin, name))
    assert address.script.hex() == script_hex


def test_an_upper_case_bech32_address_is_the_payee_of_the_lower_case_one() -> None:
    upper = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"  # BIP 173
    assert parse_address(upper, MAINNET) == parse_address(upper.lower(), MAINNET)
    assert parse_address(upper, MAINNET).text == upper.lower()


def test_a_base58_address_keeps_its_case() -> None:
    text = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    assert parse_address(text, MAINNET).text == text
    with pytest.raises(AddressError, match="is not an address"):
        parse_address(text.lower(), MAINNET)


# BIP 173's and BIP 350's invalid witness addresses, with the reasons that they give.
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", "human-readable part"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "checksum"),
        ("BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2", "witness version"),
        ("bc1rw5uspcuh", "program length"),
        ("bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90", "program length"),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "program length for version 0"),
        ("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7", "mixed case"),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du", "more than 4 bits of zero padding"),
        ("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv", "non-zero padding"),
        ("bc1gmk9yu", "empty data"),
        ("tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", "human-readable part"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "bech32 instead of bech32m"),
        ("tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf", "bech32 instead of bech32m"),
        ("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "bech32 instead of bech32m"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "bech32m instead of bech32"),
        ("tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47", "bech32m instead of bech32"),
        ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "character in checksum"),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "witness version"),
        ("bc1pw5dgrnzv", "program of 1 byte"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", "41 bytes"),
        ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", "mixed case"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "more than 4 bits of padding"),
        ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "non-zero padding"),
    ],
)
def test_the_bips_invalid_addresses_are_refused(text: str, reason: str) -> None:
    for chain in (MAINNET, SIGNET):
        with pytest.raises(AddressError) as refusal:
            parse_address(text, chain)
        if text.lower().startswith(f"{chain.bech32_prefix}1"):  # refused for itself, not for its network
            assert not isinstance(refusal.value, WrongNetwork), reason


# Valid for BIP 350 and Core, and spendable by anybody today.
@pytest.mark.parametrize(
    "text",
    [
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",  # version 1, 40 bytes
        "BC1SW50QGDZ25J",  # version 16
        "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",  # version 2
    ],
)
def test_witness_programs_without_a_spending_rule_are_refused_as_payees(text: str) -> None:
    with pytest.raises(AddressError, match="witness program that nobody could spend safely"):
        parse_address(text, MAINNET)


def test_five_bits_of_zero_padding_are_refused_where_the_program_has_its_length() -> None:
    """BIP 173 allows four; this is its example of version 0 with one more `q` and the checksum for it."""
    with pytest.raises(AddressError, match="witness program"):
        parse_address("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kqkhhp9x", MAINNET)


def test_mixed_case_is_told_as_such() -> None:
    with pytest.raises(AddressError, match="mixes upper and lower case"):
        parse_address("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kV8F3T4", MAINNET)


def test_a_character_that_bech32_has_not_is_told_as_such() -> None:
    with pytest.raises(AddressError, match="a character that bech32 has not"):
        parse_address("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3tb", MAINNET)  # b is none


@pytest.mark.parametrize("position", range(34))
def test_a_mistyped_base58_address_is_refused(position: int) -> None:
    text = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    mistyped = text[:position] + ("2" if text[position] != "2" else "3") + text[position + 1 :]
    with pytest.raises(AddressError, match="its checksum does not fit"):
        parse_address(mistyped, MAINNET)


@pytest.mark.parametrize(
    "text",
    [
        "5JuW2AMDYu4xVwRG9DZW18VbzQrGcd5RCgb99sS6ehJsNQXu5b9",  # a private key (Core's key_io_valid.json)
        "11111111111111111111111111111111",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN",  # one character short
        "11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",  # one leading zero byte more
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7Div0Na",  # 0 is not base58
    ],
)
def test_base58_that_holds_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="its checksum does not fit"):
        parse_address(text, MAINNET)


@pytest.mark.parametrize(
    "text", ["", "x", "bc1", "not an address", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa ", "ä" * 30, "1" * 91]
)
def test_what_does_not_even_look_like_an_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="is not an address"):
        parse_address(text, MAINNET)


def test_a_refusal_quotes_no_more_than_an_address_can_have() -> None:
    with pytest.raises(AddressError) as refusal:
        parse_address("1" * 10_000, MAINNET)
    assert len(str(refusal.value)) < 150


@pytest.mark.parametrize(
    ("text", "chain", "owners"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", REGTEST, ["bitcoin mainnet"]),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", SIGNET, ["bitcoin mainnet"]),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", LITECOIN, ["bitcoin mainnet"]),
        (
            "tb1qcrh3yqn4nlleplcez2yndq2ry8h9ncg3qh7n54",
            MAINNET,
            ["bitcoin testnet4", "bitcoin signet"],
        ),
        ("LT2KVaAy1ppRuxRgrS5RNU3vBsy7RibPeA", MAINNET, ["litecoin mainnet"]),
        ("rltc1q3kquwp848h4juq7rl5q3wqsr29pd3d6wprzz8k", LITECOIN, ["litecoin regtest"]),
        # the old 3… is bitcoin's and litecoin's at once, elsewhere it is told so
        (
            "36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm",
            LITECOIN_TESTNET,
            ["bitcoin mainnet", "litecoin mainnet"],
        ),
        (
            "n4fajahJrAuKbN7uNsKjLjQkz9Qn5ewJXQ",
            LITECOIN,
            ["bitcoin testnet4", "bitcoin signet", "bitcoin regtest", "litecoin testnet", "litecoin regtest"],
        ),
    ],
)
def test_an_address_of_another_network_is_told_whose_it_is(
    text: str, chain: Network, owners: list[str]
) -> None:
    with pytest.raises(WrongNetwork) as refusal:
        parse_address(text, chain)
    said, _, here = str(refusal.value).partition("; ")
    assert said == f"{text!r} is an address of {' or '.join(owners)}"
    assert here == f"this pool mines {chain.coin} {chain.name}"


def test_a_base58_version_of_a_coin_unknown_here_is_no_wrong_network() -> None:
    dogecoin = "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L"  # version 0x1e
    with pytest.raises(AddressError, match="is not an address of bitcoin mainnet") as refusal:
        parse_address(dogecoin, MAINNET)
    assert not isinstance(refusal.value, WrongNetwork)


@pytest.mark.parametrize("text", [MWEB_ADDRESS, MWEB_TEST_ADDRESS])
@pytest.mark.parametrize("chain", [LITECOIN, LITECOIN_TESTNET, LITECOIN_REGTEST, MAINNET])
def test_a_mweb_address_is_refused_as_a_payee(text: str, chain: Network) -> None:
    for written in (text, text.upper()):
        with pytest.raises(AddressError, match="MWEB address has no output script") as refusal:
            parse_address(written, chain)
        assert "use an ordinary address (ltc1…)" in str(refusal.value)


address_like = st.tuples(
    st.sampled_from(["", "1", "3", "bc1", "BC1", "tb1", "bcrt1", "ltc1", "ltcmweb1", "tmweb1q", "L", "M"]),
    st.text("qpzry9x8gf2tvdw0s3jn54khce6mua7lQPZRY1bio", max_size=100) | st.text(max_size=40),
).map("".join)


@given(text=st.text(max_size=120) | address_like, chain=st.sampled_from(NETWORKS))
def test_no_text_raises_anything_but_an_address_error(text: str, chain: Network) -> None:
    try:
        script = parse_address(text, chain).script
    except AddressError:
        return
    assert 22 <= len(script) <= 34


@given(
    pair=st.sampled_from([pair for pair in BITCOIN_PAIRS if pair[1].startswith(("bc", "tb"))]),
    position=st.integers(4, 61),
    replacement=st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"),
)
def test_one_wrong_character_of_a_bech32_address_is_always_noticed(
    pair: tuple[str, str, str], position: int, replacement: str
) -> None:
    """BIP 173: any error in at most four characters is detected."""
    name, text, _ = pair
    at = max(text.index("1") + 1, position % len(text))
    if text[at] == replacement:
        return
    with pytest.raises(AddressError):
        parse_address(text[:at] + replacement + text[at + 1 :], network("bitcoin", name))


def test_an_old_spelling_of_a_litecoin_script_address_is_known_by_its_name_of_today() -> None:
    """The pair is litecoind's own: validateaddress of the first gives the second."""
    address = parse_address("36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm", network("litecoin", "mainnet"))
    assert address.text == "MCwCgYjt3HcMNerfqPqg5jcJm7aCy89KeQ"
