"""Faults of machines, and the census that says of how many machines they are. Pure; it judges nothing."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from pool.farm.places import Place


class Fault(msgspec.Struct, frozen=True):
    """One machine that is not as it should be. A machine has at most one.

    machine     the key by which it is the same machine tomorrow; `name` is how people call it
    state       silent, low or rejecting
    since_us    when that began, as well as can be told (Unix microseconds)
    firmware    its firmware's family; empty where it is not known
    missing_hashes_per_second   what it should do and does not
    """

    machine: str
    name: str
    state: str
    since_us: int
    place: Place
    firmware: str = ""
    missing_hashes_per_second: float = 0.0


class Census(msgspec.Struct, frozen=True):
    """How many machines there are, in each group (by its path) and of each firmware; paused ones left out."""

    machines: int
    by_group: dict[str, int]
    by_firmware: dict[str, int]


def census_of(machines: Iterable[tuple[Place, str]]) -> Census:
    """Count machines, each given by its place and its firmware's family. Those at fault are machines too."""
    places: Counter[Place] = Counter()
    firmware: Counter[str] = Counter()
    for place, family in machines:
        places[place] += 1
        firmware[family] += 1
    groups: Counter[str] = Counter()
    for place, count in places.items():
        for _, path in place.groups():
            groups[path] += count
    return Census(places.total(), dict(groups), {name: count for name, count in firmware.items() if name})
