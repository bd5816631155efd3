"""How many lines of one cause a minute may have; counts what is left out, and gives the counts back. Pure.

A minute begins with a cause's first line. No timer ends it: whoever owns this asks `ended` before each line
and at its own end, so that nothing has to run for lines that nobody writes. What was left out is then told
late, by the next line of any cause, and says itself since when it counts.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

import msgspec

LINES_A_MINUTE = 20
# A person reads no more of one kind, and the rest of the minute is a number. Far above what a sound pool has.

MINUTE_SECONDS = 60.0
MOST_CAUSES = 4_096
# Where causes are as many as peers the oldest ends early: memory stays bounded and no count is lost.

T = TypeVar("T")


class LeftOut(msgspec.Struct, Generic[T], frozen=True):
    """So many lines of a cause that were not written; `first` is the first of them."""

    first: T
    count: int


class _Minute(Generic[T]):
    __slots__ = ("began", "first_left_out", "left_out", "written")

    def __init__(self, began: float) -> None:
        self.began = began
        self.written = 0
        self.left_out = 0
        self.first_left_out: T | None = None


class RateLimit(Generic[T]):
    """`now` is in seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._minutes: dict[Hashable, _Minute[T]] = {}  # in the order in which they began

    def admits(self, cause: Hashable, line: T, now: float) -> bool:
        """Whether to write it; counts it if not. Call `ended` first."""
        minute = self._minutes.get(cause)
        if minute is None:
            minute = self._minutes[cause] = _Minute(now)
        if minute.written < LINES_A_MINUTE:
            minute.written += 1
            return True
        if minute.first_left_out is None:
            minute.first_left_out = line
        minute.left_out += 1
        return False

    def ended(self, now: float) -> list[LeftOut[T]]:
        """What was left out of the minutes that are over; each is told once."""
        found = []
        while self._minutes:
            cause, oldest = next(iter(self._minutes.items()))
            if now - oldest.began < MINUTE_SECONDS and len(self._minutes) < MOST_CAUSES:
                break
            del self._minutes[cause]
            if oldest.first_left_out is not None:
                found.append(LeftOut(oldest.first_left_out, oldest.left_out))
        return found

    def all(self) -> list[LeftOut[T]]:
        """What was left out until now, of minutes that are not over as well; all begin anew."""
        return self.ended(float("inf"))
