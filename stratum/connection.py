"""[shell] The transport side of one session: reads, writes, back-pressure, slow hashes; no protocol.

Replies are not written when they are made. They wait for the end of the loop tick, when the server has
handed the tick's records to their keeper: a share is on record before the miner hears that it was accepted.
"""

import asyncio
from collections.abc import Hashable
from time import perf_counter
from typing import TYPE_CHECKING, cast

from stratum.closing import CloseCause
from stratum.phases import Phase, Want
from stratum.session import Session
from stratum.work.job import Job

if TYPE_CHECKING:
    from stratum.server import Listener, StratumServer

# A client that does not read: notifies are skipped from 64 KiB on, it is dropped after 20 s or at 256 KiB.
WRITE_PAUSE_BYTES = 64 * 1024
WRITE_DROP_BYTES = 256 * 1024
STALLED_SECONDS = 20.0


class Connection(asyncio.Protocol):
    """One miner's socket."""

    __slots__ = (
        "_hash_started_at",
        "_paused_at",
        "_skipped",
        "_transport",
        "host",
        "is_dirty",
        "limited_as",
        "listener",
        "server",
        "session",
        "variant",
    )

    session: Session

    def __init__(self, server: "StratumServer", listener: "Listener") -> None:
        self.server = server
        self.listener = listener
        self.host = ""
        self.limited_as = ""
        self.is_dirty = False
        self._hash_started_at = 0.0
        self.variant: Hashable = None
        self._transport: asyncio.Transport | None = None
        self._paused_at: float | None = None
        self._skipped: tuple[Job, bool] | None = None

    # ------------------------------------------------------------------ called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.host = peer[0] if peer else ""
        if not self.server.admit(self):
            self._transport.abort()
            self._transport = None
            return
        self._transport.set_write_buffer_limits(high=WRITE_PAUSE_BYTES)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        server = self.server
        session = self.session
        if server.is_between_ticks:
            self._receive_timed(data)
        else:
            session.receive_data(data, server.now())
        if session.pending_hash is not None:
            self._start_hash()
        if not self.is_dirty:
            server.mark_dirty(self)

    def _receive_timed(self, data: bytes) -> None:
        """The first read of a tick stands for all: a clock for each would cost a tenth of a share."""
        server, session = self.server, self.session
        server.tick_began = began = perf_counter()
        was_mining, before = session.phase is Phase.MINING, len(session.events)
        session.receive_data(data, server.now())
        judged = len(session.events) - before
        if was_mining and judged:
            server.measures.check.observe((perf_counter() - began) / judged)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._paused_at = self.server.now()

    def resume_writing(self) -> None:
        self._paused_at = None
        skipped, self._skipped = self._skipped, None
        if skipped is not None and self.session.is_mining:
            job, forced = skipped
            self.announce(job, self.server.now(), forced=forced)
            self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            if self.session.pending_hash is None:
                self._end()

    def _end(self) -> None:
        """The socket is gone and everything that came through it is judged."""
        self.session.close(CloseCause.DISCONNECTED)
        self.server.forget(self)

    # ------------------------------------------------------------------ called by the server

    def announce(self, job: Job, now: float, *, forced: bool = False) -> None:
        """Queue a job, or keep only the newest one while the client does not read."""
        if self._paused_at is not None:
            was_forced = self._skipped is not None and self._skipped[1]
            self._skipped = (job, forced or was_forced)
            return
        session = self.session
        before = session.told_difficulty
        session.announce(job, now, forced=forced)
        if session.told_difficulty != before:
            self.server.paced(session, before)

    def flush(self) -> None:
        """Write what the session has to say, and close after it where the session has ended.

        Not while the tick's records are open: its replies must not slip out with a new job's line.
        """
        transport = self._transport
        if transport is None or self.is_dirty:
            return
        data = self.session.data_to_send()
        if data:
            transport.write(data)
            if transport.get_write_buffer_size() > WRITE_DROP_BYTES:
                self.session.close(CloseCause.DOES_NOT_READ)
                transport.abort()
                return
        if self.session.phase is Phase.CLOSED:
            transport.close()

    def tick(self, now: float) -> None:
        """Deadlines of the session and of the transport."""
        self.session.tick(now)
        if self._paused_at is not None and now - self._paused_at > STALLED_SECONDS:
            self.session.close(CloseCause.DOES_NOT_READ)
            self.abort()
            return
        self.flush()

    def abort(self) -> None:
        """Drop the socket without another byte."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self, cause: CloseCause) -> None:
        """End the session, write what is left and close."""
        self.session.close(cause)
        self.flush()

    @property
    def wants_work(self) -> bool:
        """Whether the session waits for a job."""
        return self.session.want is not Want.NOTHING and self.session.is_mining

    # ------------------------------------------------------------------ slow hashes

    def _start_hash(self) -> None:
        """Hash in a thread and read nothing meanwhile: one hash in flight a connection, its order kept."""
        submission = self.session.pending_hash
        if submission is None:
            return
        self._hash_started_at = perf_counter()
        if self._transport is not None:
            self._transport.pause_reading()
        future = self.server.hash_slowly(submission.job.proof_of_work, submission.header)
        future.add_done_callback(self._hash_done)

    def _hash_done(self, future: "asyncio.Future[bytes]") -> None:
        if future.cancelled():
            return
        server = self.server
        server.measures.check.observe(perf_counter() - self._hash_started_at)
        if server.is_between_ticks:
            server.tick_began = self._hash_started_at
        self.session.hash_done(future.result(), self.server.now())
        if not self.is_dirty:
            self.server.mark_dirty(self)
        if self.session.pending_hash is not None:
            self._start_hash()
        elif self._transport is not None:
            self._transport.resume_reading()
        else:  # the miner hung up behind its last submissions: they counted, now it is over
            self._end()
