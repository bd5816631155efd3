"""Incidents: what has one cause is one incident, and stays the same one while it lasts. Pure; no clock.

Each look at the faults is explained afresh (pool.farm.explanation) and then laid over the incidents so far:

- A fault stays in its incident until its machine is well, though the others of its cause may be well already;
  and a machine that was well for less than five minutes is back in the incident that it was in.
- New faults join an incident whose cause covers them, if it has grown within the last ten minutes. A rack
  that loses its power today is not yesterday's incident of its row, of which three machines are left.
- A wider cause takes in the incidents of which it explains every machine: three machines, then the rack,
  then the row are one incident that grows. It keeps its id, and with it the moment it began.
- Without faults an incident waits five minutes before it ends, so that a flapping switch is one incident.
- A machine that is at fault no more is well again, unless the caller says that it is paused or forgotten:
  whoever reads that an incident is over shall not take a dead rack for a repaired one.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Literal

import msgspec

from pool.farm.cause import GROWING_US, Cause, Cluster, onset
from pool.farm.enrichment import LEAST_FAULTS
from pool.farm.explanation import explain
from pool.farm.faults import Census, Fault

Departure = Literal["paused", "forgotten"]

LINGERING_US = 5 * 60_000_000  # a machine that restarts is back by then, or silent again


class Incident(msgspec.Struct, frozen=True):
    """Faults of one cause, from `begun_us` until five minutes after `well_since_us`.

    id            the same while it lasts; never again
    latest_us     when its latest fault began
    first         the name of the machine that was first
    faults        of its machines that are not well, the earliest first
    machines      how many machines the cause could strike; None where that is no number of its own
    most          the most machines that were at fault at once
    healed        its machines that became well within the last five minutes, and when that was seen
    well_since_us when the last of them was at fault no more; None while faults last
    departed      its machines that were at fault last and are not well since, by key, and why not
    """

    id: str
    cause: Cause
    begun_us: int
    latest_us: int
    first: str
    faults: tuple[Fault, ...]
    machines: int | None
    most: int
    healed: dict[str, int]
    well_since_us: int | None = None
    departed: dict[str, Departure] = {}

    @property
    def missing_hashes_per_second(self) -> float:
        """What all its machines should do and do not."""
        return sum(fault.missing_hashes_per_second for fault in self.faults)


def update(
    previous: Sequence[Incident],
    faults: Sequence[Fault],
    census: Census,
    now_us: int,
    departed: Mapping[str, Departure] = MappingProxyType({}),
) -> tuple[Incident, ...]:
    """The incidents now, the largest first; each of the faults is in exactly one of them. `departed` are
    machines, by key, that are no faults without being well: all that are paused now, and those that were
    forgotten since the last answer.

    Give the last answer as `previous`. One that is missing from the answer has ended or has become part of a
    wider one.
    """
    laying = _Laying(previous, {fault.machine: fault for fault in faults}, now_us, departed)
    clusters = explain(list(laying.faults.values()), census)
    for cluster in clusters:
        if cluster.cause.kind != "machine":
            laying.lay(cluster)
    laying.lay_rest([fault for cluster in clusters for fault in cluster.faults])
    known = {was.id for was in previous}
    made = [one for drawn in laying.drawn if (one := drawn.incident(census, now_us, known)) is not None]
    return tuple(sorted(made, key=lambda one: (-len(one.faults), one.begun_us, one.id)))


class _Drawn:
    """An incident while it is being put together."""

    def __init__(self, was: Incident | None, cause: Cause, begun_us: int) -> None:
        self.was = was
        self.cause = cause
        self.begun_us = begun_us
        self.faults: dict[str, Fault] = {}
        self.healed: dict[str, int] = {}
        self.departed: dict[str, Departure] = {}

    @property
    def age(self) -> tuple[int, str]:
        """To find the oldest."""
        return self.begun_us, "" if self.was is None else self.was.id

    @property
    def latest_us(self) -> int:
        known = self.begun_us if self.was is None else self.was.latest_us
        return max([known, *(fault.since_us for fault in self.faults.values())])

    def is_growing(self, since_us: int) -> bool:
        """Whether a fault that began then may still be part of it."""
        return since_us <= self.latest_us + GROWING_US

    def is_within(self, cluster: Cluster, machines: Set[str]) -> bool:
        """Whether all of its faults are the cluster's; without any, whether it is of the same cause."""
        return self.faults.keys() <= machines if self.faults else self.cause == cluster.cause

    def incident(self, census: Census, now_us: int, known: set[str]) -> Incident | None:
        """None where it has ended. A new one gets an id that is not among the known ones."""
        was = self.was
        faults = tuple(sorted(self.faults.values(), key=_by_time))
        well_since_us = None
        if not faults:
            well_since_us = now_us if was is None or was.well_since_us is None else was.well_since_us
            if now_us - well_since_us >= LINGERING_US:
                return None
        started = next((fault.name for fault in faults if fault.since_us >= self.begun_us), "")
        return Incident(
            id=self._new_id(known) if was is None else was.id,
            cause=self.cause,
            begun_us=self.begun_us,
            latest_us=self.latest_us,
            first=started if was is None else was.first,
            faults=faults,
            machines=self.cause.machines(census),
            most=max(len(faults), 0 if was is None else was.most),
            healed=self.healed,
            well_since_us=well_since_us,
            departed={name: why for name, why in self.departed.items() if name not in self.faults},
        )

    def _new_id(self, known: set[str]) -> str:
        """An incident that widened keeps the id of its first cause: what it grew out of may fail again. No
        name is in it: machines have addresses in their keys, and ids go through the hands of others."""
        which = hashlib.sha256(f"{self.cause.name}@{self.begun_us}".encode()).hexdigest()[:12]
        new = f"{self.cause.level or self.cause.kind}-{which}"
        while new in known:
            new += "+"
        known.add(new)
        return new


