"""The floor: every machine of the farm, watched; faults, incidents and pauses out. Pure; it shows nothing.

Machines come from the inventory and from what connects. What was never listed is forgotten when it has been
gone for as long as it was there, a day at most, so that whoever invents names costs nothing for long.

An entry of the inventory is one machine. It is the first that comes under its name, until that one is gone
and another has come: the same machine, set to another address.

The floor has a clock of its own (`FloorClock`). A machine is not silent because the pool is.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec

from pool.farm.exposure import WatchTerms
from pool.farm.faults import Fault, census_of
from pool.farm.floor_clock import FloorClock
from pool.farm.incidents import Incident, update
from pool.farm.inventory import InventoryMachine
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import Glance, MachineState
from pool.farm.member import Member, MemberMemory
from pool.farm.observation import MachineKey, Observation
from pool.farm.pauses import Pause, is_silence_planned, pause_of
from pool.farm.places import NOWHERE, Places

LONGEST_MEMORY_SECONDS = 86_400.0
INCIDENT_SECONDS = 2.0  # how often faults are explained anew: some 15 ms for all of 2,500
HOUSEKEEPING_SECONDS = 5.0
SUCCESSION_SECONDS = 60.0  # a machine that was set to another address is back by then, or it is another one
TURNED_AWAY_SECONDS = 600.0  # how long one that found no room is counted, as long as its hashrate would show
MOST_TURNED_AWAY = 10_000  # names that are counted; whoever invents more has made the point
RESIZE = 1.25  # thresholds follow the number of machines in steps: their logarithm is what counts


class FloorRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say. `expected_hashes_per_second` is of a machine of which no list says more;
    `most_machines` bounds those that nobody has listed. `own_accounts` are those whose machines' faults are
    the operator's matter, None where all are: who leaves a pool for others has left, and is no incident."""

    expected_hashes_per_second: float | None = None
    false_alarms_per_day: float = 1.0
    rejecting_percent: float = 5.0
    most_machines: int = 10_000
    own_accounts: frozenset[str] | None = None


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
        self.members: dict[MachineKey, Member] = {}
        self.incidents: tuple[Incident, ...] = ()
        self._clock = FloorClock(now, 0.0 if memory is None else memory.hole_seconds)
        self._turned_away: dict[MachineKey, float] = {}  # that nobody listed, beyond the bound, and when
        self._owners: dict[str, MachineKey] = {}  # which machine each entry of the inventory is
        self._rules = rules
        self._places = places
        self._pauses: tuple[Pause, ...] = ()
        self._paused: dict[MachineKey, float] = {}  # since when, in the floor's time
        self._explained_at = self._kept_at = -math.inf
        self._terms = self._terms_for(len(places.inventory.machines))
        if memory is not None:
            self._remember(memory)
        self._list()

    # ------------------------------------------------------------------ in

    def observe(self, source: str, seen: Observation) -> None:
        """What happened in one frame of a gateway."""
        at = self._clock.at(seen.at, has_work=seen.has_work)
        for key, agent in seen.joined:
            member = self._member(key, at)
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
            member = self._member(key, at)
            if member is not None:
                member.heard(source, at)
                if seen.has_work:
                    member.watch.shares(at, shares.count, shares.work, shares.work_squared, shares.share_work)
        for (refused_key, reason), refusals in seen.refused.items():
            member = None if refused_key is None else self._member(refused_key, at)
            if member is not None:
                member.heard(source, at)
                if seen.has_work:
                    member.watch.refused(at, reason, refusals.count, refusals.work)

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
        return len(self._turned_away)

    def rate_of(self, key: MachineKey) -> float:
        """What a machine does, hashes per second over ten minutes; 0 for a stranger."""
        member = self.members.get(key)
        return 0.0 if member is None else member.watch.glance(self.time).hashes_per_second

    def group_of(self, key: MachineKey) -> str | None:
        """Where a machine stands; None for a stranger."""
        member = self.members.get(key)
        return None if member is None else member.place.group

    def glances(self) -> list[tuple[Member, Glance]]:
        """Every machine with what it shows now: some 15 µs each, for all that is summed up of them."""
        at = self.time
        return [(member, member.watch.glance(at)) for member in self.members.values()]

    def faults(self) -> Iterator[Fault]:
        """Every machine that is not as it should be."""
        at = self.time
        for member in self.members.values():
            if not member.is_faulty or not self._is_own(member):
                continue
            state, glance = member.watch.state, member.watch.glance(at)
            measured = 0.0 if state is MachineState.SILENT else glance.hashes_per_second
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
        own = self._rules.own_accounts
        return own is None or member.listing is not None or member.account in own

    # ------------------------------------------------------------------ members

    def _member(self, key: MachineKey, at: float) -> Member | None:
        member = self.members.get(key)
        if member is not None:
            return member
        account, worker = key
        if not self._places.has(account):
            return None
        listing = self._places.inventory.machine(account, worker)
        if listing is not None and self._owners.get(listing.name) == ("", listing.name):
            return self._arrive(listing.name, key)
        if self._unlisted >= self._rules.most_machines:
            if len(self._turned_away) < MOST_TURNED_AWAY:
                self._turned_away[key] = at
            return None
        return self._new(account, worker, None, at)

    def _arrive(self, name: str, key: MachineKey) -> Member:
        """A listed machine is here at last, under the name that it was expected by."""
        expected = self._owners[name]
        member = self.members[key] = self.members.pop(expected)
        member.account, member.worker = key
        self._owners[name] = key
        if expected in self._paused:
            self._paused[key] = self._paused.pop(expected)
        return member

    def _new(self, account: str, worker: str, listing: InventoryMachine | None, at: float) -> Member:
        watch = MachineWatch(self._terms, at, self._expected_of(listing))
        return self._add(Member(account, worker, self._places.place(account, worker), listing, watch, at))

    def _add(self, member: Member) -> Member:
        key = (member.account, member.worker)
        self.members[key] = member
        if member.listing is not None:
            self._owners[member.listing.name] = key
        return member

    def _expected_of(self, listing: InventoryMachine | None) -> float | None:
        if listing is not None and listing.expected_hashes_per_second is not None:
            return listing.expected_hashes_per_second
        return self._rules.expected_hashes_per_second

    @property
    def _unlisted(self) -> int:
        return len(self.members) - len(self._places.inventory.machines)

    def _list(self) -> None:
        """Every machine of the inventory that is not here is expected."""
        for listing in self._places.inventory.never_seen(self.members):
            self._new("", listing.name, listing, self.time)

    def _remember(self, memory: FloorMemory) -> None:
        """Machines of before, if they are the farm's by these settings; the time between is nobody's."""
        self._clock.hole_seconds += max(0.0, self._clock.observed - memory.now)
        self.incidents = memory.incidents
        for one in sorted(memory.members, key=lambda member: (not member.is_listed, not member.account)):
            listing = self._places.inventory.machine(one.account, one.worker)
            if listing is not None and listing.name in self._owners:
                listing = None
            if listing is None and not (one.account and self._places.has(one.account)):
                continue
            terms = (self._terms, self._expected_of(listing))
            member = Member.restore(
                one, self._places.place(one.account, one.worker), listing, *terms, self.time
            )
            self._add(member)
            if member.watch.state is MachineState.PAUSED:
                self._paused[one.account, one.worker] = self.time

    # ------------------------------------------------------------------ now and then

    def _keep(self, at: float, now_us: int) -> None:
        self._kept_at = at
        gone = [
            key for key, member in self.members.items() if member.is_forgettable(at, LONGEST_MEMORY_SECONDS)
        ]
        for key in gone:
            self._forget(key)
        if gone and self._places.make_room(member.place for member in self.members.values()):
            for member in self.members.values():
                if member.place == NOWHERE:  # for want of room, perhaps
                    member.place = self._places.place(member.account, member.worker)
        self._succeed(at)
        self._turned_away = {
            key: seen_at
            for key, seen_at in self._turned_away.items()
            if at - seen_at < TURNED_AWAY_SECONDS and key not in self.members
        }
        self._resize(at)
        self._pause(at, now_us)

    def _forget(self, key: MachineKey) -> None:
        del self.members[key]
        self._paused.pop(key, None)

    def _succeed(self, at: float) -> None:
        """Where a listed machine is gone and its name is here under another address, it is that one."""
        if not self._owners:
            return
        for key, member in list(self.members.items()):
            listing = None
            if member.listing is None and member.is_connected:
                listing = self._places.inventory.machine(*key)
            if listing is None:
                continue
            owner = self._owners[listing.name]
            known = self.members[owner]
            if not known.is_connected and at - known.last_at >= SUCCESSION_SECONDS:
                self._forget(owner)
                member.listing = listing
                member.watch.expect(at, self._expected_of(listing))
                self._owners[listing.name] = key

    def _resize(self, at: float) -> None:
        count = max(1, len(self.members))
        if not self._terms.machines / RESIZE <= count <= self._terms.machines * RESIZE:
            self._terms = self._terms_for(count)
            for member in self.members.values():
                member.watch.watch_by(at, self._terms)

    def _terms_for(self, machines: int) -> WatchTerms:
        rules = self._rules
        return WatchTerms(max(1, machines), rules.false_alarms_per_day, rules.rejecting_percent)

    def _pause(self, at: float, now_us: int) -> None:
        """A machine is paused while its group is, and after that until it is back or had its time for it."""
        if not self._pauses and not self._paused:
            return
        lasting: dict[str, tuple[bool, bool]] = {}
        for key, member in self.members.items():
            group = member.place.group
            if group not in lasting:
                is_on = pause_of(self._pauses, group, now_us) is not None
                lasting[group] = (is_on, is_silence_planned(self._pauses, group, now_us))
            is_on, is_planned = lasting[group]
            since = self._paused.get(key)
            if is_on and since is None:
                self._paused[key] = at
                member.count(at)
                member.watch.pause(at)
            elif since is not None and not is_on and (not is_planned or self._is_back(member, at)):
                del self._paused[key]
                member.count(at)
                member.watch.resume(at)

    def _is_back(self, member: Member, at: float) -> bool:
        """Whether it has delivered within the last minute."""
        last = member.watch.glance(at).last_share_at
        return last is not None and at - last < 60.0

    def _explain(self, now_us: int) -> None:
        members = (one for one in self.members.values() if one.watch.state is not MachineState.PAUSED)
        census = census_of((one.place, one.family) for one in members if self._is_own(one))
        self.incidents = update(self.incidents, list(self.faults()), census, now_us)

    # ------------------------------------------------------------------ across processes

    def export(self) -> FloorMemory:
        at, members = self.time, self.members.values()
        return FloorMemory(
            self._clock.hole_seconds,
            self._clock.observed,
            [one.export(at) for one in members],
            self.incidents,
        )
