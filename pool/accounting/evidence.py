"""Archive and digests → evidence for a statement: work by account in spans of slots, and what it rests on.

Two passes: the segments' records tell which slots every source is there for, then the frames are counted.
Where segments are gone, a digest's part stands for its slots. No database is asked. Blocking.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from pool.accounting.archive import ArchivedSegment, archived
from pool.accounting.archive_file import read_archive_file
from pool.accounting.archive_reading import frames_after
from pool.accounting.batch import MICROSECONDS, Batch
from pool.audit.recompute import Origin, Span, wanted_ranges
from pool.audit.statement import Body, PartHash, SegmentHash
from pool.spool.frames import SpoolGap
from pool.spool.parts import Part, part_of

BEFORE_ALL, AFTER_ALL = 0, 2**62
BOUGHT = ("pps", "fpps")
Range = tuple[int, int]
Advance = Callable[[int, int], None]


class Evidence(msgspec.Struct, frozen=True):
    """Spans for `recompute`; `differences` and `notes` are sentences, one a line."""

    spans: tuple[Span, ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    is_by_other_rules: bool = False  # what it was divided by is not in the shares at all


def gather(body: Body, archive: Path | None, digests: Sequence[Span], advance: Advance) -> Evidence:
    """What the archive and the digests show of a statement's window. `advance` is told (done, total) bytes.

    Raises ArchiveError, SpoolError and OSError for an archive that cannot be read.
    """
    other_rules = _other_rules(body)
    if other_rules is not None:
        return Evidence((), (), (other_rules,), is_by_other_rules=True)
    streams, differences, notes = _streams(body, archive)
    covered = _intersection([stream.covered for stream in streams]) if streams else []
    parts = _useful(digests, covered, wanted_ranges(body))
    ranges = _clipped(covered, [(span.from_slot, span.through_slot) for span in parts], body)
    found, more = _counted(streams, ranges, body, advance)
    return Evidence((*parts, *found), tuple(differences), (*notes, *more))


def _other_rules(body: Body) -> str | None:
    """Why shares say nothing of how it was divided, where that is so."""
    if body.by_hand is not None:
        return f"it was divided by hand ({body.by_hand}): shares say nothing of that"
    if body.plan_id is not None or body.rules.scheme == "solo":
        return "the coinbase paid by a plan: its weights are the plan's, not the shares'"
    if body.rules.scheme in BOUGHT:
        return "whose work was bought at its price is not in the shares: it is not counted"
    return None


# ---------------------------------------------------------------------- what there is


class _Stream(msgspec.Struct, frozen=True):
    """A source's segments of one epoch, by serial, and the ranges of slots that they are whole for."""

    source: str
    epoch: str
    mark: int
    segments: tuple[ArchivedSegment, ...]
    covered: tuple[Range, ...]


def _streams(body: Body, archive: Path | None) -> tuple[list[_Stream], list[str], list[str]]:
    """The sources that the statement's marks name and the archive has, and what is wrong with them."""
    held = [] if archive is None else archived(archive)
    differences, notes = _compare_named(body, held)
    streams = []
    for key, mark in sorted(body.marks.items()):
        source, _, epoch = key.partition("/")
        segments = tuple(
            one
            for one in held
            if (one.record.source, one.record.epoch) == (source, epoch) and one.record.first_frame <= mark
        )
        if segments:
            covered = _covered(segments, mark, body.window.slot_seconds)
            streams.append(_Stream(source, epoch, mark, segments, covered))
        elif mark and archive is not None:
            notes.append(f"there are no segments of {source} {epoch}: it is taken to have had no work here")
    return streams, differences, notes


def _compare_named(body: Body, held: Sequence[ArchivedSegment]) -> tuple[list[str], list[str]]:
    """The segments that a statement names, against those that are here."""
    hashes = {one.record.sha256 for one in held}
    frames = {(one.record.source, one.record.first_frame, one.record.last_frame) for one in held}
    differences, absent = [], 0
    for named in body.segments:
        if named.sha256 in hashes:
            continue
        if (named.source, named.first_frame, named.last_frame) in frames:
            differences.append(_others(named))
        else:
            absent += 1
    begun = {(one.record.source, one.record.epoch, one.record.first_frame): one for one in held}
    for part in body.parts:
        one = begun.get((part.source, part.epoch, part.first_frame))
        if one is None:
            absent += 1
        elif part_of(b"".join(read_archive_file(one.path)), part.first_frame, part.last_frame) != Part(
            part.last_frame, part.sha256
        ):
            differences.append(_others(part))
    named_count = len(body.segments) + len(body.parts)
    notes = [f"{absent} of the {named_count} segments that it names are not here"] if absent else []
    return differences, notes


