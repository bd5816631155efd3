"""[shell] How late the loop comes to a timer: what a share waits, at worst, for everything else."""

import asyncio
from time import monotonic

from stratum.measures import Histogram

LOOK_SECONDS = 0.05  # twenty looks a second cost a few µs each
# Seconds. Timers come up to a millisecond late by themselves; 20 ms is what a share may wait.
STALL_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)


class StallWatch:
    """Runs on the loop that it measures."""

    def __init__(self) -> None:
        self.late = Histogram(STALL_BOUNDS)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            due = monotonic() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self.late.observe(max(0.0, monotonic() - due))
