"""[shell] The notifier: whoever has something to tell hands it over here, and goes on at once.

It belongs to the accountant's process, reads the accounts for itself (`look`) and takes from others (`take`)
what the accounts do not show. Nothing that the network does comes back to either, nor does a bug in `run`.
"""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

from config.schema import Settings
from pool.accounting.assembly import network_name
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.notices import watcher
from pool.notices.bugs import survive_bugs
from pool.notices.notice import Notice
from pool.notices.outbox import Outbox
from pool.notices.pacing import Patience
from pool.notices.sender import Sender
from pool.notices.targets import targets_of
from pool.storage.database import ReadableDatabase

MOST_IN_HAND = 1_000  # notices that are not on disk yet: more come together only while it cannot be written

log = Log("engineroom.notices")


class Notifier:
    """One pool's notices. Make it with `open`; `run` it, and `look` now and then."""

    def __init__(self, outbox: Outbox, sender: Sender, now_us: Callable[[], int], patience: Patience) -> None:
        self._outbox = outbox
        self._sender = sender
        self._now_us = now_us
        self._patience = patience
        self._in_hand: list[Notice] = []
        self._taken = asyncio.Event()  # while something is in hand
        self._is_full = False

    @classmethod
    def open(
        cls, settings: Settings, now_us: Callable[[], int], patience: Patience | None = None
    ) -> "Notifier | None":
        """As the settings have it; None where nobody is to be told. Blocking."""
        targets = targets_of(settings)
        if not targets:
            return None
        outbox = Outbox.open(Path(settings.data_directory), targets)
        patience = patience or Patience()
        jitter = secrets.SystemRandom().random
        sender = Sender(targets, outbox, network_name(settings), now_us, jitter, patience=patience)
        return cls(outbox, sender, now_us, patience)

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
        """Take what the accounts show since the last look, and give up what is a day old.

        Raises DatabaseError, and OSError where it cannot be written down; then the next look sees it again.
        """
        position = self._outbox.position
        async with database.reading() as reader:
            found, reached = await watcher.news(reader, position or await watcher.now_at(reader))
        if found or reached != position:
            await self._outbox.take(found, self._now_us(), reached)
        await self._outbox.drop_old(self._now_us())

    async def run(self) -> None:
        """Write down what is taken, and send what waits, until it is cancelled."""
        pause_seconds = self._patience.after_bug_seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(survive_bugs("writing notices down", self._write_down, pause_seconds))
            group.create_task(self._sender.run())

    async def _write_down(self) -> None:
        failures = 0
        while True:
            await self._taken.wait()
            notices = tuple(self._in_hand)
            try:
                await self._outbox.take(notices, self._now_us())
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
