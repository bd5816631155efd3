"""One source's frames, as they become durable: what an accountant polls. Blocking; it writes nothing.

A frame is handed out once some later one says that it is synced, so that no mark passes what survives a
power cut. A torn tail of the segment being written is "not yet"; of an older one it is the end, if the next
segment goes on there.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pool.spool.dictionary import Dictionary
from pool.spool.frames import Frame, SpoolDamaged, SpoolError, SpoolGap
from pool.spool.segments import Segment, SegmentBytes, segment_with, segments_of

READ_BYTES = 4 * 1024 * 1024


class Delivery(NamedTuple):
    """A frame with what its numbers stand for, and the segment that it came from."""

    frame: Frame
    dictionary: Dictionary
    segment: Segment


class SourceTail:
    """Frames of one source and epoch, from `mark` + 1 on, each once and in order."""

    def __init__(self, directory: Path, epoch: str, mark: int = 0, *, is_over: bool = False) -> None:
        """`directory` is the source's own, named like it; it need not exist yet.

        `is_over` where a newer epoch has taken this one's place: nobody is left to say what is synced, and
        every whole frame counts.
        """
        self.source = directory.name
        self.epoch = epoch
        self.durable_through = 0
        self.network: str | None = None  # coin and network, once a head was read
        self._directory = directory
        self._is_over = is_over
        self._mark = mark
        self._segment: Segment | None = None
        self._reading: SegmentBytes | None = None
        self._held: deque[Delivery] = deque()
        self._next = mark + 1  # the next frame to take from the files
        self._error: SpoolError | None = None

    @property
    def mark(self) -> int:
        """The number of the last frame handed out."""
        return self._mark

    def poll(self, most: int = 1000) -> list[Delivery]:
        """Up to `most` further frames that are durable; empty where there is none now.

        Raises SpoolDamaged, SpoolGap or NewerSpool when everything before the trouble was handed out, and
        again at each call: a new tail, with the mark moved past the gap, goes on behind it.
        """
        if self._error is None and not self._has_enough(most):
            try:
                self._read(most)
            except SpoolError as error:
                self._error = error
        ready: list[Delivery] = []
        while len(ready) < most and self._has_ready:
            ready.append(self._held.popleft())
        if ready:
            self._mark = ready[-1].frame.number
        elif self._error is not None:
            raise self._error
        return ready

    @property
    def _has_ready(self) -> bool:
        held = self._held
        return bool(held) and (self._is_over or held[0].frame.number <= self.durable_through)

    def _has_enough(self, most: int) -> bool:
        return len(self._held) >= most and self._has_ready

    def _read(self, most: int) -> None:
        while True:
            segments = segments_of(self._directory).get(self.epoch, [])
            if self._segment is None and not self._begin(segments):
                return
            assert self._segment is not None  # noqa: S101  (begun)
            # Looked for before reading: what is in this segment when a later one exists is all there will be.
            later = [segment for segment in segments if segment.serial > self._segment.serial]
            try:
                if self._read_segment(most):
                    return
            except FileNotFoundError:  # trimmed, or written again in a later one
                self._segment = None
                continue
            except SpoolDamaged:
                self._believe_the_rest()
                raise
            if not later:
                self._check_end()
                return
            self._go_on_in(later)

    def _begin(self, segments: list[Segment]) -> bool:
        segment = segment_with(segments, self._next)
        if segment is None:
            if segments:
                raise SpoolGap(self.source, self._next, min(one.first for one in segments))
            return False
        self._open(segment)
        return True

    def _open(self, segment: Segment) -> None:
        self._segment = segment
        self._reading = SegmentBytes(segment.path, resync_below=self._next)

    def _read_segment(self, most: int) -> bool:
        """Take what the segment holds; True where enough is held and more may be left."""
        assert self._reading is not None  # noqa: S101  (opened)
        reading = self._reading
        with reading.path.open("rb") as file:
            file.seek(reading.needed_at)
            while data := file.read(READ_BYTES):
                reading.feed(data)
                for frame in reading.frames():
                    self._take(frame)
                if reading.head is not None:
                    self.network = reading.head.network
                if self._has_enough(most):
                    return True
        return False

    def _take(self, frame: Frame) -> None:
        assert self._segment is not None  # noqa: S101  (opened)
        assert self._reading is not None  # noqa: S101  (opened)
        self.durable_through = max(self.durable_through, frame.durable_through)
        if frame.number == self._next:
            self._next += 1
            self._held.append(Delivery(frame, self._reading.dictionary, self._segment))

    def _check_end(self) -> None:
        """The end of the newest segment: a torn tail is "not yet", damage is not."""
        assert self._reading is not None  # noqa: S101  (opened)
        try:
            self._reading.check_rest()
        except SpoolDamaged:
            self._believe_the_rest()
            raise

    def _believe_the_rest(self) -> None:
        """What stands behind the trouble still says what before it is synced."""
        assert self._reading is not None  # noqa: S101  (opened)
        self.durable_through = max(self.durable_through, self._reading.durable_through_of_rest())

    def _go_on_in(self, later: list[Segment]) -> None:
        segment = segment_with(later, self._next)
        if segment is None:
            self._check_end()
            for one in later:
                self._reading = SegmentBytes(one.path)
                self._reading.feed(one.path.read_bytes())
                self._believe_the_rest()
            raise SpoolGap(self.source, self._next, min(one.first for one in later))
        self._open(segment)


def mark_behind(error: SpoolGap | SpoolDamaged, segments: Sequence[Segment]) -> int | None:
    """The mark from which a new tail goes on behind what is lost; None where nothing follows it yet.

    Everything from the error's `expected` to this mark is given up with it, so only a person may say so.
    """
    if error.found is not None:
        return error.found - 1
    broken = getattr(error, "segment", None)
    serial = next((one.serial for one in segments if one.path == broken), 0)
    firsts = [one.first for one in segments if one.serial > serial and one.first > error.expected]
    return min(firsts) - 1 if firsts else None
