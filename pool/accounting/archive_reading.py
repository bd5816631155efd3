"""All frames of a source that are still on disk, archive first, then spool; what a rebuild counts again.

Frame n is taken from the last segment that begins at or below n, as the spool's format has it. Nothing is
passed over in silence: a frame that is nowhere, a block that is broken and a file that cannot be unpacked end
the reading with an error, except what a person has given up.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pool.accounting.archive import SUFFIX, archived
from pool.accounting.archive_file import PIECE_BYTES, ArchiveDamaged, read_archive_file
from pool.spool.frames import SpoolGap
from pool.spool.segments import Segment, SegmentBytes, segments_of
from pool.spool.tail import Delivery


def frames_after(
    archive: Path,
    spool: Path,
    epoch: str,
    after: int,
    *,
    through: int | None = None,
    given_up: Sequence[tuple[int, int]] = (),
) -> Iterator[Delivery]:
    """Frames after + 1 … `through` of a source, in order, each once; `spool` is the source's own directory.

    Without `through` the end is where the frames end, those included that no power cut was survived with yet.
    `given_up` are (first, last) numbers of frames that do not count: they are not handed out even if found.
    To read whatever is left, begin after the frame before the first one of `archived`.

    Raises SpoolGap, SpoolDamaged, ArchiveDamaged, NewerSpool, ArchiveNewer, OSError.
    """
    due = _Due(spool.name, after + 1, given_up)
    end = None if through is None else through + 1
    for segment, limit in _owned(_segments(archive, spool, epoch), end):
        if limit is not None and limit <= due.number:
            continue
        for delivery in _deliveries(segment, due.resync_below):
            number = delivery.frame.number
            if limit is not None and number >= limit:
                break
            if number >= due.number and not due.is_given_up(number):
                due.pass_to(number)
                due.number = number + 1
                yield delivery
        if limit is not None:
            due.pass_to(limit)
    if end is not None:
        due.pass_to(end)


class _Due:
    """The number of the frame that comes next, and the numbers that are not to come."""

    def __init__(self, source: str, number: int, given_up: Sequence[tuple[int, int]]) -> None:
        self.number = number
        self.resync_below = max([number, *(last + 1 for _, last in given_up)])
        self._source = source
        self._given_up = sorted(given_up)

    def is_given_up(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self._given_up)

    def pass_to(self, number: int) -> None:
        """Go on at `number`, or later. Raises SpoolGap for the first frames before it that nobody gave up."""
        for first, last in self._given_up:
            if first <= self.number < number:
                self.number = max(self.number, min(last + 1, number))
        if self.number < number:
            starts = [first for first, _ in self._given_up if self.number < first < number]
            raise SpoolGap(self._source, self.number, min([number, *starts]))


def _owned(segments: Sequence[Segment], end: int | None) -> Iterator[tuple[Segment, int | None]]:
    """Each segment with the number where its frames stop counting: a later one has them, or nobody asks."""
    limits: list[int | None] = []
    limit = end
    for segment in reversed(segments):
        limits.append(limit)
        limit = segment.first if limit is None else min(limit, segment.first)
    for segment, limit in zip(segments, reversed(limits), strict=True):
        if limit is None or segment.first < limit:
            yield segment, limit


def _segments(archive: Path, spool: Path, epoch: str) -> list[Segment]:
    """By serial. One in both places was archived by a process that died before it removed the raw one."""
    by_serial = {segment.serial: segment for segment in segments_of(spool).get(epoch, [])}
    by_serial |= {one.record.serial: one.segment for one in archived(archive, spool.name, epoch)}
    return [by_serial[serial] for serial in sorted(by_serial)]


def _deliveries(segment: Segment, resync_below: int) -> Iterator[Delivery]:
    reading = SegmentBytes(segment.path, resync_below)
    try:
        for piece in _pieces(segment.path):
            reading.feed(piece)
            for frame in reading.frames():
                yield Delivery(frame, reading.dictionary, segment)
    except ArchiveDamaged as error:
        raise ArchiveDamaged(error.file, reading.offset, error.reason) from None
    reading.check_rest()


def _pieces(path: Path) -> Iterator[bytes]:
    if path.name.endswith(SUFFIX):
        yield from read_archive_file(path)
        return
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
