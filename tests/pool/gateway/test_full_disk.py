"""Disks that are really full: a small file system, mounted for the test, and the system's limit of a file."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pool.gateway.recording import Recording
from pool.gateway.space import MIB, SpaceLimits
from pool.gateway.spool import SpoolLimits
from pool.spool.frames import Frame
from pool.spool.records import Joined
from pool.spool.segments import newest_epoch
from pool.spool.tail import SourceTail

AGENT = "x" * 100_000  # a frame of this size fills a small disk soon
LIMITS = SpoolLimits(retry_seconds=0)
RESERVE = SpaceLimits(reserve_bytes=MIB, low_bytes=2 * MIB, refused_bytes=MIB // 2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four MiB, with a directory in it."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root and the right to mount")
    try:
        yield mount / "data"
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def write(recording: Recording, number: int, *, is_urgent: bool = False) -> bool:
    return recording.spool.write([], [Joined(number, AGENT)], number, 0, is_urgent=is_urgent)


def frames(data_directory: Path) -> list[Frame]:
    directory = data_directory / "spool" / "gateway-0"
    epoch = newest_epoch(directory)
    assert epoch is not None
    return [d.frame for d in SourceTail(directory, epoch, is_over=True).poll(10_000)]


def test_a_full_disk_refuses_frames_keeps_what_it_took_and_has_room_for_a_block(small_disk: Path) -> None:
    recording = Recording(small_disk, 0, "bitcoin regtest", limits=LIMITS, space_limits=RESERVE)
    taken = []
    while write(recording, len(taken) + 1):
        taken.append(len(taken) + 1)
        assert len(taken) < 100
    assert not write(recording, 77)
    # 4 MiB less the reserve of 1 MiB, in frames of 100 kB
    assert 20 < len(taken) <= 31
    recording.space.check()
    assert not recording.space.admits
    assert write(recording, 1000, is_urgent=True), "the reserve is for this"
    assert not write(recording, 78), "and for nothing else: what is left of it is the next block's"
    assert write(recording, 1001, is_urgent=True)
    assert [frame.at_us for frame in frames(small_disk)] == [*taken, 1000, 1001]
    recording.spool.close()
    recording.release()


UNDER_A_LIMIT = """
import sys
from pathlib import Path
from tests.pool.gateway.test_full_disk import LIMITS, RESERVE, Recording, write
recording = Recording(Path(sys.argv[1]), 0, "bitcoin regtest", limits=LIMITS, space_limits=RESERVE)
taken = sum(write(recording, number) for number in range(1, 41))
print(taken)
"""


def test_a_file_that_may_grow_no_further_is_followed_by_another(tmp_path: Path) -> None:
    # a limit of 1 MiB a file (RLIMIT_FSIZE): the tenth frame of 100 kB is cut short, in each of them
    output = subprocess.run(
        [sys.executable, "-c", UNDER_A_LIMIT, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)),
    ).stdout
    assert output == "40\n"
    assert [frame.at_us for frame in frames(tmp_path)] == list(range(1, 41))
    assert len(list((tmp_path / "spool" / "gateway-0").glob("*.frames"))) == 4
