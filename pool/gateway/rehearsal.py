"""Rehearsals: each new shape of a coinbase is proposed to the node, in the background, before it can win.

A coinbase of five hundred outputs that is wrong in one of them would be found out by the first block that it
loses. Jobs do not wait for the answer; a shape that is refused pays the custody address alone for an hour,
and the accounts are owed what they were not paid.
"""

import asyncio
from collections.abc import Awaitable, Callable

from pool.gateway.coinbase_outputs import Shape
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.node.proposals import NoVerdict
from pool.node.rpc import NodeError
from stratum.work.block import assemble_block
from stratum.work.hashing import sha256d
from stratum.work.job import Job
from stratum.work.merkle import fold_branch

PAUSE_SECONDS = 5.0
# The node holds its main lock for a proposal as for a block. Shapes change with every plan, by an output.

REFUSED_SECONDS = 3600.0
# A refusal may have been the template's fault: the shape gets another chance.

REMEMBERED_SHAPES = 4096
WAITING_SHAPES = 64

Propose = Callable[[str], Awaitable[str | None]]
"""A block in hex → None, or the node's reason; raises NodeError or NoVerdict where there is no answer."""

log = Log("engineroom.rehearsal")


class Rehearsal:
    """The `ShapeJudge` of a work source. `run` asks, until cancelled."""

    def __init__(
        self,
        propose: Propose,
        extranonce_bytes: int,
        now: Callable[[], float],
        on_refused: Callable[[], None],
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """`on_refused` is called when jobs that are out should be replaced."""
        self._propose = propose
        self._extranonce_bytes = extranonce_bytes
        self._now = now
        self._on_refused = on_refused
        self._pause_seconds = pause_seconds
        self._taken: dict[Shape, None] = {}
        self._refused_at: dict[Shape, float] = {}
        self._waiting: dict[Shape, Job] = {}
        self._is_waiting = asyncio.Event()
        self._trouble: str | None = None

    def is_refused(self, shape: Shape) -> bool:
        at = self._refused_at.get(shape)
        if at is None:
            return False
        if self._now() - at < REFUSED_SECONDS:
            return True
        del self._refused_at[shape]
        return False

    def first_seen(self, shape: Shape, job: Job) -> None:
        """Queue a shape that was not rehearsed; a newer job of it takes an older one's place."""
        if shape in self._taken or shape in self._refused_at:
            return
        if shape not in self._waiting and len(self._waiting) >= WAITING_SHAPES:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[shape] = job
        self._is_waiting.set()

    async def run(self) -> None:
        """One proposal at a time, the oldest shape first."""
        while True:
            await self._is_waiting.wait()
            while self._waiting:
                shape = next(iter(self._waiting))
                await self._rehearse(shape, self._waiting.pop(shape))
                await asyncio.sleep(self._pause_seconds)
            self._is_waiting.clear()

    async def _rehearse(self, shape: Shape, job: Job) -> None:
        block_hex = await asyncio.to_thread(_proposal_hex, job, self._extranonce_bytes)
        try:
            reason = await self._propose(block_hex)
        except NoVerdict:
            return  # a newer template came; the next job of this shape is tried
        except NodeError as error:
            if str(error) != self._trouble:
                log.warning(LogEvent.REHEARSAL_FAILED, error=error)
            self._trouble = str(error)
            return
        self._trouble = None
        if reason is None:
            self._remember(shape)
            return
        log.error(
            LogEvent.COINBASE_REFUSED,
            outputs=sum(count for _, count in shape),
            reason=reason,
            job=job.id,
            height=job.template.height,
        )
        self._refused_at[shape] = self._now()
        self._on_refused()

    def _remember(self, shape: Shape) -> None:
        if len(self._taken) >= REMEMBERED_SHAPES:
            del self._taken[next(iter(self._taken))]
        self._taken[shape] = None


def _proposal_hex(job: Job, extranonce_bytes: int) -> str:
    """The block that a miner of this job would find, but for its proof of work."""
    coinbase = job.coinbase_prefix + bytes(extranonce_bytes) + job.coinbase_suffix
    root = fold_branch(sha256d(coinbase), job.branch)
    header = job.header_start + root + job.ntime.to_bytes(4, "little") + job.bits_bytes + bytes(4)
    return assemble_block(header, coinbase, job.template).hex()
