"""Segments for tests, written by hand: the production encoder without the production writer."""

from pathlib import Path

from pool.spool.frames import FRAME_VERSION, Frame, SegmentHead, encode_block
from pool.spool.records import Difficulty, Name, Record, ShareMade
from pool.spool.segments import segment_path

EPOCH = "00112233aabbccdd"
SOURCE = "gateway-0"
NETWORK = "bitcoin regtest"


def head(first: int, serial: int = 1, **changes: object) -> SegmentHead:
    values: dict[str, object] = {
        "version": FRAME_VERSION,
        "source": SOURCE,
        "network": NETWORK,
        "epoch": EPOCH,
        "serial": serial,
        "first": first,
        "at_us": 1_000_000 * first,
        "extranonce_next": 7,
        "definitions": [],
    }
    return SegmentHead(**(values | changes))  # type: ignore[arg-type]


def frame(number: int, durable_through: int | None = None, records: list[Record] | None = None) -> Frame:
    """Says that every frame before it is durable, unless told otherwise."""
    durable = number - 1 if durable_through is None else durable_through
    return Frame(FRAME_VERSION, number, durable, 1_000_000 * number, 7, records or [])


def share(name: int = 1, job: int = 3, difficulty: int = 2, nonce: int = 0) -> ShareMade:
    return ShareMade(name, job, difficulty, b"\x00\x00\x00\x01", bytes(8), 0x20000000, 1, nonce, False)


NAME = Name(1, "account", b"\x51", "rig", "cgminer")
DIFFICULTY = Difficulty(2, (2**224 - 1).to_bytes(32, "big"))  # 2^256 / 2^224: work of 2^32


def write_segment(directory: Path, frames: list[Frame], *, serial: int = 1, first: int | None = None) -> Path:
    """A whole segment file; its first frame's number is that of the first frame."""
    directory.mkdir(parents=True, exist_ok=True)
    start = frames[0].number if first is None else first
    path = segment_path(directory, EPOCH, serial, start)
    path.write_bytes(b"".join(encode_block(block) for block in (head(start, serial), *frames)))
    return path


def offset_of(path: Path, number: int) -> int:
    """Where the frame of this number begins, in a segment without definitions in its head."""
    first = int(path.stem.rpartition("-")[2])
    data = encode_block(head(first, int(path.stem.split("-")[1])))
    return len(data) + sum(len(encode_block(frame(n))) for n in range(first, number))
