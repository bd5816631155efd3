"""Following spools: every frame once, over restarts, new epochs and what is missing."""

from pathlib import Path

import pytest

from pool.instruments.following import FRAMES_AT_ONCE, Follower, Mark
from pool.spool.frames import FRAME_VERSION, Frame, encode_block
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


def test_a_folder_that_is_not_there_yet_has_nothing(tmp_path: Path) -> None:
    assert numbers(Follower(tmp_path / "spool", [])) == []


def test_a_source_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    path = write_segment(tmp_path / SOURCE, [frame(1), frame(2)])
    follower = Follower(tmp_path, [])
    assert numbers(follower) == [1]
    path.unlink()
    assert numbers(follower) == []
    assert follower.marks == []


def test_what_earlier_processes_have_left_is_not_followed_where_nobody_followed_them(tmp_path: Path) -> None:
    older, newer = "ffffffffaaaaaaaa", "00000000bbbbbbbb"
    write_epoch(tmp_path / SOURCE, older, at=0, count=5)
    write_epoch(tmp_path / SOURCE, newer, at=86_400, count=3)
    follower = Follower(tmp_path, [])
    assert follower.begins_at() == 86_400
    assert [one.epoch for one in follower.poll()] == [newer]
    assert [one.epoch for one in follower.poll()] == []


def test_nothing_begins_where_there_is_nothing_to_follow(tmp_path: Path) -> None:
    assert Follower(tmp_path / "spool", []).begins_at() is None


def write_epoch(directory: Path, epoch: str, *, at: int, count: int) -> None:
    """One segment of `count` empty frames, a second each."""
    directory.mkdir(parents=True, exist_ok=True)
    first = head(1, epoch=epoch, at_us=at * 1_000_000)
    frames = [Frame(FRAME_VERSION, n, n - 1, (at + n) * 1_000_000, 7, []) for n in range(1, count + 1)]
    path = segment_path(directory, epoch, 1, 1)
    path.write_bytes(b"".join(encode_block(block) for block in (first, *frames)))


def test_an_epoch_is_read_to_its_end_before_the_one_that_took_its_place(tmp_path: Path) -> None:
    """However far behind: what happened at the older process must not follow what happened at the newer."""
    older, newer = "ffffffffaaaaaaaa", "00000000bbbbbbbb"
    write_epoch(tmp_path / SOURCE, older, at=0, count=FRAMES_AT_ONCE + 500)
    write_epoch(tmp_path / SOURCE, newer, at=FRAMES_AT_ONCE + 500, count=3)
    follower = Follower(tmp_path, [Mark(SOURCE, older, 0), Mark(SOURCE, newer, 0)])
    passages = [(one.epoch, len(one.deliveries)) for one in follower.poll()]
    assert passages == [(older, FRAMES_AT_ONCE), (older, 500), (newer, 2)]
