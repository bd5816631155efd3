"""The stale-loss ledger: what each block change costs, and by whose delay. Pure; nothing of it is booked.

From the moment that a block is in the world, work on the one before is worth nothing. What we can see of
that begins when the first of our nodes has it:

    node      until the template came that work was made of: another node was faster, or the template slow
    gateway   from there until each machine was sent its new job
    miner     work on the old block that machines handed in later all the same, and that was refused

Delays are turned into work by the machines' own hashrates, work into satoshis by what a block pays for it.
"""

from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from pool.farm.hashrate import RateWindow, RateWindowState
from pool.farm.observation import MachineKey, TipSeen

DAY_SECONDS = 86_400.0
CHANGES_KEPT = 144  # a day of them
SAME_CHANGE_SECONDS = 60.0  # between gateways; a chain that comes back to a block later changes anew
MOST_GROUPS = 50  # of a block change: those that waited longest are those to look at
CAUSES = ("node", "gateway", "miner")
STALE_REASONS = ("stale", "job_not_found")


class BlockChange(msgspec.Struct, frozen=True, kw_only=True):
    """One block change, by all gateways that told of it until now. `tip` is the block's hash as displayed,
    `at` when the last template came, Unix seconds. Other times are seconds after the first node had the
    block: `gateways` is when each had a template on it, `groups` when the last machine of each was sent work
    on it, of the groups that waited longest. Hashes are what was lost by each cause, by miners until now."""

    tip: str
    height: int
    at: float
    nodes: dict[str, float]
    gateways: dict[str, float]
    template_seconds: float
    first_seconds: float
    last_seconds: float
    groups: dict[str, float]
    node_hashes: float
    gateway_hashes: float
    miner_hashes: float = 0.0


class LossesMemory(msgspec.Struct, frozen=True):
    """What a later process needs."""

    rates: dict[str, RateWindowState]
    totals: dict[str, float]
    changes: list[BlockChange]


class StaleLosses:
    """Of the whole farm."""

    def __init__(self, now: float, memory: LossesMemory | None = None) -> None:
        self.changes: deque[BlockChange] = deque(maxlen=CHANGES_KEPT)
        self.totals = dict.fromkeys(CAUSES, 0.0)
        self._tip, self._tip_at = b"", 0.0  # the newest, and how long each machine waited for work on it
        self._waited: dict[MachineKey, float] = {}
        self._rates = {cause: RateWindow(DAY_SECONDS, now) for cause in CAUSES}
        if memory is not None:
            self.changes.extend(memory.changes)
            self.totals |= memory.totals
            self._rates |= {cause: RateWindow.restore(state) for cause, state in memory.rates.items()}

    def changed(
        self,
        gateway: str,
        seen: TipSeen,
        at: float,
        rate_of: Callable[[MachineKey], float],
        group_of: Callable[[MachineKey], str | None],
    ) -> None:
        """Machines of a gateway were sent work on a new block; others may follow. `rate_of` and `group_of`
        know the machines; who is not the farm's has no group.

        A machine of several connections works on the old block until the last of them has new work."""
        ours = {key: delay for key, delay in seen.delays.items() if group_of(key) is not None}
        if not ours:
            return
        first = min([*seen.nodes.values(), seen.template_at])
        waited = max(0.0, seen.template_at - first)
        if seen.tip != self._tip or abs(seen.template_at - self._tip_at) >= SAME_CHANGE_SECONDS:
            self._tip, self._tip_at, self._waited = seen.tip, seen.template_at, {}
        groups: dict[str, float] = {}
        node_hashes = gateway_hashes = 0.0
        for key, delay in ours.items():
            rate, until = rate_of(key), self._waited.get(key)
            if until is None:
                node_hashes += rate * waited
            gateway_hashes += rate * max(0.0, delay - (until or 0.0))
            self._waited[key] = max(delay, until or 0.0)
            group = group_of(key) or ""
            groups[group] = max(groups.get(group, 0.0), waited + delay)
        change = BlockChange(
            tip=seen.tip[::-1].hex(),
            height=seen.height,
            at=seen.template_at,
            nodes={name: node_at - first for name, node_at in seen.nodes.items()},
            template_seconds=waited,
            first_seconds=waited + min(ours.values()),
            last_seconds=waited + max(ours.values()),
            gateways={gateway: waited},
            groups=_slowest(groups),
            node_hashes=node_hashes,
            gateway_hashes=gateway_hashes,
        )
        self._keep(change)
        self._lose("node", at, change.node_hashes)
        self._lose("gateway", at, change.gateway_hashes)

    def _keep(self, change: BlockChange) -> None:
        """Each gateway tells of the same block."""
        for place, known in enumerate(self.changes):
            if known.tip == change.tip and abs(known.at - change.at) < SAME_CHANGE_SECONDS:
                self.changes[place] = _together(known, change)
                return
        self.changes.append(change)

    def refused(self, reason: str, work: float, at: float) -> None:
        """A machine's submission was refused; only what came for an old block counts."""
        if reason not in STALE_REASONS or work <= 0:
            return
        self._lose("miner", at, work)
        if self.changes:
            last = self.changes[-1]
            self.changes[-1] = msgspec.structs.replace(last, miner_hashes=last.miner_hashes + work)

    def _lose(self, cause: str, at: float, hashes: float) -> None:
        self.totals[cause] += hashes
        self._rates[cause].add(at, hashes, hashes * hashes)

    def sats_per_day(self, now: float, sats_per_hash: float) -> dict[str, float]:
        """By cause, over about a day."""
        return {
            cause: rate.hashes_per_second(now) * DAY_SECONDS * sats_per_hash
            for cause, rate in self._rates.items()
        }

    def export(self) -> LossesMemory:
        rates = {cause: rate.export() for cause, rate in self._rates.items()}
        return LossesMemory(rates, dict(self.totals), list(self.changes))


def _slowest(groups: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(groups.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_GROUPS])


def _together(one: BlockChange, other: BlockChange) -> BlockChange:
    """One block change by what two gateways, or two reports, say of it: each of its own machines."""
    early, late = sorted((one, other), key=_first_node_at)
    shift = _first_node_at(late) - _first_node_at(early)
    nodes = {name: seconds + shift for name, seconds in late.nodes.items()}
    for name, seconds in early.nodes.items():
        nodes[name] = min(seconds, nodes.get(name, seconds))
    gateways = {name: seconds + shift for name, seconds in late.gateways.items()} | early.gateways
    groups = {name: seconds + shift for name, seconds in late.groups.items()}
    for name, seconds in early.groups.items():
        groups[name] = max(seconds, groups.get(name, 0.0))
    return BlockChange(
        tip=one.tip,
        height=one.height,
        at=max(one.at, other.at),
        nodes=nodes,
        gateways=gateways,
        template_seconds=max(early.template_seconds, late.template_seconds + shift),
        first_seconds=min(early.first_seconds, late.first_seconds + shift),
        last_seconds=max(early.last_seconds, late.last_seconds + shift),
        groups=_slowest(groups),
        node_hashes=one.node_hashes + other.node_hashes,
        gateway_hashes=one.gateway_hashes + other.gateway_hashes,
        miner_hashes=one.miner_hashes + other.miner_hashes,
    )


def _first_node_at(change: BlockChange) -> float:
    return change.at - change.template_seconds
