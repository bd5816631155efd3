"""Frames → sums: what a run of one source's frames adds to slots, minutes and blocks. Pure; it has no ids.

Sums are commutative: however the same frames are cut into batches, and in whatever order the batches of
several sources are added, the rows end the same.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from pool.spool.dictionary import Dictionary, UnknownNumber
from pool.spool.frames import Frame
from pool.spool.records import (
    CandidateMade,
    Closing,
    Name,
    Record,
    RefusedMade,
    ShareMade,
    TemplateFacts,
    share_coinbase,
)
from stratum.work.byteorder import displayed

K = TypeVar("K")
MICROSECONDS = 1_000_000
MINUTE_SECONDS = 60

# A template's price for a share of one of its jobs, by the source's frame and its time (µs); None: the work
# is credited by window.
PriceOf = Callable[[TemplateFacts, int, int], str | None]


class SlotKey(msgspec.Struct, frozen=True):
    """Whose work, in which slot (Unix seconds of its start), at which price (None: by window)."""

    slot: int
    account: str
    price: str | None


class WorkerKey(msgspec.Struct, frozen=True):
    """One device in one minute (Unix seconds of its start)."""

    minute: int
    account: str
    worker: str


class RefusedKey(msgspec.Struct, frozen=True):
    """Refusals of a device (both empty: nobody's) in a minute, by reason."""

    minute: int
    account: str
    worker: str
    reason: str


class Sum(msgspec.Struct):
    """Shares, those of them that were late, and their work (expected hashes)."""

    shares: int = 0
    late: int = 0
    work: int = 0


class Seen(msgspec.Struct):
    """A name as its frames told of it first, and when they did first and last (µs)."""

    name: Name
    first_us: int
    last_us: int


class FoundCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A block candidate with everything that its number stands for."""

    hash: str
    height: int
    previous_hash: str
    found_us: int
    frame: int
    frame_us: int
    account: str | None
    worker: str
    job_id: str
    plan_id: str | None
    is_stripped: bool
    coinbase: bytes
    network_target: str
    reward_sats: int
    payee: bytes | None


class Batch:
    """Sums of one source's frames, in the order in which they came."""

    def __init__(self, slot_seconds: int, price_of: PriceOf) -> None:
        self._slot_seconds = slot_seconds
        self._price_of = price_of
        self.slots: dict[SlotKey, Sum] = {}
        self.minutes: dict[WorkerKey, Sum] = {}
        self.refused: dict[RefusedKey, Sum] = {}
        self.names: dict[tuple[str, str], Seen] = {}
        self.templates: dict[int, tuple[TemplateFacts, int]] = {}
        self.prices: dict[str, TemplateFacts] = {}
        self.candidates: list[FoundCandidate] = []
        self.last_number = 0
        self.last_us = 0
        self.is_closed = False
        self.shares = 0
        self.unexplained = 0

    def add(self, frame: Frame, dictionary: Dictionary, *, is_forgiving: bool = False) -> None:
        """Take a frame. Raises UnknownNumber for one that its segment does not explain, and the batch is then
        of no use; with `is_forgiving` what is not explained is left out, and counted in `unexplained`."""
        self.is_closed = False
        for record in frame.records:
            try:
                self._take(record, dictionary, frame)
            except UnknownNumber:
                if not is_forgiving:
                    raise
                self.unexplained += 1
        self.last_number = frame.number
        self.last_us = frame.at_us

    def _take(self, record: Record, dictionary: Dictionary, frame: Frame) -> None:
        """A name is of interest from its first submission on: whoever only connects makes no rows."""
        if isinstance(record, ShareMade):
            self._share(record, dictionary, frame)
        elif isinstance(record, RefusedMade):
            self._refused(record, dictionary, frame.at_us)
        elif isinstance(record, TemplateFacts):
            self.templates[record.height] = (record, frame.at_us)
        elif isinstance(record, CandidateMade):
            self._candidate(record, dictionary, frame)
        elif isinstance(record, Closing):
            self.is_closed = True

    def _share(self, share: ShareMade, dictionary: Dictionary, frame: Frame) -> None:
        at_us = frame.at_us
        name = dictionary.name(share.name)
        work = dictionary.work(share.difficulty)
        template = dictionary.template_of_job(share.job)
        self._name(name, at_us)
        price = self._price_of(template, frame.number, at_us)
        if price is not None:
            # PPS pays no share more than a whole block: its work is worth the network's at most
            work_priced = min(work, template.network_work)
            self.prices.setdefault(price, template)
        else:
            work_priced = work
        slot, minute = _start(at_us, self._slot_seconds), _start(at_us, MINUTE_SECONDS)
        _count(self.slots, SlotKey(slot, name.account, price), work_priced, share.is_late)
        _count(self.minutes, WorkerKey(minute, name.account, name.worker), work, share.is_late)
        self.shares += 1

    def _refused(self, refused: RefusedMade, dictionary: Dictionary, at_us: int) -> None:
        account = worker = ""
        if refused.name is not None:
            name = dictionary.name(refused.name)
            self._name(name, at_us)
            account, worker = name.account, name.worker
        key = RefusedKey(_start(at_us, MINUTE_SECONDS), account, worker, refused.reason)
        entry = self.refused.setdefault(key, Sum())
        entry.shares += refused.count
        entry.work += refused.work

    def _candidate(self, candidate: CandidateMade, dictionary: Dictionary, frame: Frame) -> None:
        job = dictionary.job(candidate.job)
        template = dictionary.template(job.template)
        name = None if candidate.name is None else dictionary.name(candidate.name)
        if name is not None:
            self._name(name, frame.at_us)
        self.candidates.append(
            FoundCandidate(
                hash=displayed(candidate.block_hash),
                height=template.height,
                previous_hash=displayed(template.previous_hash),
                found_us=candidate.at_us,
                frame=frame.number,
                frame_us=frame.at_us,
                account=None if name is None else name.account,
                worker="" if name is None else name.worker,
                job_id=job.job_id,
                plan_id=job.plan,
                is_stripped=job.is_stripped,
                coinbase=share_coinbase(candidate, job),
                network_target=template.network_target.hex(),
                reward_sats=template.value_sats,
                payee=job.payee,
            )
        )

    def _name(self, name: Name, at_us: int) -> None:
        seen = self.names.get((name.account, name.worker))
        if seen is None:
            self.names[name.account, name.worker] = Seen(name, at_us, at_us)
        else:
            seen.last_us = max(seen.last_us, at_us)


def _start(at_us: int, seconds: int) -> int:
    """Of the slot or minute that a time is in, in Unix seconds."""
    return at_us // (MICROSECONDS * seconds) * seconds


def _count(sums: dict[K, Sum], key: K, work: int, is_late: bool) -> None:
    entry = sums.get(key)
    if entry is None:
        entry = sums[key] = Sum()
    entry.shares += 1
    entry.late += is_late
    entry.work += work
