"""The farm in lines: its machines and groups, the worst first; for tables and charts. Pure."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

import msgspec

from pool.farm.floor import Floor
from pool.farm.machine_state import Glance, MachineState
from pool.farm.member import Member, measured_of
from pool.farm.pauses import covers
from pool.farm.places import Levels, groups_of

Glances = Sequence[tuple[Member, Glance]]  # as `Floor.glances` gives them
STATE_RANK = {state: rank for rank, state in enumerate(("silent", "rejecting", "low", "new", "paused", "ok"))}


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
    """One group, with all inside it. Paused machines are not expected to hash; what they do all the same is
    measured, and makes up for nothing that is `missing`."""

    group: str
    machines: int
    faulty: int
    paused: int
    expected: float
    measured: float
    missing: float
    refused: float


class FarmSums(msgspec.Struct, kw_only=True):
    """The whole farm, in hashes per second and watts. Nameplate is what machines should do that are not
    paused, running what they do that are neither paused nor silent; refused is the part of these ones' work
    that is, or of the paused ones' before, while no other runs. Of what is paused, `for_price` is what stands
    still only since power is dear. Watts are of machines whose watts are listed, of the others the hashrates
    are kept apart."""

    states: dict[str, int] = msgspec.field(default_factory=lambda: {state.value: 0 for state in MachineState})
    nameplate: float = 0.0
    running: float = 0.0
    paused: float = 0.0
    for_price: float = 0.0
    refused: float = 0.0
    nameplate_watts: float = 0.0
    running_watts: float = 0.0
    for_price_watts: float = 0.0
    unlisted_nameplate: float = 0.0
    unlisted_running: float = 0.0
    unlisted_for_price: float = 0.0

    def add(self, member: Member, glance: Glance) -> None:
        """All but what is refused, which is no sum."""
        state, watts = member.watch.state, member.watts
        self.states[state.value] += 1
        measured = measured_of(member, glance)
        should = glance.expected or measured
        if state is MachineState.PAUSED:
            self.paused += should
            if member.paused_by == "price":
                self._add_for_price(should, watts)
            return
        self.nameplate += should
        self.running += measured
        if watts is None:
            self.unlisted_nameplate += should
            self.unlisted_running += measured
        else:
            self.nameplate_watts += watts
            self.running_watts += 0.0 if state is MachineState.SILENT else watts

    def _add_for_price(self, should: float, watts: float | None) -> None:
        self.for_price += should
        if watts is None:
            self.unlisted_for_price += should
        else:
            self.for_price_watts += watts


def machine_lines(
    floor: Floor,
    glances: Glances,
    difficulty_of: Callable[[float], float],
    group: str | None = None,
    most: int | None = None,
) -> list[MachineLine]:
    """The machines of a group (None: of the farm), the worst first, at most so many (None: all). A glance
    says which these are; the others are not looked at any closer, which would cost ten times as much.
    `difficulty_of` turns expected hashes of a share into its difficulty."""
    inside = [one for one in glances if group is None or covers(group, one[0].place.group)]
    worst = sorted(inside, key=_worst_first)[:most]
    return [_machine_line(floor, member, glance, difficulty_of) for member, glance in worst]


def _worst_first(one: tuple[Member, Glance]) -> tuple[int, float, Levels, str]:
    member, glance = one
    return STATE_RANK[member.watch.state.value], -_missing(member, glance), member.place.levels, member.name


def _missing(member: Member, glance: Glance) -> float:
    """Of a paused machine nothing is."""
    if member.watch.state is MachineState.PAUSED:
        return 0.0
    return max(0.0, (glance.expected or 0.0) - measured_of(member, glance))


def _machine_line(
    floor: Floor, member: Member, glance: Glance, difficulty_of: Callable[[float], float]
) -> MachineLine:
    view, measured = member.watch.view(floor.time), measured_of(member, glance)
    rate = view.ten_minutes
    return MachineLine(
        name=member.name,
        account=member.account,
        group=member.place.group,
        model="" if member.listing is None else member.listing.model,
        firmware=member.firmware,
        state=view.state.value,
        state_since_us=floor.unix_us(view.state_since),
        is_never_seen=view.never_seen and not member.account,
        expected=view.expected,
        measured=measured,
        measured_lower=min(rate.lower, measured),
        measured_upper=rate.upper if rate.upper < float("inf") else None,
        missing=_missing(member, glance),
        refused=view.refused,
        refused_by_reason=view.refused_by_reason,
        best_difficulty=difficulty_of(member.best_work) if member.best_work else 0.0,
        last_share_us=None if view.last_share_at is None else floor.unix_us(view.last_share_at),
        connections=view.connections,
        uptime=member.uptime(floor.time),
    )


class Summed(Protocol):
    """What is put together of a group's machines, in any order."""

    def add(self, member: Member, glance: Glance) -> None: ...

    def add_all(self, other: Self) -> None: ...


