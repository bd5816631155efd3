"""How much misbehaviour a connection may spend, and on what; one table of budgets. It closes nothing itself.

Everything that costs us something and may be sent for nothing has a budget. The figures allow twice what
the oddest honest firmware does: NerdMiner repeats itself every 30 s, stratum-work subscribes every 60 s.
"""

import math
from enum import Enum

from stratum.closing import CloseCause


class Limit(Enum):
    """What is counted: how many are one too many, within how many seconds, and the label of the closing."""

    PENALTIES = (10, 60.0, CloseCause.TOO_MANY_ERRORS)
    EMPTY_LINES = (200, 60.0, CloseCause.EMPTY_LINES)
    SUBSCRIBES = (6, 10.0, CloseCause.TOO_MANY_SUBSCRIBES)
    UNSOLICITED_REPLIES = (50, 60.0, CloseCause.UNSOLICITED_REPLIES)
    DENIED_NAMES = (10, 60.0, CloseCause.TOO_MANY_DENIED_NAMES)
    EARLY_SUBMITS = (3, math.inf, CloseCause.SUBMIT_BEFORE_HANDSHAKE)
    # behind a proxy one worker may be misspelt
    STRANGERS_SHARES = (1200, 60.0, CloseCause.SHARES_OF_STRANGERS)
    INVALID_JSON = (2, math.inf, CloseCause.INVALID_JSON)
    FOREIGN_METHODS = (3, math.inf, CloseCause.FOREIGN_PROTOCOL)
    REQUESTS = (1200, 60.0, CloseCause.TOO_MANY_REQUESTS)

    def __init__(self, count: int, period_seconds: float, label: CloseCause) -> None:
        self.count = count
        self.period_seconds = period_seconds
        self.label = label


class Budgets:
    """What one connection has spent, in windows that begin with the first offence.
    Empty for an honest one."""

    __slots__ = ("_spent",)

    def __init__(self) -> None:
        self._spent: dict[Limit, tuple[float, int]] = {}

    def spend(self, limit: Limit, now: float) -> bool:
        """Count one; True when the budget is used up and the connection is to be closed."""
        started_at, count = self._spent.get(limit, (now, 0))
        if now - started_at > limit.period_seconds:
            started_at, count = now, 0
        self._spent[limit] = (started_at, count + 1)
        return count + 1 >= limit.count
