"""[shell] What a bug in one part of the notices may cost: that part, for a pause. All else goes on."""

from collections.abc import Callable, Coroutine
from typing import Any

from pool.keep_alive import keep_alive
from pool.logs.events import LogEvent
from pool.logs.log import Log

log = Log("engineroom.notices")


async def survive_bugs(
    what: str, work: Callable[[], Coroutine[Any, Any, None]], pause_seconds: float
) -> None:
    """Do this part of the work until cancelled; raises nothing else. `what`: "telling phone", for the log."""

    def failed(error: Exception, _: bool) -> None:
        log.critical(LogEvent.NOTICES_FAILED, exc_info=error, what=what, pause_seconds=pause_seconds)

    await keep_alive(work, failed, pause_seconds)
