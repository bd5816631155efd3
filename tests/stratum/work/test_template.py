"""getblocktemplate answers: what is understood, what is refused, and that nothing is believed that could cost
a block.

The answer is the vectors' block of six transactions, with the other members that Bitcoin Core 25 sends beside
them; the litecoin ones have the members that Litecoin Core 0.21.2.1 sends.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.work.byteorder import from_displayed
from stratum.work.coin import Network, network
from stratum.work.template import Template, TemplateRefused, TemplateTransaction, UnknownRule, parse_template
from tests.vectors import JOBS

REGTEST = network("bitcoin", "regtest")
MAINNET = network("bitcoin", "mainnet")
SIGNET = network("bitcoin", "signet")
LITECOIN = network("litecoin", "regtest")

VECTOR = JOBS["segwit_commitment_block"]
REGTEST_TARGET = "7fffff" + "00" * 29  # of bits 207fffff: 0x7fffff · 256^(0x20 − 3)

# A made-up transaction with the marks of a HogEx: version 2, no inputs where the marker stands, flag 0x08
# (Litecoin Core 0.21.2.1 writes 02000000 00 08 …).
HOGEX = {"data": "02000000" + "0008" + "00" * 6, "txid": "ab" * 32, "hash": "ab" * 32, "fee": 300}


def answer(without: tuple[str, ...] = (), **changes: Any) -> bytes:
    """The node's answer as it comes, with members replaced or left out."""
    members: dict[str, Any] = {
        "capabilities": ["proposal"],
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": VECTOR["template"]["previousblockhash"],
        "transactions": [
            transaction | {"depends": [], "fee": 1000 + position, "sigops": 4 * position, "weight": 437}
            for position, transaction in enumerate(VECTOR["template"]["transactions"])
        ],
        "coinbaseaux": {},
        "coinbasevalue": 312_512_345,
        "longpollid": "00" * 32 + "17",
        "target": REGTEST_TARGET,
        "mintime": 1_713_566_353,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80_000,
        "sizelimit": 4_000_000,
        "weightlimit": 4_000_000,
        "curtime": 1_713_569_952,
        "bits": "207fffff",
        "height": 840_000,
        "default_witness_commitment": VECTOR["template"]["default_witness_commitment"],
    } | changes
    return json.dumps({name: value for name, value in members.items() if name not in without}).encode()


def litecoin_answer(**changes: Any) -> bytes:
    """After MWEB's activation: the extension block beside the transactions, the HogEx last."""
    usual = {
        "rules": ["csv", "!segwit", "testdummy", "taproot", "mweb"],
        "mweb": "0102",
        "transactions": [HOGEX],
    }
    return answer(**(usual | changes))


def refusal_of(raw: bytes, chain: Network = REGTEST, **more: Any) -> str:
    with pytest.raises(TemplateRefused) as refused:
        parse_template(raw, chain, **more)
    assert refused.value.reason == str(refused.value)
    return refused.value.reason


# ---------------------------------------------------------------------- understood


def test_a_template_says_what_the_node_said() -> None:
    template = parse_template(answer(), REGTEST)
    assert template == Template(
        height=840_000,
        previous_hash=bytes.fromhex(VECTOR["prevhash_header_internal"]),
        version=0x20000000,
        bits=0x207FFFFF,
        network_target=int(REGTEST_TARGET, 16),
        current_time=1_713_569_952,
        minimum_time=1_713_566_353,
        coinbase_value_sats=312_512_345,
        transactions=template.transactions,
        merkle_branch=tuple(bytes.fromhex(sibling) for sibling in VECTOR["notify"]["params"][4]),
        rules=("csv", "!segwit", "taproot"),
        required_version_bits=0,
        mweb_hex=None,
        witness_commitment=bytes.fromhex(VECTOR["template"]["default_witness_commitment"]),
        longpoll_id="00" * 32 + "17",
        weight_limit=4_000_000,
        sigop_limit=80_000,
        size_limit=4_000_000,
        coinbase_flags=b"",
    )


