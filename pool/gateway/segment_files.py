"""The segment files that a gateway has open: makes, appends to, cuts, closes them. It decides nothing."""

from pathlib import Path

import msgspec

from pool.gateway.disk import Disk
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.frames import FRAME_VERSION, SegmentHead, encode_block
from pool.spool.records import Record
from pool.spool.segments import UNFINISHED, segment_path

log = Log("engineroom.spool")


class OpenSegment:
    """A segment file of this process. `size_bytes` is what of it is sound."""

    __slots__ = ("definitions", "descriptor", "first", "is_new", "opened_at", "path", "size_bytes")

    def __init__(
        self, path: Path, first: int, descriptor: int, definitions: list[Record], opened_at: float
    ) -> None:
        self.path = path
        self.first = first
        self.descriptor = descriptor
        self.definitions = definitions
        self.opened_at = opened_at
        self.size_bytes = 0
        self.is_new = True  # its name is not synced yet


class SyncJob(msgspec.Struct, frozen=True):
    """Files to sync; then every frame up to `through` is safe. `finished` are closed afterwards."""

    segments: tuple[OpenSegment, ...]
    finished: tuple[OpenSegment, ...]
    through: int

    def run(self, disk: Disk) -> None:
        """Blocking, for a thread. Raises OSError."""
        for segment in self.segments:
            disk.sync(segment.descriptor)
            if segment.is_new:
                disk.sync_directory(segment.path.parent)


class SegmentFiles:
    """The files of one source and epoch; it counts their serial."""

    def __init__(self, directory: Path, network: str, epoch: str, serial: int, disk: Disk) -> None:
        self._directory = directory
        self._network = network
        self._epoch = epoch
        self._serial = serial
        self._disk = disk

    def create(
        self,
        first: int,
        definitions: list[Record],
        at_us: int,
        extranonce_next: int,
        now: float,
        *,
        is_finished: bool = True,
    ) -> OpenSegment:
        """A new file with its head. One that is not finished counts for nobody until `finish`.

        Raises OSError, and leaves no file then if it can.
        """
        head = SegmentHead(
            FRAME_VERSION,
            self._directory.name,
            self._network,
            self._epoch,
            self._serial,
            first,
            at_us,
            extranonce_next,
            definitions,
        )
        path = segment_path(self._directory, self._epoch, self._serial, first)
        if not is_finished:
            path = path.with_name(path.name + UNFINISHED)
        self._serial += 1
        segment = OpenSegment(path, first, self._disk.create(path), list(definitions), now)
        try:
            self.append(segment, encode_block(head))
        except OSError:
            self.discard(segment)
            raise
        return segment

    def append(self, segment: OpenSegment, block: bytes) -> None:
        """Raises OSError; the segment's sound size then ends before the block."""
        taken = self._disk.write(segment.descriptor, block)
        if taken != len(block):
            raise OSError(f"{taken} of {len(block)} bytes were taken: the disk is full")
        segment.size_bytes += taken

    def finish(self, segment: OpenSegment) -> None:
        """It holds what it was made for: readers may find it. Raises OSError."""
        whole = segment.path.with_name(segment.path.name.removesuffix(UNFINISHED))
        self._disk.rename(segment.path, whole)
        segment.path = whole

    def cut(self, segment: OpenSegment) -> None:
        """Take off what is not sound."""
        try:
            self._disk.truncate(segment.descriptor, segment.size_bytes)
        except OSError as error:  # the next segment begins where this one's sound frames end
            log.error(LogEvent.SEGMENT_UNCUT, path=segment.path, error=error)

    def discard(self, segment: OpenSegment) -> None:
        """Close and delete it."""
        self.close(segment)
        self.remove(segment)

    def close(self, segment: OpenSegment) -> None:
        try:
            self._disk.close(segment.descriptor)
        except OSError as error:
            log.error(LogEvent.SEGMENT_UNCLOSED, path=segment.path, error=error)

    def remove(self, segment: OpenSegment) -> None:
        try:
            self._disk.remove(segment.path)
        except OSError as error:
            log.error(LogEvent.SEGMENT_UNREMOVED, path=segment.path, error=error)
