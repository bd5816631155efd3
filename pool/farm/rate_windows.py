"""A hashrate over the four windows that are shown of everything: fed once, told by window. Pure.

A window itself, and its interval, are `pool.farm.hashrate`'s.
"""

from collections.abc import Mapping

from pool.farm.hashrate import Rate, RateWindow, RateWindowState

WINDOWS = {"1m": 60.0, "10m": 600.0, "1h": 3_600.0, "24h": 86_400.0}


class RateWindows:
    """Of one stream of shares; times in observed seconds."""

    def __init__(self, now: float, memory: Mapping[str, RateWindowState] | None = None) -> None:
        """As `memory` has them, where another process has exported it."""
        known = memory or {}
        self._windows = {
            label: RateWindow.restore(known[label]) if label in known else RateWindow(seconds, now)
            for label, seconds in WINDOWS.items()
        }

    def add(self, at: float, work: float, work_squared: float) -> None:
        """Shares credited at about `at`: the sums of their work and of its squares."""
        for window in self._windows.values():
            window.add(at, work, work_squared)

    def estimates(self, now: float) -> dict[str, Rate]:
        """By window."""
        return {label: window.estimate(now) for label, window in self._windows.items()}

    def export(self) -> dict[str, RateWindowState]:
        """For the next process."""
        return {label: window.export() for label, window in self._windows.items()}
