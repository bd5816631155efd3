"""[shell] Tells the instruments of a gateway's alarms past its spool: it may be the spool that has failed."""

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pool.accounting.control import INSTRUMENTS_SOCKET, NobodyThere, Refused, ask
from pool.gateway.alarms import Alarm, Alarms

TELL_SECONDS = 2.0  # while there is one: who listens forgets what is not said again
ANSWER_SECONDS = 10.0


class AlarmTeller:
    """Of one gateway, whose spool has this name. It speaks while there is an alarm, and once when there is
    none any more."""

    def __init__(
        self, directory: Path, source: str, alarms: Alarms, *, tell_seconds: float = TELL_SECONDS
    ) -> None:
        self._directory = directory
        self._source = source
        self._alarms = alarms
        self._tell_seconds = tell_seconds

    async def run(self) -> None:
        """Until cancelled. Where nobody listens nothing is told: the log has it."""
        is_told = False
        while True:
            active = sorted(self._alarms.active)
            if active or is_told:
                await self._tell(active)
                is_told = bool(active)
            await asyncio.sleep(self._tell_seconds)

    async def _tell(self, active: Iterable[Alarm]) -> None:
        # ValueError and the like: of an answer that is none. Whatever comes, mining goes on.
        with contextlib.suppress(NobodyThere, Refused, OSError, ValueError, msgspec.MsgspecError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await ask(
                    self._directory,
                    "alarms",
                    socket_name=INSTRUMENTS_SOCKET,
                    source=self._source,
                    alarms=[alarm.value for alarm in active],
                )
