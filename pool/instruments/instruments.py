"""[shell] The instruments of a pool: follow the spools, keep the board, answer Prometheus; no money.

They live in the accountant's process, and before and without its database: an operator wants to see most when
something is wrong. One thread reads frames and renders pages, one at a time.
"""

import asyncio
import contextlib
import importlib.metadata
import platform
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from config.schema import Settings
from pool.accounting import directories
from pool.accounting.control import Refused
from pool.farm.economics import Network
from pool.farm.places import nearest
from pool.gateway.alarms import Alarm
from pool.gateway.readings import SUM, Reading, histogram_readings
from pool.gateway.stall import StallWatch
from pool.instruments.account_figures import AccountFigures
from pool.instruments.account_metrics import ACCOUNT_METRICS
from pool.instruments.alarms_told import AlarmsTold
from pool.instruments.board import Board
from pool.instruments.farm_desk import FarmDesk
from pool.instruments.farm_metrics import FARM_METRICS
from pool.instruments.following import Follower, Passage
from pool.instruments.forgetting import to_forget
from pool.instruments.gateway_metrics import GATEWAY_METRICS, of_gateway
from pool.instruments.health import Health, judge, unanswered
from pool.instruments.herald import Herald
from pool.instruments.links import Links
from pool.instruments.listener import Listener
from pool.instruments.memory import Memory, MemoryRefused, Remembered
from pool.instruments.metric import Kind
from pool.instruments.spool_sizes import SpoolSizes, gateway_number
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.metrics import Exposition
from pool.notices import notice
from pool.notices.notice import Notice
from pool.spool.frames import SpoolError

POLL_SECONDS = 0.5
HEALTH_SECONDS = 5.0  # a page of a large farm takes some tenths of one; orchestrators wait that long
LOOK_SECONDS = 0.3
SAVE_SECONDS = 30.0  # what a crash costs the windows: they go on from here, by their marks
SAVE_TOLD_SECONDS = 2.0  # once something was told: the next process knows that, and tells its end
# A page waits so long for frames that were on a page before a crash, lest counters go back. A tenth of it is
# enough to read again what is lost; what a long stop has left unread is shown as it is read.
CATCHING_UP_SECONDS = 10.0
_OF_GATEWAYS = {name for metric in GATEWAY_METRICS for name in (metric.name, metric.name + SUM)}
_GAUGES_OF_GATEWAYS = {metric.name for metric in GATEWAY_METRICS if metric.kind is Kind.GAUGE}
_BUILD = (importlib.metadata.version("engineroom"), platform.python_version())
METRICS = (*ACCOUNT_METRICS, *FARM_METRICS, *(of_gateway(metric) for metric in GATEWAY_METRICS))

T = TypeVar("T")

log = Log("engineroom.instruments")


