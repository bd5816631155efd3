"""A gateway's log on disk: appends frames, begins segments, rewrites what is in doubt. No loop, no thread.

    write()        a frame to the kernel, before the replies that depend on it: from then on no kill loses it
    sync_job()     what a thread has to sync so that no power cut does either; `synced` or `sync_failed` tells
                   how that went

A write that fails or is short: the file is cut back to the frame's start and the same frame goes into a fresh
segment. Should that fail as well the frame is refused, and whoever it was for must be told so; the next frame
tries again. A sync that fails leaves the kernel's pages in doubt (fsync(2): an error is told once), so that
what was not yet synced, which is kept in memory until then, is written again into a fresh segment.
"""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pool.gateway.alarms import Alarm, Alarms
from pool.gateway.disk import Disk
from pool.gateway.recovery import Resumption
from pool.gateway.segment_files import OpenSegment, SegmentFiles, SyncJob
from pool.gateway.space import MIB, Space
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.frames import FRAME_VERSION, Frame, encode_block
from pool.spool.records import Definition, Happening, Record

log = Log("engineroom.spool")


class SpoolLimits(msgspec.Struct, frozen=True):
    """When a new segment begins, and how much may wait for a sync.

    A segment is what is archived and trimmed as a whole: one an hour, and never more than reads in a second.
    `unsynced_bytes` is more than a minute of 10,000 shares a second; a disk that does not sync that long does
    not keep accounts, and frames are refused.
    """

    segment_bytes: int = 64 * MIB
    segment_seconds: float = 3600.0
    unsynced_bytes: int = 32 * MIB
    retry_seconds: float = 0.1