class _Laying:
    """The incidents so far, and the clusters of now laid over them one after the other."""

    def __init__(
        self,
        previous: Sequence[Incident],
        faults: dict[str, Fault],
        now_us: int,
        departed: Mapping[str, Departure],
    ) -> None:
        self.faults = faults
        self.drawn: list[_Drawn] = []
        self.owner: dict[str, _Drawn] = {}
        for was in previous:
            drawn = _Drawn(was, was.cause, was.begun_us)
            self.drawn.append(drawn)
            self._give(drawn, (faults[one.machine] for one in was.faults if one.machine in faults))
            left = [one.machine for one in was.faults if one.machine not in faults]
            still = {
                name: departed.get(name, why)  # one that is paused may be forgotten
                for name, why in was.departed.items()
                if why == "forgotten" or name in departed
            }
            drawn.departed = still | {name: departed[name] for name in left if name in departed}
            drawn.healed = {name: now_us for name in left if name not in departed} | {
                name: at_us for name, at_us in was.healed.items() if now_us - at_us < LINGERING_US
            }
        for drawn in self.drawn:
            back = [name for name in drawn.healed if name in faults and name not in self.owner]
            self._give(drawn, [faults[name] for name in back])
            drawn.healed = {name: at_us for name, at_us in drawn.healed.items() if name not in faults}

    def lay(self, cluster: Cluster) -> None:
        """A cluster with a common cause: into an incident that it belongs to, or a new one."""
        free = [fault for fault in cluster.faults if fault.machine not in self.owner]
        machines = {fault.machine for fault in cluster.faults}
        inside = [one for one in self.drawn if one.is_within(cluster, machines)]
        around = [one for one in self.drawn if _is_around(one, cluster)]
        known = [*inside, *(one for one in around if one not in inside)]
        heirs = [one for one in known if not free or one.is_growing(onset(free))]
        if not heirs and len(free) < LEAST_FAULTS:
            heirs = inside  # too few to be an event of their own: what is there grows slowly
        if heirs:
            heir = min(heirs, key=lambda one: one.age)
        elif len(free) >= LEAST_FAULTS:
            heir = _Drawn(None, cluster.cause, onset(free))
            self.drawn.append(heir)
        else:
            return
        if heir not in around:
            heir.cause = cluster.cause
        self._give(heir, free)
        merged = {other for other in inside if other is not heir}
        for other in merged:
            self._give(heir, other.faults.values())
            heir.healed = other.healed | heir.healed
            heir.departed = other.departed | heir.departed
        self.drawn = [one for one in self.drawn if one not in merged]

    def lay_rest(self, faults: Iterable[Fault]) -> None:
        """What has nothing in common with enough others: into an incident that grows, or one of its own."""
        common = [one for one in self.drawn if one.cause.kind != "machine"]
        for fault in faults:
            if fault.machine in self.owner:
                continue
            growing = [one for one in common if one.cause.covers(fault) and one.is_growing(fault.since_us)]
            if growing:
                heir = min(growing, key=lambda one: one.age)
            else:
                heir = _Drawn(None, Cause("machine", fault.machine), fault.since_us)
                self.drawn.append(heir)
            self._give(heir, [fault])

    def _give(self, heir: _Drawn, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self.owner[fault.machine] = heir
            heir.faults[fault.machine] = fault


def _is_around(drawn: _Drawn, cluster: Cluster) -> bool:
    """Whether the incident's cause, if it is a common one, covers all of the cluster. The first minute gives
    way to a place or a firmware as soon as one is seen."""
    if drawn.cause.kind in ("machine", "minute"):
        return drawn.cause == cluster.cause
    return all(map(drawn.cause.covers, cluster.faults))


def _by_time(fault: Fault) -> tuple[int, str]:
    return fault.since_us, fault.machine
