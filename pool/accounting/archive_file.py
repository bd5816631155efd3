"""One archived segment as a file: gzip, with what is known of its contents in the header's comment.

A person reads it with `zcat`, and a list of the archive needs no database and unpacks nothing. The bytes of
the file are a function of the contents and the record: the same segment archived twice is the same file, as
long as zlib is the same. Its gzip header is ours to the byte, so that a changed bit in it shows as well.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

VERSION = 1
LEVEL = 6
PIECE_BYTES = 256 * 1024
MOST_COMMENT_BYTES = 4096  # a record has about 300

# RFC 1952: magic, deflate, flag FCOMMENT, no time, no hint of the level, no operating system.
_HEADER = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"
_CHECKSUM_BYTES = len(" crc32 00000000")
_TRAILER = struct.Struct("<II")


class ArchiveError(Exception):
    """What all errors of the archive have in common: one clear line."""


class ArchiveDamaged(ArchiveError):
    """A file is not what was written. `offset` counts the segment's own bytes, before compression."""

    def __init__(self, file: Path, offset: int, reason: str) -> None:
        super().__init__(f"{file}, byte {offset} of its contents: {reason}")
        self.file, self.offset, self.reason = file, offset, reason


class ArchiveNewer(ArchiveError):
    """Written by a newer version: step forward again."""


class SegmentRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a segment: `sha256` (hex) and `raw_bytes` are of its bytes before compression.

    `serial` is its place in its epoch. Frames first to last are in it (none: last is first - 1), written
    between first_us and last_us by the clock of the records.
    """

    version: int = VERSION
    source: str
    epoch: str
    serial: int
    first_frame: int
    last_frame: int
    first_us: int
    last_us: int
    sha256: str
    raw_bytes: int


class _Version(msgspec.Struct):
    version: int


def write_archive_file(path: Path, record: SegmentRecord, pieces: Iterable[bytes]) -> None:
    """Write and sync a file; the caller makes its name durable. Raises OSError."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum, length = 0, 0
    with path.open("wb") as file:
        comment = msgspec.json.encode(record)
        file.write(_HEADER + comment + _checksum(comment) + b"\0")
        for piece in pieces:
            checksum, length = zlib.crc32(piece, checksum), length + len(piece)
            file.write(packer.compress(piece))
        file.write(packer.flush() + _TRAILER.pack(checksum, length & 0xFFFFFFFF))
        file.flush()
        os.fsync(file.fileno())
        # What is read back to be compared is to come from the disk, not from memory.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_record(path: Path) -> SegmentRecord:
    """The record alone, unchecked against the contents. Raises ArchiveError, OSError."""
    with path.open("rb") as file:
        return _record(path, file)


def read_archive_file(path: Path) -> Iterator[bytes]:
    """The segment's bytes, in pieces. Once the last piece has come, all of them were what the record says.

    Raises ArchiveError, OSError, at the latest after the last piece.
    """
    with path.open("rb") as file:
        record = _record(path, file)
        digest, length = hashlib.sha256(), 0
        try:
            for piece in _unpacked(file):
                digest.update(piece)
                length += len(piece)
                yield piece
        except (zlib.error, EOFError) as error:
            raise ArchiveDamaged(path, length, f"it cannot be unpacked: {error}") from None
    if (digest.hexdigest(), length) != (record.sha256, record.raw_bytes):
        raise ArchiveDamaged(path, length, "its contents are not those that its record names")


def _record(path: Path, file: BinaryIO) -> SegmentRecord:
    start = file.read(len(_HEADER) + MOST_COMMENT_BYTES)
    end = start.find(b"\0", len(_HEADER))
    if not start.startswith(_HEADER) or end < 0:
        raise ArchiveDamaged(path, 0, "its header is not one of an archived segment")
    file.seek(end + 1)
    comment, checksum = start[len(_HEADER) : end - _CHECKSUM_BYTES], start[end - _CHECKSUM_BYTES : end]
    if checksum != _checksum(comment):
        raise ArchiveDamaged(path, 0, "its record's bytes are not those that were written")
    try:
        version = msgspec.json.decode(comment, type=_Version).version
        if version > VERSION:
            raise ArchiveNewer(f"{path}: a newer version wrote it (version {version}, known: {VERSION})")
        return msgspec.json.decode(comment, type=SegmentRecord)
    except msgspec.MsgspecError as error:
        raise ArchiveDamaged(path, 0, f"its record cannot be read: {error}") from None


def _checksum(comment: bytes) -> bytes:
    return b" crc32 %08x" % zlib.crc32(comment)


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Raises zlib.error or EOFError for anything that is not one whole stream with its trailer at the end."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    checksum, length = 0, 0
    while not unpacker.eof:
        packed = unpacker.unconsumed_tail or file.read(PIECE_BYTES)
        if not packed:
            raise EOFError("the file ends too early")
        piece = unpacker.decompress(packed, PIECE_BYTES)
        checksum, length = zlib.crc32(piece, checksum), length + len(piece)
        if piece:
            yield piece
    trailer = unpacker.unused_data + file.read(_TRAILER.size + 1)
    if trailer != _TRAILER.pack(checksum, length & 0xFFFFFFFF):
        raise zlib.error("the checksum at its end does not fit")
