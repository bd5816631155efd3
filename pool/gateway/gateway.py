"""A gateway: what sessions and the server ask for, from its job book, extranonces and memory.

It owns no socket and starts no task. New templates come in from the node's side, candidates go out to the
submitter, events to the share keeper.
"""

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from time import monotonic
from typing import Protocol, cast

from pool.gateway.block_files import FoundFacts
from pool.gateway.parking import Parking
from pool.gateway.tally import ShareTally
from pool.gateway.tips import Tip, ToldTip
from pool.gateway.work_source import Variant, WorkSource
from pool.logs.events import LogEvent
from pool.logs.log import Log
from stratum.events import Event, Identity, SessionExport, Worker
from stratum.extranonce import ExtranonceCounter
from stratum.jobs import JobBook
from stratum.measures import Histogram
from stratum.server import FanOut
from stratum.session import Session
from stratum.submissions import revoke
from stratum.vardiff import DifficultyMemory
from stratum.work.byteorder import displayed
from stratum.work.difficulty import ShareDifficulty
from stratum.work.job import Job
from stratum.work.share import BlockCandidate
from stratum.work.template import Template

SESSION_ID_BYTES = 8
MOST_TIPS = 16  # that wait to be recorded, some seconds: on regtest blocks come by the dozen
# Seconds. A full template takes a node some 50 ms to make; 5,000 lines take some 100 ms to write.
TIP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ANNOUNCEMENT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
# cgminer hangs up after 90 s without a line, and pools that it shares a rig with announce every 30 or 60.
# The look whether it is time comes once a second.
ANNOUNCEMENT_SECONDS = 28.0

log = Log("engineroom.gateway")


class CandidateTaker(Protocol):
    """Where block candidates go."""

    def hand_over(self, candidate: BlockCandidate, facts: FoundFacts) -> bool:
        """Take it over; returns at once. False where it has been handed over before."""
        ...


class ShareKeeper(Protocol):
    """Who keeps what the accounts are made of."""

    def record(self, events: list[Event]) -> None:
        """Take the events of one session, in order."""
        ...

    def left(self, workers: Iterable[Worker]) -> None:
        """A session with these names is over."""
        ...

    def paced(self, workers: Iterable[Worker], target: int) -> None:
        """Shares of these names meet this target from their newest job on."""
        ...

    def job_made(self, job: Job) -> None:
        """A job will be announced after the next commit."""
        ...

    def frame_at_us(self) -> int:
        """When what is taken now happens, microseconds since 1970."""
        ...

    def candidate_made(self, candidate: BlockCandidate, job: Job, worker: Worker | None) -> None:
        """A block, on record before the next commit returns, or as soon as anything can be written."""
        ...

    def commit(self) -> bool:
        """Write it. False where that fails: then no share since the last call counts."""
        ...


class GatewayMeasures:
    """What a gateway measures of itself; counts only grow. Times in seconds: from when a new tip was heard of
    to its first and its last miner's line, and from the first to the last line of any announcement."""

    def __init__(self) -> None:
        self.candidates = 0
        self.tip_to_first = Histogram(TIP_BOUNDS)
        self.tip_to_last = Histogram(TIP_BOUNDS)
        self.announcement = Histogram(ANNOUNCEMENT_BOUNDS)


