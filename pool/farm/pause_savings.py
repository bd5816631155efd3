"""What pauses have saved: power unspent, coin unearned, added up while they last. Pure; it knows no price.

About once a minute the ledger takes the time that has passed, by the floor's clock, so that a stop of the
pool counts nothing. A machine counts for one of the pauses that it is in, and only once it is off: a pause
says that it is, and its shares may say otherwise. One that was off by itself before saves nothing.
"""

from collections.abc import Callable, Iterable

import msgspec

from pool.farm.economics import PauseSaving
from pool.farm.machine_state import MachineState
from pool.farm.pauses import KEPT_US, MOST_PAUSES, By, Pause, covers
from pool.farm.summary import Glances

LOOK_SECONDS = 60.0
OFF_SECONDS = 60.0  # shares come every ten seconds or so; whoever has sent one within a minute is running
SUMMED_DAYS = 30
DAY_US = 86_400_000_000
MICROSECONDS = 1_000_000

Key = tuple[str, By, int]


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Sums, each of the time in which it was known; None where it never was. `saved` is what the power would
    have cost less what the coin would have brought: below 0 a pause has cost money. It is of the
    `known_machine_seconds` of all `machine_seconds`."""

    machine_seconds: float = 0.0
    known_machine_seconds: float = 0.0
    energy_kwh: float | None = None
    energy_cost: float | None = None
    coin_sats: float | None = None
    revenue: float | None = None
    saved: float | None = None

    def plus(self, other: "Saved") -> "Saved":
        """Both together."""
        return Saved(
            machine_seconds=self.machine_seconds + other.machine_seconds,
            known_machine_seconds=self.known_machine_seconds + other.known_machine_seconds,
            energy_kwh=_sum(self.energy_kwh, other.energy_kwh),
            energy_cost=_sum(self.energy_cost, other.energy_cost),
            coin_sats=_sum(self.coin_sats, other.coin_sats),
            revenue=_sum(self.revenue, other.revenue),
            saved=_sum(self.saved, other.saved),
        )


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


class PauseEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one pause has saved up to `until_us`; `seconds` of it were counted."""

    group: str
    by: By
    since_us: int
    until_us: int
    lasts: bool
    seconds: float
    saved: Saved


class DayEntry(msgspec.Struct, frozen=True):
    """What all pauses of a kind have saved on one day; `day` is counted from the Unix epoch, in UTC."""

    day: int
    by: By
    saved: Saved


class LedgerMemory(msgspec.Struct, frozen=True):
    """What a later process needs. Money of another currency is none of its."""

    currency: str | None
    pauses: tuple[PauseEntry, ...]
    days: tuple[DayEntry, ...]


class Savings(msgspec.Struct, frozen=True):
    """Every pause that is remembered, from the oldest on, and what those of a kind have saved today and on
    the 29 days before, in UTC."""

    pauses: tuple[PauseEntry, ...] = ()
    last_30_days: dict[By, Saved] = {}


class Idle(msgspec.Struct):
    """Machines that stand still by one pause, from a time (Unix microseconds) for some seconds: what they
    should do, the watts of those whose watts are listed, and of the others the hashrate once more."""

    from_us: int
    seconds: float
    machines: int = 0
    hashes_per_second: float = 0.0
    watts: float = 0.0
    unlisted_hashes_per_second: float = 0.0


Worth = Callable[[Idle], PauseSaving]


