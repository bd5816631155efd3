"""What somebody must look at, by name: said once when it begins and once when it is over."""

from enum import StrEnum

from pool.logs.events import LogEvent
from pool.logs.log import Log

log = Log("engineroom.alarms")


class Alarm(StrEnum):
    """All that a gateway raises an alarm for. The member is its own label."""

    CLOCK = "spool-clock"
    FULL = "spool-full"
    RESERVE = "spool-reserve"
    SEGMENT = "spool-segment"
    SPACE = "spool-space"
    SYNC = "spool-sync"
    WRITE = "spool-write"


class Alarms:
    """The alarms that are on. `active` is for whoever shows them."""

    def __init__(self) -> None:
        self.active: dict[Alarm, str] = {}

    def raised(self, name: Alarm, text: str) -> None:
        """It is so now; repeated calls are one alarm."""
        if name not in self.active:
            log.error(LogEvent.ALARM_RAISED, alarm=name, text=text)
        self.active[name] = text

    def over(self, name: Alarm) -> None:
        """It is so no more; nothing where it was not."""
        if self.active.pop(name, None) is not None:
            log.warning(LogEvent.ALARM_ENDED, alarm=name)
