"""The spools that the accountant follows: each source and epoch, how far it was read, and where from.

A source is live until its closing frame, or until a newer epoch has taken its place and its last frame was
read. What a restored database has forgotten comes from the archive first. Frames that a person has given up
are passed over wherever they are met again: after a restore, or in a rebuild.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pool.accounting.archive import archived
from pool.accounting.archive_reading import frames_after
from pool.spool.frames import SpoolDamaged, SpoolGap
from pool.spool.segments import Segment, newest_epoch, read_head, segments_of
from pool.spool.tail import Delivery, SourceTail, mark_behind

LIVE, CLOSED, STOPPED = "live", "closed", "stopped"


class Gap(msgspec.Struct, frozen=True):
    """Frames first to last of a source, given up for good by a person."""

    first: int
    last: int


class Found(msgspec.Struct, frozen=True):
    """A source's epoch that is on disk. `is_over`: a newer one has taken its place, or only the archive has
    it; `begins_us` is the time of its first segment's head, 0 where that cannot be read."""

    name: str
    epoch: str
    is_over: bool
    begins_us: int


class Source:
    """One spool (a gateway's, of one epoch) as it is read. Its reading is blocking: for one thread."""

    def __init__(
        self, id_: int, found: Found, spool: Path, archive: Path, mark: int, at_us: int, gaps: Sequence[Gap]
    ) -> None:
        """`spool` is the source's own directory, `mark` the last frame that counts."""
        self.id = id_
        self.name, self.epoch, self.is_over = found.name, found.epoch, found.is_over
        self.mark, self.at_us = mark, at_us
        self.state = LIVE
        self.segment: Segment | None = None  # where the last frame that counts came from
        self._spool, self._archive = spool, archive
        self._gaps = tuple(gaps)
        self._archived: Iterator[Delivery] | None = None
        self._tail = SourceTail(spool, found.epoch, mark, is_over=found.is_over)
        self.is_begun = False

    @property
    def reads_archive(self) -> bool:
        """Whether segments must stay where they are, since frames are being read out of them by a list."""
        return not self.is_begun or self._archived is not None

    def end(self) -> None:
        """A newer epoch has begun: nobody is left to say what of this one is synced."""
        self.is_over = True
        self.rewind(self.mark)

    def rewind(self, mark: int) -> None:
        """Read again from behind `mark`, wherever that is."""
        self.mark = mark
        self.is_begun = False
        self._archived = None
        self._tail = SourceTail(self._spool, self.epoch, mark, is_over=self.is_over)

    def next(self, most: int) -> list[Delivery]:
        """Frames that follow, in order; none where there are none now. Raises SpoolError, ArchiveError."""
        while True:
            if not self.is_begun:
                self._begin()
            try:
                deliveries = self._next(most)
            except (SpoolGap, SpoolDamaged) as error:
                gap = self._gap_at(error.expected)
                if gap is None:
                    raise
                self.rewind(gap.last)
                continue
            counting = [one for one in deliveries if self._counts(one.frame.number)]
            if counting or not deliveries:
                return counting

    def is_forgiving(self, delivery: Delivery) -> bool:
        """Whether what the frame's segment does not explain may have been in frames that were given up."""
        return any(
            delivery.segment.first <= gap.last and gap.first < delivery.frame.number for gap in self._gaps
        )

    def has_more(self, error: Exception) -> bool:
        """Whether frames follow on what is broken: then a person has to say that it is given up."""
        if not isinstance(error, SpoolGap | SpoolDamaged):
            return True
        return mark_behind(error, segments_of(self._spool).get(self.epoch, [])) is not None

    def _begin(self) -> None:
        self.is_begun = True
        held = archived(self._archive, self.name, self.epoch)
        through = max((one.record.last_frame for one in held), default=0)
        if through > self.mark:
            gaps = [(gap.first, gap.last) for gap in self._gaps]
            self._archived = frames_after(
                self._archive, self._spool, self.epoch, self.mark, through=through, given_up=gaps
            )

    def _next(self, most: int) -> list[Delivery]:
        if self._archived is not None:
            deliveries = list(itertools.islice(self._archived, most))
            if deliveries:
                return deliveries
            self._archived = None
            self._tail = SourceTail(self._spool, self.epoch, self.mark, is_over=self.is_over)
        return self._tail.poll(most)

    def _counts(self, number: int) -> bool:
        return number > self.mark and (not self._gaps or self._gap_at(number) is None)

    def _gap_at(self, number: int) -> Gap | None:
        return next((gap for gap in self._gaps if gap.first <= number <= gap.last), None)


def epochs_on_disk(spool: Path, archive: Path | None) -> list[Found]:
    """Every source's epochs; of the archive, if given, those that it alone has. Raises NewerSpool."""
    found: dict[tuple[str, str], Found] = {}
    for folder in _folders(spool):
        segments = segments_of(folder)
        newest = newest_epoch(folder)
        for epoch in sorted(segments):
            head = read_head(segments[epoch][0].path)
            begins_us = 0 if head is None else head.at_us
            found[folder.name, epoch] = Found(folder.name, epoch, epoch != newest, begins_us)
    for folder in [] if archive is None else _folders(archive):
        for epoch in sorted({path.name.partition("-")[0] for path in folder.glob("*-*-*-*")}):
            found.setdefault((folder.name, epoch), Found(folder.name, epoch, True, 0))
    return list(found.values())


def streams_of(spool: Path) -> set[tuple[str, str]]:
    """(source, epoch) of all that is in the spools. Blocking; it opens no file."""
    return {(folder.name, epoch) for folder in _folders(spool) for epoch in segments_of(folder)}


def _folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []
