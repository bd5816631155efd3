"""What sessions report, as records: the tick's frame, from the first event to the write.

A frame must be written before the replies to its shares and the announcement of its jobs: they wait for
`commit`. Refusals (counted by name and reason), joins and leaves wait for nobody: they go with the next frame
that must be written, or with the one that comes every second. Of a frame that cannot be written the shares
are void, and whoever called `commit` tells their miners; everything else is kept for the next one.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import msgspec

from pool.gateway.numbers import Numbers, Series
from pool.gateway.spool import Spool
from pool.gateway.tips import Tip, ToldTip
from pool.spool import records
from pool.spool.records import Happening, ShareMade
from stratum.events import Event, Joined, Refused, Share, Worker
from stratum.extranonce import EXTRANONCE1_BYTES
from stratum.session import Session
from stratum.work.difficulty import work_of_target
from stratum.work.job import Job
from stratum.work.share import BlockCandidate

MOST_KEPT = 100_000  # joins and leaves that a disk out of order makes wait; counts for charts, not money
MOST_TIP_SLICES = 1_000  # that wait for a frame, of which four come a second or more: blocks are rarer
IDLE_SECONDS = 0.7  # looked at four times a second: a frame a second at least

_header_fields = struct.Struct("<I64xI4xI").unpack  # version, ntime, nonce


class Left(msgspec.Struct, frozen=True):
    """A connection of this worker is gone."""

    worker: Worker


class Candidate(msgspec.Struct, frozen=True):
    """A block candidate as it waits for its frame. `worker` is None where no authorised name found it."""

    candidate: BlockCandidate
    job: Job
    worker: Worker | None
    at_us: int


class TipSlice(msgspec.Struct, frozen=True):
    """Some of the sessions that were sent work on a new tip, all at once, as they wait for their frame.

    A frame takes one: in a new segment a name takes some µs to define, and shares wait for all that a frame
    holds.
    """

    tip: Tip
    sessions: list[Session]
    delay_ms: int
    nodes: Mapping[str, int]
    template_us: int


class Recorder:
    """The open frame."""

    def __init__(
        self,
        spool: Spool,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        extranonce_next: Callable[[], int],
    ) -> None:
        """`now_us` is the record clock."""
        self._spool = spool
        self._now_us = now_us
        self._monotonic = monotonic
        self._extranonce_next = extranonce_next
        # Told after each frame that was tried: whether it holds what somebody waits to see synced.
        self.on_written: Callable[[bool], None] = _nobody_listens
        self._vocabulary = spool.vocabulary
        self._written_at = monotonic()
        self._last_filled = 0  # the last frame that was not empty
        self._frame_at_us: int | None = None
        self._is_due = False
        self._is_closed = False
        self._numbers = Numbers()
        self._shares: list[Happening] = []
        self._others: list[Joined | Left] = []
        self._candidates: list[Candidate] = []
        self._refused: dict[tuple[Worker | None, str], tuple[int, int]] = {}
        self._bests: dict[Worker, bytes] = {}
        self._paces: dict[Worker, int] = {}
        self._tips: deque[TipSlice] = deque(maxlen=MOST_TIP_SLICES)
        self._readings: Mapping[Series, float] | None = None  # taken, and in no frame yet
        self._shown: dict[Series, float] = {}  # what readers of this segment know

    # ------------------------------------------------------------------ taking

    def record(self, events: list[Event]) -> None:
        """Take a session's events, in order."""
        numbers, append = self._numbers, self._shares.append
        names, jobs, difficulties = numbers.names, numbers.jobs, numbers.difficulties
        for event in events:
            if isinstance(event, Share):
                offer = event.offer
                difficulty = offer.difficulty
                version, ntime, nonce = _header_fields(event.header)
                append(
                    ShareMade(
                        names.get(event.worker) or numbers.name(event.worker),
                        jobs.get(offer.job.id) or numbers.job(offer.job),
                        difficulties.get(difficulty.target) or numbers.difficulty(difficulty.target),
                        event.extranonce1,
                        bytes.fromhex(event.extranonce2),
                        version,
                        ntime,
                        nonce,
                        event.is_late,
                    )
                )
                if event.is_best:
                    self._bests[event.worker] = event.pow_hash
            elif isinstance(event, Refused):
                key = (event.worker, event.reason.label)
                count, work = self._refused.get(key, (0, 0))
                self._refused[key] = (count + 1, work + event.difficulty_work)
            elif isinstance(event, Joined):
                numbers.agents[event.worker] = event.agent
                self._keep(event)

    def job_made(self, job: Job) -> None:
        """A job that is about to be announced; nothing where it is on record."""
        if job.id not in self._numbers.jobs:
            self._numbers.job(job)
            self._is_due = True

    def frame_at_us(self) -> int:
        """The record time of everything in the frame that is open, microseconds since 1970."""
        if self._frame_at_us is None:
            self._frame_at_us = self._now_us()
        return self._frame_at_us

    def candidate_made(self, candidate: BlockCandidate, job: Job, worker: Worker | None) -> None:
        """A block: its record goes with this tick's frame, or with the first that can be written."""
        self._candidates.append(Candidate(candidate, job, worker, self.frame_at_us()))

    def tip_told(self, told: ToldTip, nodes: Mapping[str, int], template_us: int) -> None:
        """Every miner has work on a new tip; `nodes` is when each had it, all times by the record clock."""
        for at, sessions in told.slices:
            delay_ms = max(0, round(1000 * (at - told.tip.template_at)))
            self._tips.append(TipSlice(told.tip, sessions, delay_ms, nodes, template_us))

    def take_readings(self, readings: Mapping[Series, float]) -> None:
        """What the instruments show now, all of them: the next frame says which have changed."""
        self._readings = readings

    def paced(self, workers: Iterable[Worker], target: int) -> None:
        """Shares of these names meet this target from their newest job on; the last change counts."""
        for worker in workers:
            self._paces[worker] = target

    def left(self, workers: Iterable[Worker]) -> None:
        """A session with these names is over."""
        for worker in workers:
            self._numbers.agents.pop(worker, None)
            self._keep(Left(worker))

    def _keep(self, event: Joined | Left) -> None:
        if len(self._others) < MOST_KEPT:
            self._others.append(event)

    # ------------------------------------------------------------------ writing

    def commit(self) -> bool:
        """Write what must be written now. False: it was not, and every share since the last call is void."""
        if not (self._shares or self._is_due or self._candidates):
            return True
        if self._is_closed:
            return False
        return self._write()

    def let_time_pass(self) -> None:
        """A few times a second: a frame every second is due, however little there is to say."""
        if self._monotonic() - self._written_at >= IDLE_SECONDS:
            self._is_due = True

    def frames_synced(self) -> None:
        """Readers must learn what is synced: from an empty frame, where no other has told them."""
        spool = self._spool
        if spool.claimed_through < self._last_filled <= spool.durable_through:
            self._is_due = True

    def close(self) -> bool:
        """The last records of this process, and that they are the last. Sync, and `close_again`."""
        while self._tips and self._write():
            pass
        self._tips.clear()
        return self._write(records.Closing())

    def close_again(self) -> bool:
        """The frame behind the closing one, which tells readers that it is synced. Nothing follows it."""
        is_written = self._write()
        self._is_closed = True
        return is_written

    def _write(self, *last: Happening) -> bool:
        spool = self._spool
        happenings = self._shares
        if self._has_others or self._readings is not None or last:
            happenings += self._happenings()
            happenings += last
        number, is_filled = spool.next_number, bool(happenings or self._numbers.definitions)
        is_urgent = bool(self._candidates)
        is_written = spool.write(
            self._numbers.definitions,
            happenings,
            self.frame_at_us(),
            self._extranonce_next(),
            is_urgent=is_urgent,
        )
        self._frame_at_us = None
        self._written_at = self._monotonic()
        self._is_due = False
        self._shares = []
        self._numbers.definitions = []
        if is_written:
            self._others.clear()
            self._candidates.clear()
            self._refused.clear()
            self._bests.clear()
            self._paces.clear()
            if self._tips:
                self._tips.popleft()
                self._is_due = bool(self._tips)
            if self._readings is not None:
                self._shown.update(self._readings)
                self._readings = None
            if is_filled:
                self._last_filled = number
        if spool.vocabulary != self._vocabulary:
            self._vocabulary = spool.vocabulary
            self._numbers.forget()
            self._shown.clear()
        self.on_written(is_urgent)
        return is_written

    @property
    def _has_others(self) -> bool:
        """Whether there is anything but shares and readings."""
        return bool(
            self._others or self._refused or self._candidates or self._bests or self._paces or self._tips
        )

    def _happenings(self) -> list[Happening]:
        """Everything but shares. It may define numbers."""
        made: list[Happening] = []
        for event in self._others:
            number = self._numbers.number_of(event.worker)
            made.append(
                records.Joined(number, event.agent) if isinstance(event, Joined) else records.Left(number)
            )
        for (worker, reason), (count, work) in self._refused.items():
            number_or_none = None if worker is None else self._numbers.number_of(worker)
            work_bytes = work.to_bytes((work.bit_length() + 7) // 8, "big")
            made.append(records.RefusedMade(number_or_none, reason, count, work_bytes))
        made += [self._candidate(found) for found in self._candidates]
        for worker, pow_hash in self._bests.items():
            work = work_of_target(int.from_bytes(pow_hash, "little"))
            made.append(records.BestMade(self._numbers.number_of(worker), float(work)))
        for worker, target in self._paces.items():
            numbers = self._numbers
            difficulty = numbers.difficulties.get(target) or numbers.difficulty(target)
            made.append(records.PacedMade(numbers.number_of(worker), difficulty))
        if self._tips:
            made.append(self._told(self._tips[0]))
        if self._readings is not None:
            made += self._changed(self._readings)
        return made

    def _told(self, told: TipSlice) -> records.TipTold:
        """Of proxies, which speak for many, the first name stands for the connection."""
        workers = (one.first_worker for one in told.sessions)
        names = tuple(self._numbers.number_of(worker) for worker in workers if worker is not None)
        return records.TipTold(
            told.tip.height,
            told.tip.previous_hash,
            tuple(told.nodes),
            tuple(told.nodes.values()),
            told.template_us,
            names,
            (told.delay_ms,) * len(names),
        )

    def _changed(self, readings: Mapping[Series, float]) -> list[Happening]:
        """The figures that readers of this segment do not know, as one record."""
        numbers, shown = self._numbers, self._shown
        changed = [(series, value) for series, value in readings.items() if shown.get(series) != value]
        if not changed:
            return []
        instruments = tuple(
            numbers.instruments.get(series) or numbers.instrument(series) for series, _ in changed
        )
        return [records.Readings(instruments, tuple(value for _, value in changed))]

    def _candidate(self, found: Candidate) -> records.CandidateMade:
        candidate, job = found.candidate, found.job
        extranonces = candidate.coinbase[len(job.coinbase_prefix) :][: -len(job.coinbase_suffix)]
        version, ntime, nonce = _header_fields(candidate.header)
        return records.CandidateMade(
            block_hash=candidate.block_hash,
            job=self._numbers.jobs.get(job.id) or self._numbers.job(job),
            name=None if found.worker is None else self._numbers.number_of(found.worker),
            extranonce1=extranonces[:EXTRANONCE1_BYTES],
            extranonce2=extranonces[EXTRANONCE1_BYTES:],
            version=version,
            ntime=ntime,
            nonce=nonce,
            user=candidate.user,
            at_us=found.at_us,
        )


def _nobody_listens(is_urgent: bool) -> None:
    """Until somebody syncs, nobody has to be told."""
