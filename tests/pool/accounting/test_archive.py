"""The archive: what is applied goes in whole, and nothing is removed too early."""

import gzip
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pool.accounting.archive import (
    ArchivedSegment,
    NotDigested,
    archive_finished,
    archive_segment,
    archived,
    days_of,
    deletable,
    delete_segment,
)
from pool.accounting.archive_file import SegmentRecord, read_archive_file
from pool.spool.frames import SpoolDamaged
from pool.spool.segments import segments_of
from tests.pool.accounting.places import DAY_US, EPOCH, SECOND_US, START_US, Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_a_segment_goes_in_byte_for_byte_with_what_is_known_of_it(places: Places) -> None:
    path = places.write(1, 1, 50, tail=b"\xf7ERf torn")
    places.write(2, 51, 52)
    raw = path.read_bytes()
    (one,) = places.move_in(mark=50)
    assert one.path == places.archive / "gateway-0" / f"{EPOCH}-000001-{1:016d}-{50:016d}.frames.gz"
    assert one.record == SegmentRecord(
        source="gateway-0",
        epoch=EPOCH,
        serial=1,
        first_frame=1,
        last_frame=50,
        first_us=START_US + 1 * SECOND_US,
        last_us=START_US + 50 * SECOND_US,
        sha256=hashlib.sha256(raw).hexdigest(),
        raw_bytes=len(raw),
    )
    assert one.packed_bytes == one.path.stat().st_size < len(raw)
    assert b"".join(read_archive_file(one.path)) == raw
    assert gzip.decompress(one.path.read_bytes()) == raw  # any gzip reads it
    assert (places.raw(), archived(places.archive)) == ([2], [one])


def test_the_same_segment_archived_twice_is_the_same_file(places: Places) -> None:
    path = places.write(1, 1, 50)
    places.write(2, 51, 52)
    raw = path.read_bytes()
    first = places.move_in(mark=50)[0].path.read_bytes()
    path.write_bytes(raw)
    assert places.move_in(mark=50)[0].path.read_bytes() == first


def test_only_what_is_applied_and_closed_goes_in(places: Places) -> None:
    for serial, first in ((1, 1), (2, 11), (3, 21)):
        places.write(serial, first, first + 9)
    assert places.move_in(mark=9) == []
    assert [one.record.last_frame for one in places.move_in(mark=10)] == [10]
    assert [one.record.last_frame for one in places.move_in(mark=30)] == [20]
    assert places.raw() == [3]


def test_what_its_reader_has_open_stays(places: Places) -> None:
    for serial, first in ((1, 1), (2, 11), (3, 21)):
        places.write(serial, first, first + 9)
    in_use = segments_of(places.spool)[EPOCH][1]
    moved = list(archive_finished(places.spool, places.archive, EPOCH, 30, in_use=in_use))
    assert [one.record.serial for one in moved] == [1]
    assert places.raw() == [2, 3]


def test_the_last_segment_of_an_epoch_that_is_over_goes_in_once_it_is_applied(places: Places) -> None:
    places.write(1, 1, 10)
    assert list(archive_finished(places.spool, places.archive, EPOCH, 9, is_over=True)) == []
    (one,) = archive_finished(places.spool, places.archive, EPOCH, 10, is_over=True)
    assert (one.record.last_frame, places.raw()) == (10, [])


def test_a_segment_without_frames_goes_in(places: Places) -> None:
    places.write(1, 1, 0)
    places.write(2, 1, 5)
    (one,) = places.move_in(mark=5)
    assert (one.record.first_frame, one.record.last_frame) == (1, 0)
    assert one.record.first_us == one.record.last_us == START_US + SECOND_US
    assert places.numbers() == [1, 2, 3, 4, 5]


def test_a_damaged_segment_stays_raw_until_its_frames_were_given_up(places: Places) -> None:
    path = places.write(1, 1, 10)
    places.write(2, 11, 12)
    content = bytearray(path.read_bytes())
    content[content.index(b"agent 5")] ^= 1
    path.write_bytes(content)
    segment = segments_of(places.spool)[EPOCH][0]
    with pytest.raises(SpoolDamaged):
        archive_segment(segment, "gateway-0", places.archive, 4)
    assert places.raw() == [1, 2]
    (one,) = places.move_in(mark=10)
    assert (one.record.last_frame, places.raw()) == (10, [2])
    assert b"".join(read_archive_file(one.path)) == bytes(content)
    with pytest.raises(SpoolDamaged, match="frame 5 at byte"):
        places.numbers()
    assert places.numbers(given_up=[(5, 5)]) == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]


def test_a_segment_whose_head_is_broken_stays_raw(places: Places) -> None:
    path = places.write(1, 1, 10)
    places.write(2, 11, 12)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(SpoolDamaged):
        places.move_in(mark=10)
    assert places.raw() == [1, 2]


FULL_DISK = """
import resource, sys
from pathlib import Path
from pool.accounting.archive import archive_finished
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    list(archive_finished(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], 5000))
except OSError as error:
    print(error.errno)
"""


