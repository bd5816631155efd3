"""What a machine is learned to do where nobody said what it should: its own long mean, and how exact that is.

A test that compares with a mean that is itself off by luck raises alarms, whatever its threshold: half way
between 1 and ρ its level no longer falls. So each test waits until the mean is exact enough: half way is
three of its standard errors, a sixth of 1 − ρ each. The steepest need not wait as long, two are enough: it
takes part from the first quarter of an hour, when the mean improves faster than its level could rise, while
the shallow ones may have to live with an error that lasts a day.

Time here is learning time: it runs only while the caller says that the machine is itself, so that neither a
pause nor a slow fall is learned.
"""

import msgspec

from pool.farm.hashrate import RateWindow, RateWindowState
from pool.farm.shortfall import REMAINING

LEARNING_SECONDS = 24 * 3600.0
# How many standard errors 1 − ρ has to be, of each test of `REMAINING`: 100, 900, 3,600 and 14,400 shares.
# Measured with 4 for all of them, at a share every 25 s: five times as many false alarms as allowed.
STANDARD_ERRORS_OF_LOSS = (4.0, 6.0, 6.0, 6.0)
_SHARES_NEEDED = [
    (errors / (1 - remaining)) ** 2
    for errors, remaining in zip(STANDARD_ERRORS_OF_LOSS, REMAINING, strict=True)
]


class BaselineState(msgspec.Struct, frozen=True, array_like=True):
    """The window over learning time, and how much of that there has been, in seconds."""

    window: RateWindowState
    learned_seconds: float


class Baseline:
    """One machine's learned hashrate."""

    __slots__ = ("_window", "learned_seconds")

    def __init__(self) -> None:
        self._window = RateWindow(LEARNING_SECONDS, 0.0)
        self.learned_seconds = 0.0

    def learn(self, elapsed_seconds: float, work: float, work_squared: float) -> None:
        """So much credited work came in the next `elapsed_seconds` of learning time."""
        self.learned_seconds += elapsed_seconds
        self._window.add(self.learned_seconds, work, work_squared)

    @property
    def hashes_per_second(self) -> float:
        """The learned rate; 0 before any was learned."""
        return self._window.hashes_per_second(self.learned_seconds)

    @property
    def tests_fit(self) -> int:
        """How many tests of `REMAINING`, from the steepest on, the rate is exact enough for; 0: none yet."""
        shares = self._window.effective_shares
        return sum(shares >= needed for needed in _SHARES_NEEDED)

    def export(self) -> BaselineState:
        return BaselineState(self._window.export(), self.learned_seconds)

    @classmethod
    def restore(cls, state: BaselineState) -> "Baseline":
        baseline = cls()
        baseline._window = RateWindow.restore(state.window)
        baseline.learned_seconds = state.learned_seconds
        return baseline
