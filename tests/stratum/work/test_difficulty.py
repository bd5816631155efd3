"""Targets, bits and difficulties against the vectors."""

import json

import pytest

from stratum.errors import RejectReason
from stratum.work.difficulty import (
    SCRYPT_DIFFICULTY_1,
    SHA256D_DIFFICULTY_1,
    InvalidBits,
    bits_from_target,
    difficulty_from_target,
    share_difficulty,
    target_from_bits,
    target_from_difficulty,
    work_of_target,
)
from stratum.work.share import judge
from tests.builders import make_job
from tests.vectors import VECTORS

DIFFICULTY = VECTORS["difficulty"]


def test_difficulty_one_is_bdiff() -> None:
    assert f"{SHA256D_DIFFICULTY_1:064x}" == DIFFICULTY["diff1_bdiff"]
    assert f"{SCRYPT_DIFFICULTY_1:064x}" == DIFFICULTY["diff1_scrypt"]


@pytest.mark.parametrize("vector", DIFFICULTY["vectors"], ids=lambda v: v["label"])
def test_a_difficulty_has_the_vectors_target(vector: dict[str, object]) -> None:
    difficulty = vector["difficulty"]
    assert isinstance(difficulty, float)
    assert f"{target_from_difficulty(difficulty, SHA256D_DIFFICULTY_1):064x}" == vector["bdiff_target"]
    assert f"{target_from_difficulty(difficulty, SCRYPT_DIFFICULTY_1):064x}" == vector["scrypt_target"]


@pytest.mark.parametrize("vector", DIFFICULTY["vectors"], ids=lambda v: v["label"])
def test_a_hash_that_only_bfgminers_pdiff_allows_is_low(vector: dict[str, object]) -> None:
    """BFGMiner takes whole difficulties as pdiff, 0.0015 % easier than bdiff: none of it is tolerated."""
    difficulty = vector["difficulty"]
    assert isinstance(difficulty, float)
    target = target_from_difficulty(difficulty, SHA256D_DIFFICULTY_1)
    pdiff_target = int(str(vector["pdiff_target"]), 16)
    if pdiff_target == 2**256 - 1:
        assert target <= pdiff_target  # so easy that both are everything
        return
    assert target < pdiff_target
    job = make_job()
    at_pdiff = pdiff_target.to_bytes(32, "little")
    header = bytes(68) + job.ntime.to_bytes(4, "little") + bytes(8)
    assert judge(job, target, header, at_pdiff, True, False, 0.0)[1] is RejectReason.LOW_DIFFICULTY
    at_target = target.to_bytes(32, "little")
    assert judge(job, target, header, at_target, True, False, 0.0)[1] is None


def test_pdiff_one_is_bfgminers_not_ours() -> None:
    pdiff_1 = int(DIFFICULTY["diff1_pdiff"], 16)
    assert pdiff_1 == 2**224 - 1
    assert difficulty_from_target(pdiff_1, SHA256D_DIFFICULTY_1) == 0.9999847412109375


@pytest.mark.parametrize("vector", DIFFICULTY["hash_to_difficulty"], ids=lambda v: v["hash_display"][:20])
def test_a_hash_has_the_vectors_difficulty(vector: dict[str, object]) -> None:
    value = int(str(vector["hash_display"]), 16)
    assert difficulty_from_target(value, SHA256D_DIFFICULTY_1) == vector["difficulty"]
    assert difficulty_from_target(value, SCRYPT_DIFFICULTY_1) == vector["scrypt_difficulty"]


@pytest.mark.parametrize("vector", VECTORS["nbits"], ids=lambda v: v["nbits"])
def test_bits_are_the_vectors_target_or_refused(vector: dict[str, object]) -> None:
    bits = int(str(vector["nbits"]), 16)
    if not vector["valid_pow"]:
        with pytest.raises(InvalidBits, match=f"{bits:08x}"):
            target_from_bits(bits)
        return
    target = target_from_bits(bits)
    assert f"{target:064x}" == vector["target"]
    assert difficulty_from_target(target, SHA256D_DIFFICULTY_1) == vector["difficulty"]
    assert f"{bits_from_target(target):08x}" == vector["re_encoded"]


def test_work_is_the_expected_number_of_hashes() -> None:
    assert work_of_target(2**256 - 1) == 1  # every hash meets it
    assert work_of_target(2**255 - 1) == 2  # every second one
    # difficulty 1: 2^256 // (0xffff · 2^208 + 1) = 2^48 · 2^208 // (65535 · 2^208 + 1) = 4,295,032,833 (Core)
    assert work_of_target(SHA256D_DIFFICULTY_1) == 4_295_032_833


@pytest.mark.parametrize(
    ("wished", "wire"),
    [
        (16384.0, b"16384"),
        (1.0, b"1"),
        (1.4, b"1"),
        (0.5, b"0.5"),
        (0.00015, b"0.00015"),
        (2.0**-20, b"0.00000095367431640625"),
        (1e14, b"100000000000000"),
    ],
)
def test_an_announced_difficulty_is_whole_above_one_and_a_plain_decimal_below(
    wished: float, wire: bytes
) -> None:
    announced = share_difficulty(wished, SHA256D_DIFFICULTY_1)
    assert announced.wire == wire
    # the target is that of the number on the wire, read back as a device with doubles reads it
    assert announced.target == target_from_difficulty(json.loads(wire), SHA256D_DIFFICULTY_1)


@pytest.mark.parametrize("view", DIFFICULTY["device_views"], ids=lambda v: str(v["sent"]))
def test_vardiffs_difficulties_are_what_every_device_reads(view: dict[str, float]) -> None:
    """bosminer stores float32, NerdQAxe truncates to uint32: why vardiff keeps to three significant bits."""
    from stratum.vardiff import three_bits

    rounded = three_bits(view["sent"])
    import struct

    assert struct.unpack("f", struct.pack("f", rounded))[0] == rounded
    if view["sent"] == int(view["sent"]):
        assert share_difficulty(view["sent"], SHA256D_DIFFICULTY_1).value == view["as_uint32_truncated"]
