"""The record clock: the time that accounts are kept by. Pure; wall and monotonic time are handed in.

It is the wall clock at the start plus monotonic time, slewed towards the wall clock by at most 1 %, so that
somebody who sets the clock moves no shares between slots; and never behind the last record of the spool, so
that slots fill forward. All times are integer microseconds, wall and record time since 1970.
"""

SLEW_DIVISOR = 100  # 1 %: the second after a leap of one second is worked off in a hundred
MOST_ERROR_US = 60_000_000


class SpoolAheadOfClock(Exception):
    """The spool's last record is further ahead of the wall clock than the clock could ever make good for."""

    def __init__(self, ahead_us: int) -> None:
        super().__init__(
            f"the spool's last record is {ahead_us // 1_000_000} s ahead of this machine's clock: "
            "set the clock (is NTP running?) and start again"
        )
        self.ahead_us = ahead_us


class RecordClock:
    """Monotonic time in the shape of wall time. It never goes back."""

    __slots__ = ("_monotonic_us", "_now_us", "_unslewed_us", "error_us")

    def __init__(self, wall_us: int, monotonic_us: int, last_record_us: int = 0) -> None:
        """Raises SpoolAheadOfClock where the last record is more than 60 s ahead of `wall_us`."""
        ahead_us = last_record_us - wall_us
        if ahead_us > MOST_ERROR_US:
            raise SpoolAheadOfClock(ahead_us)
        self._now_us = max(wall_us, last_record_us)
        self._monotonic_us = monotonic_us
        self._unslewed_us = 0  # elapsed time too short to be slewed by a whole microsecond
        self.error_us = wall_us - self._now_us

    def now_us(self, wall_us: int, monotonic_us: int) -> int:
        """Record time at this moment; `error_us` is then how far the wall clock is ahead of it."""
        elapsed_us = monotonic_us - self._monotonic_us
        if elapsed_us > 0:
            self._monotonic_us = monotonic_us
            most_us, self._unslewed_us = divmod(self._unslewed_us + elapsed_us, SLEW_DIVISOR)
            most_us = min(most_us, elapsed_us)
            error_us = wall_us - (self._now_us + elapsed_us)
            self._now_us += elapsed_us + max(-most_us, min(most_us, error_us))
        self.error_us = wall_us - self._now_us
        return self._now_us

    @property
    def is_wrong(self) -> bool:
        """Whether wall and record time are so far apart that somebody must look."""
        return abs(self.error_us) > MOST_ERROR_US
