"""[shell] Listeners, admission, the end of each tick, announcements, drain; it owns the connections.

The end of a tick: everything that arrived in one turn of the loop is recorded first (`ServerOwner.record`,
then `commit`), and only then are the replies of all its connections written. Jobs are announced in the same
order: made, committed, sent.

An announcement goes out in slices of the loop's time, so that shares are still read while five thousand
lines are written. A newer announcement takes over where an older one has not finished: latest wins.
"""

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Executor
from time import monotonic, perf_counter
from typing import Protocol

import msgspec

from stratum.agents import AgentClass
from stratum.closing import CloseCause, TurnedAway
from stratum.connection import Connection
from stratum.events import Event, SessionOwner
from stratum.measures import ServerMeasures
from stratum.phases import Want
from stratum.session import Session, SessionRules
from stratum.work.coin import ProofOfWork
from stratum.work.difficulty import ShareDifficulty
from stratum.work.job import Job

TICK_SECONDS = 0.25
TICK_SLICES = 4
FORCED_SECONDS = 1.0
BACKLOG = 4096
SMALLEST_BURST = 100

_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class Listener(msgspec.Struct, frozen=True):
    """An address to listen on and the rules of the sessions that come in there."""

    address: str
    port: int
    rules: SessionRules


class ServerLimits(msgspec.Struct, frozen=True):
    """How many connections are let in; 0 is no limit. `fanout_slice` is how many of them an announcement
    reaches before others have their turn.

    A farm restarts behind one address after a power cut: as many as may be connected are let in at once, and
    a reconnect loop at `connects_per_second`.
    """

    connections: int = 18_000
    connections_per_address: int = 0
    connects_per_second: float = 200.0
    fanout_slice: int = 250


class FanOut(msgspec.Struct, frozen=True):
    """One announcement, in monotonic seconds: when it began, and who was sent it when, in slices.

    One that comes during another is one with it, and who was reached by the first already is in it twice.
    There is no slice where nobody could be sent anything.
    """

    started_at: float
    slices: tuple[tuple[float, list[Session]], ...]


class ServerOwner(SessionOwner, Protocol):
    """What the server needs of the gateway around it."""

    def variant_of(self, session: Session) -> Hashable:
        """Which coinbase a mining session works on."""
        ...

    def current_job(self, variant: Hashable, now: float) -> Job | None:
        """The newest job of a variant; None while there is no work to be had."""
        ...

    def fresh_job(self, variant: Hashable, now: float) -> Job | None:
        """A job of this variant that nobody has seen."""
        ...

    def admits(self) -> bool:
        """Whether new connections are welcome."""
        ...

    def record(self, session: Session, events: list[Event]) -> None:
        """Take a session's events into the tick's record."""
        ...

    def commit(self) -> None:
        """The tick's record is complete: make it as safe as it must be before the replies go out.

        Where that fails, replies that depend on it are rewritten before this returns.
        """
        ...

    def paced(self, session: Session, difficulty: ShareDifficulty) -> None:
        """A session's shares are worth something else from its newest job on."""
        ...

    def fanned_out(self, fan_out: FanOut) -> None:
        """An announcement has reached every miner that is still there."""
        ...

    def session_closed(self, session: Session, now: float) -> None:
        """A connection has ended; the session may be parked for a resume."""
        ...