def test_transactions_keep_their_order_and_what_they_cost() -> None:
    transactions = parse_template(answer(), REGTEST).transactions
    given_ones = VECTOR["template"]["transactions"]
    assert [transaction.data_hex for transaction in transactions] == [one["data"] for one in given_ones]
    # displayed ids stand the other way round
    assert [transaction.txid[::-1].hex() for transaction in transactions] == [
        one["txid"] for one in given_ones
    ]
    assert [transaction.fee_sats for transaction in transactions] == [1000, 1001, 1002, 1003, 1004]
    assert [transaction.sigops for transaction in transactions] == [0, 4, 8, 12, 16]
    assert {transaction.weight for transaction in transactions} == {437}


def test_the_merkle_tree_is_of_txids_not_of_witness_hashes() -> None:
    swapped = [transaction | {"hash": "11" * 32} for transaction in json.loads(answer())["transactions"]]
    assert (
        parse_template(answer(transactions=swapped), REGTEST).merkle_branch
        == parse_template(answer(), REGTEST).merkle_branch
    )


def test_an_empty_template_has_no_branch() -> None:
    template = parse_template(answer(transactions=[]), REGTEST)
    assert (template.transactions, template.merkle_branch) == ((), ())


def test_a_node_without_segwit_gives_its_txids_as_hashes() -> None:
    """Bitcoin SV and other old nodes: no rules, no limits, only `hash`."""
    transaction = {"data": "00", "hash": "0a" * 32}
    raw = answer(
        ("rules", "weightlimit", "sigoplimit", "default_witness_commitment", "vbrequired", "longpollid"),
        transactions=[transaction],
    )
    template = parse_template(raw, REGTEST)
    assert template.transactions[0].txid == bytes.fromhex("0a" * 32)
    assert template.rules == ()
    assert template.weight_limit is None
    assert template.sigop_limit is None
    assert template.witness_commitment is None
    assert template.longpoll_id is None
    assert template.required_version_bits == 0


def test_required_version_bits_are_kept() -> None:
    assert parse_template(answer(vbrequired=0x10000002), REGTEST).required_version_bits == 0x10000002


def test_a_version_is_taken_as_the_32_bits_of_the_header() -> None:
    """A header's version is signed in Core's JSON: −1 is ffffffff."""
    assert parse_template(answer(version=-1), REGTEST).version == 0xFFFFFFFF
    assert parse_template(answer(version=0x7FFFFFFF), REGTEST).version == 0x7FFFFFFF


def test_the_coinbase_flags_are_bytes() -> None:
    assert (
        parse_template(answer(coinbaseaux={"flags": "062f503253482f"}), REGTEST).coinbase_flags
        == b"\x06/P2SH/"
    )
    assert parse_template(answer(coinbaseaux={"flags": ""}), REGTEST).coinbase_flags == b""


def test_a_member_that_nobody_here_knows_changes_nothing() -> None:
    assert parse_template(answer(workid="17"), REGTEST) == parse_template(answer(), REGTEST)


# ---------------------------------------------------------------------- rules (BIP 9)


def test_an_unknown_mandatory_rule_stops_mining() -> None:
    with pytest.raises(UnknownRule, match="'covenants', which this version does not know") as refused:
        parse_template(answer(rules=["csv", "!segwit", "!covenants"]), REGTEST)
    assert refused.value.rule == "covenants"


def test_an_unknown_optional_rule_does_not() -> None:
    assert parse_template(answer(rules=["csv", "!segwit", "covenants"]), REGTEST).rules[-1] == "covenants"


def test_what_is_mandatory_on_one_coin_is_unknown_on_another() -> None:
    with pytest.raises(UnknownRule, match="'mweb'"):
        parse_template(answer(rules=["!segwit", "!mweb"]), REGTEST)
    assert parse_template(litecoin_answer(rules=["!segwit", "!mweb"]), LITECOIN).mweb_hex == "0102"


