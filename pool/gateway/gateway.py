"""A gateway: what sessions and the server ask for, from its job book, extranonces and memory.

It owns no socket and starts no task. New templates come in from the node's side, candidates go out to the
submitter, events to the share keeper.
"""

import logging
import os
from collections.abc import Callable, Hashable
from typing import Protocol, cast

from pool.gateway.parking import Parking
from pool.gateway.tally import ShareKeeper
from pool.gateway.work_source import Variant, WorkSource
from stratum.events import Event, Identity, SessionExport
from stratum.extranonce import ExtranonceCounter
from stratum.jobs import JobBook
from stratum.session import Session
from stratum.vardiff import DifficultyMemory
from stratum.work.job import Job
from stratum.work.share import BlockCandidate
from stratum.work.template import Template

SESSION_ID_BYTES = 8
# cgminer hangs up after 90 s without a line, and pools that it shares a rig with announce every 30 or 60.
# The look whether it is time comes once a second.
ANNOUNCEMENT_SECONDS = 28.0

log = logging.getLogger("engineroom.gateway")


class CandidateTaker(Protocol):
    """Where block candidates go."""

    def hand_over(self, candidate: BlockCandidate) -> None:
        """Take it over; returns at once."""
        ...


class Gateway:
    """The `ServerOwner` of one server, and the listener of the nodes."""

    def __init__(
        self,
        work: WorkSource,
        book: JobBook,
        extranonces: ExtranonceCounter,
        keeper: ShareKeeper,
        now: Callable[[], float],
        *,
        is_solo: bool,
    ) -> None:
        self._work = work
        self.book = book
        self._extranonces = extranonces
        self._parking = Parking(extranonces)
        self._memory = DifficultyMemory()
        self._keeper = keeper
        self._now = now
        self._is_solo = is_solo
        self._on_new_work: Callable[[], None] = _nobody_listens
        self._candidates: CandidateTaker | None = None

    def attach(self, candidates: CandidateTaker, on_new_work: Callable[[], None]) -> None:
        """Connect the two that need the gateway themselves:
        where candidates go, and who announces new work."""
        self._candidates = candidates
        self._on_new_work = on_new_work

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
        self._candidates.hand_over(candidate)

    # ------------------------------------------------------------------ asked by the server

    def variant_of(self, session: Session) -> Hashable:
        worker = session.first_worker
        payee = worker.script if self._is_solo and worker is not None else None
        return Variant(payee, session.pace.agent.coinbase_bytes)

    def current_job(self, variant: Hashable, now: float) -> Job | None:
        return self._work.current_job(cast("Variant", variant), now)

    def fresh_job(self, variant: Hashable, now: float) -> Job | None:
        return self._work.fresh_job(cast("Variant", variant), now)

    def record(self, session: Session, events: list[Event]) -> None:
        self._keeper.record(events)

    def commit(self) -> None:
        self._keeper.commit()

    def session_closed(self, session: Session, now: float) -> None:
        if session.pace.last_share is not None and session.first_worker is not None:
            key = session.memory_key(session.first_worker)
            self._memory.remember(key, session.pace.difficulty, now)
        if session.identity is not None:
            self._parking.park(session.export_for_resume(), session.peer, now)
        log.debug("closed %s: %s", session.peer, session.closed_for)

    # ------------------------------------------------------------------ told by the nodes

    def new_template(self, template: Template, node_name: str, received_at: float) -> None:
        if self._work.new_template(template, received_at, self._now()):
            log.info(
                "new work at height %d from %s: %d transactions, %d sats",
                template.height,
                node_name,
                len(template.transactions),
                template.coinbase_value_sats,
            )
        self._on_new_work()

    def nodes_lost(self, reason: str) -> None:
        log.error("no node is left to work from: %s; miners stay connected and wait", reason)
        self._work.lost()

    def nodes_back(self, node_name: str) -> None:
        log.info("working from node %s again", node_name)

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


def _nobody_listens() -> None:
    """Until the server is there, new work waits to be asked for."""
