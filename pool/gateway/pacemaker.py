"""Drives a recorder and its spool in time: syncs in a thread, a frame a second, room on the disk, the close.

One thread does all that may wait for the disk, one thing at a time. On the loop there is only `write`.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pool.gateway.alarms import Alarm, Alarms
from pool.gateway.disk import Disk
from pool.gateway.recorder import Recorder
from pool.gateway.segment_files import SyncJob
from pool.gateway.space import Space
from pool.gateway.spool import Spool
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.clock import RecordClock

SYNC_SECONDS = 0.05  # what a power cut costs at most
CLOSE_SECONDS = 10.0
SYNC_RETRY_SECONDS = 1.0  # a disk that has failed is not asked twenty times a second to fail again
BEAT_SECONDS = 0.25
BEATS_A_SPACE_CHECK = 8

log = Log("engineroom.spool")


class Pacemaker:
    """Made on the loop, stopped once with `close`."""

    def __init__(
        self,
        recorder: Recorder,
        spool: Spool,
        space: Space,
        clock: RecordClock,
        disk: Disk,
        alarms: Alarms,
        commit: Callable[[], None],
    ) -> None:
        """`commit` ends a tick early: it writes the recorder's frame and answers for what that fails."""
        self._loop = asyncio.get_running_loop()
        self._recorder = recorder
        self._spool = spool
        self._space = space
        self._clock = clock
        self._disk = disk
        self._alarms = alarms
        self._commit = commit
        self._thread = ThreadPoolExecutor(1, "spool")
        self._syncing: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_urgent = False
        self._is_closing = False
        recorder.on_written = self._written

    async def run(self) -> None:
        """Beats for ever; a bug ends it."""
        beat = 0
        checking = self._loop.run_in_executor(self._thread, self._space.check)
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if self._is_closing:
                return
            self._recorder.let_time_pass()
            self._commit()
            self._spool.let_time_pass()
            beat += 1
            if beat % BEATS_A_SPACE_CHECK == 0:
                self._look_at_the_clock()
                if checking.done():  # never waited for: a disk that hangs does not stop the beat
                    checking = self._loop.run_in_executor(self._thread, self._space.check)

    async def close(self) -> None:
        """The closing frame, synced, and a frame that says so. Nothing may be recorded after it."""
        self._commit()
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._syncing is not None:
                    await asyncio.wait([self._syncing])
                await self._write_the_end()
        except (OSError, TimeoutError) as error:
            log.error(LogEvent.SPOOL_CLOSED_UNSYNCED, error=str(error) or "the disk hangs")
        else:
            self._spool.close()
        self._thread.shutdown(wait=False)

    async def _write_the_end(self) -> None:
        """Raises OSError."""
        is_written = self._recorder.close()
        await self._sync()
        if is_written and not self._spool.is_dirty:
            self._recorder.close_again()
            await self._sync()

    async def _sync(self) -> None:
        job = self._spool.sync_job()
        if job is not None:
            await self._loop.run_in_executor(self._thread, job.run, self._disk)
            self._spool.synced(job)

    def _look_at_the_clock(self) -> None:
        if self._clock.is_wrong:
            seconds = self._clock.error_us / 1e6
            text = f"the machine's clock is {seconds:+.0f} s off the time that shares are recorded with"
            self._alarms.raised(Alarm.CLOCK, text)
        else:
            self._alarms.over(Alarm.CLOCK)

    # ------------------------------------------------------------------ syncs

    def _written(self, is_urgent: bool) -> None:
        if self._is_closing:
            return
        if self._syncing is not None:
            self._is_urgent |= is_urgent
        elif is_urgent:
            self._start()
        elif self._timer is None:
            self._timer = self._loop.call_later(SYNC_SECONDS, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        job = self._spool.sync_job()
        if job is None:
            if self._spool.is_dirty:
                self._timer = self._loop.call_later(SYNC_RETRY_SECONDS, self._start)
            return
        self._syncing = self._loop.run_in_executor(self._thread, job.run, self._disk)
        self._syncing.add_done_callback(lambda done: self._done(job, done))

    def _done(self, job: SyncJob, done: "asyncio.Future[None]") -> None:
        self._syncing = None
        is_urgent, self._is_urgent = self._is_urgent, False
        error = None if done.cancelled() else done.exception()
        if isinstance(error, OSError):
            self._spool.sync_failed(error)
        elif error is not None:
            raise error
        else:
            self._spool.synced(job)
        if self._is_closing:
            return
        if error is not None:
            self._timer = self._loop.call_later(SYNC_RETRY_SECONDS, self._start)
        elif is_urgent:
            self._start()
        else:
            self._timer = self._loop.call_later(SYNC_SECONDS, self._go_on)

    def _go_on(self) -> None:
        """Between two syncs: tell readers of the last, where no frame has since."""
        self._timer = None
        self._recorder.frames_synced()
        self._commit()
        if self._spool.is_dirty and self._syncing is None:
            self._start()
