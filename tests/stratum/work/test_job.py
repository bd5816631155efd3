"""A job: the notify line that miners read, its version and mask, and the times that it is good for."""

import json
from typing import Any

import pytest

from stratum.work.coin import PROOFS_OF_WORK
from stratum.work.difficulty import MAX_TARGET
from stratum.work.job import BlockTarget, Job
from tests.builders import CURTIME, HARD_BITS, make_coinbase, make_job, make_template

SCRYPT = PROOFS_OF_WORK["scrypt"]
SIBLINGS = (bytes(range(32)), bytes(range(32, 64)))


def params_of(job: Job) -> list[Any]:
    line = json.loads(job.line(is_clean=True))
    assert isinstance(line["params"], list)
    return line["params"]


def test_the_notify_line_has_nine_params_in_the_encodings_of_the_wire() -> None:
    template = make_template(merkle_branch=SIBLINGS)
    coinbase = make_coinbase(template)
    job = make_job(template, "a1b2", coinbase=coinbase)
    line = json.loads(job.line(is_clean=True))
    assert line == {
        "id": None,
        "method": "mining.notify",
        "params": [
            "a1b2",
            # the vectors' hash 0000000000000000 0001c0ff … 0badf0, each word of its internal order reversed
            "ff0badf0bbccddee778899aa33445566ee0011220001c0ff0000000000000000",
            coinbase.prefix.hex(),
            coinbase.suffix.hex(),
            [bytes(range(32)).hex(), bytes(range(32, 64)).hex()],  # siblings stay in internal order
            "20000000",
            "1705ae3a",
            "662300a0",  # 1,713,569,952 = 0x662300a0
            True,
        ],
    }


def test_the_two_lines_differ_in_clean_jobs_alone() -> None:
    job = make_job()
    clean, keep = json.loads(job.line(is_clean=True)), json.loads(job.line(is_clean=False))
    assert (clean["params"][8], keep["params"][8]) == (True, False)
    assert clean["params"][:8] == keep["params"][:8]


def test_a_line_is_ascii_ends_with_one_newline_and_holds_no_space() -> None:
    """cgminer splits at newlines and some firmware looks for `"id":null` literally."""
    for line in (make_job().line(is_clean=True), make_job().line(is_clean=False)):
        assert line.isascii()
        assert line.endswith(b"]}\n")
        assert line.count(b"\n") == 1
        assert b" " not in line
        assert line.startswith(b'{"id":null,"method":"mining.notify","params":["')


def test_an_empty_branch_is_an_empty_list() -> None:
    assert params_of(make_job())[4] == []


def test_small_numbers_keep_their_leading_zeros() -> None:
    template = make_template(version=2, bits=0x03000001, network_target=1, current_time=1)
    assert params_of(make_job(template))[5:8] == ["00000002", "03000001", "00000001"]


def test_the_line_carries_the_jobs_time_and_not_the_templates() -> None:
    template = make_template()
    job = Job(
        template,
        make_coinbase(template),
        job_id="1",
        tip=1,
        ntime=CURTIME + 25,
        received_at=0.0,
        rolling_mask=0,
        proof_of_work=PROOFS_OF_WORK["sha256d"],
        chain="bitcoin",
    )
    assert params_of(job)[7] == "662300b9"  # …a0 + 25


# ---------------------------------------------------------------------- version and mask


@pytest.mark.parametrize(
    ("version", "mask", "announced"),
    [
        (0x20000000, 0x1FFFE000, 0x20000000),
        (0x20004000, 0x1FFFE000, 0x20000000),  # a bit that signals inside the mask
        (0x3FFFE004, 0x1FFFE000, 0x20000004),
        (0x3FFFFFFF, 0x00000000, 0x3FFFFFFF),  # nobody may roll: the node's version as it is
        (0xFFFFFFFF, 0x1FFFE000, 0xE0001FFF),
    ],
)
def test_bits_that_miners_may_roll_are_cleared_in_the_version(
    version: int, mask: int, announced: int
) -> None:
    job = make_job(make_template(version=version), rolling_mask=mask)
    assert job.version == announced
    assert job.rolling_mask == mask
    assert params_of(job)[5] == f"{announced:08x}"
    assert job.header_start[:4] == announced.to_bytes(4, "little")


def test_required_bits_cannot_be_rolled_and_stay_set() -> None:
    """BIP 23's vbrequired: here bits 14 and 28, both inside BIP 320's mask."""
    template = make_template(version=0x30006000, required_version_bits=0x10004000)
    job = make_job(template, rolling_mask=0x1FFFE000)
    assert job.rolling_mask == 0x0FFFA000
    assert job.version == 0x30004000  # bit 13 is cleared, 14 and 28 are not


def test_scrypt_jobs_have_no_mask() -> None:
    job = make_job(make_template(version=0x20006000), proof_of_work=SCRYPT)
    assert job.rolling_mask == 0
    assert job.version == 0x20006000


# ---------------------------------------------------------------------- targets and times


def test_a_job_wins_its_chain_at_the_templates_target() -> None:
    template = make_template(network_target=12345)
    job = make_job(template)
    assert job.block_targets == (BlockTarget("bitcoin", 12345),)
    assert job.easiest_block_target == 12345


def test_network_difficulty_is_in_the_units_of_the_proof_of_work() -> None:
    """bdiff 1 is 0xffff · 2^208, scrypt's 0xffff · 2^224: the same target is 65,536 times harder there."""
    template = make_template(network_target=0xFFFF << 208)
    assert make_job(template).network_difficulty == 1.0
    assert make_job(template, proof_of_work=SCRYPT).network_difficulty == 65536.0
    assert make_job(make_template(network_target=MAX_TARGET)).network_difficulty < 1e-9


def test_the_newest_time_follows_the_nodes_clock() -> None:
    """The node's time is the template's curtime plus what has passed since it came, here at second 50."""
    job = make_job(make_template(current_time=1_000_000), received_at=50.0)
    # at second 80 the node's clock shows 1,000,030; 7,000 s ahead of it are allowed
    assert 80.0 + job.latest_ntime_offset == 1_007_030


def test_the_oldest_time_is_the_templates() -> None:
    assert make_job(make_template(minimum_time=999_000)).minimum_ntime == 999_000


def test_header_parts_are_in_header_order() -> None:
    job = make_job(make_template(bits=HARD_BITS))
    # version and previous hash in internal order; bits 1705ae3a little-endian
    assert job.header_start.hex() == (
        "00000020" + "f0ad0bffeeddccbbaa99887766554433221100eeffc001000000000000000000"
    )
    assert job.bits_bytes.hex() == "3aae0517"
