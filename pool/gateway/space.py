"""Room on the spool's disk: what is kept back for blocks, and when new miners are turned away."""

import contextlib
import threading
from pathlib import Path

import msgspec

from pool.gateway.alarms import Alarm, Alarms
from pool.gateway.disk import Disk

MIB = 1024 * 1024


class SpaceLimits(msgspec.Struct, frozen=True):
    """Free bytes at which something happens.

    `reserve_bytes` hold the largest block's file, which has it in hex, eight times over. 10,000 shares a
    second are half a megabyte: `low_bytes` is said half an hour before the disk is full, and for the last ten
    minutes, below `refused_bytes`, no new connection is let in.
    """

    reserve_bytes: int = 64 * MIB
    low_bytes: int = 1024 * MIB
    refused_bytes: int = 256 * MIB


class Space:
    """The reserve file, and how full the disk is. `check` may run in a thread."""

    def __init__(
        self, directory: Path, disk: Disk, alarms: Alarms, limits: SpaceLimits | None = None
    ) -> None:
        self.limits = limits or SpaceLimits()
        self.free_bytes: int | None = None  # when last looked; None where that cannot be told
        self.admits = True  # whether new connections are welcome
        # What room there is is for blocks: a share that took it would cost the next one.
        self.is_for_blocks = False
        self._path = directory / "reserve"
        self._directory = directory
        self._disk = disk
        self._alarms = alarms
        self._has_reserve = False
        self._lock = threading.Lock()

    def check(self) -> None:
        """Look how much is left; take the reserve back where there is room again. Blocking; never raises."""
        try:
            self.free_bytes = free_bytes = self._disk.free_bytes(self._directory)
        except OSError as error:
            self.free_bytes = None
            self._alarms.raised(Alarm.SPACE, f"cannot tell how much room {self._directory} has: {error}")
            return
        if not self._has_reserve:
            if free_bytes > self.limits.reserve_bytes + self.limits.refused_bytes:
                self._take_back()
            elif free_bytes < self.limits.reserve_bytes:
                self.is_for_blocks = True
        self.admits = free_bytes >= self.limits.refused_bytes
        left = f"{free_bytes // MIB} MiB are left for {self._directory}"
        if free_bytes < self.limits.low_bytes:
            self._alarms.raised(Alarm.SPACE, left)
        else:
            self._alarms.over(Alarm.SPACE)
        if not self.admits:
            self._alarms.raised(Alarm.FULL, left + "; no new connection is let in")
        else:
            self._alarms.over(Alarm.FULL)

    def open(self) -> None:
        """At the start: whatever room there is, the reserve comes first. Never raises."""
        self._take_back()
        self.check()

    def make_room(self) -> bool:
        """Give the reserve up for a block; False where it was given up before. Never raises."""
        with self._lock:
            if not self._has_reserve:
                return False
            self._has_reserve = False
            self.is_for_blocks = True
            try:
                self._disk.remove(self._path)
            except OSError:
                return False
        self._alarms.raised(
            Alarm.RESERVE, "the space kept for blocks is in use, shares are refused: make room on the disk"
        )
        return True

    def release(self) -> None:
        """The gateway has stopped: it finds no block for which anything would have to be kept back."""
        with self._lock:
            self._has_reserve = False
            with contextlib.suppress(OSError):
                self._disk.remove(self._path)

    def _take_back(self) -> None:
        with self._lock:
            try:
                self._disk.preallocate(self._path, self.limits.reserve_bytes)
            except OSError as error:
                # ext4 keeps what it could allocate of it: that would be nobody's.
                with contextlib.suppress(OSError):
                    self._disk.remove(self._path)
                self._alarms.raised(Alarm.RESERVE, f"cannot keep space back for blocks: {error.strerror}")
                return
            self._has_reserve = True
            self.is_for_blocks = False
        self._alarms.over(Alarm.RESERVE)