def test_signets_mandatory_rule_is_known() -> None:
    assert (
        "!signet"
        in parse_template(
            answer(rules=["!segwit", "!signet", "taproot"], signet_challenge="51"), SIGNET
        ).rules
    )


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "name",
    [
        "version",
        "previousblockhash",
        "transactions",
        "coinbasevalue",
        "target",
        "mintime",
        "curtime",
        "bits",
        "height",
    ],
)
def test_a_template_without_a_needed_member_is_refused(name: str) -> None:
    reason = refusal_of(answer((name,)))
    assert reason.startswith("the node's template cannot be read")
    assert name in reason


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("height", "840000"),
        ("height", 1.5),
        ("height", None),
        ("height", True),
        ("coinbasevalue", "312512345"),
        ("transactions", {}),
        ("transactions", [17]),
        ("transactions", [{"txid": "ab" * 32}]),
        ("rules", "segwit"),
        ("bits", 0x207FFFFF),
        ("coinbaseaux", []),
        ("default_witness_commitment", 1),
        ("mweb", 0),
    ],
)
def test_a_member_of_another_type_is_refused(member: str, value: Any) -> None:
    assert "cannot be read" in refusal_of(answer(**{member: value}))


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{", b"17", b'"x"', b"\xff\xfe", b'{"a":"\xff"}'])
def test_what_is_no_template_is_refused(raw: bytes) -> None:
    assert "cannot be read" in refusal_of(raw)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("height", -1),
        ("height", 2**31),  # BIP 34 pushes a signed number; Core's heights have 31 bits
        ("coinbasevalue", -1),
        ("coinbasevalue", 2**63),
        ("curtime", -1),
        ("curtime", 2**32),  # a header has 32 bits of time
        ("mintime", -1),
        ("mintime", 2**32),
        ("version", 2**32),
        ("version", -(2**31) - 1),
    ],
)
def test_a_number_out_of_range_is_refused(member: str, value: int) -> None:
    assert refusal_of(answer(**{member: value})) == f"the template's {member} is {value}"


@pytest.mark.parametrize(
    ("member", "value"),
    [("height", 2**31 - 1), ("coinbasevalue", 2**63 - 1), ("curtime", 2**32 - 1), ("mintime", 0)],
)
def test_a_number_at_the_edge_of_its_range_is_taken(member: str, value: int) -> None:
    parse_template(answer(**{member: value}), REGTEST)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "0x" + "00" * 31, " " + "0" * 63])
def test_a_previous_hash_that_is_none_is_refused(text: str) -> None:
    assert refusal_of(answer(previousblockhash=text)).startswith("the template's previousblockhash is")


@pytest.mark.parametrize("text", ["", "ab", "ab" * 33, "xy" * 32])
def test_a_transaction_id_that_is_none_is_refused(text: str) -> None:
    assert "txid" in refusal_of(answer(transactions=[{"data": "00", "txid": text}]))


def test_a_transaction_without_an_id_is_refused() -> None:
    assert refusal_of(answer(transactions=[{"data": "00"}])) == (
        "a transaction of the template has neither txid nor hash"
    )


@pytest.mark.parametrize("data", ["", "0", "0g", "00 00", "0x00", "００", "00\n"])
def test_a_transaction_that_is_not_hex_is_refused_now_and_not_in_a_block(data: str) -> None:
    transaction = {"data": data, "txid": "ab" * 32}
    assert (
        refusal_of(answer(transactions=[transaction]))
        == f"transaction {'ab' * 32} of the template is not hex"
    )


@pytest.mark.parametrize(
    "text", ["", "207fff", "207fffff00", "0x207fff", "207ffffg", "+07fffff", "２０7fffff"]
)
def test_bits_that_are_no_eight_hex_digits_are_refused(text: str) -> None:
    assert refusal_of(answer(bits=text)) == f"the template's bits are {text!r}"


@pytest.mark.parametrize("text", ["00000000", "01800001", "04923456", "ff123456", "1d000000"])
def test_bits_that_stand_for_no_target_are_refused(text: str) -> None:
    """Zero, negative or above 2^256: Core's CheckProofOfWork refuses them too."""
    assert refusal_of(answer(bits=text)).startswith(f"bits {text} stand for a ")


