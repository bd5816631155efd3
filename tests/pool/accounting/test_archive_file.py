"""A file of the archive: any gzip reads it, and ours notices whatever has changed."""

import hashlib
from pathlib import Path

import pytest

from pool.accounting.archive import archived
from pool.accounting.archive_file import (
    ArchiveDamaged,
    ArchiveNewer,
    SegmentRecord,
    read_archive_file,
    read_record,
    write_archive_file,
)
from tests.pool.accounting.places import EPOCH, Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_every_flipped_bit_of_an_archived_segment_is_noticed_or_changes_nothing(places: Places) -> None:
    places.write(1, 1, 3)
    places.write(2, 4, 4)
    (one,) = places.move_in(mark=3)
    raw = b"".join(read_archive_file(one.path))
    whole = one.path.read_bytes()
    unnoticed = set[int]()
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            one.path.write_bytes(flipped)
            try:
                read = b"".join(read_archive_file(one.path))
            except ArchiveDamaged:
                continue
            assert read == raw
            unnoticed.add(position)
    # Deflate has a few bits that mean nothing, as those that fill up its last byte. All else is noticed,
    # the header with its record and the trailer of 8 bytes to the last bit.
    assert len(unnoticed) <= 4
    assert unnoticed <= set(range(whole.index(b"}") + 16, len(whole) - 8))


@pytest.mark.parametrize("cut", [0, 5, 11, 200, -1, -8, -9])
def test_a_cut_file_is_damaged(places: Places, cut: int) -> None:
    places.write(1, 1, 50)
    places.write(2, 51, 52)
    (one,) = places.move_in(mark=50)
    one.path.write_bytes(one.path.read_bytes()[:cut])
    with pytest.raises(ArchiveDamaged):
        b"".join(read_archive_file(one.path))


def test_a_file_with_something_behind_it_is_damaged(places: Places) -> None:
    places.write(1, 1, 50)
    places.write(2, 51, 52)
    (one,) = places.move_in(mark=50)
    one.path.write_bytes(one.path.read_bytes() + b"\0")
    with pytest.raises(ArchiveDamaged):
        b"".join(read_archive_file(one.path))


def test_a_file_under_another_ones_name_is_damaged(places: Places) -> None:
    places.write(1, 1, 50)
    places.write(2, 51, 52)
    (one,) = places.move_in(mark=50)
    one.path.rename(one.path.with_name(one.path.name.replace("-000001-", "-000003-")))
    with pytest.raises(ArchiveDamaged, match="another segment"):
        archived(places.archive)


def record_of(content: bytes, *, version: int = 1, sha256: str | None = None) -> SegmentRecord:
    return SegmentRecord(
        version=version,
        source="gateway-0",
        epoch=EPOCH,
        serial=1,
        first_frame=1,
        last_frame=1,
        first_us=0,
        last_us=0,
        sha256=hashlib.sha256(content).hexdigest() if sha256 is None else sha256,
        raw_bytes=len(content),
    )


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    write_archive_file(tmp_path / "new", record_of(b"", version=2), [])
    with pytest.raises(ArchiveNewer, match="version 2, known: 1"):
        read_record(tmp_path / "new")


@pytest.mark.parametrize("record", [record_of(b"frames", sha256="00" * 32), record_of(b"frame")])
def test_contents_that_the_record_does_not_name_are_damaged(tmp_path: Path, record: SegmentRecord) -> None:
    write_archive_file(tmp_path / "file", record, [b"frames"])
    with pytest.raises(ArchiveDamaged, match="not those that its record names"):
        list(read_archive_file(tmp_path / "file"))


def test_pieces_of_any_size_and_long_runs_are_read_back(tmp_path: Path) -> None:
    content = bytes(3_000_000) + bytes(range(256)) * 4000
    write_archive_file(tmp_path / "file", record_of(content), [content[:7], content[7:]])
    pieces = list(read_archive_file(tmp_path / "file"))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 256 * 1024  # zeros unpack a thousandfold: memory is bounded all the same
