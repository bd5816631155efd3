"""Blocks on disk: whole or nothing, every bit checked, newer versions named."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.spool.frames import (
    FRAME_VERSION,
    NewerSpool,
    block_at,
    decode_frame,
    decode_head,
    encode_block,
    next_block,
)
from pool.spool.records import (
    CandidateMade,
    Closing,
    JobMade,
    Joined,
    Left,
    Record,
    RefusedMade,
    TemplateFacts,
)
from tests.pool.spool.writing import DIFFICULTY, NAME, frame, head, share

EVERY_KIND: list[Record] = [
    NAME,
    DIFFICULTY,
    TemplateFacts(
        4, 840_000, 0x20000000, bytes(32), 0x207FFFFF, b"\x7f" * 32, 5_000_000_123, 123, (bytes(32),)
    ),
    JobMade(3, "00ab", 4, 0x20000000, b"prefix", b"suffix", "plan", b"\x51", 600, True),
    share(),
    RefusedMade(None, "stale", 3, (2**80).to_bytes(11, "big")),
    Joined(1, "cgminer"),
    Left(1),
    CandidateMade(bytes(32), 3, None, b"\x00" * 4, bytes(8), 1, 2, 3, "user", 1_700_000_000_000_000),
    Closing(),
]


def test_every_kind_of_record_comes_back_as_it_was_written() -> None:
    written = frame(9, records=EVERY_KIND)
    payload = block_at(encode_block(written), 0)
    assert payload is not None
    assert decode_frame(payload) == written
    assert written.records[5] == EVERY_KIND[5]


def test_refused_work_may_outgrow_64_bits() -> None:
    # 2^80 hashes: a difficulty of 2^48, times a few
    assert RefusedMade(1, "stale", 1, (2**80).to_bytes(11, "big")).work == 2**80
    assert RefusedMade(1, "stale", 1, b"").work == 0


def test_a_head_comes_back_as_it_was_written() -> None:
    written = head(5, definitions=[NAME, DIFFICULTY])
    payload = block_at(encode_block(written), 0)
    assert payload is not None
    assert decode_head(payload) == written


@given(st.data())
def test_no_flipped_bit_goes_unnoticed(data: st.DataObject) -> None:
    block = bytearray(encode_block(frame(9, records=EVERY_KIND)))
    bit = data.draw(st.integers(0, 8 * len(block) - 1))
    block[bit // 8] ^= 1 << bit % 8
    assert block_at(bytes(block), 0) is None


@given(st.data())
def test_a_block_that_is_cut_anywhere_is_none(data: st.DataObject) -> None:
    block = encode_block(frame(9, records=EVERY_KIND))
    assert block_at(block[: data.draw(st.integers(0, len(block) - 1))], 0) is None


def test_the_next_sound_block_is_found_behind_rubbish_and_behind_the_magic_within_it() -> None:
    one = encode_block(frame(1))
    rubbish = one[:4] + b"\x00" * 30 + one[:4]
    assert next_block(rubbish + one, 0) == len(rubbish)
    assert next_block(rubbish, 0) is None
    assert next_block(one + one, 1) == len(one)


def test_a_newer_version_is_refused_by_name_even_where_it_could_be_read() -> None:
    newer = [FRAME_VERSION + 1, 1, 0, 5, 7, []]
    with pytest.raises(NewerSpool, match=r"version 3; this engineroom reads version 2"):
        decode_frame(msgspec.msgpack.encode(newer))
    with pytest.raises(NewerSpool):
        decode_frame(msgspec.msgpack.encode([FRAME_VERSION + 1, "quite", "different"]))
    with pytest.raises(NewerSpool):
        decode_head(msgspec.msgpack.encode([FRAME_VERSION + 1]))


def test_what_the_first_version_wrote_is_read() -> None:
    """It knew fewer kinds of records, and wrote the others as they are written now."""
    assert decode_frame(msgspec.msgpack.encode([1, 7, 6, 5, 9, [[10]]])).records == [Closing()]
    assert decode_head(msgspec.msgpack.encode([1, "gateway-0", "bitcoin", "e", 1, 7, 5, 9, []])).first == 7


@pytest.mark.parametrize(
    "payload", [b"", b"\x01", msgspec.msgpack.encode([1, "x"]), msgspec.msgpack.encode([0, 1])]
)
def test_a_payload_that_is_no_frame_says_so(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame"):
        decode_frame(payload)
    with pytest.raises(ValueError, match=r"head"):
        decode_head(payload)
