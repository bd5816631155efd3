"""What an earlier process left in the spool: cuts a torn tail, syncs, and says where to go on. Blocking.

empty                       a new epoch, from frame 1
a torn tail                 cut: those frames were never answered, or lost with the power
damage before the end       left as it is for whoever counts it; this gateway goes on in a new epoch
another coin or network     SpoolError: two chains' work is never in one spool
a newer version             NewerSpool
in use                      SpoolError
"""

import contextlib
import fcntl
import os
from pathlib import Path

import msgspec

from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.frames import (
    BLOCK_OVERHEAD,
    SpoolDamaged,
    SpoolError,
    block_at,
    decode_frame,
    next_block,
)
from pool.spool.segments import (
    EPOCH_BYTES,
    UNFINISHED,
    Segment,
    SegmentBytes,
    newest_epoch,
    read_head,
    segments_of,
)

log = Log("engineroom.spool")


class Resumption(msgspec.Struct, frozen=True):
    """Where the next segment begins. Everything below `number` is synced; `at_us` and `extranonce_next` are
    those of the last frame, 0 for a spool that never was."""

    epoch: str
    serial: int
    number: int
    at_us: int
    extranonce_next: int


def lock_spool(directory: Path) -> int:
    """Make the directory for good and take it for this process, as long as the descriptor given is open.

    Raises SpoolError where another process has it, OSError where it cannot be made.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for folder in (directory, directory.parent, directory.parent.parent):
        _sync(folder)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SpoolError(f"the spool {directory} is in use: is this pool running already?") from None
    return descriptor


def recover(directory: Path, network: str, epoch_bytes: bytes) -> Resumption:
    """`epoch_bytes` are 8 random ones, for where a new epoch begins. Raises SpoolError and OSError."""
    epoch = newest_epoch(directory)
    if epoch is None:
        return _new_epoch(epoch_bytes, *_without_heads(directory))
    segments = segments_of(directory)[epoch]
    _check_network(segments, directory, network)
    for segment in segments:
        _sync(segment.path)
    for unfinished in directory.glob("*" + UNFINISHED):
        unfinished.unlink()
    try:
        return _end_of(segments)
    except SpoolDamaged as damage:
        log.error(LogEvent.SPOOL_DAMAGED, error=damage)
        return _new_epoch(epoch_bytes, *_last_seen(damage.segment))


def _new_epoch(epoch_bytes: bytes, at_us: int, extranonce_next: int) -> Resumption:
    if len(epoch_bytes) != EPOCH_BYTES:
        raise ValueError(f"an epoch is {EPOCH_BYTES} bytes")
    return Resumption(epoch_bytes.hex(), 1, 1, at_us, extranonce_next)


def _check_network(segments: list[Segment], directory: Path, network: str) -> None:
    heads = (read_head(segment.path) for segment in reversed(segments))
    head = next((head for head in heads if head is not None), None)
    if head is not None and head.network != network:
        raise SpoolError(
            f"the spool {directory} is one of {head.network}, the settings say {network}: "
            "name another data_directory"
        )


def _end_of(segments: list[Segment]) -> Resumption:
    """Cut what is torn and give the end. Raises SpoolDamaged."""
    for segment in reversed(segments):
        reading = SegmentBytes(segment.path)
        reading.feed(segment.path.read_bytes())
        frames = list(reading.frames())
        torn_bytes = reading.check_rest()
        if reading.head is None:  # the process ended before the head was whole: the file holds nothing
            segment.path.unlink()
            _sync(segment.path.parent)
            continue
        if torn_bytes:
            log.warning(LogEvent.SPOOL_TAIL_CUT, torn_bytes=torn_bytes, path=segment.path)
            os.truncate(segment.path, reading.offset)
            _sync(segment.path)
        last = frames[-1] if frames else reading.head
        serial = segments[-1].serial + 1
        return Resumption(segment.epoch, serial, reading.expected, last.at_us, last.extranonce_next)
    raise AssertionError("an epoch without a readable head is not the newest one")


def _without_heads(directory: Path) -> tuple[int, int]:
    """No segment, or none with a head that can be read: what their frames say, all the same."""
    latest = (0, 0)
    for segments in segments_of(directory).values():
        for segment in segments:
            seen = _last_seen(segment.path)
            if seen == (0, 0):  # never whole: it holds nothing
                segment.path.unlink()
            else:
                log.error(LogEvent.SEGMENT_HEAD_DAMAGED, path=segment.path)
            latest = max(latest, seen)
    return latest


def _last_seen(path: Path) -> tuple[int, int]:
    """Time and extranonce counter of the last frame that can be read, whatever lies before it."""
    data = path.read_bytes()
    at_us = extranonce_next = 0
    offset = next_block(data, 0)
    while offset is not None:
        payload = block_at(data, offset)
        assert payload is not None  # noqa: S101  (next_block found it sound)
        with contextlib.suppress(ValueError):
            frame = decode_frame(payload)
            at_us, extranonce_next = frame.at_us, frame.extranonce_next
        offset = next_block(data, offset + BLOCK_OVERHEAD + len(payload))
    return at_us, extranonce_next


def _sync(path: Path) -> None:
    """A file or a directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
