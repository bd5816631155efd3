"""The start of a segment as a hash: the head and every frame up to one, and not a byte more."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from pool.spool.frames import encode_block
from pool.spool.parts import Part, part_of
from tests.pool.accounting.places import frame_of, head_of

HEAD = encode_block(head_of(1, 5))
FRAMES = [encode_block(frame_of(number)) for number in range(5, 9)]
SEGMENT = HEAD + b"".join(FRAMES)


def of(*blocks: bytes) -> str:
    return sha256(b"".join(blocks)).hexdigest()


def test_a_part_ends_with_the_frame_that_was_asked_for() -> None:
    assert part_of(SEGMENT, 5, 6) == Part(6, of(HEAD, *FRAMES[:2]))
    assert part_of(SEGMENT, 5, 8) == Part(8, of(SEGMENT))


def test_a_segment_that_ends_before_is_taken_as_far_as_it_is_whole() -> None:
    assert part_of(SEGMENT, 5, 100) == Part(8, of(SEGMENT))
    assert part_of(SEGMENT[:-1], 5, 100) == Part(7, of(HEAD, *FRAMES[:3]))
    assert part_of(SEGMENT, 5, 4) == Part(4, of(HEAD))
    assert part_of(b"", 5, 6) == Part(4, of())


@given(cut=st.integers(0, len(SEGMENT)), through=st.integers(0, 12))
def test_what_comes_later_changes_nothing(cut: int, through: int) -> None:
    part = part_of(SEGMENT[:cut], 5, through)
    assert part_of(SEGMENT, 5, part.last_frame) == part or cut < len(HEAD)