@pytest.mark.parametrize("flags", ["0", "zz", "0x06", "06 2f"])
def test_coinbase_flags_that_are_not_hex_are_refused(flags: str) -> None:
    assert refusal_of(answer(coinbaseaux={"flags": flags})) == "the template's coinbaseaux.flags is not hex"


@given(
    member=st.sampled_from(sorted(json.loads(litecoin_answer()))),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=70)
    | st.lists(st.text(max_size=4), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
)
def test_whatever_a_node_writes_into_a_member_it_is_taken_or_refused(member: str, value: Any) -> None:
    for chain, raw in ((REGTEST, answer(**{member: value})), (LITECOIN, litecoin_answer(**{member: value}))):
        try:
            parse_template(raw, chain, trust_stricter_target=True)
        except TemplateRefused:
            pass


# ---------------------------------------------------------------------- the witness commitment (BIP 141, 145)


@pytest.mark.parametrize("rules", [["csv"], ["csv", "taproot"], []])
def test_without_segwit_in_the_rules_the_commitment_is_left_out(rules: list[str]) -> None:
    """bcoin sends one before segwit is in force, and refuses the block for it: unexpected-witness."""
    assert parse_template(answer(rules=rules), REGTEST).witness_commitment is None


@pytest.mark.parametrize("rule", ["segwit", "!segwit"])
def test_with_segwit_in_the_rules_the_commitment_is_the_nodes(rule: str) -> None:
    template = parse_template(answer(rules=[rule]), REGTEST)
    assert template.witness_commitment is not None
    assert template.witness_commitment.hex() == VECTOR["template"]["default_witness_commitment"]


@pytest.mark.parametrize(
    "text",
    ["", "6a24aa21a9ed", "6a24aa21a9ed" + "00" * 31, "6a24aa21a9ed" + "00" * 33, "6a24aa21a9ee" + "00" * 32],
)
def test_a_commitment_that_is_none_is_refused(text: str) -> None:
    assert refusal_of(answer(default_witness_commitment=text)) == (
        "the template's default_witness_commitment is no commitment"
    )


# ---------------------------------------------------------------------- the target


def test_the_target_is_that_of_the_bits_whatever_the_node_calls_it() -> None:
    """A node that calls its target easier or stricter than its bits must cost no block."""
    for target in ("00" * 31 + "01", "ff" * 32, "nonsense", ""):
        for chain in (REGTEST, MAINNET):
            template = parse_template(answer(target=target), chain)
            assert template.network_target == int(REGTEST_TARGET, 16)


STRICTER = "0000ffff" + "00" * 28


def test_a_stricter_target_decides_on_regtest_where_it_is_trusted() -> None:
    template = parse_template(answer(target=STRICTER), REGTEST, trust_stricter_target=True)
    assert template.network_target == 0xFFFF << 224  # 28 bytes behind ffff
    assert template.bits == 0x207FFFFF  # the header's stay the chain's


@pytest.mark.parametrize(
    "chain", [MAINNET, SIGNET, network("bitcoin", "testnet4"), network("litecoin", "mainnet")]
)
def test_a_stricter_target_is_never_trusted_elsewhere(chain: Network) -> None:
    template = parse_template(
        answer(target=STRICTER, signet_challenge="51"), chain, trust_stricter_target=True
    )
    assert template.network_target == int(REGTEST_TARGET, 16)


def test_the_bits_own_target_may_be_trusted_and_nothing_easier() -> None:
    same = parse_template(answer(), REGTEST, trust_stricter_target=True)
    assert same.network_target == int(REGTEST_TARGET, 16)
    easier = f"{int(REGTEST_TARGET, 16) + 1:064x}"
    assert refusal_of(answer(target=easier), trust_stricter_target=True) == (
        "the template's target is easier than its bits"
    )
    # a target of zero can be met by nobody
    assert "easier" in refusal_of(answer(target="00" * 32), trust_stricter_target=True)


