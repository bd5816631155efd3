"""[shell] Follows the spools for the instruments: every source's frames once, counted or not.

A reader of its own beside the accountant's: charts go on while the database is away, and nothing here can
hold up the accounts. What is missing or damaged is passed over and told; only money waits for a person.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pool.accounting.sources import epochs_on_disk
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.frames import SpoolDamaged, SpoolGap
from pool.spool.segments import read_head, segments_of
from pool.spool.tail import Delivery, SourceTail, mark_behind

FRAMES_AT_ONCE = 1_000  # of a busy gateway a second, some 50 ms of decoding

log = Log("engineroom.instruments")


class Mark(NamedTuple):
    """How far one epoch of a source was followed: the number of the last frame."""

    source: str
    epoch: str
    number: int


class Passage(NamedTuple):
    """Frames of one source and epoch, in order; `is_after_gap` where some before them are missing."""

    source: str
    epoch: str
    deliveries: list[Delivery]
    is_after_gap: bool


class Follower:
    """Blocking, for one thread at a time."""

    def __init__(self, spool: Path, marks: list[Mark]) -> None:
        """`spool` holds one folder for each gateway. A source without a mark is followed from the segment
        that is being written, and what its earlier processes have left is not."""
        self._spool = spool
        self._marks = {(mark.source, mark.epoch): mark.number for mark in marks}
        self._known = {mark.source for mark in marks}
        self._left_alone: set[tuple[str, str]] = set()
        self._tails: dict[tuple[str, str], SourceTail] = {}
        self._over: set[tuple[str, str]] = set()
        self._after_gap: set[tuple[str, str]] = set()

    @property
    def marks(self) -> list[Mark]:
        """Of all that was ever followed and is still on disk."""
        return [Mark(*key, number) for key, number in self._marks.items()]

    def begins_at(self) -> float | None:
        """When the oldest of the segments was begun that are being written, Unix time as frames have it; None
        where there is none. Raises OSError, and NewerSpool."""
        begun = []
        for one in epochs_on_disk(self._spool, None):
            segments = segments_of(self._spool / one.name).get(one.epoch, [])
            if segments and not one.is_over:
                head = read_head(max(segments, key=lambda segment: segment.first).path)
                if head is not None:
                    begun.append(head.at_us / 1e6)
        return min(begun, default=None)

    def poll(self) -> Iterator[Passage]:
        """What can be read now, in turns of one passage a source, until there is nothing more. Raises
        OSError, and NewerSpool for a gateway newer than this process."""
        waiting = self._find()
        while waiting:
            for key in _first_of_each_source(waiting):
                try:
                    deliveries = self._tails[key].poll(FRAMES_AT_ONCE)
                except (SpoolGap, SpoolDamaged) as error:
                    if not self._pass_over(key, error):
                        waiting.remove(key)
                    continue
                if not deliveries:
                    waiting.remove(key)
                    continue
                self._marks[key] = deliveries[-1].frame.number
                yield Passage(*key, deliveries, key in self._after_gap)
                self._after_gap.discard(key)

    def _find(self) -> list[tuple[str, str]]:
        """New epochs get a tail; those that a newer one has replaced are read to their end. All that can be
        read, each source's epochs in their order."""
        found = []
        for one in epochs_on_disk(self._spool, None):
            if one.is_over and one.name not in self._known:
                self._left_alone.add((one.name, one.epoch))
            elif (one.name, one.epoch) not in self._left_alone:
                found.append(one)
        self._known.update(one.name for one in found)
        here = {(one.name, one.epoch) for one in found}
        for key in [key for key in self._marks if key not in here]:
            del self._marks[key]
            self._tails.pop(key, None)
        for one in found:
            key = (one.name, one.epoch)
            if key not in self._tails or (one.is_over and key not in self._over):
                self._tails[key] = self._tail(key, is_over=one.is_over)
                if one.is_over:
                    self._over.add(key)
        return [
            (one.name, one.epoch) for one in sorted(found, key=lambda one: (not one.is_over, one.begins_us))
        ]

    def _tail(self, key: tuple[str, str], *, is_over: bool) -> SourceTail:
        source, epoch = key
        if key not in self._marks:
            segments = segments_of(self._spool / source).get(epoch, [])
            self._marks[key] = max((segment.first for segment in segments), default=1) - 1
        return SourceTail(self._spool / source, epoch, self._marks[key], is_over=is_over)

    def _pass_over(self, key: tuple[str, str], error: SpoolGap | SpoolDamaged) -> bool:
        """Go on behind what is missing. False where nothing follows it yet: look again later."""
        source, epoch = key
        mark = mark_behind(error, segments_of(self._spool / source).get(epoch, []))
        if mark is None or mark <= self._marks[key]:
            return False
        log.warning(LogEvent.CHARTS_SKIPPED, error=error)
        self._marks[key] = mark
        self._after_gap.add(key)
        self._tails[key] = self._tail(key, is_over=key in self._over)
        return True


def _first_of_each_source(keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """An epoch's successor has its turn when the epoch is read to its end."""
    first: dict[str, tuple[str, str]] = {}
    for key in keys:
        first.setdefault(key[0], key)
    return list(first.values())
