"""The floor: every machine of the farm, watched; faults, incidents and pauses out. Pure; it shows nothing.

Which machines there are is the roster's matter. The floor has a clock of its own (`FloorClock`): a machine is
not silent because the pool is.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from pool.farm.faults import Fault, census_of
from pool.farm.floor_clock import FloorClock
from pool.farm.floor_rules import FloorRules
from pool.farm.incidents import Departure, Incident, update
from pool.farm.machine_state import Glance, MachineState
from pool.farm.member import Member, MemberMemory, measured_of
from pool.farm.observation import MachineKey, Observation
from pool.farm.pauses import By, Pause, pause_of, silence_planned_by
from pool.farm.places import Places
from pool.farm.roster import Roster

INCIDENT_SECONDS = 2.0  # how often faults are explained anew: some 15 ms for all of 2,500
HOUSEKEEPING_SECONDS = 5.0


class FloorMemory(msgspec.Struct, frozen=True):
    """What a later process needs."""

    hole_seconds: float
    now: float
    members: list[MemberMemory]
    incidents: tuple[Incident, ...]


class Floor:
    """All machines. `now` is in observed seconds, `at` and `time` are in the floor's."""

    def __init__(
        self, rules: FloorRules, places: Places, now: float, memory: FloorMemory | None = None
    ) -> None:
        self.incidents: tuple[Incident, ...] = ()
        self._clock = FloorClock(now, 0.0 if memory is None else memory.hole_seconds)
        self._roster = Roster(rules, places)
        self.members = self._roster.members
        self._rules = rules
        self._pauses: tuple[Pause, ...] = ()
        self._explained_at = self._kept_at = -math.inf
        self._forgotten: list[str] = []  # keys of machines, since faults were explained last
        if memory is not None:  # the time between is nobody's
            self._clock.hole_seconds += max(0.0, self._clock.observed - memory.now)
            self.incidents = memory.incidents
            self._roster.remember(memory.members, self.time)
        self._roster.expect_listed(self.time)
        known = {member.key for member in self.members.values()}
        for incident in self.incidents:
            struck = {*(fault.machine for fault in incident.faults), *incident.departed}
            self._forgotten += struck - known

    # ------------------------------------------------------------------ in

    def observe(self, source: str, seen: Observation) -> None:
        """What happened in one frame of a gateway."""
        at = self._clock.at(seen.at, has_work=seen.has_work)
        for key, agent in seen.joined:
            member = self._roster.member(key, at)
            if member is not None:
                member.joined(source, agent, at)
        self._observe_work(source, seen, at)
        for key, work in seen.bests:
            member = self.members.get(key)
            if member is not None:
                member.best_work = max(member.best_work, work)
        for key, share_work in seen.paced:
            member = self.members.get(key)
            if member is not None:
                member.watch.difficulty(at, share_work)
        for key in seen.left:
            member = self.members.get(key)
            if member is not None:
                member.left(source, at)

    def _observe_work(self, source: str, seen: Observation, at: float) -> None:
        """Credited and refused shares. While no node gives work they are signs of life, no measure."""
        for key, shares in seen.shares.items():
            member = self._roster.member(key, at)
            if member is not None:
                member.heard(source, at)
                if seen.has_work:
                    member.watch.shares(at, shares.count, shares.work, shares.work_squared, shares.share_work)
        for (refused_key, reason), refusals in seen.refused.items():
            member = None if refused_key is None else self._roster.member(refused_key, at)
            if member is not None:
                member.heard(source, at)
                if seen.has_work:
                    member.watch.refused(at, reason, refusals.count, refusals.work)

    def forget(self, members: Collection[Member]) -> None:
        """They are gone for good, and no fault any more; see `Roster.forget`."""
        self._roster.forget(members)
        self._forgotten += [member.key for member in members]

    def gateway_ended(self, source: str, now: float) -> None:
        """A gateway's process is gone since `now`, and its connections with it."""
        at = self._clock.at(now, has_work=True)
        for member in self.members.values():
            member.lost(source, at)

    def advance(
        self,
        now: float,
        now_us: int,
        pauses: Sequence[Pause],
        *,
        is_working: bool,
        missing_seconds: float = 0.0,
    ) -> None:
        """Let time pass; see `FloorClock.advance`. `now_us` is Unix time."""
        self._clock.advance(now, missing_seconds, is_working=is_working)
        at = self.time
        if tuple(pauses) != self._pauses or at - self._kept_at >= HOUSEKEEPING_SECONDS:
            self._pauses = tuple(pauses)
            self._keep(at, now_us)
        for member in self.members.values():
            if at >= member.watch.next_look_at:
                member.advance(at)
        if at - self._explained_at >= INCIDENT_SECONDS:
            self._explained_at = at
            self._explain(now_us)

    # ------------------------------------------------------------------ out

    @property
    def time(self) -> float:
        """Now, by the floor's clock."""
        return self._clock.time

    def unix_us(self, at: float) -> int:
        """A time of the floor as people know it."""
        return self._clock.unix_us(at)

    @property
    def turned_away(self) -> int:
        """Machines of the last minutes for which there was no room, as far as they were counted."""
        return self._roster.turned_away

    def rate_of(self, key: MachineKey) -> float:
        """What a machine does, hashes per second over ten minutes; 0 for a stranger."""
        member = self.members.get(key)
        return 0.0 if member is None else member.watch.glance(self.time).hashes_per_second

    def group_of(self, key: MachineKey) -> str | None:
        """Where a machine stands; None for a stranger."""
        member = self.members.get(key)
        return None if member is None else member.place.group

    def named(self, names: Iterable[str]) -> dict[str, list[Member]]:
        """For each of the names the machines that people call so. ACCOUNT.worker is one alone, though a
        stranger may call his own like that; the account itself is its machine without a name."""
        members = self.members.values()
        known = {member.key: member for member in members}
        called: dict[str, list[Member]] = {}
        for member in members:
            for name in {member.name, member.worker or member.account}:
                called.setdefault(name, []).append(member)
        return {name: [known[name]] if name in known else called.get(name, []) for name in names}

    def is_here(self, member: Member) -> bool:
        """Whether it is connected and no silent one. Who only has a connection may be gone all the same: the
        end of it may not be known, or a proxy's is of many machines."""
        if not member.is_connected or member.watch.state is MachineState.SILENT:
            return False
        return member.watch.state is not MachineState.PAUSED or self._is_back(member, self.time)

    def glances(self) -> list[tuple[Member, Glance]]:
        """Every machine with what it shows now: looked at once, for all that is summed up of them."""
        at = self.time
        return [(member, member.watch.glance(at)) for member in self.members.values()]

    def faults(self) -> Iterator[Fault]:
        """Every machine that is not as it should be."""
        at = self.time
        for member in self.members.values():
            if not member.is_faulty or not self._is_own(member):
                continue
            state, glance = member.watch.state, member.watch.glance(at)
            measured = measured_of(member, glance)
            yield Fault(
                machine=member.key,
                name=member.name,
                state=state.value,
                since_us=self.unix_us(member.watch.state_since),
                place=member.place,
                firmware=member.family,
                missing_hashes_per_second=max(0.0, (glance.expected or 0.0) - measured),
            )

    def _is_own(self, member: Member) -> bool:
        return self._rules.owns(member.account, is_listed=member.listing is not None)

    # ------------------------------------------------------------------ now and then

    def _keep(self, at: float, now_us: int) -> None:
        self._kept_at = at
        self._forgotten += self._roster.keep(at)
        self._pause(at, now_us)

    def _pause(self, at: float, now_us: int) -> None:
        """A machine is paused while its group is, and after that until it is back or had its time for it."""
        lasting: dict[str, tuple[bool, By | None]] = {}
        for member in self.members.values():
            is_paused = member.watch.state is MachineState.PAUSED
            if not self._pauses and not is_paused:
                continue
            group = member.place.group
            if group not in lasting:
                is_on = pause_of(self._pauses, group, now_us) is not None
                lasting[group] = (is_on, silence_planned_by(self._pauses, group, now_us))
            is_on, member.paused_by = lasting[group]
            if is_on and not is_paused:
                member.pause(at)
            elif is_paused and not is_on and (member.paused_by is None or self._is_back(member, at)):
                member.resume(at)

    def _is_back(self, member: Member, at: float) -> bool:
        """Whether it has delivered within the last minute."""
        last = member.watch.glance(at).last_share_at
        return last is not None and at - last < 60.0

    def _explain(self, now_us: int) -> None:
        faults = list(self.faults())
        departed: dict[str, Departure] = dict.fromkeys(self._forgotten, "forgotten")
        self._forgotten = []
        if not faults and not self.incidents:
            return
        working = []
        for member in filter(self._is_own, self.members.values()):
            if member.watch.state is MachineState.PAUSED:
                departed[member.key] = "paused"
            else:
                working.append((member.place, member.family))
        self.incidents = update(self.incidents, faults, census_of(working), now_us, departed)

    # ------------------------------------------------------------------ across processes

    def export(self) -> FloorMemory:
        at, members = self.time, self.members.values()
        return FloorMemory(
            self._clock.hole_seconds,
            self._clock.observed,
            [one.export(at) for one in members],
            self.incidents,
        )
