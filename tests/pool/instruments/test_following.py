"""Following spools: every frame once, over restarts, new epochs and what is missing."""

from pathlib import Path

import pytest

from pool.instruments.following import FRAMES_AT_ONCE, Follower, Mark
from pool.spool.frames import encode_block
from pool.spool.segments import segment_path
from tests.pool.spool.writing import EPOCH, SOURCE, frame, head, offset_of, write_segment


def numbers(follower: Follower) -> list[int]:
    return [one.frame.number for passage in follower.poll() for one in passage.deliveries]


def test_a_source_is_followed_from_the_segment_that_is_being_written(tmp_path: Path) -> None:
    spool = tmp_path / SOURCE
    write_segment(spool, [frame(1), frame(2)])
    write_segment(spool, [frame(3), frame(4), frame(5)], serial=2)
    follower = Follower(tmp_path, [])
    assert numbers(follower) == [3, 4]  # the fifth says that the fourth is synced
    assert numbers(follower) == []
    write_segment(spool, [frame(3), frame(4), frame(5), frame(6)], serial=2)
    assert numbers(follower) == [5]
    assert follower.marks == [Mark(SOURCE, EPOCH, 5)]


def test_another_process_goes_on_at_the_mark(tmp_path: Path) -> None:
    write_segment(tmp_path / SOURCE, [frame(number) for number in range(1, 8)])
    assert numbers(Follower(tmp_path, [Mark(SOURCE, EPOCH, 4)])) == [5, 6]


def test_what_was_archived_meanwhile_is_a_gap_and_told_as_one(tmp_path: Path) -> None:
    write_segment(tmp_path / SOURCE, [frame(number) for number in range(10, 14)], serial=3)
    follower = Follower(tmp_path, [Mark(SOURCE, EPOCH, 4)])
    (passage,) = follower.poll()
    assert [one.frame.number for one in passage.deliveries] == [10, 11, 12]
    assert passage.is_after_gap


def test_damage_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_segment(tmp_path / SOURCE, [frame(number) for number in range(1, 7)])
    data = bytearray(path.read_bytes())
    data[offset_of(path, 3) + 20] ^= 0xFF
    path.write_bytes(data)
    follower = Follower(tmp_path, [])
    assert numbers(follower) == [1, 2, 4, 5]
    assert "frame 3" in caplog.text


def test_an_epoch_that_is_over_is_read_to_its_end_before_the_one_behind_it(tmp_path: Path) -> None:
    """More than one passage of it: else a gateway would seem to change back and forth."""
    count = FRAMES_AT_ONCE + 500
    write_segment(tmp_path / SOURCE, [frame(number) for number in range(1, count + 1)])
    follower = Follower(tmp_path, [])
    later = "ffeeddccbbaa9988"
    behind = head(1, epoch=later, at_us=10**15)
    path = segment_path(tmp_path / SOURCE, later, 1, 1)
    path.write_bytes(b"".join(encode_block(one) for one in (behind, frame(1), frame(2))))
    read = [(passage.epoch, len(passage.deliveries)) for passage in follower.poll()]
    assert read == [(EPOCH, FRAMES_AT_ONCE), (EPOCH, 500), (later, 1)]


def test_a_folder_that_is_not_there_yet_has_nothing(tmp_path: Path) -> None:
    assert numbers(Follower(tmp_path / "spool", [])) == []


def test_a_source_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    path = write_segment(tmp_path / SOURCE, [frame(1), frame(2)])
    follower = Follower(tmp_path, [])
    assert numbers(follower) == [1]
    path.unlink()
    assert numbers(follower) == []
    assert follower.marks == []
