"""[shell] How much of each gateway's spool is left to be counted and archived, and since when. Blocking."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pool.gateway.readings import Reading
from pool.spool.segments import Segment, read_head, segments_of

SECONDS = 5.0  # between two looks at the folders: what grows there, grows for hours
MOST_HEADS = 1_000  # of segments, an hour each: six weeks without an accountant


class SpoolSizes:
    """Of the folders in `spool`, one for each gateway. `readings` are those of the last look."""

    def __init__(self, spool: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.readings: list[Reading] = []
        self._spool = spool
        self._monotonic = monotonic
        self._looked_at: float | None = None
        self._begun: dict[Path, float] = {}

    def look(self, gateways: Mapping[str, float]) -> None:
        """Every few seconds; `gateways` with the time that each dates its frames by now. Raises OSError."""
        at = self._monotonic()
        if self._looked_at is None or at - self._looked_at >= SECONDS:
            self._looked_at = at
            self.readings = [
                reading for gateway, now in gateways.items() for reading in self._sizes(gateway, now)
            ]

    def _sizes(self, gateway: str, now: float) -> Iterable[Reading]:
        size, begun = 0, now
        for segments in segments_of(self._spool / gateway).values():
            for segment in segments:
                try:
                    size += segment.path.stat().st_size
                except FileNotFoundError:  # archived meanwhile
                    continue
                begun = min(begun, self._begun_at(segment, now))
        number = gateway_number(gateway)
        yield ("spool_bytes", (number,)), float(size)
        yield ("spool_age_seconds", (number,)), max(0.0, now - begun)

    def _begun_at(self, segment: Segment, now: float) -> float:
        """Its head is read once."""
        begun = self._begun.get(segment.path)
        if begun is None:
            head = read_head(segment.path)
            if head is None:
                return now
            begun = self._begun[segment.path] = head.at_us / 1e6
            while len(self._begun) > MOST_HEADS:
                del self._begun[next(iter(self._begun))]
        return begun


def gateway_number(source: str) -> str:
    """gateway-0 → 0: the label of everything that is a gateway's."""
    return source.removeprefix("gateway-")