def _others(named: SegmentHash | PartHash) -> str:
    return (
        f"frames {named.first_frame} to {named.last_frame} of {named.source} are not those that the "
        "statement was counted from"
    )


def _covered(segments: Sequence[ArchivedSegment], mark: int, slot_seconds: int) -> tuple[Range, ...]:
    """Ranges of slots without a missing frame: a slot that a range begins or ends in may be in part only."""
    ranges, start, previous = [], None, None
    for one in segments:
        record = one.record
        if previous is None or record.first_frame > previous.last_frame + 1:
            if previous is not None and start is not None:
                ranges.append((start, _slot(previous.last_us, slot_seconds) - slot_seconds))
            is_first = record.first_frame == 1
            start = BEFORE_ALL if is_first else _slot(record.first_us, slot_seconds) + slot_seconds
        if previous is None or record.last_frame >= previous.last_frame:
            previous = record
    if previous is not None and start is not None:
        end = _slot(previous.last_us, slot_seconds) - slot_seconds
        ranges.append((start, AFTER_ALL if previous.last_frame >= mark else end))
    return tuple(one for one in ranges if one[0] <= one[1])


def _slot(at_us: int, slot_seconds: int) -> int:
    return at_us // (MICROSECONDS * slot_seconds) * slot_seconds


# ---------------------------------------------------------------------- ranges of slots


def _intersection(lists: Sequence[Sequence[Range]]) -> list[Range]:
    found = list(lists[0])
    for others in lists[1:]:
        found = _common(found, others)
    return sorted(found)


def _common(some: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    pairs = itertools.product(some, others)
    return [(max(a, c), min(b, d)) for (a, b), (c, d) in pairs if max(a, c) <= min(b, d)]


def _useful(digests: Iterable[Span], covered: Sequence[Range], wanted: Sequence[Range]) -> list[Span]:
    """Parts inside of what is wanted that shares do not show whole."""
    return [
        span
        for span in digests
        if any(start <= span.from_slot and span.through_slot <= end for start, end in wanted)
        and not any(start <= span.from_slot and span.through_slot <= end for start, end in covered)
    ]


def _clipped(covered: Sequence[Range], taken: Sequence[Range], body: Body) -> list[Range]:
    """What is covered of the wanted ranges, less what digests stand for."""
    step = body.window.slot_seconds
    ranges = _common(covered, wanted_ranges(body))
    for start, end in taken:
        ranges = [
            piece
            for a, b in ranges
            for piece in ((a, min(b, start - step)), (max(a, end + step), b))
            if piece[0] <= piece[1]
        ]
    return sorted(ranges)


# ---------------------------------------------------------------------- counting


def _counted(
    streams: Sequence[_Stream], ranges: Sequence[Range], body: Body, advance: Advance
) -> tuple[list[Span], list[str]]:
    """Shares of all sources, summed by range and account."""
    sums: list[dict[str, int]] = [{} for _ in ranges]
    if not ranges:
        return [], []
    total = sum(one.packed_bytes for stream in streams for one in stream.segments)
    done, notes = 0, []
    for stream in streams:
        notes += _count_stream(stream, ranges, sums, body.window.slot_seconds)
        done += sum(one.packed_bytes for one in stream.segments)
        advance(done, total)
    spans = [Span(a, b, work, Origin.SHARES) for (a, b), work in zip(ranges, sums, strict=True)]
    return spans, notes


def _count_stream(
    stream: _Stream, ranges: Sequence[Range], sums: Sequence[dict[str, int]], slot_seconds: int
) -> list[str]:
    notes: list[str] = []
    last = max(one.record.last_frame for one in stream.segments)
    through, after = min(stream.mark, last), stream.segments[0].record.first_frame - 1
    archive = stream.segments[0].path.parent.parent
    nowhere = archive / ".spool" / stream.source  # no raw segments: what is checked is the archive
    while after < through:
        try:
            for delivery in frames_after(archive, nowhere, stream.epoch, after, through=through):
                batch = Batch(slot_seconds, lambda template, frame, at_us: None)
                batch.add(delivery.frame, delivery.dictionary)
                for key, sum_ in batch.slots.items():
                    _add(ranges, sums, key.slot, key.account, sum_.work)
                after = delivery.frame.number
            return notes
        except SpoolGap as gap:
            notes.append(
                f"frames {gap.expected} to {gap.found - 1} of {stream.source} are not in the archive"
            )
            after = max(after, gap.found - 1)
    return notes


def _add(ranges: Sequence[Range], sums: Sequence[dict[str, int]], slot: int, account: str, work: int) -> None:
    for (start, end), part in zip(ranges, sums, strict=True):
        if start <= slot <= end:
            part[account] = part.get(account, 0) + work
            return
