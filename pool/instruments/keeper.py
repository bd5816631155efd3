"""[shell] Keeps the instruments alive beside the accounts: whatever ends them, the accounts go on.

Charts are worth much and money more. A bug in the instruments is told with its traceback; what they
remembered may be its cause, so that it is set aside, and they begin anew after a pause.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from config.schema import Settings
from pool.accounting.control import Refused
from pool.instruments.instruments import Instruments
from pool.instruments.links import Links, NoticeTaker
from pool.instruments.memory import Memory
from pool.keep_alive import keep_alive
from pool.logs.events import LogEvent
from pool.logs.log import Log

PAUSE_SECONDS = 10.0

log = Log("engineroom.instruments")


class InstrumentKeeper:
    """`run` it beside the accounts; `links` is what joins the two."""

    def __init__(
        self,
        settings: Settings,
        make: Callable[[Settings, Links], Instruments] = Instruments,
        *,
        notices: NoticeTaker | None = None,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self.links = Links(notices)
        self._settings = settings
        self._make = make
        self._pause_seconds = pause_seconds
        self._now: Instruments | None = None

    async def run(self) -> None:
        """Until cancelled; raises nothing else."""
        await keep_alive(self._run, self._failed, self._pause_seconds)

    async def _run(self) -> None:
        self._now = self._make(self._settings, self.links)
        await self._now.run()

    def _failed(self, error: Exception, is_ending: bool) -> None:
        log.critical(LogEvent.INSTRUMENTS_FAILED, exc_info=error, pause_seconds=self._pause_seconds)
        self._now = None
        if not is_ending:
            Memory(Path(self._settings.data_directory)).set_aside()

    async def farm(self, group: str | None = None, most: int | None = None) -> msgspec.Raw:
        """The report of `engineroom farm`, as JSON. Raises Refused."""
        return await self._living().farm(group, most)

    async def forget(self, machines: list[str]) -> str | None:
        """Machines are gone for good; why that cannot be kept, if so. Raises Refused."""
        return await self._living().forget(machines)

    async def alarms(self, source: str, alarms: list[str]) -> None:
        """A gateway tells of its alarms. Raises Refused."""
        self._living().take_alarms(source, alarms)

    def _living(self) -> Instruments:
        if self._now is None:
            raise Refused("the instruments are being started anew: ask again in a moment, and see the log")
        return self._now
