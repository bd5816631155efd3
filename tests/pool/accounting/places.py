"""A spool of one source and an archive, to test with: numbered frames, a second apart."""

from pathlib import Path

from pool.accounting.archive import ArchivedSegment, archive_finished
from pool.accounting.archive_reading import frames_after
from pool.spool.frames import FRAME_VERSION, Frame, SegmentHead, encode_block
from pool.spool.records import Joined, Name
from pool.spool.segments import segment_path, segments_of

EPOCH = "00112233445566aa"
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
START_US = 1_706_659_200 * SECOND_US  # 2024-01-31 00:00:00 UTC
ALICE = Name(1, "ltc1qalice", b"\x00\x14" + bytes(20), "rig", "cgminer/4")


def frame_of(number: int, at_us: int | None = None) -> Frame:
    when = START_US + number * SECOND_US if at_us is None else at_us
    return Frame(FRAME_VERSION, number, max(number - 1, 0), when, number, [Joined(1, f"agent {number}")])


def head_of(serial: int, first: int) -> SegmentHead:
    at_us = START_US + first * SECOND_US
    return SegmentHead(FRAME_VERSION, "gateway-0", "bitcoin regtest", EPOCH, serial, first, at_us, 0, [ALICE])


class Places:
    """A spool of one source and an archive."""

    def __init__(self, directory: Path) -> None:
        self.spool = directory / "spool" / "gateway-0"
        self.archive = directory / "archive"
        self.spool.mkdir(parents=True)

    def write(
        self, serial: int, first: int, last: int, *, tail: bytes = b"", at_us: int | None = None
    ) -> Path:
        """A raw segment with frames first to last."""
        path = segment_path(self.spool, EPOCH, serial, first)
        frames = (encode_block(frame_of(number, at_us)) for number in range(first, last + 1))
        path.write_bytes(encode_block(head_of(serial, first)) + b"".join(frames) + tail)
        return path

    def move_in(self, mark: int) -> list[ArchivedSegment]:
        return list(archive_finished(self.spool, self.archive, EPOCH, mark))

    def raw(self) -> list[int]:
        return [segment.serial for segment in segments_of(self.spool).get(EPOCH, [])]

    def numbers(self, after: int = 0, **options: object) -> list[int]:
        deliveries = frames_after(self.archive, self.spool, EPOCH, after, **options)  # type: ignore[arg-type]
        return [delivery.frame.number for delivery in deliveries]
