"""[shell] The outbox: the queue of notices in one file of the data directory, written whole at each change.

What `take` returned from, is on disk, together with how far the accounts were read: a restart neither loses
nor repeats it. What was sent and not yet noted when the process died is sent again, with the same id.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from pool.accounting.document_file import store
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.notices.notice import Notice
from pool.notices.queue import VERSION, Position, Queue
from pool.notices.targets import Target
from pool.wording import counted

FOLDER = "notices"
FILE = "outbox.json"

T = TypeVar("T")

log = Log("engineroom.notices")


class Outbox:
    """The notices that wait, of one process: who opens it has seen to that. `changed` is set once something
    has changed; whoever waits takes the event first and looks then."""

    def __init__(self, path: Path, targets: Sequence[Target], queue: Queue) -> None:
        self._path = path
        self._wants = {target.name: target.wants for target in targets}
        self._queue = queue.only_for(self._wants)
        self._writing = asyncio.Lock()
        self._full: dict[str, int] = {}
        self.changed = asyncio.Event()

    @classmethod
    def open(cls, directory: Path, targets: Sequence[Target]) -> "Outbox":
        """As the last process left it. Blocking. What cannot be read is set aside."""
        path = directory / FOLDER / FILE
        return cls(path, targets, _read(path))

    @property
    def position(self) -> Position | None:
        """How far the accounts were read; None before they were for the first time."""
        return self._queue.position

    def waiting(self, target: str) -> list[Notice]:
        """What waits for it, the oldest first."""
        return self._queue.waiting(target)

    async def take(self, notices: Sequence[Notice], now_us: int, position: Position | None = None) -> None:
        """Add what is new. Raises OSError, and then nothing has changed."""

        def change(queue: Queue) -> tuple[Queue, tuple[int, dict[str, int]]]:
            changed, taken = queue.take(notices, self._wants, now_us, position)
            return changed, (taken.too_old, taken.dropped)

        too_old, dropped = await self._change(change)
        if too_old:
            log.warning(LogEvent.NOTICES_TOO_OLD, notices=_are(too_old))
        self._tell_full(dropped)

    async def sent(self, target: str, notices: Sequence[Notice]) -> None:
        """They wait for it no more. Raises OSError, and then nothing has changed."""
        await self._change(lambda queue: (queue.without(target, [notice.id for notice in notices]), None))
        if len(self.waiting(target)) == 0 and (count := self._full.pop(target, 0)):
            log.warning(LogEvent.TARGET_CAUGHT_UP, target=target, notices=_were(count))

    async def drop_old(self, now_us: int) -> None:
        """Give up what has waited for a day. Raises OSError, and then nothing has changed."""
        dropped = await self._change(lambda queue: queue.without_old(now_us))
        if dropped:
            log.warning(LogEvent.NOTICES_EXPIRED, notices=_are(dropped))

    async def _change(self, change: Callable[[Queue], tuple[Queue, T]]) -> T:
        """It happens also where who asked for it is cancelled: a thread that writes cannot be stopped, and
        the next change waits for it."""
        return await asyncio.shield(self._changed(change))

    async def _changed(self, change: Callable[[Queue], tuple[Queue, T]]) -> T:
        async with self._writing:
            queue, result = change(self._queue)
            if queue != self._queue:
                await asyncio.to_thread(store, self._path, msgspec.json.encode(queue))
                self._queue = queue
                changed, self.changed = self.changed, asyncio.Event()
                changed.set()
            return result

    def _tell_full(self, dropped: dict[str, int]) -> None:
        for target, count in dropped.items():
            if target not in self._full:
                log.error(LogEvent.TARGET_FULL, target=target)
            self._full[target] = self._full.get(target, 0) + count


def _read(path: Path) -> Queue:
    try:
        queue = msgspec.json.decode(path.read_bytes(), type=Queue)
    except FileNotFoundError:
        return Queue()
    except OSError as error:
        return _set_aside(path, f"cannot be read ({error.strerror or error})")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _set_aside(path, f"cannot be read ({error})")
    if queue.version > VERSION:
        return _set_aside(path, f"was written by a newer version ({queue.version})")
    return queue


def _set_aside(path: Path, why: str) -> Queue:
    """Money does not depend on it: the accounts go on, and notices begin with what happens from now on."""
    aside = path.with_suffix(".unreadable")
    try:
        path.rename(aside)
    except OSError as error:
        log.error(LogEvent.OUTBOX_UNREADABLE, path=path, why=why, error=error.strerror or error)
        return Queue()
    log.error(LogEvent.OUTBOX_SET_ASIDE, path=path, why=why, aside=aside.name)
    return Queue()


def _are(count: int) -> str:
    return f"{counted(count, 'notice')} {'is' if count == 1 else 'are'}"


def _were(count: int) -> str:
    return f"{counted(count, 'notice')} {'was' if count == 1 else 'were'}"
