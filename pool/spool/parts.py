"""The start of a segment up to one of its frames, as a hash: what was counted of a file that still grows."""

from hashlib import sha256

import msgspec

from pool.spool.frames import block_end


class Part(msgspec.Struct, frozen=True):
    """Its last frame, less than was asked for where the segment ends before; and the SHA-256 of its bytes, in
    hex, the head's among them."""

    last_frame: int
    sha256: str


def part_of(segment: bytes, first_frame: int, through: int) -> Part:
    """Of a segment's uncompressed bytes. Checksums are not looked at: whoever reads the frames does that."""
    end, frame = block_end(segment, 0), first_frame - 1
    offset = end or 0
    while frame < through and end is not None:
        end = block_end(segment, offset)
        if end is not None:
            offset, frame = end, frame + 1
    return Part(frame, sha256(memoryview(segment)[:offset]).hexdigest())
