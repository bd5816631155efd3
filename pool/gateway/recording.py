"""A gateway's record, opened: spool, clock and recorder, in the order in which they need one another.

It holds them and does nothing else.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from pool.gateway.alarms import Alarms
from pool.gateway.disk import Disk, RealDisk
from pool.gateway.pacemaker import Pacemaker
from pool.gateway.recorder import Recorder
from pool.gateway.recovery import lock_spool, recover
from pool.gateway.space import Space, SpaceLimits
from pool.gateway.spool import Spool, SpoolLimits
from pool.spool.clock import RecordClock
from pool.spool.segments import EPOCH_BYTES
from stratum.extranonce import COUNTER_VALUES, ExtranonceCounter

# More extranonces than can be handed out between two frames, a second apart: every connection there may be,
# three times over. 256 restarts without a single share go once around.
EXTRANONCE_MARGIN = 1 << 16


class Recording:
    """Everything between a gateway and its spool."""

    def __init__(
        self,
        data_directory: Path,
        gateway: int,
        network: str,
        *,
        disk: Disk | None = None,
        limits: SpoolLimits | None = None,
        space_limits: SpaceLimits | None = None,
    ) -> None:
        """`network` is coin and network. Blocking, for the start.

        Raises SpoolError and SpoolAheadOfClock, one clear line each; OSError where nothing can be written.
        """
        directory = data_directory / "spool" / f"gateway-{gateway}"
        self.disk = disk or RealDisk()
        self.alarms = Alarms()
        self._lock: int | None = lock_spool(directory)
        self.space = Space(directory, self.disk, self.alarms, space_limits)
        try:
            resumption = recover(directory, network, os.urandom(EPOCH_BYTES))
            self.clock = RecordClock(_wall_us(), _monotonic_us(), resumption.at_us)
        except BaseException:
            self.release()
            raise
        self.space.open()
        self.spool = Spool(
            directory, network, resumption, self.disk, self.space, self.alarms, time.monotonic, limits
        )
        self.extranonces = ExtranonceCounter(gateway, _extranonce_start(resumption.extranonce_next))
        self.recorder = Recorder(self.spool, self.now_us, time.monotonic, lambda: self.extranonces.next_value)

    def now_us(self) -> int:
        """Record time."""
        return self.clock.now_us(_wall_us(), _monotonic_us())

    def pacemaker(self, commit: Callable[[], None]) -> Pacemaker:
        """On the loop; `commit` as the pacemaker wants it."""
        return Pacemaker(self.recorder, self.spool, self.space, self.clock, self.disk, self.alarms, commit)

    def release(self) -> None:
        """Let another process have the spool; the reserve goes, since nobody is left to use it."""
        if self._lock is not None:
            self.space.release()
            os.close(self._lock)
            self._lock = None


def _extranonce_start(last: int) -> int:
    """Behind what was handed out before. A new spool, or one in place of a lost one, begins anywhere: jobs of
    before may still be out."""
    if last == 0:
        return int.from_bytes(os.urandom(3), "big")
    return (last + EXTRANONCE_MARGIN) % COUNTER_VALUES


def _wall_us() -> int:
    return time.time_ns() // 1000


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
