"""The archive: closed spool segments, compressed; moved in when applied, deleted when digests stand for them.

    <archive>/SOURCE/EPOCH-SERIAL-FIRST-LAST.frames.gz

A segment goes in whole, byte for byte, torn tail and all, so that its SHA-256 is that of the raw file. It is
written beside its place, synced, read back and compared, renamed; only then is the raw segment removed.
Blocking: use a thread. Its errors are an ArchiveError, the spool's own, and OSError.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pool.accounting.archive_file import (
    PIECE_BYTES,
    ArchiveDamaged,
    ArchiveError,
    SegmentRecord,
    read_archive_file,
    read_record,
    write_archive_file,
)
from pool.spool.frames import SpoolDamaged
from pool.spool.segments import Segment, SegmentBytes, finished_segments, segments_of

SUFFIX = ".frames.gz"
_NAME = re.compile(r"[0-9a-f]{16}-\d{6,}-\d{16}-\d{16}\.frames\.gz")


class NotDigested(ArchiveError):
    """The segment is all that shows whose work it was: it is not deleted."""


class ArchivedSegment(msgspec.Struct, frozen=True):
    """A file of the archive, the size of that file, and what it says of itself."""

    path: Path
    packed_bytes: int
    record: SegmentRecord

    @property
    def segment(self) -> Segment:
        """As the spool's own functions take it."""
        return Segment(self.path, self.record.epoch, self.record.serial, self.record.first_frame)


def archive_finished(
    spool: Path,
    archive: Path,
    epoch: str,
    mark: int,
    *,
    in_use: Segment | None = None,
    is_over: bool = False,
) -> Iterator[ArchivedSegment]:
    """Move in what is applied up to `mark` of a source (`spool` is its own directory); each as it is done.

    `in_use` is the segment that the last applied frame came from: it and later ones stay where their reader
    opens them. With `is_over` nothing is written to this epoch any more, and its last segment goes in too.
    Raises ArchiveError, SpoolError, OSError; the raw segment is then still there.
    """
    segments = segments_of(spool).get(epoch, [])
    finished = finished_segments(segments, mark)
    if is_over:
        finished = [segment for segment in segments if _last_frame(segment, mark) <= mark]
    for segment in finished:
        if in_use is None or segment.serial < in_use.serial:
            yield archive_segment(segment, spool.name, archive, mark)


def archive_segment(segment: Segment, source: str, archive: Path, mark: int) -> ArchivedSegment:
    """Move one segment in. What is broken in it up to frame `mark` was given up, and goes in as it is."""
    record = record_of(segment, source, mark)
    folder = archive / source
    _make_folder(folder)
    path = folder / _file_name(record)
    beside = path.with_name(path.name + ".part")
    try:
        write_archive_file(beside, record, _pieces(segment.path))
        _compare(beside, record)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    segment.path.unlink(missing_ok=True)
    _sync_folder(segment.path.parent)
    return ArchivedSegment(path, path.stat().st_size, record)


def archived(archive: Path, source: str | None = None, epoch: str | None = None) -> list[ArchivedSegment]:
    """What is there, by source, epoch and serial, unpacking nothing; of one source or epoch, if named.

    Raises ArchiveDamaged for a file whose name and record contradict each other, or that has no record.
    """
    found = []
    for path in archive.glob(f"{source or '*'}/*{SUFFIX}"):
        if not _NAME.fullmatch(path.name) or (epoch is not None and not path.name.startswith(epoch)):
            continue
        record = read_record(path)
        if (record.source, _file_name(record)) != (path.parent.name, path.name):
            raise ArchiveDamaged(path, 0, "it is the archive of another segment than its name says")
        found.append(ArchivedSegment(path, path.stat().st_size, record))
    return sorted(found, key=lambda one: (one.record.source, one.record.epoch, one.record.serial))


def is_archive(folder: Path) -> bool:
    """Whether a folder holds any source's segments; a wrong path does not pass for an empty archive."""
    return next(folder.glob(f"*/*{SUFFIX}"), None) is not None


def deletable(
    segments: Iterable[ArchivedSegment], needed_from_us: int | None, retention_us: int, now_us: int
) -> list[ArchivedSegment]:
    """Those that end before the retention and before `needed_from_us`, the first unsettled window's start.

    None: all is settled. Of an epoch only what is oldest: the archive has no holes.
    """
    before_us = now_us - retention_us
    if needed_from_us is not None:
        before_us = min(before_us, needed_from_us)
    found, kept = [], set[tuple[str, str]]()
    for one in sorted(segments, key=lambda one: one.record.serial):
        stream = (one.record.source, one.record.epoch)
        if one.record.last_us >= before_us:
            kept.add(stream)
        if stream not in kept:
            found.append(one)
    return found


def days_of(record: SegmentRecord) -> list[str]:
    """The days (UTC, 2026-01-31) that a segment has frames of."""
    return days_between(record.first_us, record.last_us)


def days_between(first_us: int, last_us: int) -> list[str]:
    """The days (UTC) from one time to another, both included."""
    first, last = (datetime.fromtimestamp(us // 1_000_000, UTC).date() for us in (first_us, last_us))
    return [(first + timedelta(days)).isoformat() for days in range((last - first).days + 1)]


def delete_segment(one: ArchivedSegment, digests: Mapping[str, Collection[str]]) -> None:
    """Delete for good. `digests` has, by day, the SHA-256 (hex) of the segments that a signed digest names.

    Raises NotDigested unless each of its days has a digest, and one of them names it.
    """
    days = days_of(one.record)
    for day in days:
        if day not in digests:
            raise NotDigested(f"{one.path} is kept: there is no digest of {day}")
    if not any(one.record.sha256 in digests[day] for day in days):
        raise NotDigested(f"{one.path} is kept: no digest names it")
    one.path.unlink()
    _sync_folder(one.path.parent)


def _last_frame(segment: Segment, mark: int) -> int:
    return record_of(segment, "", mark).last_frame


def record_of(segment: Segment, source: str, mark: int) -> SegmentRecord:
    """Read a raw segment through. Raises SpoolDamaged for what is broken above the mark, or has no head."""
    reading, digest, length = SegmentBytes(segment.path, resync_below=mark + 1), hashlib.sha256(), 0
    first_us, last_us = None, None
    for piece in _pieces(segment.path):
        digest.update(piece)
        length += len(piece)
        reading.feed(piece)
        for frame in reading.frames():
            first_us = frame.at_us if first_us is None else first_us
            last_us = frame.at_us
    reading.check_rest()
    if reading.head is None:
        raise SpoolDamaged(source, segment.path, 0, 0, None)
    return SegmentRecord(
        source=source,
        epoch=segment.epoch,
        serial=segment.serial,
        first_frame=segment.first,
        last_frame=reading.expected - 1,
        first_us=reading.head.at_us if first_us is None else first_us,
        last_us=reading.head.at_us if last_us is None else last_us,
        sha256=digest.hexdigest(),
        raw_bytes=length,
    )


def _compare(path: Path, record: SegmentRecord) -> None:
    """Read back what was written: a file that cannot be read later is worse than one that is not there."""
    for _ in read_archive_file(path):
        pass
    if read_record(path) != record:
        raise ArchiveDamaged(path, 0, "it is not what was written a moment ago")


def _file_name(record: SegmentRecord) -> str:
    return f"{record.epoch}-{record.serial:06d}-{record.first_frame:016d}-{record.last_frame:016d}{SUFFIX}"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for parent in (folder.parent, *folder.parent.resolve().parents):
        with contextlib.suppress(OSError):  # one that cannot be opened was not made by this user
            _sync_folder(parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