class Instruments:
    """Made and run on the loop."""

    def __init__(self, settings: Settings, links: Links, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Blocking for a moment: what was remembered is read."""
        directory = Path(settings.data_directory)
        self._spool = directory / directories.SPOOL
        self._memory = Memory(directory)
        self._thread = ThreadPoolExecutor(1, "instruments")
        self._loop = asyncio.get_running_loop()
        self._stall = StallWatch()
        self._started_at = time.time()
        self._started_monotonic = time.monotonic()
        self._render_seconds = 0.0
        self._rendering: asyncio.Future[bytes] | None = None
        self._trouble = ""
        self._is_caught_up = False
        self._has_more = False  # to be read at once; a disk that fails is asked again after a while
        self._news: deque[Notice] = deque()
        self._is_ending = False
        self._looking = asyncio.Lock()  # held until what was seen is told: it is remembered as told
        self._was_caught_up = asyncio.Event()
        self._sizes = SpoolSizes(self._spool)
        self._alarms_told = AlarmsTold()
        self._links = links
        self._look_seconds = look_seconds
        self._gone: set[str] = set()  # gateways that were taken away
        remembered = self._remembered()
        self._herald = Herald(None if remembered is None else remembered.herald)
        self._follower = Follower(self._spool, [] if remembered is None else remembered.marks)
        self._board = Board(self._begins_at()) if remembered is None else Board.restore(remembered.board)
        self.desk = FarmDesk(settings, self._board.now, None if remembered is None else remembered.desk)
        self._fee_share = sum(fee.basis_points for fee in settings.payout.fees) / 10_000
        self._exposition = Exposition(METRICS, self._readings)
        metrics = settings.metrics
        self.listener = Listener(metrics.address, metrics.port, self._page, self.health)
        self._listens = metrics.enabled

    def _remembered(self) -> Remembered | None:
        try:
            return self._memory.load()
        except MemoryRefused as error:
            log.warning(LogEvent.CHARTS_FORGOTTEN, error=error)
            return None

    def _begins_at(self) -> float:
        """With the first frame that will be read, by the clock that dates it."""
        try:
            return self._follower.begins_at() or self._now()
        except (OSError, SpoolError):  # told where it is followed
            return self._now()

    async def run(self) -> None:
        """Until cancelled; what was seen is remembered for the next process."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stall.run(), name="stall")
                group.create_task(self._follow(), name="following")
                if self._listens:
                    group.create_task(self.listener.run(), name="metrics")
        finally:
            self._is_ending = True
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._tell_news()  # of a look that was under way: what was seen is remembered as told
            self._save()

    async def _follow(self) -> None:
        saved_at, is_told = time.monotonic(), False
        while True:
            async with self._looking:
                await self._loop.run_in_executor(self._thread, self.look)
                is_told |= self._tell_news()
                if self._is_caught_up:
                    self._was_caught_up.set()
                if time.monotonic() - saved_at >= (SAVE_TOLD_SECONDS if is_told else SAVE_SECONDS):
                    await self._loop.run_in_executor(self._thread, self._save)
                    saved_at, is_told = time.monotonic(), False
            await asyncio.sleep(0.0 if self._has_more else POLL_SECONDS)  # 0: pages have their turn between

    def _now(self) -> float:
        """Unix time as it was at the start, and what has passed since: who sets the wall clock decides about
        no gateway's life. Frames are dated by a third clock, which follows the wall slowly; the wall clock
        itself is for what people and jobs are dated by."""
        return self._started_at + (time.monotonic() - self._started_monotonic)

    def _tell_news(self) -> bool:
        """Whether there was any."""
        is_news = bool(self._news)
        while self._news:
            self._tell(self._news.popleft())
        return is_news

    def _tell(self, told: Notice) -> None:
        """Nodes have lines of their own in the log, the gateway's."""
        if isinstance(told, notice.IncidentOver):
            log.info(LogEvent.INCIDENT_ENDED, what=told.what, incident=told.incident_id)
        elif isinstance(told, notice.Incident):
            log.warning(LogEvent.INCIDENT_BEGUN, what=told.what, incident=told.incident_id)
        self._links.take(told)

    # ------------------------------------------------------------------ in the thread

    def look(self) -> None:
        """Take what the gateways have written since the last look; what of it is news waits to be told. A
        disk out of order is told once."""
        self._has_more = False
        try:
            self._is_caught_up = self._has_caught_up()
            if not self._is_caught_up:
                self._has_more = True
                return
            now, board = self._now(), self._board
            board.looked(now)
            self._let_go(now)
            self.desk.advance(board.now, board.missing_seconds, is_working=self._is_working)
            self.desk.count_pauses(self.network())
            self._sizes.look(board.record_times(now))
        except (OSError, SpoolError) as error:
            if str(error) != self._trouble:
                log.error(LogEvent.CHARTS_WAITING, error=error)
            self._trouble = str(error)
        else:
            self._trouble = ""
        now_us = time.time_ns() // 1000
        incidents = self._herald.incidents(self.desk.floor.incidents, now_us)
        self._news += [*incidents, *self._herald.nodes(self._board.node_troubles(self._now()), now_us)]

    def _let_go(self, now: float) -> None:
        """Of gateways that were taken away. What they have left to be counted is shown all the same."""
        gone = {source for source in self._board.gateways if self._board.is_gone(source, now)}
        for source in sorted(gone - self._gone):
            log.info(LogEvent.GATEWAY_GONE, gateway=gateway_number(source))
            self.desk.floor.gateway_ended(source, self._board.now)
        self._gone = gone

    def _has_caught_up(self) -> bool:
        """Read on for a moment. False where more is left: who asks for a page or for the end is not kept
        waiting for all that a long stop has left unread."""
        until = time.monotonic() + self._look_seconds
        for passage in self._follower.poll():
            self._take(passage)
            if time.monotonic() >= until:
                return False
        return True

    def _take(self, passage: Passage) -> None:
        """A gateway that has closed, or that another process has taken the place of, has no connections."""
        board, floor, source = self._board, self.desk.floor, passage.source
        has_ended = board.is_new(source, passage.epoch)
        heard_at = self._now() if self._is_caught_up else None
        seen = board.observe(
            source,
            passage.epoch,
            passage.deliveries,
            is_after_gap=passage.is_after_gap,
            heard_at=heard_at,
        )
        for observation in seen:
            if has_ended:
                floor.gateway_ended(source, observation.at)
            self.desk.observe(source, observation)
            has_ended = False
        state = board.gateways[source]
        if state.is_closed:
            floor.gateway_ended(source, state.at - board.missing_seconds)

    @property
    def _is_working(self) -> bool:
        """Whether a share could come: some gateway is there, and has work for its miners."""
        now = self._now()
        return any(
            self._board.is_up(source, now) and state.has_work
            for source, state in self._board.gateways.items()
        )

    def _save(self) -> str | None:
        """Why it cannot be kept, if so."""
        try:
            marks, board = self._follower.marks, self._board.export()
            self._memory.save(marks, board, self.desk.export(), self._herald.export())
        except OSError as error:
            log.error(LogEvent.CHARTS_NOT_KEPT, error=error)
            return str(error)
        return None

    # ------------------------------------------------------------------ asked

    async def health(self) -> Health:
        """What `/readyz` says, also where the disk hangs and the board cannot be asked."""
        judging = self._loop.run_in_executor(self._thread, self._judged, self._database_trouble())
        try:
            return await asyncio.wait_for(judging, HEALTH_SECONDS)
        except TimeoutError:
            return unanswered(f"the spools could not be looked at within {HEALTH_SECONDS:g} s")

    def _judged(self, database_trouble: str | None) -> Health:
        now = self._now()
        alarms = frozenset[Alarm]().union(*self._alarms(now).values())
        return judge(self._board, now, time.time(), alarms, database_trouble)

    def _alarms(self, now: float) -> dict[str, frozenset[Alarm]]:
        """Of each gateway, as its frames show while it writes some, or as it tells itself."""
        shown = {
            source: frozenset(alarm for alarm in Alarm if state.readings.get(("alarm", (alarm.value,))))
            for source, state in self._board.gateways.items()
            if self._board.is_up(source, now)
        }
        return shown | self._alarms_told.at(now)

    def _database_trouble(self) -> str | None:
        if self._links.accounts is None:
            return "the accounts are not open: see the log"
        return None if self._links.accounts.is_database_up else "the database cannot be used: see the log"

    async def farm(self, group: str | None = None, most: int | None = None) -> msgspec.Raw:
        """The report of `engineroom farm`, as JSON, with so many of the worst machines (None: all). Raises
        Refused for a group that nobody is in."""
        return await self._asked(partial(self._farm_report, group, most))

    async def _asked(self, what: Callable[[], T]) -> T:
        """The answer of the thread. Raises Refused where there will be none."""
        try:
            if not self._is_ending:
                return await self._loop.run_in_executor(self._thread, what)
        except asyncio.CancelledError:  # it had not begun when the end came
            if not self._is_ending:
                raise
        raise Refused("the instruments are ending: ask again in a moment")

    def _farm_report(self, group: str | None, most: int | None) -> msgspec.Raw:
        report = self.desk.report(group, self.network(), most)
        if group is not None and not any(report.sums.states.values()):
            near = nearest(group, self.desk.groups())
            hint = f"; the nearest: {', '.join(near)}" if near else ""
            raise Refused(f"no machine is in {group!r}{hint}")
        return msgspec.Raw(msgspec.json.encode(report))

    async def forget(self, machines: list[str]) -> str | None:
        """Machines are gone for good, by their names or as ACCOUNT.worker; also for the next process, unless
        the answer says why that is not kept. Raises Refused, and forgets none, where one of them is not to be
        forgotten."""
        async with self._looking:
            return await self._asked(partial(self._forget, machines))

    def _forget(self, machines: list[str]) -> str | None:
        chosen = to_forget(self.desk.floor, machines)
        self.desk.floor.forget(chosen)
        log.info(
            LogEvent.MACHINES_FORGOTTEN, count=len(chosen), machines=", ".join(one.key for one in chosen)
        )
        return self._save()

    def take_alarms(self, source: str, alarms: list[str]) -> None:
        """Those that a gateway has, told past its spool. Raises Refused for one that is none."""
        try:
            self._alarms_told.take(source, alarms, self._now())
        except ValueError as error:
            raise Refused(str(error)) from None

    async def _page(self) -> bytes:
        """Who asks while a page is rendered gets that one: twenty scrapers cost what one does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._started_at + CATCHING_UP_SECONDS - self._now()):
                await self._was_caught_up.wait()
        if self._rendering is None or self._rendering.done():
            self._rendering = self._loop.run_in_executor(self._thread, self._rendered)
        return await asyncio.shield(self._rendering)

    def _rendered(self) -> bytes:
        began = time.perf_counter()
        page = self._exposition.render()
        self._render_seconds = time.perf_counter() - began
        return page

    def _readings(self) -> Iterator[Reading]:
        yield from self._pool()
        yield from self._gateways(self._now())
        yield from self._sizes.readings
        yield from self.desk.readings(self.network())
        accounts = self._links.accounts
        yield from (AccountFigures() if accounts is None else accounts).readings()
        if accounts is not None:
            for source, state in self._board.gateways.items():
                if source in accounts.applied_at:
                    lag = state.at - accounts.applied_at[source]
                    yield ("frame_lag_seconds", (gateway_number(source),)), max(0.0, lag)
        yield from histogram_readings("accountant_stall_seconds", self._stall.late)
        yield ("accountant_start_time_seconds", ()), self._started_at
        yield ("metrics_render_seconds", ()), self._render_seconds
        yield ("build_info", _BUILD), 1.0

    def network(self) -> Network | None:
        """What a block takes and pays, by the gateways' newest templates; None before there is one."""
        now, reading = self._now(), self._board.reading
        work = reading(now, "network_work_hashes")
        reward, fees = reading(now, "template_reward_sats"), reading(now, "template_fees_sats")
        if not work or not reward or not fees:
            return None
        mean_fees = None if self._links.accounts is None else self._links.accounts.mean_fees_sats
        return Network(
            work=int(max(work)),
            subsidy_sats=round(reward[0] - fees[0]),
            mean_fees_sats=fees[0] if mean_fees is None else mean_fees,
            fee_share=self._fee_share,
        )

    def _pool(self) -> Iterator[Reading]:
        for window, rate in self._board.rates().items():
            yield ("pool_hashrate_hashes_per_second", (window,)), rate.hashes_per_second
            yield ("pool_hashrate_lower_hashes_per_second", (window,)), rate.lower
            yield ("pool_hashrate_upper_hashes_per_second", (window,)), rate.upper
        present = self._board.round
        yield ("round_effort_ratio", ()), present.effort
        yield ("round_luck_p_value", ()), present.p_value
        yield ("luck_p_value", ()), present.recent_p_value
        if present.last_effort is not None:
            yield ("last_round_effort_ratio", ()), present.last_effort

    def _gateways(self, now: float) -> Iterator[Reading]:
        """Of one that is down only what it has counted: it has no miners and no work. Its alarms it may tell
        all the same."""
        for source, active in self._alarms(now).items():
            for alarm in Alarm:
                yield ("alarm", (gateway_number(source), alarm.value)), float(alarm in active)
        for source, state in self._board.gateways.items():
            number, is_up = gateway_number(source), self._board.is_up(source, now)
            if source in self._gone:
                continue
            yield ("gateway_up", (number,)), float(is_up)
            yield ("gateway_last_frame_timestamp_seconds", (number,)), state.at
            if state.is_closed:
                continue
            for (name, labels), value in state.readings.items():
                # One that is not known here is of a newer gateway, or in the memory of an older process.
                if name in _OF_GATEWAYS and (is_up or name not in _GAUGES_OF_GATEWAYS) and name != "alarm":
                    yield (name, (number, *labels)), value