class Gateway:
    """The `ServerOwner` of one server, and the listener of the nodes."""

    def __init__(
        self,
        work: WorkSource,
        book: JobBook,
        extranonces: ExtranonceCounter,
        keeper: ShareKeeper,
        tally: ShareTally,
        now: Callable[[], float],
        has_room: Callable[[], bool],
        *,
        is_solo: bool,
    ) -> None:
        """`has_room` says whether the disk takes what more connections would record."""
        self._work = work
        self.book = book
        self._extranonces = extranonces
        self._parking = Parking(extranonces)
        self._memory = DifficultyMemory()
        self._keeper = keeper
        self._tally = tally
        self._tick: list[tuple[Session, list[Event]]] = []
        self._now = now
        self._has_room = has_room
        self._is_solo = is_solo
        self._on_new_work: Callable[[], bool] = _nobody_listens
        # Told when there is work again, before any of it is announced, and when there is none any more.
        self.on_work_changed: Callable[[], None] = _nobody_minds
        self._candidates: CandidateTaker | None = None
        self._on_win: Callable[[int], None] | None = None
        self.measures = GatewayMeasures()
        self._tip: Tip | None = None  # a new one that not every miner has work on yet
        self._tip_since = 0.0  # since when work is on it, monotonic seconds
        # Tips that every miner has work on; whoever records them takes them out.
        self.tips_told: deque[ToldTip] = deque(maxlen=MOST_TIPS)

    def attach(
        self,
        candidates: CandidateTaker,
        on_new_work: Callable[[], bool],
        on_win: Callable[[int], None] | None = None,
    ) -> None:
        """Connect those that need the gateway themselves: where candidates go, who announces new work (and
        says whether anybody is there to hear it), and who is told the generation of the plan that a
        candidate's coinbase pays by."""
        self._candidates = candidates
        self._on_new_work = on_new_work
        self._on_win = on_win

    # ------------------------------------------------------------------ asked by sessions

    def new_identity(self) -> Identity | None:
        extranonce1 = self._extranonces.take()
        if extranonce1 is None:
            return None
        return Identity(os.urandom(SESSION_ID_BYTES).hex(), extranonce1)

    def resume(self, session_id: str, peer: str, now: float) -> SessionExport | None:
        return self._parking.resume(session_id, peer, now)

    def recall_difficulty(self, key: tuple[str, str, str], now: float) -> float | None:
        return self._memory.recall(key, now)

    def block_found(self, candidate: BlockCandidate) -> None:
        if self._candidates is None:
            raise RuntimeError("a miner found a block before the gateway was attached")
        job = self.book.find(candidate.job_id)
        if job is not None and job.plan_id is not None and self._on_win is not None:
            self._on_win(job.plan_generation)  # before the next job can be built on the winner
        self.measures.candidates += 1
        is_new = self._candidates.hand_over(candidate, FoundFacts.of(self._keeper.frame_at_us(), job))
        if not is_new:
            return
        if job is None:  # nobody submits to a job that the book has forgotten; the block's file tells of it
            log.error(LogEvent.BLOCK_JOB_MISSING, hash=displayed(candidate.block_hash))
            return
        worker = None
        if candidate.account is not None and candidate.script is not None:
            worker = Worker(candidate.account, candidate.script, candidate.worker)
        self._keeper.candidate_made(candidate, job, worker)

    # ------------------------------------------------------------------ asked by the server

    def variant_of(self, session: Session) -> Hashable:
        worker = session.first_worker
        payee = worker.script if self._is_solo and worker is not None else None
        return Variant(payee, session.pace.agent.coinbase_bytes)

    def current_job(self, variant: Hashable, now: float) -> Job | None:
        return self._recorded(self._work.current_job(cast("Variant", variant), now))

    def fresh_job(self, variant: Hashable, now: float) -> Job | None:
        return self._recorded(self._work.fresh_job(cast("Variant", variant), now))

    def _recorded(self, job: Job | None) -> Job | None:
        if job is not None:
            self._keeper.job_made(job)
        return job

    def admits(self) -> bool:
        return self._has_room()

    def record(self, session: Session, events: list[Event]) -> None:
        self._keeper.record(events)
        self._tick.append((session, events))

    def commit(self) -> None:
        is_written = self._keeper.commit()
        tick = self._tick
        if not tick:
            return
        self._tick = []
        for session, events in tick:
            if not is_written:
                events = self._revoked(session, events)
            self._tally.record(events)

    def _revoked(self, session: Session, events: list[Event]) -> list[Event]:
        """The tick's record could not be written: no share of it counts, nor is answered as if it did."""
        revoked = revoke(session, events)
        self._keeper.record([new for old, new in zip(events, revoked, strict=True) if new is not old])
        return revoked

    def paced(self, session: Session, difficulty: ShareDifficulty) -> None:
        self._keeper.paced(session.workers.values(), difficulty.target)

    def fanned_out(self, fan_out: FanOut) -> None:
        tip, self._tip = self._tip, None
        if not fan_out.slices:
            return
        measures, ended_at = self.measures, fan_out.slices[-1][0]
        measures.announcement.observe(ended_at - fan_out.started_at)
        told = None if tip is None else ToldTip.of(tip, fan_out, self._tip_since)
        if told is not None:
            measures.tip_to_first.observe(told.slices[0][0] - told.tip.heard_at)
            measures.tip_to_last.observe(ended_at - told.tip.heard_at)
            self.tips_told.append(told)

    def session_closed(self, session: Session, now: float) -> None:
        if session.pace.last_share is not None and session.first_worker is not None:
            key = session.memory_key(session.first_worker)
            self._memory.remember(key, session.pace.difficulty, now)
        if not session.resumed_names:  # names that came back with a resume have joined when it is confirmed
            self._keeper.left(session.workers.values())
        if session.identity is not None:
            self._parking.park(session.export_for_resume(), session.peer, now)
        log.debug(LogEvent.CONNECTION_CLOSED, peer=session.peer, reason=session.closed_for)

    # ------------------------------------------------------------------ told by the nodes

    def new_template(
        self, template: Template, node_name: str, received_at: float, heard_at: float | None = None
    ) -> None:
        had_work = self._work.has_work
        is_new_tip = self._work.new_template(template, received_at, self._now())
        if not had_work:
            self.on_work_changed()
        if is_new_tip:
            heard = received_at if heard_at is None else heard_at
            self._tip = Tip(template.height, template.previous_hash, heard, received_at)
            self._tip_since = monotonic()
            log.info(
                LogEvent.WORK_RENEWED,
                height=template.height,
                node=node_name,
                transactions=len(template.transactions),
                reward_sats=template.coinbase_value_sats,
            )
        if not self._on_new_work():
            self._tip = None  # nobody waited for it; who comes later was not kept waiting

    def nodes_lost(self, reason: str) -> None:
        log.error(LogEvent.MINERS_WAITING, reason=reason)
        self._work.lost()
        self.on_work_changed()

    def nodes_back(self, node_name: str) -> None:
        log.info(LogEvent.MINERS_SERVED, node=node_name)

    # ------------------------------------------------------------------ time

    def maintain(self, used_variants: set[Hashable]) -> None:
        """Once a second or so: renew work that is growing old, forget what is over."""
        now = self._now()
        if self._work.is_older_than(ANNOUNCEMENT_SECONDS, now):
            self._work.renew(now)
            self._on_new_work()
        self._work.forget_unused(cast("set[Variant]", used_variants), now)
        self.book.expire(now)
        self._parking.expire(now)


def _nobody_minds() -> None:
    """Until there are instruments."""


def _nobody_listens() -> bool:
    """Until the server is there, new work waits to be asked for."""
    return False