class Spool:
    """The frames of one source and epoch, from `Resumption.number` on."""

    def __init__(
        self,
        directory: Path,
        network: str,
        resumption: Resumption,
        disk: Disk,
        space: Space,
        alarms: Alarms,
        monotonic: Callable[[], float],
        limits: SpoolLimits | None = None,
    ) -> None:
        """`directory` is the source's own, recovered and locked."""
        self.epoch = resumption.epoch
        self.next_number = resumption.number
        self.durable_through = resumption.number - 1
        self.claimed_through = 0  # the durable_through that the last written frame told readers
        # Changes when definitions given before are void: in a new segment, or with a frame that was refused.
        self.vocabulary = 0
        self._directory = directory
        self._files = SegmentFiles(directory, network, resumption.epoch, resumption.serial, disk)
        self._space = space
        self._alarms = alarms
        self._monotonic = monotonic
        self._limits = limits or SpoolLimits()
        self._segment: OpenSegment | None = None
        self._retired: list[OpenSegment] = []
        self._unsynced: deque[tuple[int, bytes]] = deque()
        self._unsynced_bytes = 0
        self._is_in_doubt = False
        self._is_old = False
        self._retry_at = 0.0
        self._last: tuple[int, int] = (resumption.at_us, resumption.extranonce_next)

    # ------------------------------------------------------------------ writing

    @property
    def is_dirty(self) -> bool:
        """Whether anything waits for a sync."""
        return bool(self._unsynced)

    def write(
        self,
        definitions: Sequence[Definition],
        happenings: Sequence[Happening],
        at_us: int,
        extranonce_next: int,
        *,
        is_urgent: bool = False,
    ) -> bool:
        """Append a frame; False where it cannot be, and then nothing of it counts.

        `is_urgent` is for a block's record: it is tried at once, and may use the space kept back for blocks.
        Never raises.
        """
        frame = Frame(
            FRAME_VERSION,
            self.next_number,
            self.durable_through,
            at_us,
            extranonce_next,
            [*definitions, *happenings],
        )
        block = encode_block(frame)
        self._last = (at_us, extranonce_next)
        if not self._append(block, is_urgent):
            self.vocabulary += 1
            return False
        segment = self._segment
        assert segment is not None  # noqa: S101  (it was written to)
        segment.definitions += definitions
        self._unsynced.append((frame.number, block))
        self._unsynced_bytes += len(block)
        self.next_number += 1
        self.claimed_through = frame.durable_through
        if segment.size_bytes >= self._limits.segment_bytes or self._is_old:
            self._rotate(segment)
        return True

    def let_time_pass(self) -> None:
        """Now and then: the next frame is the last of a segment that has grown old."""
        segment = self._segment
        self._is_old = (
            segment is not None and self._monotonic() - segment.opened_at >= self._limits.segment_seconds
        )

    def _append(self, block: bytes, is_urgent: bool) -> bool:
        if self._space.is_for_blocks and not is_urgent:
            return False
        if self._unsynced_bytes > self._limits.unsynced_bytes and not is_urgent:
            self._alarms.raised(Alarm.SYNC, "the disk does not sync: shares are refused until it does")
            return False
        segment = self._segment
        if segment is None:
            is_due = is_urgent or self._monotonic() >= self._retry_at
            return is_due and self._begin_with(block, [], is_urgent)
        try:
            self._files.append(segment, block)
        except OSError as error:
            return self._mend(segment, block, error, is_urgent)
        return True

    def _mend(self, segment: OpenSegment, block: bytes, error: OSError, is_urgent: bool) -> bool:
        """Cut the broken frame off and write it into a fresh segment."""
        log.error(LogEvent.SPOOL_WRITE_FAILED, path=segment.path, error=error)
        self._retire(segment, cut=True)
        return self._begin_with(block, segment.definitions, is_urgent)

    def _begin_with(self, block: bytes, definitions: list[Record], is_urgent: bool) -> bool:
        """A fresh segment that begins with this frame; with the space for blocks where that is due."""
        error = self._try_to_begin(block, definitions)
        if error is not None and is_urgent and self._space.make_room():
            error = self._try_to_begin(block, definitions)
        if error is None:
            self._alarms.over(Alarm.WRITE)
            return True
        self._alarms.raised(Alarm.WRITE, f"cannot write to {self._directory}: {error}; shares are refused")
        self._retry_at = self._monotonic() + self._limits.retry_seconds
        return False

    def _try_to_begin(self, block: bytes, definitions: list[Record]) -> OSError | None:
        segment: OpenSegment | None = None
        try:
            segment = self._created(self.next_number, definitions)
            self._files.append(segment, block)
        except OSError as error:
            if segment is not None:
                self._files.discard(segment)
            return error
        self._segment = segment
        return None

    # ------------------------------------------------------------------ segments

    def _created(self, first: int, definitions: list[Record], *, is_finished: bool = True) -> OpenSegment:
        """Raises OSError."""
        at_us, extranonce_next = self._last
        return self._files.create(
            first, definitions, at_us, extranonce_next, self._monotonic(), is_finished=is_finished
        )

    def _rotate(self, segment: OpenSegment) -> None:
        """Go on in a new segment, with nothing defined; in the old one where that cannot be."""
        if self._monotonic() < self._retry_at:
            return
        try:
            fresh = self._created(self.next_number, [])
        except OSError as error:
            self._alarms.raised(Alarm.SEGMENT, f"cannot begin a new segment after {segment.path}: {error}")
            self._retry_at = self._monotonic() + self._limits.retry_seconds
            return
        self._alarms.over(Alarm.SEGMENT)
        self._retire(segment)
        self._segment = fresh
        self._is_old = False
        self.vocabulary += 1

    def _retire(self, segment: OpenSegment, *, cut: bool = False) -> None:
        """Nothing more is written to it; it is closed when it is synced."""
        if cut:
            self._files.cut(segment)
        self._retired.append(segment)
        if self._segment is segment:
            self._segment = None

    # ------------------------------------------------------------------ syncing

    def sync_job(self) -> SyncJob | None:
        """What to sync now; None where nothing can be. One at a time: tell how it went before the next."""
        if not self._unsynced or (self._is_in_doubt and not self._write_again()):
            return None
        finished = tuple(self._retired)
        current = () if self._segment is None else (self._segment,)
        return SyncJob((*finished, *current), finished, self._unsynced[-1][0])

    def synced(self, job: SyncJob) -> None:
        """The job has run: its frames survive a power cut."""
        for segment in job.segments:
            segment.is_new = False
        for segment in job.finished:
            self._retired.remove(segment)
            self._files.close(segment)
        while self._unsynced and self._unsynced[0][0] <= job.through:
            self._unsynced_bytes -= len(self._unsynced.popleft()[1])
        self.durable_through = job.through
        self._alarms.over(Alarm.SYNC)

    def sync_failed(self, error: OSError) -> None:
        """The job has failed. Its files are never synced again: that could only seem to succeed."""
        self._alarms.raised(Alarm.SYNC, f"the disk failed to sync the spool: {error}")
        self._is_in_doubt = True

    def _write_again(self) -> bool:
        """All that is in doubt, into a fresh segment that counts once it is whole. False where that fails."""
        in_doubt = [*self._retired, *(() if self._segment is None else (self._segment,))]
        definitions = [record for segment in in_doubt for record in segment.definitions]
        try:
            fresh = self._written_again(definitions)
        except OSError as error:
            self._alarms.raised(Alarm.SYNC, f"cannot write again what the disk failed to sync: {error}")
            return False
        for segment in in_doubt:
            self._files.close(segment)
            if segment.first >= fresh.first:
                self._files.remove(segment)
        self._retired.clear()
        self._segment = fresh
        self._is_in_doubt = False
        return True

    def _written_again(self, definitions: list[Record]) -> OpenSegment:
        """Raises OSError, and leaves no file then if it can."""
        segment = self._created(self._unsynced[0][0], definitions, is_finished=False)
        try:
            for _, block in self._unsynced:
                self._files.append(segment, block)
            self._files.finish(segment)
        except OSError:
            self._files.discard(segment)
            raise
        return segment

    def close(self) -> None:
        """Close the files; what is unsynced stays so."""
        for segment in [*self._retired, *(() if self._segment is None else (self._segment,))]:
            self._files.close(segment)
        self._retired.clear()
        self._segment = None