def test_on_a_full_disk_the_raw_segment_stays_and_nothing_half_written_is_left(places: Places) -> None:
    path = places.write(1, 1, 5000)
    places.write(2, 5001, 5001)
    raw = path.read_bytes()
    arguments = [sys.executable, "-c", FULL_DISK, str(places.spool), str(places.archive), EPOCH]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "27\n"  # EFBIG
    assert (path.read_bytes(), list((places.archive / "gateway-0").iterdir())) == (raw, [])
    assert [one.record.last_frame for one in places.move_in(mark=5000)] == [5000]


def segment_between(
    first_us: int, last_us: int, serial: int = 1, source: str = "gateway-0"
) -> ArchivedSegment:
    record = SegmentRecord(
        source=source,
        epoch=EPOCH,
        serial=serial,
        first_frame=serial,
        last_frame=serial,
        first_us=first_us,
        last_us=last_us,
        sha256=f"{serial:064x}",
        raw_bytes=1,
    )
    return ArchivedSegment(Path("nowhere"), 1, record)


@pytest.mark.parametrize(
    ("needed_from_us", "retention_us", "serials"),
    [
        (None, 0, [1, 2, 3]),
        (None, 70, [1, 2]),  # 100 - 70 = 30: what ends before 30
        (None, 71, [1]),
        (25, 0, [1]),
        (19, 0, []),
        (1000, 71, [1]),
        (None, 1000, []),
    ],
)
def test_a_segment_may_go_when_neither_a_window_nor_the_retention_wants_it(
    needed_from_us: int | None, retention_us: int, serials: list[int]
) -> None:
    segments = [segment_between(10 * n, 10 * n + 9, n) for n in (3, 1, 2)]  # 10 to 19, 20 to 29, 30 to 39
    found = deletable(segments, needed_from_us, retention_us, now_us=100)
    assert [one.record.serial for one in found] == serials


def test_the_archive_of_an_epoch_gets_no_holes() -> None:
    segments = [
        segment_between(0, 90, 1),
        segment_between(0, 5, 2),
        segment_between(0, 5, 3, source="gateway-1"),
    ]
    assert deletable(segments, None, 50, now_us=100) == [segments[2]]


@pytest.mark.parametrize(
    ("first_us", "last_us", "days"),
    [
        (START_US, START_US + DAY_US - 1, ["2024-01-31"]),
        (START_US - 1, START_US, ["2024-01-30", "2024-01-31"]),
        (START_US, START_US + 2 * DAY_US, ["2024-01-31", "2024-02-01", "2024-02-02"]),
    ],
)
def test_the_days_of_a_segment(first_us: int, last_us: int, days: list[str]) -> None:
    assert days_of(segment_between(first_us, last_us).record) == days


def test_a_segment_is_deleted_only_when_digests_of_its_days_name_it(places: Places) -> None:
    places.write(1, 1, 3, at_us=START_US)
    places.write(2, 4, 4)
    (one,) = places.move_in(mark=3)
    own, other = one.record.sha256, "00" * 32
    for digests in ({}, {"2024-02-01": [own]}, {"2024-01-31": [other]}):
        with pytest.raises(NotDigested):
            delete_segment(one, digests)
    assert one.path.exists()
    delete_segment(one, {"2024-01-31": [other, own]})
    assert (one.path.exists(), archived(places.archive)) == (False, [])
    assert places.numbers(after=3) == [4]


def test_a_segment_over_midnight_needs_a_digest_of_both_days(places: Places) -> None:
    places.write(1, 1, 86_400)  # a frame a second, the last one at midnight
    places.write(2, 86_401, 86_401)
    (one,) = places.move_in(mark=86_400)
    own = one.record.sha256
    with pytest.raises(NotDigested, match="no digest of 2024-02-01"):
        delete_segment(one, {"2024-01-31": [own]})
    delete_segment(one, {"2024-01-31": [], "2024-02-01": [own]})


MOVES_IN = """
import sys
from pathlib import Path
from pool.accounting.archive import archive_finished
for one in archive_finished(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], 10**6):
    print(one.record.serial, flush=True)
"""


@pytest.mark.parametrize("moved", [1, 2, 9, 30])
def test_sigkill_while_segments_go_in_loses_no_frame(places: Places, moved: int) -> None:
    for serial in range(1, 101):
        places.write(serial, 20 * serial - 19, 20 * serial)
    arguments = [sys.executable, "-c", MOVES_IN, str(places.spool), str(places.archive), EPOCH]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for serial in range(1, moved + 1):
            assert int(process.stdout.readline()) == serial
        os.kill(process.pid, signal.SIGKILL)
    assert places.numbers() == list(range(1, 2001))
    places.move_in(mark=2000)
    assert places.raw() == [100]
    assert [one.record.serial for one in archived(places.archive)] == list(range(1, 100))
    assert not list(places.archive.rglob("*.part"))
    assert places.numbers() == list(range(1, 2001))
