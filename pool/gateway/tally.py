"""Counts what sessions report, for the log and the demo's display; nobody's money is accounted here."""

from collections import Counter

import msgspec

from stratum.events import AuthorizeDenied, Event, Joined, Refused, Share

MOST_WORKERS = 10_000


class WorkerTally(msgspec.Struct):
    """One device: shares, the work of them (expected hashes), the last one's difficulty."""

    accepted: int = 0
    refused: int = 0
    work: int = 0
    difficulty: float = 0.0


class ShareTally:
    """Sums since the start of the process."""

    def __init__(self) -> None:
        self.accepted = 0
        self.late = 0
        self.work = 0
        self.refused: Counter[str] = Counter()
        self.refused_work: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()
        self.workers: dict[str, WorkerTally] = {}

    def record(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Share):
                self._share(event)
            elif isinstance(event, Refused):
                self.refused[event.reason.label] += 1
                self.refused_work[event.reason.label] += event.difficulty_work
                if event.worker is not None:
                    self._worker(event.worker.account, event.worker.name).refused += 1
            elif isinstance(event, Joined):
                self._worker(event.worker.account, event.worker.name)
            elif isinstance(event, AuthorizeDenied):
                self.denied[event.reason.label] += 1

    def _share(self, share: Share) -> None:
        difficulty = share.offer.difficulty
        self.accepted += 1
        self.late += share.is_late
        self.work += difficulty.work
        worker = self._worker(share.worker.account, share.worker.name)
        worker.accepted += 1
        worker.work += difficulty.work
        worker.difficulty = float(difficulty.value)

    def _worker(self, account: str, name: str) -> WorkerTally:
        key = f"{account}.{name}" if name else account
        worker = self.workers.get(key)
        if worker is None:
            if len(self.workers) >= MOST_WORKERS:
                del self.workers[next(iter(self.workers))]
            worker = self.workers[key] = WorkerTally()
        return worker
