"""Counts what each of the demo's miners does, for its display. Pure."""

import msgspec

from pool.gateway.tally import ShareTally
from stratum.events import Event, Joined, Refused, Share, Worker

MOST_WORKERS = 10_000


class WorkerTally(msgspec.Struct):
    """One miner: shares, the work of them (expected hashes), the last one's difficulty."""

    accepted: int = 0
    refused: int = 0
    work: int = 0
    difficulty: float = 0.0


class DemoTally(ShareTally):
    """The sums of all miners, and those of each by its user name. The oldest goes where they are too many."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: dict[str, WorkerTally] = {}

    def record(self, events: list[Event]) -> None:
        super().record(events)
        for event in events:
            if isinstance(event, Share):
                tally, difficulty = self._of(event.worker), event.offer.difficulty
                tally.accepted += 1
                tally.work += difficulty.work
                tally.difficulty = float(difficulty.value)
            elif isinstance(event, Refused) and event.worker is not None:
                self._of(event.worker).refused += 1
            elif isinstance(event, Joined):
                self._of(event.worker)

    def _of(self, worker: Worker) -> WorkerTally:
        key = f"{worker.account}.{worker.name}" if worker.name else worker.account
        tally = self.workers.get(key)
        if tally is None:
            if len(self.workers) >= MOST_WORKERS:
                del self.workers[next(iter(self.workers))]
            tally = self.workers[key] = WorkerTally()
        return tally
