"""Segment files: their names and order, and one of them read from head to end. Blocking; it writes nothing.

    DATA/spool/SOURCE/EPOCH-SERIAL-FIRST.frames      serial counts files, FIRST is the first frame's number

Segments of an epoch are ordered by serial. A later one may begin below where an earlier one ends (its writer
could not sync, and wrote again what was in doubt): then it holds everything from its first frame on, so that
frame n is always found in the last segment that begins at or below n.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pool.spool.dictionary import Dictionary
from pool.spool.frames import (
    BLOCK_OVERHEAD,
    Frame,
    SegmentHead,
    SpoolDamaged,
    block_at,
    decode_frame,
    decode_head,
    next_block,
)

EPOCH_BYTES = 8
SUFFIX = ".frames"
UNFINISHED = ".part"  # a segment that is being written again; it counts when it is whole and renamed
_FILE_NAME = re.compile(r"(?P<epoch>[0-9a-f]{16})-(?P<serial>\d{6,})-(?P<first>\d{16})\.frames")


class Segment(msgspec.Struct, frozen=True):
    """A segment file, as its name tells it."""

    path: Path
    epoch: str
    serial: int
    first: int


def segment_path(directory: Path, epoch: str, serial: int, first: int) -> Path:
    return directory / f"{epoch}-{serial:06d}-{first:016d}{SUFFIX}"


def segments_of(directory: Path) -> dict[str, list[Segment]]:
    """All segments of a source by epoch, in order; nothing for a directory that is not there."""
    found: dict[str, list[Segment]] = {}
    for path in directory.glob("*" + SUFFIX):
        match = _FILE_NAME.fullmatch(path.name)
        if match is not None:
            segment = Segment(path, match["epoch"], int(match["serial"]), int(match["first"]))
            found.setdefault(segment.epoch, []).append(segment)
    for segments in found.values():
        segments.sort(key=lambda segment: segment.serial)
    return found


def segment_with(segments: Sequence[Segment], number: int) -> Segment | None:
    """Where frame `number` is, or will be; None where it was in a file that is no more."""
    return next((segment for segment in reversed(segments) if segment.first <= number), None)


def newest_epoch(directory: Path) -> str | None:
    """The epoch that a gateway writes, or wrote last: the one whose last segment has the latest head.

    None where no segment has a readable head. Raises NewerSpool.
    """
    latest: tuple[int, str] | None = None
    for epoch, segments in segments_of(directory).items():
        for segment in reversed(segments):
            head = read_head(segment.path)
            if head is not None:
                latest = max(latest or (head.at_us, epoch), (head.at_us, epoch))
                break
    return None if latest is None else latest[1]


def read_head(path: Path) -> SegmentHead | None:
    """A segment's head; None where it is torn or damaged. Raises NewerSpool."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        data = file.read(BLOCK_OVERHEAD)
        length = int.from_bytes(data[4:8], "little")  # any number, where it is damaged
        data += file.read(min(size_bytes, length))
    payload = block_at(data, 0)
    try:
        return None if payload is None else decode_head(payload)
    except ValueError:
        return None


def finished_segments(segments: Sequence[Segment], mark: int) -> list[Segment]:
    """Those that nobody needs who has applied every frame up to `mark`; never the one being written."""
    current = segment_with(segments, mark + 1)
    return [segment for segment in segments if current is not None and segment.serial < current.serial]


class SegmentBytes:
    """Frames out of the bytes of one segment, which may still grow: `feed` what was read, iterate `frames`.

    `offset` is where the next block begins in the file, `expected` the number of the frame due there. With
    `resync_below`, broken blocks of frames below that number are passed over: they are counted already, or
    given up.
    """

    def __init__(self, path: Path, resync_below: int = 0) -> None:
        self.path = path
        self.offset = 0
        self.expected = 0
        self.head: SegmentHead | None = None
        self.dictionary = Dictionary()
        self._resync_below = resync_below
        self._data = b""

    @property
    def needed_at(self) -> int:
        """From where in the file the next bytes to feed are."""
        return self.offset + len(self._data)

    @property
    def has_rest(self) -> bool:
        """Whether bytes are left that make no whole block."""
        return bool(self._data)

    def feed(self, data: bytes) -> None:
        self._data += data

    def frames(self) -> Iterator[Frame]:
        """Every whole frame in what was fed so far; stops at an incomplete or broken block.

        The dictionary has learned a frame's definitions when the frame comes. Raises NewerSpool and
        SpoolDamaged (for a sound block that is not what belongs there).
        """
        data, position = self._data, 0
        try:
            while True:
                payload = block_at(data, position)
                if payload is None:
                    skipped = self._resynced(data, position)
                    if skipped is None:
                        return
                    self.offset += skipped - position
                    position = skipped
                    continue
                size = BLOCK_OVERHEAD + len(payload)
                frame = self._taken(payload)
                self.offset += size
                position += size
                if frame is not None:
                    yield frame
        finally:
            self._data = data[position:]

    def _taken(self, payload: bytes) -> Frame | None:
        """The frame of a sound block; None for the head."""
        try:
            if self.head is None:
                self.head = head = decode_head(payload)
                self.expected = head.first
                self.dictionary.learn(head.definitions)
                return None
            frame = decode_frame(payload)
        except ValueError:
            raise self._damaged(None) from None
        if frame.number != self.expected and not self.expected < frame.number <= self._resync_below:
            raise self._damaged(frame.number)
        self.expected = frame.number + 1
        self.dictionary.learn(frame.records)
        return frame

    def _resynced(self, data: bytes, position: int) -> int | None:
        """Where to go on behind a broken block that is not needed; None to stop before it."""
        if self.head is None or self.expected >= self._resync_below:
            return None
        return next_block(data, position)

    def check_rest(self) -> int:
        """Call when the file's end was fed: raises SpoolDamaged where sound blocks follow a broken one.

        A torn tail, or none, is no error: gives the number of its bytes.
        """
        found = next_block(self._data, 0) if self._data else None
        if found is None:
            return len(self._data)
        raise self._damaged(None if self.head is None else self._number_at(found))

    def _number_at(self, position: int) -> int | None:
        payload = block_at(self._data, position)
        assert payload is not None  # noqa: S101  (next_block found it sound)
        try:
            return decode_frame(payload).number
        except ValueError:
            return None

    def durable_through_of_rest(self) -> int:
        """The highest `durable_through` of the sound frames behind a broken block; 0 where there is none."""
        highest, found = 0, next_block(self._data, 0)
        while found is not None:
            payload = block_at(self._data, found)
            assert payload is not None  # noqa: S101  (next_block found it sound)
            with contextlib.suppress(ValueError):
                highest = max(highest, decode_frame(payload).durable_through)
            found = next_block(self._data, found + BLOCK_OVERHEAD + len(payload))
        return highest

    def _damaged(self, found: int | None) -> SpoolDamaged:
        source = self.head.source if self.head is not None else self.path.parent.name
        return SpoolDamaged(source, self.path, self.offset, self.expected, found)


def read_segment(path: Path, data: bytes) -> tuple[SegmentHead, Dictionary, list[Frame], int]:
    """A whole segment, from its bytes (an archive's, decompressed): head, dictionary, frames, torn bytes.

    `path` is for the error's text. Raises SpoolDamaged and NewerSpool.
    """
    reading = SegmentBytes(path)
    reading.feed(data)
    frames = list(reading.frames())
    torn_bytes = reading.check_rest()
    if reading.head is None:
        raise SpoolDamaged(path.parent.name, path, 0, 0, None)
    return reading.head, reading.dictionary, frames, torn_bytes
