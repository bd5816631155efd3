"""One connection's protocol, sans I/O: bytes and announcements in; replies, events and candidates out.

    receive_data(data, now)   what the transport read           data_to_send()       what to write
    announce(job, now)        work for this session             events_received()    what happened
    tick(now)                 deadlines, once a second          export(), restore()  for a successor

It never raises for anything a peer can send, never waits and never looks at a clock. It owns the connection's
names, offers and difficulty; jobs, extranonces and the memory of workers belong to its `SessionOwner`.

Requests are answered strictly in the order in which they came. Where the hash is slow (scrypt) the session
stops at the submission: `pending_hash` holds the header, and nothing more is read until `hash_done`. That
keeps the order, and bounds the hashes in flight to one a connection.
"""

import msgspec

from stratum import handover, replies, requests, submissions
from stratum.agents import sanitise
from stratum.closing import CloseCause
from stratum.errors import ProtocolViolation, RejectReason
from stratum.events import (
    AddressBook,
    Event,
    Identity,
    SessionExport,
    SessionOwner,
    Worker,
)
from stratum.framing import MINER_LINE_BYTES, LineBuffer
from stratum.jobs import CREDITED_SECONDS, Offer, offer_of
from stratum.limits import Budgets, Limit
from stratum.messages import DecodeFailure, decode_submit, echoed_id
from stratum.pacing import Pace, PaceRules
from stratum.phases import TRANSITIONS, Phase, Step, Want
from stratum.work.coin import ProofOfWork
from stratum.work.job import Job

MOST_OFFERS = 64
DENIED_CLOSE_SECONDS = 1.0
KEEPALIVE_SECONDS = 35.0  # above the 29 s after which new work comes while there is a node
MOST_ALIASES = 64
_FIRST_OWN_ID = 1000  # NerdQAxe reads replies and requests with small ids as answers to its set-up


class SessionRules(msgspec.Struct, frozen=True):
    """What the pool decides for every session of a listener."""

    proof_of_work: ProofOfWork
    pace: PaceRules
    parse_address: AddressBook
    version_rolling_mask: int = 0
    sends_version_mask: bool = True
    late_share_grace_seconds: float = 1.0
    is_solo: bool = False
    names_per_connection: int = 256
    first_line_seconds: float = 15.0
    line_seconds: float = 10.0
    handshake_seconds: float = 30.0


