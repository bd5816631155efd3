"""[shell] How late the loop comes to a timer: what a share waits, at worst, for everything else.

A loop that stands still for a second comes to one look, and shares come all that second. So each look that
was missed meanwhile counts too, with what it would have waited: the figures are of moments, not of looks.
"""

import asyncio
from time import monotonic

from stratum.measures import Histogram

LOOK_SECONDS = 0.05  # twenty looks a second cost a few µs each
MOST_MISSED = 1_200  # a minute of looks, counted in a ms: of what stood still for longer, its first minute
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
            self.looked(monotonic() - due)

    def looked(self, late_seconds: float) -> None:
        """A look has come so late, and with it all that a steady clock would have made since it was due."""
        late = max(0.0, late_seconds)
        for missed in range(min(int(late / LOOK_SECONDS), MOST_MISSED) + 1):
            self.late.observe(max(0.0, late - missed * LOOK_SECONDS))
