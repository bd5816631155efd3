"""What faults have in common at one moment: faults → clusters, each fault in exactly one. Pure; no memory.

Groups first. One is the cause where it has far more faults than the rest of the farm (pool.farm.enrichment),
unless smaller groups inside, at most half of it together, explain that. So a rack without power is that
rack, two such racks are two, and most racks of a row are the row. Where one firmware explains the same
faults better than the place does, they are left to it. What a cause explains is taken out, machines and
faults, and the rest is looked at again: a hall that is down hides no smaller fault.

Then firmware, by the same test; then the minute in which faults began; what is left stands for itself. At
last, more than three groups that failed within one minute are one event, of the group that they all lie in.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from pool.farm.cause import MINUTE_US, Cause, Cluster, onset
from pool.farm.enrichment import (
    LEAST_FAULTS,
    RAREST_BY_CHANCE,
    Share,
    is_struck,
    log_chance,
    log_chance_of_arrivals,
)
from pool.farm.faults import Census, Fault
from pool.farm.places import Place

DAY_MINUTES = 1_440
FARM = ""
MOST_ROUNDS = 8  # each takes a cause out; a farm with causes behind eight others has no use for a ninth
MACHINES_LIFE_MINUTES = 30 * DAY_MINUTES
# How long a machine runs without a fault, to say how many begin in a minute by chance: once a month is worse
# than any farm's, so that what stands out here stands out anywhere.
EXPLAINED = 0.8  # of a group's faults, for a firmware to be thought of in its stead
MOST_AT_ONCE = 3  # groups that fail in the same minute and are told one by one; two racks may share a breaker

Levels = tuple[tuple[str, str], ...]


def explain(faults: Sequence[Fault], census: Census) -> list[Cluster]:
    """Every fault in exactly one cluster; those with a common cause first, the largest of them foremost.

    The census counts the machines that the faults are of as well.
    """
    left = sorted(faults, key=lambda fault: (fault.since_us, fault.machine))
    found: list[Cluster] = []
    taken: list[Fault] = []
    for number in range(MOST_ROUNDS):
        look = _Look(left, taken, census, is_first=number == 0)
        causes = look.groups() or look.firmware()
        if not causes:
            break
        clusters, left = _parted(left, causes)
        found += clusters
        taken += (fault for cluster in clusters for fault in cluster.faults)
    clusters, left = _parted(left, list(_minutes(left, census.machines)))
    found += clusters
    found = _merged(found)
    found.sort(key=lambda cluster: (-len(cluster.faults), cluster.cause))
    return found + [Cluster(Cause("machine", fault.machine), (fault,)) for fault in left]


def _parted(faults: Sequence[Fault], causes: Sequence[Cause]) -> tuple[list[Cluster], list[Fault]]:
    """The faults of each cause, and those of none. Of two that cover a fault the first has it."""
    found: dict[Cause, list[Fault]] = {cause: [] for cause in causes}
    rest: list[Fault] = []
    groups = {cause.name: cause for cause in causes if cause.kind == "group"}
    others = [cause for cause in causes if cause.kind != "group"]
    by_levels: dict[Levels, Cause | None] = {}
    for fault in faults:
        levels = fault.place.levels
        if levels not in by_levels:
            paths = (groups.get(path) for _, path in fault.place.groups())
            by_levels[levels] = next((cause for cause in paths if cause is not None), None)
        cause = by_levels[levels] or next((one for one in others if one.covers(fault)), None)
        (rest if cause is None else found[cause]).append(fault)
    return [Cluster(cause, tuple(among)) for cause, among in found.items() if among], rest


def _merged(clusters: Sequence[Cluster]) -> list[Cluster]:
    """More groups than three that failed within one minute, as one cluster of the group they all lie in."""
    groups = sorted(
        (onset(cluster.faults), cluster.cause, cluster)
        for cluster in clusters
        if cluster.cause.kind == "group"
    )
    rest = [cluster for cluster in clusters if cluster.cause.kind != "group"]
    while groups:
        began = [entry for entry in groups if entry[0] - groups[0][0] < MINUTE_US]
        del groups[: len(began)]
        among = [cluster for _, _, cluster in began]
        rest += [_union(among)] if len(among) > MOST_AT_ONCE else among
    return rest


def _union(clusters: Sequence[Cluster]) -> Cluster:
    faults = tuple(
        sorted((fault for cluster in clusters for fault in cluster.faults), key=lambda one: one.since_us)
    )
    shared = set.intersection(*(set(cluster.faults[0].place.groups()) for cluster in clusters))
    if not shared:
        return Cluster(Cause("farm"), faults)
    level, path = max(shared, key=lambda group: len(group[1]))
    return Cluster(Cause("group", path, level), faults)


class _Look:
    """One look at the faults that nothing explains yet, among the machines that nothing has struck."""

    def __init__(self, left: Sequence[Fault], taken: Sequence[Fault], census: Census, is_first: bool) -> None:
        self._is_first = is_first
        self._whole = _share(len(left), census.machines - len(taken))
        self._census = census
        self._left, self._taken = _Tally(left), _Tally(taken)

    def groups(self) -> list[Cause]:
        """Groups that are causes, none inside another."""
        return [
            Cause("group", path, self._left.levels[path]) if path else Cause("farm")
            for path in self._within(FARM)
        ]

    def firmware(self) -> list[Cause]:
        """The firmware that stands out most, if one does; what it explains is taken out before the next."""
        struck = [
            (log_chance(self._family(name), self._whole), name)
            for name in self._left.families[FARM]
            if name and is_struck(self._family(name), self._whole)
        ]
        return [Cause("firmware", name) for _, name in sorted(struck)[:1]]

    def _within(self, path: str) -> list[str]:
        """The group itself, or what inside of it explains its faults, or nothing."""
        smaller = [found for child in sorted(self._left.children[path]) for found in self._within(child)]
        is_cause = (
            self._stands_out(path, self._group(path))
            and not self._is_explained_by(smaller, path)
            and not self._is_of_one_firmware(path)
        )
        return [path] if is_cause else smaller

    def _stands_out(self, path: str, share: Share) -> bool:
        """The farm has no outside to be compared with: it is the cause once half of it is at fault."""
        if path == FARM:
            return self._is_first and share.faults >= LEAST_FAULTS and 2 * share.faults >= share.machines
        return is_struck(share, self._whole)

    def _is_explained_by(self, smaller: Sequence[str], path: str) -> bool:
        """Whether struck groups inside are all there is to it: one of them, or several that are at most half
        of it by machines, and the rest does not stand out by itself."""
        rest = group = self._group(path)
        for inner in smaller:
            rest = rest.without(self._group(inner))
        inside = group.without(rest)
        if not smaller or (len(smaller) > 1 and 2 * inside.machines > group.machines):
            return False
        if path == FARM:
            return not self._stands_out(FARM, rest)
        return not is_struck(rest, self._whole.without(inside))

    def _is_of_one_firmware(self, path: str) -> bool:
        here = self._left.families[path]
        [(name, count)] = here.most_common(1)
        if not name or count < EXPLAINED * here.total():
            return False
        by_place = log_chance(self._group(path), self._whole)
        return log_chance(self._family(name), self._whole) < by_place

    def _group(self, path: str) -> Share:
        if path == FARM:
            return self._whole
        machines = self._census.by_group.get(path, 0) - self._taken.faults_in(path)
        return _share(self._left.faults_in(path), machines)

    def _family(self, name: str) -> Share:
        machines = self._census.by_firmware.get(name, 0) - self._taken.families[FARM][name]
        return _share(self._left.families[FARM][name], machines)


class _Tally:
    """Faults by group and firmware: `families` of each group, the groups' `levels`, and the `children`, the
    groups that lie in each; FARM is a group here."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.families: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.levels: dict[str, str] = {}
        self.children: defaultdict[str, set[str]] = defaultdict(set)
        kinds = Counter((fault.place.levels, fault.firmware) for fault in faults)
        for (levels, firmware), count in kinds.items():
            self.families[FARM][firmware] += count
            above = FARM
            for level, path in Place(levels).groups():
                self.families[path][firmware] += count
                self.levels[path] = level
                self.children[above].add(path)
                above = path

    def faults_in(self, path: str) -> int:
        return self.families[path].total()


