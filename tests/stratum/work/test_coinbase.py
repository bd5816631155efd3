"""The coinbase, byte by byte: heights, limits, sums, the commitment, and that no miner's byte is a signature
operation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.work.coinbase import (
    MAXIMUM_SCRIPT_BYTES,
    Coinbase,
    CoinbaseTooLarge,
    build_coinbase,
    coinbase_cost,
    decode_outputs,
    longest_script_bytes,
    worst_script,
)
from stratum.work.script import legacy_sigops
from stratum.work.template import Template
from stratum.work.transaction import Output
from tests.builders import make_template
from tests.vectors import JOBS

VECTOR = JOBS["segwit_commitment_block"]
COMMITMENT = bytes.fromhex(VECTOR["template"]["default_witness_commitment"])
REWARD_SATS = 5_000_000_000

# BIP 173's example key; the last byte of a P2PKH script is OP_CHECKSIG, one signature operation.
KEY_HASH = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
P2WPKH = bytes.fromhex("0014") + KEY_HASH
P2PKH = bytes.fromhex("76a914") + KEY_HASH + bytes.fromhex("88ac")

INPUT_BEFORE_SCRIPT = "02000000" + "01" + "00" * 32 + "ffffffff"  # version, one input, the null outpoint


def build(
    template: Template | None = None,
    outputs: list[Output] | None = None,
    *,
    tag: bytes = b"",
    uniqueness: bytes = bytes(8),
    extranonce_bytes: int = 12,
) -> Coinbase:
    return build_coinbase(
        template or make_template(),
        outputs or [Output(value_sats=REWARD_SATS, script=P2WPKH)],
        tag=tag,
        uniqueness=uniqueness,
        extranonce_bytes=extranonce_bytes,
    )


def test_a_coinbase_byte_by_byte() -> None:
    coinbase = build(
        make_template(height=840_000, witness_commitment=COMMITMENT),
        [Output(value_sats=REWARD_SATS, script=P2WPKH)],
        tag=b"/test/",
        uniqueness=bytes.fromhex("a1a2a3a4b1b2b3b4"),
    )
    assert coinbase.prefix.hex() == (
        INPUT_BEFORE_SCRIPT
        + "20"  # 4 + 7 + 1 + 8 + 12 = 32 bytes of script
        + "0340d10c"  # 840,000 = 0x0cd140
        + "06"
        + b"/test/".hex()
        + "14"  # 20 bytes: uniqueness and extranonces in one push
        + "a1a2a3a4b1b2b3b4"
    )
    assert coinbase.suffix.hex() == (
        "feffffff"  # the sequence
        "02"
        "00f2052a01000000"  # 50 · 10^8 = 0x012a05f200
        "16"
        + P2WPKH.hex()
        + "0000000000000000"
        + "26"
        + COMMITMENT.hex()
        + "3fd10c00"  # the lock time: 839,999 = 0x0cd13f
    )


def test_the_vectors_block_has_our_coinbase_but_for_sequence_and_lock_time() -> None:
    """The vector was written before BIP 54: its sequence is final and its lock time 0."""
    template = make_template(height=840_000, witness_commitment=COMMITMENT, coinbase_value_sats=312_512_345)
    outputs = [Output(value_sats=312_512_345, script=P2WPKH)]
    coinbase = build(template, outputs, tag=b"/vec/", uniqueness=b"")
    _, _, first, second, *_ = VECTOR["notify"]["params"]
    assert coinbase.prefix.hex() == first
    assert "ffffffff" + coinbase.suffix.hex()[8:-8] + "00000000" == second


# BIP 34, with Core's CScript() << height for the small ones: OP_0, OP_1 … OP_16, then minimal pushes of a
# little-endian number whose highest bit is its sign.
@pytest.mark.parametrize(
    ("height", "push"),
    [
        (0, "00"),
        (1, "51"),  # OP_1 is 0x51
        (16, "60"),  # OP_16
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),  # 0x80 alone would be negative: a byte more
        (255, "02ff00"),
        (256, "020001"),
        (32_767, "02ff7f"),
        (32_768, "03008000"),
        (840_000, "0340d10c"),
        (8_388_607, "03ffff7f"),
        (8_388_608, "0400008000"),
        (2_147_483_647, "04ffffff7f"),
    ],
)
def test_the_script_begins_with_the_height(height: int, push: str) -> None:
    prefix = build(make_template(height=height)).prefix
    script_bytes = len(push) // 2 + 1 + 8 + 12
    assert prefix.hex() == f"{INPUT_BEFORE_SCRIPT}{script_bytes:02x}{push}14{'00' * 8}"


# BIP 54: a lock time of height − 1, and a sequence that is not final, so that it counts.
@pytest.mark.parametrize(
    ("height", "lock_time"),
    [(0, "00000000"), (1, "00000000"), (2, "01000000"), (257, "00010000"), (840_000, "3fd10c00")],
)
def test_the_lock_time_is_the_height_before(height: int, lock_time: str) -> None:
    suffix = build(make_template(height=height)).suffix.hex()
    assert suffix.endswith(lock_time)
    assert suffix.startswith("feffffff")


def test_no_two_heights_have_the_same_coinbase() -> None:
    """Even with the same reward, tag and extranonces (BIP 30's duplicates)."""
    coinbases = {build(make_template(height=height)) for height in (0, 1, 16, 17, 128, 32_768)}
    assert len(coinbases) == 6


# ---------------------------------------------------------------------- the limit of 100 bytes


def test_a_script_of_exactly_a_hundred_bytes_is_built() -> None:
    # 4 of height, 1 + 74 of tag, 1 + 8 + 12 of uniqueness and extranonces
    coinbase = build(tag=b"t" * 74)
    assert coinbase.prefix[41] == 100
    assert len(coinbase.prefix) == 41 + 1 + 100 - 12


def test_a_script_of_a_hundred_and_one_bytes_is_refused() -> None:
    with pytest.raises(CoinbaseTooLarge, match="would have 101 bytes; 100 are allowed") as refused:
        build(tag=b"t" * 75)
    assert refused.value.script_bytes == 101


def test_a_templates_flags_count_towards_the_limit() -> None:
    with pytest.raises(CoinbaseTooLarge) as refused:
        build(make_template(coinbase_flags=b"\x06/P2SH/"), tag=b"t" * 74)
    assert refused.value.script_bytes == 108  # 1 + 7 more than 100


def test_a_long_tag_is_one_push_with_its_own_opcode() -> None:
    coinbase = build(tag=b"t" * 76, uniqueness=b"", extranonce_bytes=4)
    # 4 of height, 2 + 76 of tag (OP_PUSHDATA1 is 4c), 1 + 4 of extranonces
    assert coinbase.prefix[41:].hex() == "57" + "0340d10c" + "4c4c" + "74" * 76 + "04"


def test_the_flags_stand_between_height_and_tag() -> None:
    coinbase = build(make_template(coinbase_flags=b"/P2SH/"), tag=b"/us/")
    assert (
        coinbase.prefix[42:].hex()
        == "0340d10c" + "06" + b"/P2SH/".hex() + "04" + b"/us/".hex() + "14" + "00" * 8
    )


def test_without_a_tag_there_is_no_empty_push() -> None:
    assert build(tag=b"").prefix[42:].hex() == "0340d10c" + "14" + "00" * 8


def test_the_longest_script_by_hand() -> None:
    # 5 of the greatest height (04ffffff7f), 1 + 32 of a node's flags, 1 + 12 of tag, 1 of push, 8 of
    # uniqueness, 12 of extranonces
    assert longest_script_bytes(b"/engineroom/", 8, 12) == 72
    assert longest_script_bytes(b"", 8, 12) == 59


def test_the_longest_tag_of_the_settings_fits_beside_everything_else() -> None:
    # 5 + 33 + (1 + 40) + 1 + 8 + 12
    assert longest_script_bytes(b"x" * 40, 8, 12) == MAXIMUM_SCRIPT_BYTES == 100


@given(height=st.integers(0, 2**31 - 1), tag=st.binary(max_size=90), extranonce_bytes=st.integers(4, 12))
def test_no_script_is_longer_than_the_longest(height: int, tag: bytes, extranonce_bytes: int) -> None:
    longest = longest_script_bytes(tag, 8, extranonce_bytes)
    try:
        coinbase = build(make_template(height=height), tag=tag, extranonce_bytes=extranonce_bytes)
    except CoinbaseTooLarge as refused:
        assert MAXIMUM_SCRIPT_BYTES < refused.script_bytes <= longest  # noqa: PT017  both ends are of interest
    else:
        assert len(worst_script(coinbase, extranonce_bytes)) <= min(longest, MAXIMUM_SCRIPT_BYTES)


def test_the_longest_script_is_reached_at_the_greatest_height() -> None:
    coinbase = build(make_template(height=2**31 - 1, coinbase_flags=bytes(32)), tag=b"/engineroom/")
    assert len(worst_script(coinbase, 12)) == longest_script_bytes(b"/engineroom/", 8, 12)


# ---------------------------------------------------------------------- outputs


@pytest.mark.parametrize("total", [0, REWARD_SATS - 1, REWARD_SATS + 1])
def test_outputs_that_do_not_sum_to_the_reward_are_refused(total: int) -> None:
    outputs = [Output(value_sats=total, script=P2WPKH)]
    with pytest.raises(ValueError, match=f"outputs sum to {total} sats, the reward is {REWARD_SATS}"):
        build(outputs=outputs)


def test_several_outputs_keep_their_order() -> None:
    outputs = [Output(value_sats=REWARD_SATS - 1, script=P2PKH), Output(value_sats=1, script=P2WPKH)]
    assert decode_outputs(build(outputs=outputs)) == outputs


def test_the_commitment_is_the_last_output_and_carries_nothing() -> None:
    outputs = [Output(value_sats=REWARD_SATS - 7, script=P2PKH), Output(value_sats=7, script=P2WPKH)]
    template = make_template(witness_commitment=COMMITMENT)
    decoded = decode_outputs(build(template, outputs))
    assert decoded == [*outputs, Output(value_sats=0, script=COMMITMENT)]
    assert outputs == decoded[:2]  # the caller's list is untouched


def test_without_segwit_there_is_no_commitment() -> None:
    assert len(decode_outputs(build(make_template(witness_commitment=None)))) == 1


def test_many_outputs_and_long_scripts_are_read_back() -> None:
    """Counts and lengths above 252 take three bytes."""
    outputs = [Output(value_sats=0, script=b"\x51" * length) for length in range(300)]
    outputs[0] = Output(value_sats=REWARD_SATS, script=b"")
    assert decode_outputs(build(outputs=outputs)) == outputs


# ---------------------------------------------------------------------- what it takes of the block


def test_extranonces_full_of_checksig_cost_no_signature_operation() -> None:
    """0xac is OP_CHECKSIG, 0xae OP_CHECKMULTISIG, which counts twenty."""
    coinbase = build(
        make_template(coinbase_flags=b"\xac\xae", witness_commitment=COMMITMENT),
        [Output(value_sats=REWARD_SATS, script=P2PKH)],
        tag=b"\xac\xae\xac",
        uniqueness=b"\xac\xae" * 4,
    )
    script = worst_script(coinbase, 12)
    assert script.count(0xAC) == 12 + 1 + 2 + 4
    assert legacy_sigops(script) == 0
    cost = coinbase_cost(coinbase, 12, has_witness=True)
    assert cost.sigop_cost == 4  # the output's one, at four a piece


@given(
    height=st.integers(0, 2**31 - 1),
    uniqueness=st.binary(min_size=8, max_size=8),
    extranonces=st.binary(min_size=12, max_size=12),
    tag=st.binary(max_size=40),
    flags=st.binary(max_size=20),
)
def test_no_byte_that_changes_from_job_to_job_is_a_signature_operation(
    height: int, uniqueness: bytes, extranonces: bytes, tag: bytes, flags: bytes
) -> None:
    coinbase = build(make_template(height=height, coinbase_flags=flags), tag=tag, uniqueness=uniqueness)
    script = coinbase.prefix[42:] + extranonces
    assert len(script) == coinbase.prefix[41]
    assert legacy_sigops(script) == 0


@pytest.mark.parametrize(
    ("scripts", "operations"),
    [([P2WPKH], 0), ([P2PKH], 1), ([P2PKH, P2PKH, P2WPKH], 2), ([bytes.fromhex("51ae")], 20)],
)
def test_a_signature_operation_of_an_output_costs_four(scripts: list[bytes], operations: int) -> None:
    outputs = [Output(value_sats=0, script=script) for script in scripts]
    outputs[0] = Output(value_sats=REWARD_SATS, script=scripts[0])
    cost = coinbase_cost(build(outputs=outputs), 12, has_witness=False)
    assert cost.sigop_cost == 4 * operations


def test_size_and_weight_are_those_of_the_vectors_transaction() -> None:
    template = make_template(height=840_000, witness_commitment=COMMITMENT, coinbase_value_sats=312_512_345)
    outputs = [Output(value_sats=312_512_345, script=P2WPKH)]
    cost = coinbase_cost(build(template, outputs, tag=b"/vec/", uniqueness=b""), 12, has_witness=True)
    stripped = len(VECTOR["expect"]["coinbase_hex"]) // 2
    whole = len(VECTOR["coinbase_with_witness_hex"]) // 2
    assert cost.size_bytes == stripped
    assert cost.weight == 3 * stripped + whole  # BIP 141


def test_without_a_witness_the_weight_is_four_times_the_size() -> None:
    # 41 + 1 + (4 + 1 + 8) and 12 extranonces; 4 + 1 + (8 + 1 + 22) + 4
    cost = coinbase_cost(build(), 12, has_witness=False)
    assert (cost.size_bytes, cost.weight) == (107, 428)
