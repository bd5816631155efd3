"""The farm in lines: its machines and groups, the worst first; for tables and charts. Pure."""

from collections.abc import Callable

import msgspec

from pool.farm.floor import Floor
from pool.farm.machine_state import MachineState
from pool.farm.member import Member
from pool.farm.pauses import covers

STATE_RANK = {state: rank for rank, state in enumerate(("silent", "rejecting", "low", "new", "paused", "ok"))}
MICROSECONDS = 1_000_000


class MachineLine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine. Hashrates in hashes per second over ten minutes, with its 95 % interval (upper None where
    nothing bounds it); parts from 0 to 1; what is not known is None."""

    name: str
    account: str
    group: str
    model: str
    firmware: str
    state: str
    state_since_us: int
    is_never_seen: bool
    expected: float | None
    measured: float
    measured_lower: float
    measured_upper: float | None
    missing: float
    refused: float
    refused_by_reason: dict[str, float]
    best_difficulty: float
    last_share_us: int | None
    connections: int
    uptime: float | None


class GroupLine(msgspec.Struct, frozen=True, kw_only=True):
    """One group, with all inside it; paused machines are counted and not expected to hash."""

    group: str
    machines: int
    faulty: int
    paused: int
    expected: float
    measured: float
    refused: float

    @property
    def missing(self) -> float:
        return max(0.0, self.expected - self.measured)


class FarmSums(msgspec.Struct, kw_only=True):
    """The whole farm, in hashes per second and watts. Nameplate is what machines should do that are not
    paused, running what they do that are neither paused nor silent. Watts are of machines whose watts are
    listed, of the others the hashrates are kept apart."""

    states: dict[str, int] = msgspec.field(default_factory=lambda: {state.value: 0 for state in MachineState})
    nameplate: float = 0.0
    running: float = 0.0
    paused: float = 0.0
    refused_rate: float = 0.0
    nameplate_watts: float = 0.0
    running_watts: float = 0.0
    paused_watts: float = 0.0
    unlisted_nameplate: float = 0.0
    unlisted_running: float = 0.0
    unlisted_paused: float = 0.0

    @property
    def refused(self) -> float:
        """The part of the work that is refused."""
        return _part(self.refused_rate, self.running)

    def add(self, member: Member, at: float) -> None:
        glance, state, watts = member.watch.glance(at), member.watch.state, member.watts
        self.states[state.value] += 1
        measured = 0.0 if state is MachineState.SILENT else glance.hashes_per_second
        should = glance.expected or measured
        if state is MachineState.PAUSED:
            self.paused += should
            if watts is None:
                self.unlisted_paused += should
            else:
                self.paused_watts += watts
            return
        self.nameplate += should
        self.running += measured
        self.refused_rate += _refused_rate(measured, glance.refused)
        if watts is None:
            self.unlisted_nameplate += should
            self.unlisted_running += measured
        else:
            self.nameplate_watts += watts
            self.running_watts += 0.0 if state is MachineState.SILENT else watts


def machine_lines(
    floor: Floor, difficulty_of: Callable[[float], float], group: str | None
) -> list[MachineLine]:
    """All machines of a group (None: of the farm), the worst first. `difficulty_of` turns expected hashes of
    a share into its difficulty."""
    members = (one for one in floor.members.values() if group is None or covers(group, one.place.group))
    lines = [_machine_line(floor, member, difficulty_of) for member in members]
    return sorted(lines, key=lambda one: (STATE_RANK[one.state], -one.missing, one.group, one.name))


def _machine_line(floor: Floor, member: Member, difficulty_of: Callable[[float], float]) -> MachineLine:
    view = member.watch.view(floor.time)
    rate = view.ten_minutes
    measured = 0.0 if view.state is MachineState.SILENT else rate.hashes_per_second
    is_idle = view.state is MachineState.PAUSED
    return MachineLine(
        name=member.name,
        account=member.account,
        group=member.place.group,
        model="" if member.listing is None else member.listing.model,
        firmware=member.firmware,
        state=view.state.value,
        state_since_us=floor.unix_us(view.state_since),
        is_never_seen=view.never_seen,
        expected=view.expected,
        measured=measured,
        measured_lower=min(rate.lower, measured),
        measured_upper=rate.upper if rate.upper < float("inf") else None,
        missing=0.0 if is_idle else max(0.0, (view.expected or 0.0) - measured),
        refused=view.refused,
        refused_by_reason=view.refused_by_reason,
        best_difficulty=difficulty_of(member.best_work) if member.best_work else 0.0,
        last_share_us=None if view.last_share_at is None else floor.unix_us(view.last_share_at),
        connections=view.connections,
        uptime=member.uptime(floor.time),
    )


class _Sum:
    """What of a group's machines adds up."""

    __slots__ = ("expected", "faulty", "machines", "measured", "paused", "refused_rate")

    def __init__(self) -> None:
        self.machines = self.faulty = self.paused = 0
        self.expected = self.measured = self.refused_rate = 0.0


def group_lines(floor: Floor) -> list[GroupLine]:
    """All groups, those that lie in others too, the one that misses most first."""
    sums: dict[str, _Sum] = {}
    at = floor.time
    for member in floor.members.values():
        glance, state = member.watch.glance(at), member.watch.state
        measured = 0.0 if state is MachineState.SILENT else glance.hashes_per_second
        for _, path in member.place.groups():
            one = sums.get(path)
            if one is None:
                one = sums[path] = _Sum()
            one.machines += 1
            one.faulty += member.is_faulty
            one.measured += measured
            one.refused_rate += _refused_rate(measured, glance.refused)
            if state is MachineState.PAUSED:
                one.paused += 1
            else:
                one.expected += glance.expected or measured
    lines = [
        GroupLine(
            group=path,
            machines=one.machines,
            faulty=one.faulty,
            paused=one.paused,
            expected=one.expected,
            measured=one.measured,
            refused=_part(one.refused_rate, one.measured),
        )
        for path, one in sums.items()
    ]
    return sorted(lines, key=lambda one: (-one.missing, -one.faulty, one.group))


def farm_sums(floor: Floor) -> FarmSums:
    """What the whole farm does and should do."""
    sums = FarmSums()
    for member in floor.members.values():
        sums.add(member, floor.time)
    return sums


def _refused_rate(measured: float, part: float) -> float:
    """Hashes per second that were refused, where `part` of all was and `measured` was credited."""
    return measured * part / (1.0 - part) if part < 1.0 else 0.0


def _part(refused: float, credited: float) -> float:
    return refused / (refused + credited) if refused > 0 else 0.0
