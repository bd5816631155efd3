"""What gateways tell of their alarms themselves, as long as they say it again; pure, without clock."""

from collections.abc import Iterable

from pool.gateway.alarms import Alarm

HEARD_SECONDS = 10.0  # five times what a gateway waits before it says it again
MOST_SOURCES = 1_000


class AlarmsTold:
    """By gateway. Times are of one clock that nobody sets."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, frozenset[Alarm]]] = {}

    def take(self, source: str, alarms: Iterable[str], at: float) -> None:
        """These are all that it has now. Raises ValueError for one that is none."""
        self._told.pop(source, None)
        self._told[source] = (at, frozenset(Alarm(name) for name in alarms))
        while len(self._told) > MOST_SOURCES:
            del self._told[next(iter(self._told))]

    def at(self, at: float) -> dict[str, frozenset[Alarm]]:
        """What was told lately, by those who have told something."""
        told = list(self._told.items())  # another thread may take what is told meanwhile
        return {source: alarms for source, (heard_at, alarms) in told if at - heard_at < HEARD_SECONDS}
