"""A machine on the floor: who it is, where it stands, what is known of it beside its state; pure.

Its state is its `MachineWatch`'s; this adds the list's entry, connections by gateway, the best share, and for
how long it has been up. Times are those of the floor (see `pool.farm.floor`).
"""

import msgspec

from pool.farm.exposure import WatchTerms
from pool.farm.inventory import InventoryMachine
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import Glance, MachineMemory, MachineState
from pool.farm.pauses import By
from pool.farm.places import Place
from stratum.agents import classify

FAULTY = (MachineState.SILENT, MachineState.LOW, MachineState.REJECTING)
SETTLED_SECONDS = 3_600.0  # who invents names for an hour each has few of them


class MemberMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a later process needs."""

    account: str
    worker: str
    is_listed: bool
    first_at: float
    last_at: float
    firmware: str
    connections: dict[str, int]
    best_work: float
    judged_seconds: float
    down_seconds: float
    was_off: bool
    refused_before: float = 0.0
    watch: MachineMemory


class Member:
    """One machine. `account` is empty while it is listed and was never seen."""

    __slots__ = (
        "_counted_at",
        "_down_seconds",
        "_down_until",
        "_judged_seconds",
        "account",
        "best_work",
        "connections",
        "family",
        "firmware",
        "first_at",
        "last_at",
        "listing",
        "paused_by",
        "place",
        "refused_before",
        "was_off",
        "watch",
        "worker",
    )

    def __init__(
        self,
        account: str,
        worker: str,
        place: Place,
        listing: InventoryMachine | None,
        watch: MachineWatch,
        at: float,
    ) -> None:
        self.account = account
        self.worker = worker
        self.place = place
        self.listing = listing
        self.watch = watch
        self.first_at = at
        self.last_at = at  # of anything that was heard of it
        self.firmware = ""
        self.family = ""  # its firmware's, worked out once: it is asked for every two seconds
        self.connections: dict[str, int] = {}
        self.best_work = 0.0
        self.paused_by: By | None = None  # while its silence is planned
        self.was_off = False  # when its pause began: then that stops nothing, and saves nothing
        self.refused_before = 0.0  # the part of its work, when its pause began
        self._judged_seconds = 0.0
        self._down_seconds = 0.0
        self._counted_at = at
        self._down_until = at  # what was silence until then is in `_down_seconds`

    @property
    def key(self) -> str:
        """By which it is the same machine tomorrow."""
        return f"{self.account}.{self.worker}"

    @property
    def name(self) -> str:
        """How people call it; one without a name by the ends of its address, since names go through others'
        hands."""
        return self.worker or f"{self.account[:6]}…{self.account[-6:]}"

    @property
    def watts(self) -> float | None:
        """As listed."""
        return None if self.listing is None else self.listing.watts

    @property
    def is_faulty(self) -> bool:
        return self.watch.state in FAULTY

    @property
    def is_connected(self) -> bool:
        return any(self.connections.values())

    def joined(self, source: str, agent: str, at: float) -> None:
        """It has a connection more, at this gateway."""
        self.connections[source] = self.connections.get(source, 0) + 1
        self._runs(agent)
        self.last_at = at
        self.count(at)
        self.watch.joined(at)

    def _runs(self, agent: str) -> None:
        if agent != self.firmware:
            self.firmware = agent
            self.family = classify(agent).name if agent else ""

    def heard(self, source: str, at: float) -> None:
        """It has handed in work at this gateway. Where no connection of it is known there, the frame that
        told of it is lost, or older than what was read."""
        if not self.connections.get(source, 0):
            self.joined(source, self.firmware, at)
        self.last_at = at
        self.advance(at)  # it may have been silent until now
        self.count(at)

    def left(self, source: str, at: float) -> None:
        """It has one less; nothing where none was known."""
        here = self.connections.get(source, 0)
        if here == 0:
            return
        self.connections[source] = here - 1
        self.last_at = at
        self.count(at)
        self.watch.left(at)

    def lost(self, source: str, at: float) -> None:
        """The gateway has ended, and every connection to it: it has the time of a machine that starts to be
        back, since miners try again at growing intervals."""
        count = self.connections.pop(source, 0)
        if count:
            self.last_at = at
            self.count(at)
            self.watch.cut_off(at, count)

    def advance(self, at: float) -> bool:
        """Let time pass; whether the state is another."""
        if at < self.watch.next_look_at:
            return False
        self.count(at)
        return self.watch.advance(at)

    def pause(self, at: float) -> None:
        """It is to be off."""
        self.count(at)
        self.was_off = self.watch.state is MachineState.SILENT or not self.watch.has_delivered
        self.refused_before = self.watch.glance(at).refused
        self.watch.pause(at)

    def resume(self, at: float) -> None:
        """It is to be back."""
        self.count(at)
        self.was_off = False
        self.watch.resume(at)

    def count(self, at: float) -> None:
        """Add the time since the last count to what its state is. Called before the state may change."""
        self._judged_seconds, self._down_seconds = self._seconds(at)
        self._counted_at = max(at, self._counted_at)
        if self.watch.state is MachineState.SILENT:
            self._down_until = max(at, self._down_until)

    def _seconds(self, at: float) -> tuple[float, float]:
        """For how long it was judged, and for how long silent, by now. Silence is known some time after it
        began, and counts from its beginning."""
        state = self.watch.state
        if state is MachineState.PAUSED:
            return self._judged_seconds, self._down_seconds
        judged = self._judged_seconds + max(0.0, at - self._counted_at)
        if state is not MachineState.SILENT:
            return judged, self._down_seconds
        return judged, self._down_seconds + max(0.0, at - max(self._down_until, self.watch.state_since))

    def uptime(self, at: float) -> float | None:
        """The part of its time that it was not silent; planned silence is left out. None for one that has
        never delivered a share."""
        judged, down = self._seconds(at)
        if judged <= 0 or not self.watch.has_delivered:
            return None
        return max(0.0, 1.0 - down / judged)

    def is_forgettable(self, at: float, longest_seconds: float, fault_seconds: float) -> bool:
        """Whether it has been gone as long as it was here, a minute at least. A listed one never is. One that
        was here for long enough not to be an invention is not while it is paused, nor while it is at fault
        and has not been gone for `fault_seconds`."""
        here, gone = self.last_at - self.first_at, at - self.last_at
        if self.listing is not None:
            return False
        if here >= SETTLED_SECONDS:
            if self.watch.state is MachineState.PAUSED:
                return False
            if self.is_faulty and gone <= fault_seconds:
                return False
        if self.is_connected:  # by what was read of the frames: one that told of the end may be lost
            return gone > longest_seconds
        return gone > min(max(here, 60.0), longest_seconds)

    # ------------------------------------------------------------------ across processes

    def export(self, at: float) -> MemberMemory:
        self.count(at)
        return MemberMemory(
            account=self.account,
            worker=self.worker,
            is_listed=self.listing is not None,
            first_at=self.first_at,
            last_at=self.last_at,
            firmware=self.firmware,
            connections=self.connections,
            best_work=self.best_work,
            judged_seconds=self._judged_seconds,
            down_seconds=self._down_seconds,
            was_off=self.was_off,
            refused_before=self.refused_before,
            watch=self.watch.export(),
        )

    @classmethod
    def restore(
        cls,
        memory: MemberMemory,
        place: Place,
        listing: InventoryMachine | None,
        terms: WatchTerms,
        expected: float | None,
        at: float,
    ) -> "Member":
        """The machine as it was, its connections too: they are the gateways', which go on. What was paused is
        paused until somebody says otherwise."""
        paused_since = memory.watch.state_since if memory.watch.state is MachineState.PAUSED else None
        watch = MachineWatch.restore(memory.watch, terms, at, expected, paused_since)
        member = cls(memory.account, memory.worker, place, listing, watch, memory.first_at)
        member._runs(memory.firmware)
        member.best_work = memory.best_work
        member._judged_seconds, member._down_seconds = memory.judged_seconds, memory.down_seconds
        member._counted_at = member._down_until = at
        member.was_off, member.refused_before = memory.was_off, memory.refused_before
        for source, count in memory.connections.items():
            for _ in range(count):
                member.joined(source, memory.firmware, at)
        member.last_at = memory.last_at
        return member


def measured_of(member: Member, glance: Glance) -> float:
    """Hashes per second over ten minutes. A silent machine does nothing, whatever is left in its window."""
    return 0.0 if member.watch.state is MachineState.SILENT else glance.hashes_per_second
