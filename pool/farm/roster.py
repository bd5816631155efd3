"""The roster: which machines there are, and which of them the list's entries are. Pure; it judges none.

Machines come from the inventory and from what connects. What was never listed is forgotten when it has been
gone for as long as it was there, a day at most, so that whoever invents names costs nothing for long. A
machine of the operator's that is at fault is one to be repaired: it is kept for a week.

An entry of the inventory is one machine. It is the first that comes under its name, until that one is gone
and another has come: the same machine, set to another address.
"""

from collections.abc import Collection, Iterable

from pool.farm.floor_rules import FloorRules
from pool.farm.inventory import InventoryMachine
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import MachineState
from pool.farm.member import Member, MemberMemory
from pool.farm.observation import MachineKey
from pool.farm.places import NOWHERE, Places

LONGEST_MEMORY_SECONDS = 86_400.0
# Who comes on Monday finds what has failed on Friday. A machine that was renamed is as long an incident, if
# nobody says that it is gone.
FAULT_MEMORY_SECONDS = 7 * 86_400.0
MOST_FILLED = 0.9  # of the room for machines that nobody listed, before faults are forgotten as others are
SUCCESSION_SECONDS = 60.0  # a machine that was set to another address is back by then, or it is another one
TURNED_AWAY_SECONDS = 600.0  # how long one that found no room is counted, as long as its hashrate would show
MOST_TURNED_AWAY = 10_000  # names that are counted; whoever invents more has made the point
RESIZE = 1.25  # thresholds follow the number of machines in steps: their logarithm is what counts


class Roster:
    """All machines; `at` is in the floor's time."""

    def __init__(self, rules: FloorRules, places: Places) -> None:
        self.members: dict[MachineKey, Member] = {}
        self._turned_away: dict[MachineKey, float] = {}  # that nobody listed, beyond the bound, and when
        self._owners: dict[str, MachineKey] = {}  # which machine each entry of the inventory is
        self._rules = rules
        self._places = places
        self._terms = rules.terms(len(places.inventory.machines))

    @property
    def turned_away(self) -> int:
        """Machines of the last minutes for which there was no room, as far as they were counted."""
        return len(self._turned_away)

    # ------------------------------------------------------------------ coming

    def remember(self, memories: Iterable[MemberMemory], at: float) -> None:
        """Machines of an earlier process, if they are the farm's by these settings. A silent one that was
        taken out of the inventory since is gone for good; of a list that is empty, or could not be used, that
        says nothing."""
        has_list = bool(self._places.inventory.machines)
        for one in sorted(memories, key=lambda member: (not member.is_listed, not member.account)):
            listing = self._places.inventory.machine(one.account, one.worker)
            if listing is not None and listing.name in self._owners:
                listing = None
            if listing is None and not (one.account and self._places.has(one.account)):
                continue
            is_struck_off = has_list and one.is_listed and listing is None
            if is_struck_off and one.watch.state is MachineState.SILENT:
                continue
            place = self._places.place(one.account, one.worker)
            self._add(Member.restore(one, place, listing, self._terms, self._expected_of(listing), at))

    def expect_listed(self, at: float) -> None:
        """Every machine of the inventory that is not here is expected."""
        for listing in self._places.inventory.never_seen(self.members):
            self._new("", listing.name, listing, at)

    def member(self, key: MachineKey, at: float) -> Member | None:
        """The machine of this name, a new one where it must be. None for one that is not the farm's, or that
        finds no room."""
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
        """A listed machine is here at last, under the name that it was expected by. Where the list gave its
        address as well, only now its worker name is known, which may say where it stands."""
        member = self.members[key] = self.members.pop(self._owners[name])
        member.account, member.worker = key
        member.place = self._places.place(*key)
        self._owners[name] = key
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

    # ------------------------------------------------------------------ going

    def keep(self, at: float) -> list[str]:
        """Now and then: forget who is gone, and watch by the number of those who are here. The keys of the
        machines that are forgotten."""
        forgotten = [member for member in self.members.values() if self._is_forgettable(member, at)]
        self.forget(forgotten)
        self._succeed(at)
        self._turned_away = {
            key: seen_at
            for key, seen_at in self._turned_away.items()
            if at - seen_at < TURNED_AWAY_SECONDS and key not in self.members
        }
        self._resize(at)
        return [member.key for member in forgotten]

    def forget(self, members: Collection[Member]) -> None:
        """They are not expected any more: none is of the inventory. One that comes again is new."""
        for member in members:
            del self.members[member.account, member.worker]
        if members:
            self._make_room()

    def _is_forgettable(self, member: Member, at: float) -> bool:
        """Faults are kept while there is room: names may be invented in the operator's account as well, and
        shall not keep out for a week whoever comes."""
        has_room = self._unlisted <= MOST_FILLED * self._rules.most_machines
        is_kept = has_room and self._rules.owns(member.account, is_listed=member.listing is not None)
        return member.is_forgettable(at, LONGEST_MEMORY_SECONDS, FAULT_MEMORY_SECONDS if is_kept else 0.0)

    def _make_room(self) -> None:
        """In the groups, for machines that found none."""
        if self._places.make_room(member.place for member in self.members.values()):
            for member in self.members.values():
                if member.place == NOWHERE:
                    member.place = self._places.place(member.account, member.worker)

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
                del self.members[owner]
                member.listing = listing
                member.watch.expect(at, self._expected_of(listing))
                self._owners[listing.name] = key

    def _resize(self, at: float) -> None:
        count = max(1, len(self.members))
        if not self._terms.machines / RESIZE <= count <= self._terms.machines * RESIZE:
            self._terms = self._rules.terms(count)
            for member in self.members.values():
                member.watch.watch_by(at, self._terms)