@pytest.mark.parametrize("target", ["", "0fff", "zz" * 32, "00" * 33, "0x" + "00" * 31])
def test_a_trusted_target_that_is_none_is_refused(target: str) -> None:
    assert (
        refusal_of(answer(target=target), trust_stricter_target=True)
        == f"the template's target is {target!r}"
    )


# ---------------------------------------------------------------------- litecoin's extension block


def test_an_extension_block_comes_with_its_hogex_at_the_end() -> None:
    ordinary = json.loads(answer())["transactions"]
    template = parse_template(litecoin_answer(transactions=[*ordinary, HOGEX]), LITECOIN)
    assert template.mweb_hex == "0102"
    assert template.transactions[-1].txid == from_displayed("ab" * 32)


def test_an_extension_block_whose_hogex_is_not_last_is_refused() -> None:
    ordinary = json.loads(answer())["transactions"]
    for transactions in ([], ordinary, [HOGEX, *ordinary]):
        assert refusal_of(litecoin_answer(transactions=transactions), LITECOIN) == (
            "the template has an extension block and no HogEx transaction at its end"
        )


def test_a_hogex_without_its_extension_block_is_refused() -> None:
    assert refusal_of(litecoin_answer(mweb=None), LITECOIN) == (
        "the template has a HogEx transaction and no extension block"
    )


@pytest.mark.parametrize("mweb", ["", "0", "zz", "01 02", "0x01"])
def test_an_extension_block_that_is_not_hex_is_refused(mweb: str) -> None:
    assert refusal_of(litecoin_answer(mweb=mweb), LITECOIN) == "the template's mweb is not hex"


def test_a_segwit_transaction_at_the_end_is_no_hogex() -> None:
    """Its flag is 01: only 08 is litecoin's."""
    segwit = VECTOR["template"]["transactions"][1]
    assert segwit["data"][8:12] == "0001"
    assert parse_template(answer(transactions=[segwit]), LITECOIN).mweb_hex is None


# ---------------------------------------------------------------------- transactions that are known already


def test_a_known_transaction_is_shared_instead_of_held_twice() -> None:
    first = parse_template(answer(), REGTEST)
    known = {transaction.data_hex: transaction for transaction in first.transactions}
    second = parse_template(answer(height=840_001), REGTEST, known=known)
    assert second.transactions == first.transactions
    assert all(new is old for new, old in zip(second.transactions, first.transactions, strict=True))


def test_an_unknown_transaction_beside_known_ones_is_parsed() -> None:
    first = parse_template(answer(), REGTEST)
    known = {first.transactions[0].data_hex: first.transactions[0]}
    assert parse_template(answer(), REGTEST, known=known) == first
    fresh = {"data": "c0ffee", "txid": "cd" * 32, "fee": 7, "sigops": 1, "weight": 12}
    assert parse_template(answer(transactions=[fresh]), REGTEST, known=known).transactions == (
        TemplateTransaction("c0ffee", bytes.fromhex("cd" * 32), 7, 1, 12),
    )


# ---------------------------------------------------------------------- what would cost the block


@pytest.mark.parametrize("challenge", [None, "", "5121" + "02" * 33 + "51ae"])
def test_a_signet_whose_blocks_need_a_signature_is_not_mined(challenge: str | None) -> None:
    """The last one is a multisignature of one key."""
    changes = {} if challenge is None else {"signet_challenge": challenge}
    with pytest.raises(TemplateRefused, match="-signetchallenge=51"):
        parse_template(answer(**changes), SIGNET)


def test_flags_that_leave_the_script_no_room_are_refused() -> None:
    assert parse_template(answer(coinbaseaux={"flags": "00" * 32}), REGTEST).coinbase_flags == bytes(32)
    with pytest.raises(TemplateRefused, match="33 bytes of flags"):
        parse_template(answer(coinbaseaux={"flags": "00" * 33}), REGTEST)
