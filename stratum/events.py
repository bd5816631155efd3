"""What a session reports, and the interface that its owner implements; values and a protocol, no behaviour.

Share, Refused, Joined, AuthorizeDenied   collected by the session, fetched with `events_received()`
SessionOwner                              asked by the session in the middle of a line, answers at once
BlockCandidate                            handed to the owner the moment its hash is known
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from stratum.errors import RejectReason
from stratum.jobs import JobBook, Offer
from stratum.pacing import PaceExport
from stratum.work.address import Address
from stratum.work.share import BlockCandidate


class Worker(msgspec.Struct, frozen=True):
    """A name authorised on a connection: the account (a canonical address), its script,
    and the device's name."""

    account: str
    script: bytes
    name: str


class Share(msgspec.Struct, frozen=True, gc=False):
    """A credited submission. `offer.difficulty.work` is what it is worth; the rest makes its hash
    computable again.

    `is_late` marks a share for the previous tip that came within the grace after the new job, `is_best` one
    than which no hash of the worker on this connection was lower; `at` is the clock of the session's `now`;
    `reply` is where in the session's `out` its answer waits to be sent.
    """

    worker: Worker
    offer: Offer
    extranonce1: bytes
    extranonce2: str
    header: bytes
    pow_hash: bytes
    is_late: bool
    at: float
    reply: int
    is_best: bool = False


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A submission that was not credited; `difficulty_work` is what it would have been worth,
    0 where unknown."""

    worker: Worker | None
    reason: RejectReason
    difficulty_work: int
    at: float


class Joined(msgspec.Struct, frozen=True):
    """A worker was authorised."""

    worker: Worker
    agent: str


class AuthorizeDenied(msgspec.Struct, frozen=True):
    """A name was refused; the connection closes shortly after."""

    reason: RejectReason


Event = Share | Refused | Joined | AuthorizeDenied


class Identity(msgspec.Struct, frozen=True):
    """What makes a session's work its own: a resume id that cannot be guessed and a unique extranonce1."""

    session_id: str
    extranonce1: bytes


class OfferExport(msgspec.Struct, frozen=True, array_like=True):
    """An offer by value: the job by its id."""

    job_id: str
    difficulty: float
    mask: int
    announced_at: float
    extranonce1: bytes | None


class SessionExport(msgspec.Struct, frozen=True):
    """All that a successor process needs to go on with a connection;
    `schema` is refused where it is newer."""

    schema: int
    identity: Identity | None
    agent: str
    requested_mask: int
    told_mask: int
    told_difficulty: float | None
    is_rolling: bool
    wants_extranonce: bool
    workers: list[tuple[str, Worker]]
    offers: list[OfferExport]
    pace: PaceExport
    accepted: int
    tip: int
    tip_sent_at: float
    partial: bytes
    unsent: bytes


# Turns the address part of a user name into an account, or says why it may not be used here, by computation.
AddressBook = Callable[[str], Address | RejectReason]


class SessionOwner(Protocol):
    """What a session must ask somebody, and learns at once, without waiting."""

    def new_identity(self) -> Identity | None:
        """A fresh identity; None where every extranonce1 is taken."""
        ...

    def resume(self, session_id: str, peer: str, now: float) -> SessionExport | None:
        """The parked session of this id, taken out of the park, if it was closed by the same peer lately."""
        ...

    @property
    def book(self) -> JobBook:
        """The jobs that this gateway announced to anybody, and which tip is its newest."""
        ...

    def recall_difficulty(self, key: tuple[str, str, str], now: float) -> float | None:
        """Where (account, worker, agent class) should start, if it has been here."""
        ...

    def block_found(self, candidate: BlockCandidate) -> None:
        """Take a candidate over; returns at once and raises nothing."""
        ...
