"""A recorded share is proof of itself: its header comes out of the records bit by bit."""

import msgspec
import pytest

from pool.spool.dictionary import Dictionary, UnknownNumber
from pool.spool.records import CandidateMade, JobMade, TemplateFacts, is_true_candidate, share_header
from stratum.work.hashing import sha256d
from stratum.work.share import prepare
from tests.builders import make_job, make_template
from tests.pool.spool.writing import DIFFICULTY, NAME, share


def facts(template_branch: tuple[bytes, ...] = ()) -> tuple[JobMade, TemplateFacts, bytes]:
    """A job with a branch and rolled version bits, its records, and the header that the share check made."""
    template = make_template(merkle_branch=template_branch)
    job = make_job(template)
    header = prepare(
        job,
        0x1FFFE000,
        b"\x01\x02\x03\x04",
        8,
        "0a" * 8,
        f"{template.current_time:08x}",
        "deadbeef",
        "00002000",
    )
    assert isinstance(header, bytes)
    made = JobMade(3, job.id, 4, job.version, job.coinbase_prefix, job.coinbase_suffix, None, None, 0)
    target = template.network_target.to_bytes(32, "big")
    return (
        made,
        TemplateFacts(
            4,
            template.height,
            template.version,
            template.previous_hash,
            template.bits,
            target,
            template.coinbase_value_sats,
            0,
            template.merkle_branch,
        ),
        header,
    )


def candidate(header: bytes) -> CandidateMade:
    version, ntime, nonce = (int.from_bytes(header[a:b], "little") for a, b in ((0, 4), (68, 72), (76, 80)))
    return CandidateMade(
        sha256d(header), 3, 1, b"\x01\x02\x03\x04", b"\x0a" * 8, version, ntime, nonce, "u", 0
    )


@pytest.mark.parametrize("branch", [(), (b"\x11" * 32,), (b"\x11" * 32, b"\x22" * 32)])
def test_the_header_is_computed_again_from_the_records(branch: tuple[bytes, ...]) -> None:
    job, template, header = facts(branch)
    found = candidate(header)
    assert share_header(found, job, template) == header
    assert is_true_candidate(found, job, template)


def test_a_candidate_whose_coinbase_was_another_is_not_true() -> None:
    job, template, header = facts()
    paid_elsewhere = msgspec.structs.replace(job, suffix=job.suffix[:-1] + b"\x01")
    assert not is_true_candidate(candidate(header), paid_elsewhere, template)


def test_a_dictionary_resolves_what_it_has_learned_and_names_what_it_has_not() -> None:
    dictionary = Dictionary([NAME])
    with pytest.raises(UnknownNumber, match=r"difficulty 2 is not defined"):
        dictionary.work(2)
    job, template, _ = facts()
    dictionary.learn([DIFFICULTY, share(), template, job])
    assert dictionary.name(1) is NAME
    # 2^256 // 2^224
    assert dictionary.work(2) == 2**32
    assert dictionary.template_of_job(3) is template
    # bits 0x1705ae3a: 2^256 // (0x05ae3a * 2^160 + 1), which is 2^96 // 0x05ae3a
    assert template.network_work == 2**96 // 0x05AE3A
    for ask in (dictionary.name, dictionary.job, dictionary.template, dictionary.difficulty):
        with pytest.raises(UnknownNumber):
            ask(99)