class Session:
    """The server's side of one Stratum V1 connection."""

    __slots__ = (
        "_aliases",
        "_budgets",
        "_close_at",
        "_connected_at",
        "_handshake_done",
        "_next_own_id",
        "_partial_since",
        "_pending_line",
        "accepted",
        "agent",
        "announced_at",
        "bad_shares",
        "best",
        "book",
        "closed_for",
        "events",
        "has_spoken",
        "identity",
        "is_rolling",
        "judged_from",
        "lines",
        "offers",
        "out",
        "owner",
        "pace",
        "peer",
        "pending_hash",
        "phase",
        "requested_mask",
        "resumed_names",
        "rules",
        "tip",
        "tip_sent_at",
        "told_difficulty",
        "told_mask",
        "want",
        "wants_extranonce",
        "workers",
    )

    def __init__(self, rules: SessionRules, owner: SessionOwner, peer: str, now: float) -> None:
        self.rules = rules
        self.peer = peer
        self.phase = Phase.CONNECTED
        self.closed_for: CloseCause | None = None
        self.pending_hash: submissions.Submission | None = None
        self.want = Want.NOTHING
        self.agent = ""
        self.accepted = 0
        self.pace = Pace(rules.pace)
        self.owner = owner
        self.book = owner.book
        self.lines = LineBuffer()
        self.out: list[bytes] = []
        self.events: list[Event] = []
        self.workers: dict[str, Worker] = {}
        self.offers: dict[str, Offer] = {}
        self.identity: Identity | None = None
        self._budgets: Budgets | None = None
        self.requested_mask = 0
        self.told_mask = 0
        self.told_difficulty: float | None = None
        self.is_rolling = False
        self.wants_extranonce = False
        self.resumed_names = False
        self.tip = 0
        self.tip_sent_at = 0.0
        self.bad_shares = 0
        self.best: dict[str, bytes] = {}  # by worker, its lowest hash's most significant bytes
        self.judged_from = 0
        self._next_own_id = _FIRST_OWN_ID
        self._connected_at = now
        self.announced_at = now
        self._partial_since: float | None = None
        self._handshake_done = False
        self.has_spoken = False
        self._aliases: dict[str, Worker | None] | None = None
        self._pending_line = b""
        self._close_at: float | None = None

    # ------------------------------------------------------------------ in

    def receive_data(self, data: bytes, now: float) -> None:
        """Take what the transport read; replies, events and `want` follow from it.

        After a close the bytes are dropped. Look at `phase` and `pending_hash` when it returns.
        """
        if self.phase is Phase.CLOSED:
            return
        self.lines.feed(data)
        self._read_lines(now)

    def hash_done(self, pow_hash: bytes, now: float) -> None:
        """The slow hash of `pending_hash` is here: judge it and go on with the lines that waited.

        After a close it is judged all the same: it came before, and a block is a block.
        """
        submission = self.pending_hash
        if submission is None:
            return
        self.pending_hash = None
        try:
            submissions.settle(self, submission, pow_hash, now)
        except ProtocolViolation as violation:
            self.close(violation.cause)
        if self.phase is not Phase.CLOSED:
            self._read_lines(now)

    def _read_lines(self, now: float) -> None:
        lines = self.lines
        try:
            while self.pending_hash is None:
                line = lines.next_line()
                if line is None:
                    break
                self._partial_since = None
                self._on_line(line, now)
                if self.pending_hash is not None:
                    self._pending_line = line
            if not self._handshake_done and lines.pending.startswith(requests.TLS_HANDSHAKE):
                raise ProtocolViolation(CloseCause.TLS)
        except ProtocolViolation as violation:
            self.close(violation.cause)
        if lines.is_empty:
            self._partial_since = None
        elif self._partial_since is None:
            self._partial_since = now

    def _on_line(self, line: bytes, now: float) -> None:
        try:
            request = decode_submit(line)
        except DecodeFailure:
            requests.handle(self, line, now)
            return
        request_id = echoed_id(request.id)
        if request_id is None:
            self.refuse(b"null", RejectReason.MALFORMED, now, penalty=True)
            return
        submissions.submit(self, request_id, request.params, now)

    def alias(self, user: str) -> Worker | None:
        """The worker behind another spelling of its name, an upper-case address say; None for a stranger.

        Remembered, since firmware that spells it so once does so with every share.
        """
        if not self.workers or len(user) > requests.LONGEST_USER:
            return None
        if self._aliases is None or len(self._aliases) >= MOST_ALIASES:
            self._aliases = {}
        if user not in self._aliases:
            named = requests.worker_of(user, self.rules.parse_address)
            known = (worker for worker in self.workers.values() if worker == named)
            self._aliases[user] = next(known, None)
        return self._aliases[user]

    def forget_aliases(self) -> None:
        """The names have changed: whose a spelling is has to be found out anew."""
        self._aliases = None

    # ------------------------------------------------------------------ work

    @property
    def is_mining(self) -> bool:
        """Whether it can be sent work."""
        return self.phase is Phase.MINING

    @property
    def is_ready(self) -> bool:
        """Whether its handshake has come to its end, now or before it was closed."""
        return self._handshake_done

    def announce(self, job: Job, now: float, *, forced: bool = False) -> None:
        """Send a job: one difficulty at most, then the line; only to a session that `is_mining`.

        `forced` is an announcement made for sessions that waited for it. A changed tip or difficulty, the
        first job and a forced one interrupt the miner (clean_jobs); a routine one does not. A job that the
        session has already is not sent again: its difficulty stands, and firmware ignores a known id.
        """
        if job.id in self.offers:
            if self.want is Want.CURRENT:
                self.want = Want.NOTHING
            return
        is_changed = not self.offers
        difficulty = self.pace.for_announcement(job.network_difficulty, now)
        mask = self.requested_mask & job.rolling_mask
        if self.is_rolling and mask != self.told_mask:
            self._tell_mask(mask)
        value = float(difficulty.value)
        if value != self.told_difficulty:
            self.told_difficulty = value
            self.out.append(replies.set_difficulty(difficulty.wire))
            is_changed = True
        if job.tip != self.tip:
            self.tip = job.tip
            self.tip_sent_at = now
            is_changed = True
        self.out.append(job.line(is_clean=is_changed or forced))
        self.offers[job.id] = offer_of(job, difficulty, mask, now)
        self.announced_at = now
        self.want = Want.NOTHING
        self._forget_offers(now)

    def _forget_offers(self, now: float) -> None:
        """Let go of offers whose successor is ten minutes old;
        the owner keeps their jobs for the block test."""
        while len(self.offers) > 1:
            in_order = iter(self.offers.values())
            oldest, successor = next(in_order), next(in_order)
            if now - successor.announced_at <= CREDITED_SECONDS and len(self.offers) <= MOST_OFFERS:
                return
            del self.offers[oldest.job.id]

    def want_fresh(self, *, is_resumed: bool = False) -> None:
        """A job must come soon that this session has never seen.
        Before its first job any is, unless resumed."""
        if self.offers or is_resumed:
            self.want = Want.FRESH

    def raise_floor(self, difficulty: float) -> None:
        """The client wants no difficulty below this; takes effect at once where the present one is."""
        if self.pace.raise_floor(difficulty):
            self.want_fresh()

    def grant_mask(self, mask: int) -> None:
        """Version bits that the client may roll from its next job on;
        for jobs already sent both masks hold."""
        self.requested_mask = mask
        self.is_rolling = mask != 0
        self.offers = {
            job_id: msgspec.structs.replace(offer, mask=offer.mask | (mask & offer.job.rolling_mask))
            for job_id, offer in self.offers.items()
        }
        if self.is_mining and self.is_rolling and self.told_mask != mask:
            self._tell_mask(mask)

    def _tell_mask(self, mask: int) -> None:
        self.told_mask = mask
        if self.rules.sends_version_mask:
            self.out.append(replies.set_version_mask(mask))

    def memory_key(self, worker: Worker) -> tuple[str, str, str]:
        """Under which the worker's difficulty is remembered."""
        return (worker.account, worker.name, self.pace.agent.name)

    def reset_pace(self) -> None:
        """Forget the difficulty of whoever was here before."""
        agent = self.pace.agent
        self.pace = Pace(self.rules.pace)
        self.pace.agent = agent

    def unread(self) -> bytes:
        """Bytes that came and are not yet answered; a submission whose hash is still awaited included."""
        if self.pending_hash is None:
            return self.lines.pending
        return self._pending_line + b"\n" + self.lines.pending

    @property
    def first_worker(self) -> Worker | None:
        """The first authorised name: in a solo pool the owner of the connection's blocks."""
        return next(iter(self.workers.values()), None)

    # ------------------------------------------------------------------ out

    def data_to_send(self) -> bytes:
        """What is to be written, once; empty where there is nothing."""
        out = self.out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        self.out = []
        return data

    def events_received(self) -> list[Event]:
        """What has happened since the last call, in order."""
        events = self.events
        if events:
            self.events = []
        return events

    def ping(self) -> None:
        """Ask for a sign of life; cgminer answers "pong", Bitaxe with a method `pong`, others log it."""
        self._request("mining.ping")

    def request_version(self) -> None:
        """Ask for name and version of the client."""
        self._request("client.get_version")

    def show_message(self, text: str) -> None:
        """Let the miner log one line."""
        self.out.append(replies.notification("client.show_message", [sanitise(text)]))

    def reconnect(self) -> None:
        """Ask to come back to where it is connected to: without a host, since cgminer follows no other."""
        self.out.append(replies.notification("client.reconnect", []))

    def change_extranonce1(self, identity: Identity) -> bool:
        """Give the session another identity from its next job on;
        False where it has not subscribed to that."""
        current = self.identity
        if current is None or not self.wants_extranonce:
            return False
        self.offers = {
            job_id: msgspec.structs.replace(offer, extranonce1=offer.extranonce1 or current.extranonce1)
            for job_id, offer in self.offers.items()
        }
        self.identity = identity
        size = self.rules.proof_of_work.extranonce2_size
        self.out.append(replies.set_extranonce(identity.extranonce1, size))
        self.want = Want.FRESH
        return True

    def _request(self, method: str) -> None:
        self.out.append(replies.request(self._next_own_id, method, []))
        self._next_own_id += 1

    # ------------------------------------------------------------------ answers shared with the handshake

    def send(self, line: bytes) -> None:
        """Queue a whole line; submissions append to `out` themselves, a call fewer on the hot path."""
        self.out.append(line)

    def report(self, event: Event) -> None:
        """Queue an event."""
        self.events.append(event)

    def refuse(self, request_id: bytes, reason: RejectReason, now: float, *, penalty: bool = False) -> None:
        """Answer with an error; with `penalty` it counts towards closing."""
        self.out.append(replies.rejected(request_id, reason))
        if penalty:
            self.spend(Limit.PENALTIES, now)

    def spend(self, limit: Limit, now: float) -> None:
        """Count a misbehaviour; raises ProtocolViolation where it was one too many."""
        if self._budgets is None:
            self._budgets = Budgets()
        if self._budgets.spend(limit, now):
            raise ProtocolViolation(limit.label)

    def step(self, step: Step) -> None:
        """Move to the next phase; entering MINING makes the session want work."""
        before = self.phase
        self.phase = TRANSITIONS[before, step]
        if self.phase is Phase.MINING and before is not Phase.MINING:
            self._handshake_done = True
            self.lines.limit_bytes = MINER_LINE_BYTES
            if self.want is Want.NOTHING:
                self.want = Want.CURRENT

    # ------------------------------------------------------------------ time and end

    def tick(self, now: float) -> None:
        """Close what has overstayed its deadlines; keep an honest miner from hanging up on silence."""
        if self.phase is Phase.CLOSED:
            return
        rules = self.rules
        age = now - self._connected_at
        if self._close_at is not None and now >= self._close_at and not self.workers:
            self.close(CloseCause.AUTHORIZE_DENIED)
        elif self._partial_since is not None and self.pending_hash is None and self._waits_too_long(now):
            self.close(CloseCause.LINE_TIMEOUT)
        elif self.phase is Phase.CONNECTED and age >= rules.first_line_seconds and not self.has_spoken:
            self.close(CloseCause.FIRST_LINE_TIMEOUT)
        elif not self._handshake_done and age >= rules.handshake_seconds:
            self.close(CloseCause.HANDSHAKE_TIMEOUT)
        elif self.is_mining and now - self.announced_at >= KEEPALIVE_SECONDS:
            # No new work is to be had, and none that is old is handed out; cgminer hangs up after 90 s.
            self.announced_at = now
            self.ping()

    def _waits_too_long(self, now: float) -> bool:
        since = self._partial_since
        return since is not None and now - since >= self.rules.line_seconds

    def close_soon(self, now: float) -> None:
        """Close in a second: the peer is to read why."""
        self._close_at = now + DENIED_CLOSE_SECONDS

    def close(self, cause: CloseCause) -> None:
        """End it; what is queued may still be written. The first cause stands."""
        if self.phase is not Phase.CLOSED:
            self.phase = TRANSITIONS[self.phase, Step.CLOSE]
            self.closed_for = cause
            self.want = Want.NOTHING

    def export(self) -> SessionExport:
        """All that a successor needs, by value; see `stratum.handover`."""
        return handover.export(self)

    def export_for_resume(self) -> SessionExport:
        """What the miner finds again on another connection."""
        return handover.export_for_resume(self)

    @classmethod
    def restore(
        cls, exported: SessionExport, rules: SessionRules, owner: SessionOwner, peer: str, now: float
    ) -> "Session":
        """A session that goes on where an exported one stopped; raises ValueError for a newer schema."""
        session = cls(rules, owner, peer, now)
        handover.restore(session, exported, now)
        return session
