"""Counts what sessions report of shares, for the metrics, the log and the demo; no money comes of it."""

from collections import Counter

from stratum.events import AuthorizeDenied, Event, Refused, Share


class ShareTally:
    """Sums since the start of the process, of all miners together. Work is in expected hashes; refusals are
    counted by their reasons' labels."""

    def __init__(self) -> None:
        self.accepted = 0
        self.late = 0
        self.work = 0
        self.refused: Counter[str] = Counter()
        self.refused_work: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()

    def record(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Share):
                self.accepted += 1
                self.late += event.is_late
                self.work += event.offer.difficulty.work
            elif isinstance(event, Refused):
                self.refused[event.reason.label] += 1
                self.refused_work[event.reason.label] += event.difficulty_work
            elif isinstance(event, AuthorizeDenied):
                self.denied[event.reason.label] += 1
