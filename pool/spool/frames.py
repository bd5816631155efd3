"""Frames and segment heads as bytes on disk, and back; the errors that all reading of spools raises.

    block   = magic (4) · length (u32) · crc32 of length and payload (u32) · payload     little-endian
    segment = a block with a SegmentHead, then a block for each frame

    SpoolError            one clear line
     ├ NewerSpool         written by a newer version: nothing of it is guessed at
     ├ SpoolDamaged       a block in the middle is not what was written; names source, file, offset
     └ SpoolGap           frames are missing; names the numbers

The magic is there to find the next block behind a damaged one, which tells damage from a torn tail.
"""

from pathlib import Path
from zlib import crc32

import msgspec

from pool.spool.records import Record

FRAME_VERSION = 2
READABLE_VERSIONS = (1, 2)  # 2 has added instruments, readings, best shares, paces and tips
_MAGIC = b"\xf7ERf"
BLOCK_OVERHEAD = 12  # magic, length, crc32


class SpoolError(Exception):
    """The base of what is wrong with a spool; the message is one line for the operator."""


class NewerSpool(SpoolError):
    """A segment or frame of a version that this one does not know."""


class SpoolDamaged(SpoolError):
    """The block at `offset` of `segment` is broken and sound ones follow it: a frame that was whole once.

    `expected` is the number of the frame that should stand there (0: the segment's head), `found` that of
    the next sound one, None where none is left in the segment.
    """

    def __init__(self, source: str, segment: Path, offset: int, expected: int, found: int | None) -> None:
        what = f"frame {expected}" if expected else "its head"
        after = "" if found is None else f"; the next sound frame is {found}"
        super().__init__(f"spool {source} is damaged: {what} at byte {offset} of {segment}{after}")
        self.source = source
        self.segment = segment
        self.offset = offset
        self.expected = expected
        self.found = found


class SpoolGap(SpoolError):
    """Frames from `expected` on are nowhere; the next that exists is `found`."""

    def __init__(self, source: str, expected: int, found: int) -> None:
        super().__init__(f"spool {source} lacks the frames {expected} to {found - 1}")
        self.source = source
        self.expected = expected
        self.found = found


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One batch of records, all of which happened at `at_us` (record clock, microseconds since 1970).

    `number` counts from 1 without a gap within (source, epoch). `durable_through` is the highest number of
    which the writer knew, when it wrote this, that a power cut does not lose it. `extranonce_next` is the
    extranonce1 counter, so that a restart goes on behind it.
    """

    version: int
    number: int
    durable_through: int
    at_us: int
    extranonce_next: int
    records: list[Record]


class SegmentHead(msgspec.Struct, frozen=True, array_like=True):
    """The first block of a segment. `network` is coin and network, `first` the number of its first frame,
    `definitions` what its frames may use without defining it."""

    version: int
    source: str
    network: str
    epoch: str
    serial: int
    first: int
    at_us: int
    extranonce_next: int
    definitions: list[Record]


class _Version(msgspec.Struct, array_like=True):
    version: int


_encoder = msgspec.msgpack.Encoder()
_frame_decoder = msgspec.msgpack.Decoder(Frame)
_head_decoder = msgspec.msgpack.Decoder(SegmentHead)
_version_decoder = msgspec.msgpack.Decoder(_Version)


def encode_block(value: Frame | SegmentHead) -> bytes:
    """The bytes to append to a segment."""
    payload = _encoder.encode(value)
    length = len(payload).to_bytes(4, "little")
    return b"%b%b%b%b" % (_MAGIC, length, crc32(payload, crc32(length)).to_bytes(4, "little"), payload)


def block_at(data: bytes, offset: int) -> bytes | None:
    """The payload of the block that begins here; None where it is incomplete or broken."""
    start = offset + BLOCK_OVERHEAD
    if len(data) < start or not data.startswith(_MAGIC, offset):
        return None
    length = data[offset + 4 : offset + 8]
    end = start + int.from_bytes(length, "little")
    if len(data) < end:
        return None
    payload = data[start:end]
    if crc32(payload, crc32(length)) != int.from_bytes(data[offset + 8 : start], "little"):
        return None
    return payload


def block_end(data: bytes, offset: int) -> int | None:
    """Where the block that begins here ends, by its length alone; None where it is incomplete."""
    start = offset + BLOCK_OVERHEAD
    if len(data) < start or not data.startswith(_MAGIC, offset):
        return None
    end = start + int.from_bytes(data[offset + 4 : offset + 8], "little")
    return end if end <= len(data) else None


def next_block(data: bytes, offset: int) -> int | None:
    """Where the first sound block at or behind an offset begins; None where there is none."""
    while True:
        offset = data.find(_MAGIC, offset)
        if offset < 0:
            return None
        if block_at(data, offset) is not None:
            return offset
        offset += 1


def decode_frame(payload: bytes) -> Frame:
    """A frame from a sound block; raises NewerSpool, and ValueError for a payload that is none."""
    try:
        frame = _frame_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        _check_version(payload)
        raise ValueError(f"no frame: {error}") from error
    if frame.version not in READABLE_VERSIONS:
        _check_version(payload)
        raise ValueError(f"a frame of version {frame.version}")
    return frame


def decode_head(payload: bytes) -> SegmentHead:
    """A segment's head from its first block; raises NewerSpool, and ValueError for a payload that is none."""
    try:
        head = _head_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        _check_version(payload)
        raise ValueError(f"no segment head: {error}") from error
    if head.version not in READABLE_VERSIONS:
        _check_version(payload)
        raise ValueError(f"a segment of version {head.version}")
    return head


def _check_version(payload: bytes) -> None:
    try:
        version = _version_decoder.decode(payload).version
    except msgspec.MsgspecError:
        return
    if version > FRAME_VERSION:
        raise NewerSpool(
            f"the spool is of version {version}; this engineroom reads version {FRAME_VERSION}: upgrade it"
        )
