"""A floor for tests: machines that hash evenly, one frame a second, and a clock moved by hand."""

from collections.abc import Iterable, Sequence
from typing import Any

from pool.farm.floor import Floor, FloorMemory
from pool.farm.floor_rules import FloorRules
from pool.farm.inventory import Inventory, InventoryMachine
from pool.farm.member import Member
from pool.farm.observation import MachineKey, Observation, Refusals, Shares
from pool.farm.pauses import Pause
from pool.farm.places import MOST_GROUPS, Places

START = 1_800_000_000.0
US = 1_000_000
ALICE, BOB = "alice", "bob"
RATE = 1e12
SHARE_SECONDS = 10
SHARE_WORK = RATE * SHARE_SECONDS
PATTERN = "(?P<row>[a-z])-(?P<rack>[0-9]+)-(?P<position>[0-9]+)"


def listing(name: str, group: str = "hall/row-1", watts: float | None = None) -> InventoryMachine:
    return InventoryMachine(name, group, "S19", RATE, watts)


def keys(names: Iterable[str], account: str = ALICE) -> list[MachineKey]:
    return [(account, name) for name in names]


class ShopFloor:
    """Machines in `running` hand in a share of SHARE_WORK every ten seconds, by the gateway of their own."""

    def __init__(
        self,
        listings: Iterable[InventoryMachine] = (),
        *,
        memory: FloorMemory | None = None,
        now: float = START,
        accounts: Sequence[str] = (),
        most_groups: int = MOST_GROUPS,
        **rules: Any,
    ) -> None:
        inventory = Inventory({one.name: one for one in listings})
        self.places = Places(inventory, PATTERN, accounts, most_groups=most_groups)
        self.rules = FloorRules(**rules)
        self.now = now
        self.floor = Floor(self.rules, self.places, now, memory)
        self.running: dict[MachineKey, str] = {}
        self.pauses: list[Pause] = []
        self.is_working = True
        self.has_frames = True

    def join(self, machines: Iterable[MachineKey], source: str = "gateway-0") -> None:
        """They connect and begin to hash."""
        seen = Observation(self.now)
        for key in machines:
            seen.joined.append((key, "cgminer/4.12"))
            self.running[key] = source
        self.floor.observe(source, seen)

    def leave(self, machines: Iterable[MachineKey]) -> None:
        """They stop, and their connections end."""
        for key in machines:
            seen = Observation(self.now)
            seen.left.append(key)
            self.floor.observe(self.running.pop(key), seen)

    def hang(self, machines: Iterable[MachineKey]) -> None:
        """They stop, and stay connected."""
        for key in machines:
            del self.running[key]

    def refuse(self, key: MachineKey, count: int, reason: str = "stale") -> None:
        seen = Observation(self.now)
        seen.refused[key, reason] = Refusals(count, count * SHARE_WORK)
        self.floor.observe("gateway-0", seen)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            if self.has_frames:
                self.frames()
            self.advance()

    def wait(self, seconds: int) -> None:
        """Time passes at once, without a share of anybody."""
        self.now += seconds
        self.advance()

    def advance(self) -> None:
        self.floor.advance(self.now, round(self.now * US), self.pauses, is_working=self.is_working)

    def frames(self) -> None:
        """One of each gateway."""
        frames = {source: Observation(self.now) for source in ["gateway-0", *self.running.values()]}
        if round(self.now) % SHARE_SECONDS == 0:
            for key, source in self.running.items():
                frames[source].shares[key] = Shares(1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
        for source, seen in frames.items():
            seen.has_work = self.is_working
            self.floor.observe(source, seen)

    def after_restart(self) -> "ShopFloor":
        """The same by another process, which was given what this one remembered."""
        later = ShopFloor(
            self.places.inventory.machines.values(), memory=self.floor.export(), now=self.floor.export().now
        )
        later.now, later.running, later.pauses = self.now, self.running, self.pauses
        return later

    def member(self, worker: str, account: str = ALICE) -> Member:
        return self.floor.members[account, worker]

    def state(self, worker: str, account: str = ALICE) -> str:
        return self.member(worker, account).watch.state.value

    def states(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for member in self.floor.members.values():
            found[member.watch.state.value] = found.get(member.watch.state.value, 0) + 1
        return found

    def pause(self, group: str, seconds: float | None = None) -> None:
        since_us = round(self.now * US)
        until_us = None if seconds is None else round((self.now + seconds) * US)
        self.pauses = [Pause(group, since_us, until_us)]

    def resume(self) -> None:
        [pause] = self.pauses
        self.pauses = [Pause(pause.group, pause.since_us, round(self.now * US))]