class StratumServer:
    """All connections of one gateway."""

    def __init__(self, owner: ServerOwner, limits: ServerLimits, hashers: Executor) -> None:
        self._owner = owner
        self._limits = limits
        self._hashers = hashers
        self._loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self._loop.time
        self.measures = ServerMeasures()
        self.tick_began = 0.0  # when the first bytes of the tick came, by `perf_counter`
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Connection, None] = {}
        self._per_host: dict[str, int] = {}
        self._connect_tokens: dict[str, tuple[float, float]] = {}
        self._dirty: list[Connection] = []
        self._waiting: dict[Hashable, dict[Connection, None]] = {}
        self._forced_at: dict[Hashable, float] = {}
        self._fanout: list[Connection] = []
        self._fanout_started_at = 0.0
        self._fanout_slices: list[tuple[float, list[Session]]] = []
        self._counting = Counter[tuple[int, AgentClass]]()
        self._hashes: set[asyncio.Future[bytes]] = set()
        self._tick_slice = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_draining = False

    # ------------------------------------------------------------------ life

    async def start(self, listeners: Iterable[Listener]) -> list[tuple[str, int]]:
        """Listen; gives the addresses bound, in order.
        Raises OSError with the address in it where one is taken."""
        bound: list[tuple[str, int]] = []
        for listener in listeners:
            sock = listening_socket(listener.address, listener.port)
            bound.append(sock.getsockname()[:2])
            server = await self._loop.create_server(
                lambda listener=listener: Connection(self, listener),  # type: ignore[misc]  # mypy: lambda default
                sock=sock,
                backlog=BACKLOG,
            )
            self._servers.append(server)
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        return bound

    async def drain(self, seconds: float) -> None:
        """Take nobody in any more and spread the closes over `seconds`,
        so that miners do not all come back at once."""
        self._is_draining = True
        for server in self._servers:
            server.close()
        connections = list(self._connections)
        started_at = self.now()
        for index, connection in enumerate(connections):
            due = started_at + seconds * index / len(connections)
            if due > self.now():
                await asyncio.sleep(due - self.now())
            connection.finish(CloseCause.DRAIN)
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.abort()
        while self._hashes:  # what was submitted before the end may be a block
            await asyncio.wait(self._hashes)

    # ------------------------------------------------------------------ connections

    def admit(self, connection: Connection) -> bool:
        """Give a new connection its session, or refuse it by the limits."""
        now = self.now()
        host = connection.limited_as = limited_as(connection.host)
        refusal = self._refusal(host, now)
        if refusal is not None:
            self.measures.turned_away[refusal] += 1
            return False
        self.measures.accepted += 1
        self._per_host[host] = self._per_host.get(host, 0) + 1
        connection.session = Session(connection.listener.rules, self._owner, connection.host, now)
        self._connections[connection] = None
        return True

    def _refusal(self, host: str, now: float) -> TurnedAway | None:
        """Why nobody can be let in from here now, if so."""
        limits = self._limits
        if self._is_draining:
            return TurnedAway.DRAINING
        if limits.connections and len(self._connections) >= limits.connections:
            return TurnedAway.CONNECTIONS
        if not self._owner.admits():
            return TurnedAway.DISK
        if limits.connections_per_address and self._per_host.get(host, 0) >= limits.connections_per_address:
            return TurnedAway.ADDRESS
        return None if self._has_connect_token(host, now) else TurnedAway.RATE

    def _has_connect_token(self, host: str, now: float) -> bool:
        limits = self._limits
        burst = float(max(limits.connections_per_address or limits.connections, SMALLEST_BURST))
        tokens, filled_at = self._connect_tokens.get(host, (burst, now))
        tokens = min(burst, tokens + (now - filled_at) * limits.connects_per_second)
        if tokens < 1:
            return False
        self._connect_tokens[host] = (tokens - 1, now)
        return True

    def forget(self, connection: Connection) -> None:
        """A connection is gone: its last events are recorded, its session may be resumed."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        here = self._per_host[connection.limited_as] - 1
        if here:
            self._per_host[connection.limited_as] = here
        else:
            del self._per_host[connection.limited_as]
        waiting = self._waiting.get(connection.variant)
        if waiting is not None:
            waiting.pop(connection, None)
        events = connection.session.events_received()
        if events:
            self._owner.record(connection.session, events)
        session = connection.session
        if session.closed_for is not None:
            self.measures.closed[session.closed_for] += 1
            if not session.is_ready:
                self.measures.unready[session.closed_for] += 1
        self._owner.session_closed(session, self.now())

    def __len__(self) -> int:
        return len(self._connections)

    def sessions(self) -> list[Session]:
        """Of all connections."""
        return [connection.session for connection in self._connections]

    @property
    def mining_variants(self) -> dict[Hashable, int]:
        """How many sessions mine on which variant."""
        counts: dict[Hashable, int] = {}
        for connection in self._connections:
            if connection.session.is_mining:
                counts[connection.variant] = counts.get(connection.variant, 0) + 1
        return counts

    def hash_slowly(self, proof_of_work: ProofOfWork, header: bytes) -> "asyncio.Future[bytes]":
        """A hash in a thread; a drain waits for it."""
        future = self._loop.run_in_executor(self._hashers, proof_of_work.hash, header)
        self._hashes.add(future)
        future.add_done_callback(self._hashes.discard)
        return future

    def paced(self, session: Session, before: float | None) -> None:
        """A session was told another difficulty than before; its first is no change."""
        told = next(reversed(session.offers.values())).difficulty
        if before is not None:
            if told.value > before:
                self.measures.raised += 1
            else:
                self.measures.lowered += 1
        self._owner.paced(session, told)

    # ------------------------------------------------------------------ the end of a tick

    def mark_dirty(self, connection: Connection) -> None:
        """This connection has something to record or to write when the tick ends."""
        connection.is_dirty = True
        if not self._dirty:
            self._loop.call_soon(self._end_tick)
        self._dirty.append(connection)

    def _end_tick(self) -> None:
        dirty, self._dirty = self._dirty, []
        owner = self._owner
        for connection in dirty:
            connection.is_dirty = False
            session = connection.session
            events = session.events_received()
            if events:
                owner.record(session, events)
            if session.want is not Want.NOTHING:
                self._serve(connection)
        owner.commit()
        for connection in dirty:
            connection.flush()
        # Of the one that has waited longest. A slow hash that is under way has no answer yet.
        if dirty[0].session.pending_hash is None:
            self.measures.reply.observe(perf_counter() - self.tick_began)

    @property
    def is_between_ticks(self) -> bool:
        """Whether nothing has come since the last tick ended."""
        return not self._dirty

    def _serve(self, connection: Connection) -> None:
        """Give a session the work that it waits for,
        or a place in the queue for the next forced announcement."""
        if not connection.wants_work:
            return
        now = self.now()
        if connection.variant is None:
            connection.variant = self._owner.variant_of(connection.session)
        if connection.session.want is Want.CURRENT:
            job = self._owner.current_job(connection.variant, now)
            if job is not None:
                connection.announce(job, now)
            return
        variant = connection.variant
        waiting = self._waiting.get(variant)
        if waiting is None:
            waiting = self._waiting[variant] = {}
        if not waiting:
            due = self._forced_at.get(variant, 0.0) + FORCED_SECONDS
            self._loop.call_later(max(0.0, due - now), self._force, variant)
        waiting[connection] = None

    def _force(self, variant: Hashable) -> None:
        waiting = self._waiting.pop(variant, {})
        now = self.now()
        still = [connection for connection in waiting if connection.wants_work]
        job = self._owner.fresh_job(variant, now) if still else None
        if job is None:
            return  # no work to be had: they are served with the next announcement
        self._forced_at[variant] = now
        for connection in still:
            connection.announce(job, now, forced=True)
        self._owner.commit()
        for connection in still:
            connection.flush()

    # ------------------------------------------------------------------ announcements

    def announce(self) -> bool:
        """There is new work: send every mining session the current job of its variant. False where there is
        none."""
        is_running = bool(self._fanout)
        if not is_running:
            self._fanout_started_at, self._fanout_slices = monotonic(), []
        self._fanout = [c for c in self._connections if c.session.is_mining]
        self._fanout.reverse()
        is_for_somebody = bool(self._fanout)
        if is_for_somebody and not is_running:
            self._fan_out()
        return is_for_somebody

    def _fan_out(self) -> None:
        queue = self._fanout
        now = self.now()
        jobs: dict[Hashable, Job | None] = {}
        announced: list[Connection] = []
        for _ in range(min(self._limits.fanout_slice, len(queue))):
            connection = queue.pop()
            if not connection.session.is_mining:
                continue
            variant = connection.variant
            if variant is None:
                variant = connection.variant = self._owner.variant_of(connection.session)
            if variant not in jobs:
                jobs[variant] = self._owner.current_job(variant, now)
            job = jobs[variant]
            if job is not None:
                connection.announce(job, now)
                announced.append(connection)
        self._owner.commit()
        for connection in announced:
            connection.flush()
        if announced:
            self._fanout_slices.append((monotonic(), [connection.session for connection in announced]))
        if queue:
            self._loop.call_soon(self._fan_out)
        else:
            slices, self._fanout_slices = tuple(self._fanout_slices), []
            self._owner.fanned_out(FanOut(self._fanout_started_at, slices))

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self.now()
        counting = self._counting
        for connection in list(self._connections)[self._tick_slice :: TICK_SLICES]:
            connection.tick(now)
            counting[connection.listener.port, connection.session.pace.agent] += 1
        self._tick_slice = (self._tick_slice + 1) % TICK_SLICES
        if self._tick_slice == 0:
            self.measures.connections = counting
            self._counting = Counter()
            self._forget_tokens(now)

    def _forget_tokens(self, now: float) -> None:
        if len(self._connect_tokens) > 10_000:
            self._connect_tokens = {
                host: entry for host, entry in self._connect_tokens.items() if now - entry[1] < 90
            }


def limited_as(host: str) -> str:
    """Whose connections count together: an IPv4 address, or an IPv6 /64, which one subscriber has whole."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))


def listening_socket(address: str, port: int) -> socket.socket:
    """A bound socket whose accepted connections inherit keep-alive
    and no delay (Linux copies them at accept)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for level, option, value in _KEEPALIVE:
            sock.setsockopt(level, option, value)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
