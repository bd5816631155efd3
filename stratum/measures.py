"""What a server measures of itself, as plain numbers since its start; no history, no names of metrics.

Everything here is updated on the hot path or near it, so that it is lists and integers and nothing else.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from stratum.agents import AgentClass
from stratum.closing import CloseCause, TurnedAway

# Seconds. A share costs some 25 µs; a reply waits for its tick, and a tick for a slow disk's page cache.
CHECK_BOUNDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1)
REPLY_BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class Histogram:
    """How often a figure was at most each bound; the last count is of what was above all of them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class ServerMeasures:
    """Of one server. Counts only grow; `connections` is of the last time all were looked at.

    `check` is the time that one submission took from its bytes to its verdict, `reply` from its bytes to the
    write of its answer; of those that come in one turn of the loop, the first is timed. `connections` counts
    by port and family of firmware.
    """

    __slots__ = (
        "accepted",
        "check",
        "closed",
        "connections",
        "lowered",
        "raised",
        "reply",
        "turned_away",
        "unready",
    )

    def __init__(self) -> None:
        self.check = Histogram(CHECK_BOUNDS)
        self.reply = Histogram(REPLY_BOUNDS)
        self.accepted = 0  # connections that became sessions
        self.closed = dict.fromkeys(CloseCause, 0)
        self.unready = dict.fromkeys(CloseCause, 0)  # those of them whose handshake never came to its end
        self.turned_away = dict.fromkeys(TurnedAway, 0)
        self.raised = 0
        self.lowered = 0
        self.connections: Counter[tuple[int, AgentClass]] = Counter()