S = TypeVar("S", bound=Summed)


class _Sum:
    """What of a group's machines adds up."""

    __slots__ = (
        "all_work",
        "expected",
        "faulty",
        "machines",
        "measured",
        "missing",
        "paused",
        "refused_work",
    )

    def __init__(self) -> None:
        self.machines = self.faulty = self.paused = 0
        self.expected = self.measured = self.missing = self.refused_work = self.all_work = 0.0

    def add(self, member: Member, glance: Glance) -> None:
        state, measured = member.watch.state, measured_of(member, glance)
        self.machines += 1
        self.faulty += member.is_faulty
        self.measured += measured
        if state is not MachineState.SILENT:
            self.refused_work += glance.refused_work
            self.all_work += glance.all_work
        if state is MachineState.PAUSED:
            self.paused += 1
        else:
            should = glance.expected or measured
            self.expected += should
            self.missing += should - measured

    def add_all(self, other: "_Sum") -> None:
        self.machines += other.machines
        self.faulty += other.faulty
        self.paused += other.paused
        self.expected += other.expected
        self.measured += other.measured
        self.missing += other.missing
        self.refused_work += other.refused_work
        self.all_work += other.all_work


def summed_by_group(glances: Glances, nothing: Callable[[], S]) -> dict[str, S]:
    """All groups by their paths, those that lie in others too; `nothing` makes the sum of no machine. Every
    machine is added once, to its narrowest group, and that to the wider ones."""
    narrowest: dict[Levels, S] = defaultdict(nothing)
    for member, glance in glances:
        narrowest[member.place.levels].add(member, glance)
    sums: dict[str, S] = defaultdict(nothing)
    for levels, inside in narrowest.items():
        for _, path in groups_of(levels):
            sums[path].add_all(inside)
    return sums


def group_lines(glances: Glances) -> list[GroupLine]:
    """All groups, those that lie in others too, the one that misses most first."""
    lines = [
        GroupLine(
            group=path,
            machines=one.machines,
            faulty=one.faulty,
            paused=one.paused,
            expected=one.expected,
            measured=one.measured,
            missing=max(0.0, one.missing),
            refused=_part(one.refused_work, one.all_work),
        )
        for path, one in summed_by_group(glances, _Sum).items()
    ]
    return sorted(lines, key=lambda one: (-one.missing, -one.faulty, one.group))


def farm_sums(glances: Glances, group: str | None = None) -> FarmSums:
    """What the whole farm does and should do, or (`group`) what stands in one group."""
    sums = FarmSums()
    refused_work = all_work = 0.0
    refused_before = all_before = 0.0  # of those that are paused: what is left in their windows may be little
    for member, glance in glances:
        if group is not None and not covers(group, member.place.group):
            continue
        sums.add(member, glance)
        state = member.watch.state
        if state is MachineState.PAUSED:
            usual = 0.0 if member.was_off else glance.expected or 0.0
            refused_before += member.refused_before * usual
            all_before += usual
        elif state is not MachineState.SILENT:
            refused_work += glance.refused_work
            all_work += glance.all_work
    sums.refused = _part(refused_work, all_work) if all_work > 0 else _part(refused_before, all_before)
    return sums


def _part(refused: float, everything: float) -> float:
    return refused / everything if everything > 0 else 0.0
