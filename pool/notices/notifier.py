"""[shell] The notifier: whoever has something to tell hands it over here, and goes on at once.

It belongs to the accountant's process. What others have to tell it takes (`take`), keeps and sends without a
database; what the accounts show it reads for itself (`look`) once they are open. Neither what the network
does nor a bug in `run` comes back to them.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from config.schema import Settings
from pool.accounting.assembly import network_name
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.notices import watcher
from pool.notices.bugs import survive_bugs
from pool.notices.notice import Notice
from pool.notices.outbox import FOLDER, Outbox
from pool.notices.pacing import Patience
from pool.notices.sender import Sender
from pool.notices.targets import Target, targets_of
from pool.storage.database import DatabaseError, LeaseTaken, ReadableDatabase
from pool.storage.lease import FileLock

LOCK = "lock"  # beside the outbox: it has one process at a time
MOST_IN_HAND = 1_000  # notices that are not on disk yet: more come together only while it cannot be written
HELD_SECONDS = 1.0  # between two looks whether the accountant before this one has ended
EXPIRY_SECONDS = 60.0  # between two looks for what is a day old

log = Log("engineroom.notices")


class Notifier:
    """One pool's notices. Make it with `of`; `run` it, `take` at any time, and `look` now and then."""

    def __init__(
        self,
        directory: Path,
        targets: Sequence[Target],
        network: str,
        now_us: Callable[[], int],
        patience: Patience,
    ) -> None:
        """`directory` is the data directory, `network` as in `bitcoin mainnet`."""
        self._directory = directory
        self._targets = targets
        self._network = network
        self._now_us = now_us
        self._patience = patience
        self._outbox: Outbox | None = None  # while `run` has it
        self._in_hand: list[Notice] = []
        self._taken = asyncio.Event()  # while something is in hand
        self._is_full = False

    @classmethod
    def of(
        cls, settings: Settings, now_us: Callable[[], int], patience: Patience | None = None
    ) -> "Notifier | None":
        """As the settings have it; None where nobody is to be told."""
        targets = targets_of(settings)
        if not targets:
            return None
        directory = Path(settings.data_directory)
        return cls(directory, targets, network_name(settings), now_us, patience or Patience())

    def take(self, notice: Notice) -> None:
        """Tell of it, once for its id. Returns at once, raises nothing; on the loop that `run` runs on."""
        if len(self._in_hand) >= MOST_IN_HAND:
            if not self._is_full:
                self._is_full = True
                log.error(LogEvent.NOTICES_FLOODED)
            return
        self._in_hand.append(notice)
        self._taken.set()

    async def look(self, database: ReadableDatabase) -> None:
        """Take what the accounts show since the last look; nothing while `run` has not got the outbox.

        Raises DatabaseError, and OSError where it cannot be written down; then the next look sees it again.
        """
        outbox = self._outbox
        if outbox is None:
            return
        position = outbox.position
        async with database.reading() as reader:
            found, reached = await watcher.news(reader, position or await watcher.now_at(reader))
        if found or reached != position:
            await outbox.take(found, self._now_us(), reached)

    async def run(self) -> None:
        """Write down what is taken, and send what waits, until it is cancelled. What was taken by then is
        written down: a restart loses none."""
        lock = await self._locked()
        try:
            outbox = self._outbox = Outbox.open(self._directory, self._targets)
            try:
                await self._work(outbox)
            finally:
                self._outbox = None
                await self._write_rest(outbox)
        finally:
            lock.release()

    async def finish(self) -> None:
        """Write down what `run` did not, where it has ended by a bug or never had the outbox. Raises nothing
        that the disk or another process is the cause of."""
        if not self._in_hand:
            return
        try:
            lock = self._lock()
        except (LeaseTaken, DatabaseError, OSError) as error:
            log.error(LogEvent.NOTICES_UNWRITTEN, error=error)
            return
        try:
            await self._write_rest(Outbox.open(self._directory, self._targets))
        finally:
            lock.release()

    async def _locked(self) -> FileLock:
        """Once the accountant before this one has ended, as after a kill of the supervisor. One that does not
        end has the journal as well, and that is told."""
        failures = 0
        while True:
            try:
                return self._lock()
            except LeaseTaken:
                await asyncio.sleep(HELD_SECONDS)
            except (DatabaseError, OSError) as error:
                failures += 1
                if failures == 1:
                    log.error(LogEvent.NOTICES_UNWRITTEN, error=error)
                await asyncio.sleep(self._patience.pause_seconds(failures, 0.0, None))

    def _lock(self) -> FileLock:
        path = self._directory / FOLDER / LOCK
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock.take(path, f"accountant {os.getpid()}")

    async def _work(self, outbox: Outbox) -> None:
        jitter = secrets.SystemRandom().random
        sender = Sender(self._targets, outbox, self._network, self._now_us, jitter, patience=self._patience)
        parts = {
            "writing notices down": lambda: self._write_down(outbox),
            "dropping old notices": lambda: self._drop_old(outbox),
        }
        async with asyncio.TaskGroup() as group:
            for what, work in parts.items():
                group.create_task(survive_bugs(what, work, self._patience.after_bug_seconds), name=what)
            group.create_task(sender.run(), name="sending notices")

    async def _write_down(self, outbox: Outbox) -> None:
        failures = 0
        while True:
            await self._taken.wait()
            notices = tuple(self._in_hand)
            try:
                await outbox.take(notices, self._now_us())
            except OSError as error:
                failures += 1
                if failures == 1:
                    log.error(LogEvent.NOTICES_UNWRITTEN, error=error)
                await asyncio.sleep(self._patience.pause_seconds(failures, 0.0, None))
                continue
            failures = 0
            self._is_full = False
            del self._in_hand[: len(notices)]
            if not self._in_hand:
                self._taken.clear()

    async def _drop_old(self, outbox: Outbox) -> None:
        while True:
            with contextlib.suppress(OSError):  # whoever writes notices down tells of it
                await outbox.drop_old(self._now_us())
            await asyncio.sleep(EXPIRY_SECONDS)

    async def _write_rest(self, outbox: Outbox) -> None:
        """Behind a change that is being written: nobody else may have the file before that is done. What is
        taken meanwhile stays in hand."""
        notices = tuple(self._in_hand)
        try:
            await outbox.take(notices, self._now_us())
        except OSError as error:
            log.error(LogEvent.NOTICES_UNWRITTEN, error=error)
        else:
            del self._in_hand[: len(notices)]
