"""[shell] The accountant as a process of its own: `engineroom accountant`, which the supervisor starts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from config.schema import Settings
from pool.accounting.accountant import Accountant, now_us
from pool.accounting.control import INSTRUMENTS_SOCKET, ControlSocket, Operation
from pool.accounting.journal_reading import JournalError, JournalInUse
from pool.accounting.matching import HistoriesDiffer
from pool.app import stop_on_signals
from pool.audit.keys import KeyRefused
from pool.instruments.keeper import InstrumentKeeper
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.notices.bugs import survive_bugs
from pool.notices.notifier import Notifier
from pool.notices.pacing import BUG_SECONDS
from pool.storage.database import DatabaseError, DatabaseUnavailable, LeaseTaken
from pool.supervisor import NEEDS_A_PERSON

OPENING_SECONDS = 2.0
TRY_AGAIN = 1  # the exit code of one whose database went away before its duties had begun
LETTING_GO_SECONDS = 15.0
# An accountant whose supervisor was killed ends by itself, and finishes what it is at. One that is still
# there after this is another pool's, or was started twice.

log = Log("engineroom.accounting")


async def run_accountant(
    settings: Settings,
    opening: Callable[[Settings], Awaitable[Accountant]] = Accountant.open,
    *,
    letting_go_seconds: float = LETTING_GO_SECONDS,
) -> int:
    """Open the accounts and keep them until SIGTERM. The exit code: 0; TRY_AGAIN or NEEDS_A_PERSON after one
    line."""
    stop = stop_on_signals()
    code = 0
    try:
        async with _notices(settings) as notifier, _instruments(settings, notifier) as keeper:
            accountant = await _opened(settings, opening, stop, letting_go_seconds)
            if accountant is not None:
                keeper.links.opened(accountant.figures)
                await accountant.run(stop, notifier)
    except* DatabaseUnavailable as group:
        for gone in _leaves(group):
            log.error(LogEvent.ACCOUNTS_LOST, error=gone)
        code = TRY_AGAIN
    except* (DatabaseError, JournalError, HistoriesDiffer, KeyRefused, OSError) as group:
        for error in _leaves(group):
            log.critical(LogEvent.ACCOUNTS_REFUSED, error=error)
        code = NEEDS_A_PERSON
    return code


@contextlib.asynccontextmanager
async def _notices(settings: Settings) -> AsyncIterator[Notifier | None]:
    """Who tells people, from before there is anything to tell until the last notice is on disk: it needs no
    database, and a node may go down while that is away. None where nobody is to be told."""
    notifier = Notifier.of(settings, now_us)
    if notifier is None:
        yield None
        return
    task = asyncio.create_task(survive_bugs("telling people", notifier.run, BUG_SECONDS), name="notices")
    try:
        yield notifier
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await notifier.finish()


@contextlib.asynccontextmanager
async def _instruments(settings: Settings, notifier: Notifier | None) -> AsyncIterator[InstrumentKeeper]:
    """The instruments and their socket, from before the accounts are opened for as long as they are kept."""
    keeper = InstrumentKeeper(settings, notices=notifier)
    operations: dict[str, Operation] = {
        "farm": keeper.farm,
        "forget": keeper.forget,
        "alarms": keeper.alarms,
    }
    control = ControlSocket(Path(settings.data_directory) / INSTRUMENTS_SOCKET, operations)
    await control.look()
    tasks = [
        asyncio.create_task(keeper.run(), name="instruments"),
        asyncio.create_task(control.serve(), name="instruments' answers"),
    ]
    for task in tasks:
        task.add_done_callback(_tell_bug)
    try:
        yield keeper
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await control.close()  # who is cancelled before the first step has no end of its own


def _tell_bug(task: asyncio.Task[None]) -> None:
    """A bug around the instruments must not end the accounts, and must not be silent."""
    if not task.cancelled() and task.exception() is not None:
        log.critical(LogEvent.INSTRUMENTS_ENDED, exc_info=task.exception(), task=task.get_name())


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors themselves: duties and instruments run in groups of groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _opened(
    settings: Settings,
    opening: Callable[[Settings], Awaitable[Accountant]],
    stop: asyncio.Event,
    letting_go_seconds: float,
) -> Accountant | None:
    """Waits for a database that is gone, and some time for another accountant to end; None where told to
    stop."""
    loop = asyncio.get_running_loop()
    given_up_at = loop.time() + letting_go_seconds
    told = ""
    while not stop.is_set():
        try:
            return await opening(settings)
        except (DatabaseUnavailable, LeaseTaken, JournalInUse) as error:
            if not isinstance(error, DatabaseUnavailable) and loop.time() >= given_up_at:
                raise
            if str(error) != told:
                told = str(error)
                log.error(LogEvent.ACCOUNTS_UNOPENED, error=error)
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting], timeout=min(OPENING_SECONDS, letting_go_seconds))
        waiting.cancel()
    return None
