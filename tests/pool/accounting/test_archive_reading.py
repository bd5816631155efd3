"""Frames out of archive and spool: each once and in order, or an error that names what is not there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.accounting.archive import archived
from pool.accounting.archive_file import ArchiveDamaged
from pool.accounting.archive_reading import frames_after
from pool.spool.frames import Frame, SpoolGap, encode_block
from tests.pool.accounting.places import ALICE, EPOCH, Places, frame_of, head_of


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_frames_come_from_the_archive_and_then_from_the_spool_each_once(places: Places) -> None:
    for serial, first in ((1, 1), (2, 11), (3, 21)):
        places.write(serial, first, first + 9)
    places.move_in(mark=20)
    assert places.raw() == [3]
    assert places.numbers() == list(range(1, 31))
    assert places.numbers(after=15, through=25) == list(range(16, 26))
    assert places.numbers(after=10, through=20) == list(range(11, 21))
    assert places.numbers(after=30) == []
    delivery = next(frames_after(places.archive, places.spool, EPOCH, 15))
    assert delivery.dictionary.name(1) == ALICE
    assert delivery.frame == frame_of(16)


def test_a_segment_in_both_places_counts_once_and_is_removed_next_time(places: Places) -> None:
    path = places.write(1, 1, 10)
    places.write(2, 11, 12)
    raw = path.read_bytes()
    places.move_in(mark=10)
    path.write_bytes(raw)  # as if the process had died before it removed it
    assert places.numbers() == list(range(1, 13))
    places.move_in(mark=10)
    assert places.raw() == [2]
    assert len(archived(places.archive)) == 1


def test_what_was_written_again_in_a_later_segment_counts_once(places: Places) -> None:
    places.write(1, 1, 10)
    places.write(2, 8, 20)  # 8 to 10 were in doubt, and are here again
    places.write(3, 21, 22)
    places.move_in(mark=20)
    assert places.raw() == [3]
    assert places.numbers() == list(range(1, 23))
    deliveries = frames_after(places.archive, places.spool, EPOCH, 0)
    assert [one.segment.serial for one in deliveries] == [1] * 7 + [2] * 13 + [3] * 2


def test_a_segment_that_a_later_one_replaces_as_a_whole_is_passed_over(places: Places) -> None:
    places.write(1, 1, 10)
    places.write(2, 11, 12)
    places.write(3, 8, 15)
    deliveries = list(frames_after(places.archive, places.spool, EPOCH, 0))
    assert [one.frame.number for one in deliveries] == list(range(1, 16))
    assert [one.segment.serial for one in deliveries] == [1] * 7 + [3] * 8


@pytest.mark.parametrize(
    ("after", "through", "given_up", "gap"),
    [
        (0, None, [], (1, 11)),  # 1 to 10 are nowhere
        (10, None, [], (21, 31)),  # 21 to 30 neither
        (10, 35, [(21, 29)], (30, 31)),
        (10, 35, [(22, 30)], (21, 22)),
        (30, 50, [], (41, 51)),
        (50, 55, [], (51, 56)),
    ],
)
def test_missing_frames_are_named(
    places: Places, after: int, through: int | None, given_up: list[tuple[int, int]], gap: tuple[int, int]
) -> None:
    places.write(2, 11, 20)
    places.write(4, 31, 40)
    with pytest.raises(SpoolGap) as found:
        places.numbers(after=after, through=through, given_up=given_up)
    assert (found.value.expected, found.value.found) == gap


def test_frames_that_were_given_up_are_passed_over_even_where_they_are_found(places: Places) -> None:
    places.write(2, 11, 20)
    places.write(4, 31, 40)
    given_up = [(1, 10), (15, 16), (21, 25), (26, 32), (39, 50)]
    expected = [*range(11, 15), *range(17, 21), *range(33, 39)]
    assert places.numbers(given_up=given_up, through=50) == expected


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_in_an_archive_never_gives_another_frame(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    places = Places(tmp_path_factory.mktemp("places"))
    for serial, first in ((1, 1), (2, 11), (3, 21)):
        places.write(serial, first, first + 9)
    places.move_in(mark=20)
    one = archived(places.archive)[0]
    content = bytearray(one.path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    one.path.write_bytes(content)
    came: list[Frame] = []
    fault: ArchiveDamaged | None = None
    try:
        came.extend(delivery.frame for delivery in frames_after(places.archive, places.spool, EPOCH, 0))
    except ArchiveDamaged as error:
        fault = error
    assert came == [frame_of(number) for number in range(1, len(came) + 1)]
    assert len(came) == 30 if fault is None else len(came) <= 10
    assert fault is None or (fault.file == one.path and fault.offset <= one.record.raw_bytes)


def test_a_damaged_archive_names_where_its_contents_stop_to_be_sound(places: Places) -> None:
    path = places.write(1, 1, 2000)
    places.write(2, 2001, 2001)
    raw = path.read_bytes()
    (one,) = places.move_in(mark=2000)
    content = bytearray(one.path.read_bytes())
    content[len(content) // 2] ^= 0x10
    one.path.write_bytes(content)
    came: list[Frame] = []
    with pytest.raises(ArchiveDamaged) as found:
        came.extend(delivery.frame for delivery in frames_after(places.archive, places.spool, EPOCH, 0))
    assert raw.startswith(b"".join([encode_block(head_of(1, 1)), *map(encode_block, came)]))
    assert found.value.offset == len(encode_block(head_of(1, 1))) + sum(
        len(encode_block(one)) for one in came
    )


def test_an_archive_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert archived(tmp_path / "none") == []
    assert list(frames_after(tmp_path / "none", tmp_path / "nor", EPOCH, 0)) == []