def _share(faults: int, machines: int) -> Share:
    """Machines that were counted before their faults came may be fewer than these."""
    return Share(faults, max(faults, machines))


def _minutes(faults: Sequence[Fault], machines: int) -> Iterator[Cause]:
    """Minutes in which more faults began than chance gives, the fullest first; faults are sorted by time."""
    left = list(faults)
    for _ in range(MOST_ROUNDS):
        start, stop = _fullest_minute(left)
        among = left[start:stop]
        if len(among) < LEAST_FAULTS:
            return
        by_chance = (machines + 1) / MACHINES_LIFE_MINUTES
        lately = sum(fault.since_us > among[0].since_us - DAY_MINUTES * MINUTE_US for fault in left)
        mean = max(by_chance, (lately - len(among)) / DAY_MINUTES)
        if log_chance_of_arrivals(len(among), mean) >= RAREST_BY_CHANCE:
            return
        yield Cause("minute", str(among[0].since_us))
        del left[start:stop]


def _fullest_minute(faults: Sequence[Fault]) -> tuple[int, int]:
    """The slice of the sixty seconds that hold the most, the earliest among equals."""
    best, start = (0, 0), 0
    for stop in range(1, len(faults) + 1):
        while faults[stop - 1].since_us - faults[start].since_us >= MINUTE_US:
            start += 1
        if stop - start > best[1] - best[0]:
            best = (start, stop)
    return best