class PauseLedger:
    """Of one farm; `at` is in the floor's time, `now_us` Unix time."""

    def __init__(self, currency: str | None, memory: LedgerMemory | None = None) -> None:
        self._currency = currency
        self._entries: dict[Key, PauseEntry] = {}
        self._days: dict[tuple[int, By], Saved] = {}
        self._counted_at: float | None = None  # the time before belongs to another process, or to none
        if memory is not None and memory.currency == currency:
            self._entries = {(one.group, one.by, one.since_us): one for one in memory.pauses}
            self._days = {(one.day, one.by): one.saved for one in memory.days}

    def count(
        self, at: float, now_us: int, pauses: Iterable[Pause], glances: Callable[[], Glances], worth: Worth
    ) -> None:
        """Take the time since the last call that was taken; nothing before a minute is over. Machines are
        looked at only where a pause is in force."""
        if self._counted_at is None:
            self._counted_at = at
        elapsed = at - self._counted_at
        if elapsed < LOOK_SECONDS:
            return
        self._counted_at = at
        from_us = now_us - round(elapsed * MICROSECONDS)
        touching = [one for one in pauses if one.us_within(from_us, now_us)]
        if touching:
            for pause, idle in standing_still(glances(), touching, from_us, now_us, at).items():
                self._add(pause, idle, worth(idle), now_us)
        in_force = {_key(one) for one in touching if one.lasts(now_us)}
        for key, entry in self._entries.items():
            if entry.lasts != (key in in_force):
                self._entries[key] = msgspec.structs.replace(entry, lasts=key in in_force)
        self._forget(now_us)

    def _add(self, pause: Pause, idle: Idle, worth: PauseSaving, now_us: int) -> None:
        machine_seconds = idle.machines * idle.seconds
        more = Saved(
            machine_seconds=machine_seconds,
            known_machine_seconds=0.0 if worth.saved is None else machine_seconds,
            energy_kwh=worth.energy_kwh,
            energy_cost=worth.energy_cost,
            coin_sats=worth.lost_coin_sats,
            revenue=worth.lost_revenue,
            saved=worth.saved,
        )
        known = self._entries.get(_key(pause))
        self._entries[_key(pause)] = PauseEntry(
            group=pause.group,
            by=pause.by,
            since_us=pause.since_us,
            until_us=idle.from_us + round(idle.seconds * MICROSECONDS),
            lasts=pause.lasts(now_us),
            seconds=idle.seconds if known is None else known.seconds + idle.seconds,
            saved=more if known is None else known.saved.plus(more),
        )
        day = (now_us // DAY_US, pause.by)
        self._days[day] = self._days.get(day, Saved()).plus(more)

    def _forget(self, now_us: int) -> None:
        """As long as pauses are kept, and no more of them."""
        kept = [one for one in self._sorted() if one.lasts or one.until_us > now_us - KEPT_US]
        self._entries = {(one.group, one.by, one.since_us): one for one in kept[-MOST_PAUSES:]}
        oldest = now_us // DAY_US - SUMMED_DAYS
        self._days = {key: saved for key, saved in self._days.items() if key[0] > oldest}

    def _sorted(self) -> list[PauseEntry]:
        return sorted(self._entries.values(), key=lambda one: (one.since_us, one.group))

    def savings(self, now_us: int) -> Savings:
        """What is shown of it."""
        oldest, sums = now_us // DAY_US - SUMMED_DAYS, dict[By, Saved]()
        for (day, by), saved in self._days.items():
            if day > oldest:
                sums[by] = sums.get(by, Saved()).plus(saved)
        return Savings(tuple(self._sorted()), sums)

    def export(self) -> LedgerMemory:
        days = tuple(DayEntry(day, by, saved) for (day, by), saved in self._days.items())
        return LedgerMemory(self._currency, tuple(self._sorted()), days)


def _key(pause: Pause) -> Key:
    return pause.group, pause.by, pause.since_us


# ---------------------------------------------------------------------- who stands still


def standing_still(
    glances: Glances, pauses: Iterable[Pause], from_us: int, to_us: int, at: float
) -> dict[Pause, Idle]:
    """The machines that are off, by the pause that each counts for: the one that it was in for most of the
    span; of several a hand goes before the price, and then the one that lasts longest."""
    known = sorted(pauses, key=lambda one: (one.us_within(from_us, to_us), one.by == "hand", one.end_us))
    counting: dict[str, Pause | None] = {}
    found: dict[Pause, Idle] = {}
    for member, glance in glances:
        group = member.place.group
        if group not in counting:
            counting[group] = next((one for one in reversed(known) if covers(one.group, group)), None)
        pause = counting[group]
        if (
            pause is None
            or member.was_off
            or (glance.last_share_at is not None and at - glance.last_share_at < OFF_SECONDS)
        ):
            continue
        if pause not in found:
            found[pause] = Idle(max(pause.since_us, from_us), pause.us_within(from_us, to_us) / MICROSECONDS)
        _stand(found[pause], glance.expected or glance.hashes_per_second, member.watts)
    return found


def kept_from_running(glances: Glances) -> dict[By, Idle]:
    """The machines that are paused now and would run if they were not, by the kind of pause; for no time."""
    found: dict[By, Idle] = {}
    for member, glance in glances:
        if member.watch.state is MachineState.PAUSED and not member.was_off:
            idle = found.setdefault(member.paused_by or "hand", Idle(0, 0.0))
            _stand(idle, glance.expected or glance.hashes_per_second, member.watts)
    return found


def _stand(idle: Idle, hashes_per_second: float, watts: float | None) -> None:
    idle.machines += 1
    idle.hashes_per_second += hashes_per_second
    if watts is None:
        idle.unlisted_hashes_per_second += hashes_per_second
    else:
        idle.watts += watts
