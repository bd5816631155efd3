"""Tailing a source: in order, once, only what is synced; torn tails wait, damage and gaps are named."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.spool.frames import (
    FRAME_VERSION,
    Frame,
    NewerSpool,
    SpoolDamaged,
    SpoolError,
    SpoolGap,
    encode_block,
)
from pool.spool.segments import (
    finished_segments,
    newest_epoch,
    read_segment,
    segment_path,
    segment_with,
    segments_of,
)
from pool.spool.tail import SourceTail, mark_behind
from tests.pool.spool.writing import (
    DIFFICULTY,
    EPOCH,
    NAME,
    SOURCE,
    frame,
    head,
    offset_of,
    share,
    write_segment,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "spool" / SOURCE


def numbers(tail: SourceTail) -> list[int]:
    """Everything that can be had now."""
    taken: list[int] = []
    while ready := tail.poll(7):
        taken += [delivery.frame.number for delivery in ready]
    return taken


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def test_frames_come_from_behind_the_mark_and_only_when_a_later_one_calls_them_synced(source: Path) -> None:
    tail = SourceTail(source, EPOCH, 2)
    assert numbers(tail) == [], "the directory need not be there yet"
    path = write_segment(source, [frame(n, 0) for n in range(1, 6)])
    assert numbers(tail) == []
    with path.open("ab") as file:
        file.write(encode_block(frame(6, 4)))
    assert numbers(tail) == [3, 4]
    assert tail.mark == 4
    with path.open("ab") as file:
        file.write(encode_block(frame(7, 6)))
    assert numbers(tail) == [5, 6]


def test_at_most_so_many_come_at_once(source: Path) -> None:
    write_segment(source, [frame(n) for n in range(1, 30)])
    tail = SourceTail(source, EPOCH)
    assert [len(tail.poll(10)) for _ in range(4)] == [10, 10, 8, 0]


def test_numbers_resolve_by_the_head_and_by_what_came_before(source: Path) -> None:
    source.mkdir(parents=True)
    blocks = [
        head(1, definitions=[NAME]),
        frame(1, records=[DIFFICULTY]),
        frame(2, records=[share()]),
        frame(3),
    ]
    segment_path(source, EPOCH, 1, 1).write_bytes(b"".join(map(encode_block, blocks)))
    # the mark is behind the frame that defines the difficulty: it is learned all the same
    [delivery] = SourceTail(source, EPOCH, 1).poll()
    assert delivery.dictionary.name(1) == NAME
    assert delivery.dictionary.work(2) == 2**32
    assert delivery.segment.first == 1


@settings(max_examples=40)
@given(cut=st.integers(0, 400), mark=st.integers(0, 6))
def test_a_tail_that_is_still_being_written_is_not_yet(
    tmp_path_factory: pytest.TempPathFactory, cut: int, mark: int
) -> None:
    source = tmp_path_factory.mktemp("spool") / SOURCE
    path = write_segment(source, [frame(n) for n in range(1, 9)])
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - cut)])
    tail = SourceTail(source, EPOCH, mark)
    before = numbers(tail)
    path.write_bytes(data)
    # frame 8 calls 7 synced, and nobody calls 8 so
    assert before + numbers(tail) == list(range(mark + 1, 8))


def test_a_new_segment_is_followed_and_resolves_by_itself(source: Path) -> None:
    write_segment(source, [frame(1, records=[NAME]), frame(2)])
    tail = SourceTail(source, EPOCH)
    assert numbers(tail) == [1]
    write_segment(
        source,
        [frame(3), frame(4, records=[msgspec.structs.replace(NAME, worker="two")]), frame(5)],
        serial=2,
    )
    first, second, third = tail.poll()
    assert [d.frame.number for d in (first, second, third)] == [2, 3, 4]
    assert first.dictionary.name(1).worker == "rig"
    assert third.dictionary.name(1).worker == "two"


@pytest.mark.parametrize("start", [3, 4])
def test_a_torn_tail_of_an_older_segment_is_its_end_where_the_next_goes_on(source: Path, start: int) -> None:
    old = write_segment(source, [frame(n) for n in range(1, 5)])
    old.write_bytes(old.read_bytes()[:-3])  # the writer could not write 4, and began anew with it
    write_segment(source, [frame(n) for n in range(start, 7)], serial=2)
    assert numbers(SourceTail(source, EPOCH)) == [1, 2, 3, 4, 5]


def test_frames_that_were_written_again_come_once(source: Path) -> None:
    write_segment(source, [frame(n, 0) for n in range(1, 5)])
    write_segment(source, [frame(n, 0) for n in range(5, 8)], serial=2)
    tail = SourceTail(source, EPOCH)
    assert numbers(tail) == []
    # neither could be synced from frame 3 on: the third segment holds it all again, and goes on
    third = write_segment(source, [frame(n, 2) for n in range(3, 9)], serial=3)
    assert numbers(tail) == [1, 2]
    with third.open("ab") as file:
        file.write(encode_block(frame(9, 8)))
    assert numbers(tail) == [3, 4, 5, 6, 7, 8]
    assert numbers(SourceTail(source, EPOCH, 5)) == [6, 7, 8]


def test_a_segment_that_goes_away_while_it_is_read_is_looked_for_again(source: Path) -> None:
    gone = write_segment(source, [frame(n, 0) for n in range(1, 5)])
    tail = SourceTail(source, EPOCH)
    assert numbers(tail) == []
    gone.unlink()
    write_segment(source, [frame(n, n - 1) for n in range(1, 7)], serial=2)
    assert numbers(tail) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("where", [0, 5, 9, 14])  # magic, length, checksum, payload
def test_damage_in_the_middle_stops_the_source_and_names_the_place(source: Path, where: int) -> None:
    path = write_segment(source, [frame(n) for n in range(1, 9)])
    offset = offset_of(path, 5)
    flip(path, offset + where)
    tail = SourceTail(source, EPOCH)
    assert numbers_until_error(tail) == [1, 2, 3, 4]
    with pytest.raises(SpoolDamaged) as caught:
        tail.poll()
    assert (caught.value.offset, caught.value.expected, caught.value.found) == (offset, 5, 6)
    assert str(caught.value) == (
        f"spool {SOURCE} is damaged: frame 5 at byte {offset} of {path}; the next sound frame is 6"
    )
    mark = mark_behind(caught.value, segments_of(source)[EPOCH])
    assert mark == 5
    assert numbers(SourceTail(source, EPOCH, mark)) == [6, 7]


def numbers_until_error(tail: SourceTail) -> list[int]:
    taken: list[int] = []
    try:
        while ready := tail.poll(2):
            taken += [delivery.frame.number for delivery in ready]
    except SpoolError:
        pass
    return taken


def test_a_damaged_head_gives_the_whole_segment_up(source: Path) -> None:
    broken = write_segment(source, [frame(n) for n in range(1, 4)])
    write_segment(source, [frame(n) for n in range(4, 7)], serial=2)
    flip(broken, 13)
    with pytest.raises(SpoolDamaged, match=r"its head at byte 0") as caught:
        SourceTail(source, EPOCH).poll()
    mark = mark_behind(caught.value, segments_of(source)[EPOCH])
    assert mark == 3
    assert numbers(SourceTail(source, EPOCH, mark)) == [4, 5]


def test_missing_frames_are_a_gap_with_its_numbers(source: Path) -> None:
    write_segment(source, [frame(1), frame(2)])
    write_segment(source, [frame(5), frame(6)], serial=2)
    tail = SourceTail(source, EPOCH)
    assert numbers_until_error(tail) == [1, 2]
    with pytest.raises(SpoolGap, match=r"spool gateway-0 lacks the frames 3 to 4") as caught:
        tail.poll()
    mark = mark_behind(caught.value, segments_of(source)[EPOCH])
    assert mark == 4
    assert numbers(SourceTail(source, EPOCH, mark)) == [5]


def test_a_mark_before_everything_that_is_left_is_a_gap(source: Path) -> None:
    write_segment(source, [frame(5), frame(6)])
    with pytest.raises(SpoolGap, match=r"lacks the frames 3 to 4"):
        SourceTail(source, EPOCH, 2).poll()


def test_a_frame_out_of_turn_is_damage(source: Path) -> None:
    write_segment(source, [frame(1), frame(3), frame(4)])
    tail = SourceTail(source, EPOCH)
    assert numbers_until_error(tail) == [1]
    with pytest.raises(SpoolDamaged) as caught:
        tail.poll()
    assert (caught.value.expected, caught.value.found) == (2, 3)


def test_a_newer_frame_stops_the_source_after_what_came_before_it(source: Path) -> None:
    path = write_segment(source, [frame(n) for n in range(1, 4)])
    newer = Frame(FRAME_VERSION + 1, 4, 3, 0, 0, [])
    with path.open("ab") as file:
        file.write(encode_block(newer))
    tail = SourceTail(source, EPOCH)
    assert numbers_until_error(tail) == [1, 2]
    with pytest.raises(NewerSpool, match=r"upgrade it"):
        tail.poll()


def test_an_epoch_that_is_over_is_read_to_its_end(source: Path) -> None:
    write_segment(source, [frame(n, 0) for n in range(1, 4)])
    assert numbers(SourceTail(source, EPOCH)) == []
    assert numbers(SourceTail(source, EPOCH, is_over=True)) == [1, 2, 3]


def test_the_newest_epoch_is_the_one_with_the_latest_head(source: Path) -> None:
    assert newest_epoch(source) is None
    write_segment(source, [frame(7)])  # its head is of second 7
    for epoch, at_us in (("ff" * 8, 6_000_000), ("01" * 8, 8_000_000)):
        one = head(1, epoch=epoch, at_us=at_us)
        segment_path(source, epoch, 1, 1).write_bytes(encode_block(one))
    assert newest_epoch(source) == "01" * 8


def test_segments_are_finished_when_every_frame_of_theirs_is_applied(source: Path) -> None:
    for serial, first in ((1, 1), (2, 5), (3, 9)):
        write_segment(source, [frame(n) for n in range(first, first + 4)], serial=serial)
    segments = segments_of(source)[EPOCH]
    assert [one.serial for one in finished_segments(segments, 4)] == [1]
    assert [one.serial for one in finished_segments(segments, 7)] == [1]
    assert [one.serial for one in finished_segments(segments, 8)] == [1, 2]
    assert [one.serial for one in finished_segments(segments, 99)] == [1, 2], "never the one being written"
    found = segment_with(segments, 8)
    assert found is not None
    assert found.serial == 2


def test_a_whole_segment_reads_alone_from_its_bytes(source: Path) -> None:
    path = write_segment(source, [frame(1, records=[NAME]), frame(2)])
    data = path.read_bytes()
    read_head, dictionary, frames, torn_bytes = read_segment(path, data + b"\xf7ER")
    assert (read_head.source, [one.number for one in frames], torn_bytes) == (SOURCE, [1, 2], 3)
    assert dictionary.name(1) == NAME
    flipped = bytearray(data)
    flipped[offset_of(path, 1) + 20] ^= 1
    with pytest.raises(SpoolDamaged):
        read_segment(path, bytes(flipped))
    with pytest.raises(SpoolDamaged, match=r"its head"):
        read_segment(path, b"")
