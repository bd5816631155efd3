"""A group as a report shows it: its line, and what else is known of its machines put together. Pure.

Charts do without the rest: they are drawn every few seconds, and it costs several times what the line does.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec

from pool.farm.floor import Floor
from pool.farm.machine_state import Glance, MachineState
from pool.farm.member import Member
from pool.farm.pauses import covers
from pool.farm.summary import Glances, GroupLine, group_lines, summed_by_group


class GroupView(GroupLine, frozen=True, kw_only=True):
    """A group's line, and of all its machines:

    states             how many are in each
    faulty_since_us    since when the oldest of their faults lasts; None where none is at fault
    refused_by_reason  the parts of `refused`, the largest first
    best_difficulty    of the best share; 0 before there is one
    last_share_us      the newest; None before there is one
    uptime             the mean of those that have one; None before one has
    firmware           how many run which family, the most common first; who never came runs none
    """

    states: dict[str, int]
    faulty_since_us: int | None
    refused_by_reason: dict[str, float]
    best_difficulty: float
    last_share_us: int | None
    uptime: float | None
    firmware: dict[str, int]


def group_views(
    floor: Floor, glances: Glances, difficulty_of: Callable[[float], float], group: str | None = None
) -> list[GroupView]:
    """All groups in one (None: in the farm), itself among them, as `group_lines` has them in order.
    `difficulty_of` turns expected hashes of a share into its difficulty."""
    inside = [one for one in glances if group is None or covers(group, one[0].place.group)]
    rests = summed_by_group(inside, lambda: _Rest(floor.time))
    return [
        rests[line.group].view(line, floor, difficulty_of)
        for line in group_lines(inside)
        if group is None or covers(group, line.group)
    ]


class _Rest:
    """What a group's line leaves out, as of `at` by the floor's clock."""

    __slots__ = (
        "_all_work",
        "_at",
        "_best_work",
        "_faulty_since",
        "_firmware",
        "_last_share_at",
        "_refused_work",
        "_states",
        "_uptime",
        "_with_uptime",
    )

    def __init__(self, at: float) -> None:
        self._at = at
        self._states = dict.fromkeys((state.value for state in MachineState), 0)
        self._faulty_since, self._last_share_at = math.inf, -math.inf
        self._refused_work: dict[str, float] = defaultdict(float)
        self._firmware: Counter[str] = Counter()
        self._all_work = self._best_work = self._uptime = 0.0
        self._with_uptime = 0

    def add(self, member: Member, glance: Glance) -> None:
        state = member.watch.state
        self._states[state.value] += 1
        if member.is_faulty:
            self._faulty_since = min(self._faulty_since, member.watch.state_since)
        if state is not MachineState.SILENT:
            self._all_work += glance.all_work
            if glance.refused_work > 0:
                for reason, part in member.watch.refused_by_reason(self._at).items():
                    self._refused_work[reason] += part * glance.all_work
        self._best_work = max(self._best_work, member.best_work)
        if glance.last_share_at is not None:
            self._last_share_at = max(self._last_share_at, glance.last_share_at)
        uptime = member.uptime(self._at)
        if uptime is not None:
            self._uptime += uptime
            self._with_uptime += 1
        if member.family:
            self._firmware[member.family] += 1

    def add_all(self, other: "_Rest") -> None:
        for state, count in other._states.items():
            self._states[state] += count
        self._faulty_since = min(self._faulty_since, other._faulty_since)
        for reason, work in other._refused_work.items():
            self._refused_work[reason] += work
        self._all_work += other._all_work
        self._best_work = max(self._best_work, other._best_work)
        self._last_share_at = max(self._last_share_at, other._last_share_at)
        self._uptime += other._uptime
        self._with_uptime += other._with_uptime
        self._firmware.update(other._firmware)

    def view(self, line: GroupLine, floor: Floor, difficulty_of: Callable[[float], float]) -> GroupView:
        return GroupView(
            **msgspec.structs.asdict(line),
            states=self._states,
            faulty_since_us=_unix_us(floor, self._faulty_since),
            refused_by_reason=self._refused_by_reason(),
            best_difficulty=difficulty_of(self._best_work) if self._best_work else 0.0,
            last_share_us=_unix_us(floor, self._last_share_at),
            uptime=self._uptime / self._with_uptime if self._with_uptime else None,
            firmware=dict(self._firmware.most_common()),
        )

    def _refused_by_reason(self) -> dict[str, float]:
        largest_first = sorted(self._refused_work.items(), key=lambda entry: (-entry[1], entry[0]))
        return {reason: work / self._all_work for reason, work in largest_first}


def _unix_us(floor: Floor, at: float) -> int | None:
    return floor.unix_us(at) if math.isfinite(at) else None
