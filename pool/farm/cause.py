"""One thing that faults may have in common, and the faults that do: Cause, Cluster. Pure; it explains none.

A cause says which faults it could be the cause of; whether it is, pool.farm.explanation judges.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from pool.farm.faults import Census, Fault

MINUTE_US = 60_000_000
GROWING_US = 10 * MINUTE_US
# Longer than a silent machine takes to be known as one, and than a rack's machines take to drop out one by
# one while its switch or its cooling fails; shorter than people take to forget.

Kind = Literal["farm", "group", "firmware", "minute", "machine"]


class Cause(msgspec.Struct, frozen=True, order=True):
    """What faults have in common. `name` is a group's path, a firmware's family, the first moment of a minute
    in Unix microseconds or a machine's key; `level` is what a group is called: row, rack."""

    kind: Kind
    name: str = ""
    level: str = ""

    def covers(self, fault: Fault) -> bool:
        """Whether it could be this fault's cause."""
        match self.kind:
            case "farm":
                return True
            case "group":
                return f"{fault.place.group}/".startswith(f"{self.name}/")
            case "firmware":
                return fault.firmware == self.name
            case "minute":
                return 0 <= fault.since_us - int(self.name) < MINUTE_US
            case "machine":
                return fault.machine == self.name

    def machines(self, census: Census) -> int | None:
        """How many machines it could strike; None where that is no number of its own."""
        match self.kind:
            case "farm":
                return census.machines
            case "group":
                return census.by_group.get(self.name, 0)
            case "firmware":
                return census.by_firmware.get(self.name, 0)
            case _:
                return None


class Cluster(msgspec.Struct, frozen=True):
    """Faults of one cause, the earliest first."""

    cause: Cause
    faults: tuple[Fault, ...]


def onset(faults: Sequence[Fault]) -> int:
    """When it began, in Unix microseconds: from the middle fault back while gaps are under ten minutes.

    One machine of a rack that was silent since yesterday does not make its power cut yesterday's.
    """
    times = sorted(fault.since_us for fault in faults)
    place = len(times) // 2
    while place > 0 and times[place] - times[place - 1] < GROWING_US:
        place -= 1
    return times[place]
