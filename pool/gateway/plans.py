"""The plan that coinbases are built from now: the accountant's newest, or what is safe without it.

    whole      the accountant is there, and no job of this generation has won
    stripped   the carry-over may be paid already: a job of this generation or a later one has won, or nothing
               was heard of the accountant for a while. Every share is still paid
    pool       nothing was heard for `plan_age_seconds`, or ever: everything to the pool's own address; the
               accountant settles such blocks when it is back

A win counts from the candidate on, not from the verdict: the next job may be built on the winner before the
verdict is told. The generation that has won is kept in a file, so that a restart does not forget it; what a
kill kept from being written there is in the files of the blocks (block_wins.py).
"""

import asyncio
import enum
import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from payouts.plan import Plan
from pool.gateway.block_wins import won_by_blocks
from pool.gateway.plan_file import PlanNews, Signature, look_at_plan, write_whole
from pool.logs.events import LogEvent
from pool.logs.log import Log

LOOK_SECONDS = 1.0
SILENT_SECONDS = 60.0
# The accountant writes every few seconds; a minute is beyond any pause of its own, such as a slow backup.

log = Log("engineroom.plans")


class Standing(enum.Enum):
    """How far the plan can be relied on; the value is for the log."""

    WHOLE = "coinbases pay by the accountant's plan"
    WON = (
        "coinbases pay shares, and carry-over again when the accountant has counted the block that was found"
    )
    SILENT = "no news of the accountant: coinbases pay shares by its last plan, and no carry-over"
    POOL = "no plan of the accountant that is young enough: coinbases pay the pool's address alone"


class _Won(msgspec.Struct, forbid_unknown_fields=True):
    """The file of the generation that has won."""

    version: int
    generation: int


WON_VERSION = 1
ALARMS = {Standing.SILENT, Standing.POOL}


class PlanHolder:
    """`current` and `won` are called on the loop and touch no disk; `run` does, in a thread."""

    def __init__(
        self,
        plan_file: Path,
        won_file: Path,
        blocks: Path,
        pool_plan: Plan,
        *,
        plan_age_seconds: float,
        now: Callable[[], float],
        unix_now: Callable[[], float] = time.time,
    ) -> None:
        """`blocks` holds the folders of found blocks. Reads all of these, blocking; never raises for what is
        in them. `now` is in loop seconds."""
        self._plan_file = plan_file
        self._won_file = won_file
        self._blocks = blocks
        self._pool_plan = pool_plan
        self._plan_age_seconds = plan_age_seconds
        self._now = now
        self._unix_now = unix_now
        self._plan: Plan | None = None
        self._signature: Signature | None = None
        self._news_at = -plan_age_seconds
        self._trouble: str | None = None
        self._told: tuple[Standing, bool] | None = None
        self._started_at = now()
        self._won, self._won_on_disk = 0, 0
        self._is_failing = False
        self._woken = asyncio.Event()
        self._take(look_at_plan(plan_file, None, None), at_start=True)
        self._recall_win()
        self._recall_blocks()

    def current(self) -> Plan:
        """Whom a coinbase that is built now pays."""
        standing = self.standing
        if standing is Standing.POOL or self._plan is None:
            return self._pool_plan
        return self._plan if standing is Standing.WHOLE else self._plan.stripped

    @property
    def standing(self) -> Standing:
        silent_seconds = self._now() - self._news_at
        if self._plan is None or silent_seconds >= self._plan_age_seconds:
            return Standing.POOL
        if silent_seconds >= SILENT_SECONDS:
            return Standing.SILENT
        return Standing.WON if self._plan.generation <= self._won else Standing.WHOLE

    def won(self, generation: int) -> None:
        """A job of this generation's plan has a candidate: carry-over up to it is not paid again."""
        if generation > self._won:
            self._won = generation
            self._woken.set()

    async def run(self) -> None:
        """Look at the file once a second, and write down a win at once; until cancelled."""
        while True:
            await self.refresh()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue
            self._woken.clear()

    async def refresh(self) -> None:
        """One look, in a thread; says in the log what has changed for coinbases."""
        if self._won > self._won_on_disk:
            await self._remember_win(self._won)
        self._take(await asyncio.to_thread(look_at_plan, self._plan_file, self._signature, self._plan))
        standing = self.standing
        # At the first start of all the accountant has its first template to see yet.
        is_waiting = self._plan is None and self._now() - self._started_at < SILENT_SECONDS
        is_alarm = standing in ALARMS and not is_waiting
        if (standing, is_alarm) != self._told:
            level = logging.ERROR if is_alarm else logging.INFO
            log.log(level, LogEvent.PLAN_STOOD, standing=standing.value)
            self._told = (standing, is_alarm)

    def _take(self, news: PlanNews | None, *, at_start: bool = False) -> None:
        if news is None:
            return
        self._signature = news.signature
        if news.plan is None:
            if news.trouble != self._trouble:
                log.error(LogEvent.PLAN_REFUSED, trouble=news.trouble)
            self._trouble = news.trouble
            return
        self._trouble = None
        self._plan = news.plan
        # While we run a new file is news whatever its time says; at the start its time is all there is.
        age_seconds = max(0.0, self._unix_now() - news.written_at) if at_start else 0.0
        self._news_at = self._now() - age_seconds

    # ------------------------------------------------------------------ the generation that has won

    def _recall_win(self) -> None:
        """What cannot be read may have been anything: the plan at hand is taken to have won."""
        try:
            won = msgspec.json.decode(self._won_file.read_bytes(), type=_Won)
            if won.version != WON_VERSION:
                raise ValueError(f"it is of version {won.version}")
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._won = self._plan.generation if self._plan is not None else 0
            log.error(LogEvent.PLAN_WIN_UNREADABLE, path=self._won_file, error=error)
            return
        self._won = self._won_on_disk = won.generation

    def _recall_blocks(self) -> None:
        found = won_by_blocks(self._blocks, self._won_file)
        if found.is_unknown and self._plan is not None:
            log.error(LogEvent.PLAN_WIN_UNKNOWN, path=self._blocks)
            self._won = max(self._won, self._plan.generation)
        self._won = max(self._won, found.generation)

    async def _remember_win(self, generation: int) -> None:
        document = msgspec.json.encode(_Won(WON_VERSION, generation))
        try:
            await asyncio.to_thread(write_whole, self._won_file, document)
        except OSError as error:
            if not self._is_failing:
                log.error(LogEvent.PLAN_WIN_UNSAVED, path=self._won_file, error=error.strerror or error)
            self._is_failing = True
            return
        self._is_failing = False
        self._won_on_disk = generation
