"""The floor's clock: it stands still while nobody could deliver a share, and in gaps between frames; pure.

`observed` seconds are the board's: Unix time less what is missing of the frames. From these the floor's time
takes away every hole: no gateway, no node, a process of a gateway that has ended and has no successor yet.
"""

# A gateway writes a frame a second at least, and says a second later that it is synced. Frames that are
# further apart have a standstill between them.
LONGEST_BREATH_SECONDS = 5.0
MICROSECONDS = 1_000_000


class FloorClock:
    """Made at an observed time; `hole_seconds` are those of an earlier process."""

    def __init__(self, now: float, hole_seconds: float = 0.0) -> None:
        self.hole_seconds = hole_seconds
        self.observed = now
        self._newest = now  # until when no hole is missing: frames may be ahead of `observed`
        self._missing_seconds = 0.0

    @property
    def time(self) -> float:
        """Now, on the floor."""
        return self.observed - self.hole_seconds

    def at(self, observed: float, *, has_work: bool) -> float:
        """The floor's time of a frame, which may open a hole behind the one before. `has_work`: its gateway
        had work for its miners then; without, time does not go on."""
        if not has_work:
            return min(observed, self._newest) - self.hole_seconds
        gap = observed - self._newest
        if gap > LONGEST_BREATH_SECONDS:
            self.hole_seconds += gap
            self.observed += gap
        self._newest = max(self._newest, observed)
        return observed - self.hole_seconds

    def advance(self, observed: float, missing_seconds: float, *, is_working: bool) -> None:
        """Let time pass. `missing_seconds` is how far observed seconds are behind Unix time by now;
        `is_working`: shares could have come since the last call."""
        if not is_working:
            self.hole_seconds += max(0.0, observed - self._newest)
        self.observed = max(self.observed, observed)
        self._newest = max(self._newest, observed)
        self._missing_seconds = missing_seconds

    def unix_us(self, at: float) -> int:
        """A time of the floor as people know it; what lies before a standstill is shown that much later."""
        return round((at + self.hole_seconds + self._missing_seconds) * MICROSECONDS)
