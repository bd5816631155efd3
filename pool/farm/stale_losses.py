"""The stale-loss ledger: what each block change costs, and by whose delay. Pure; nothing of it is booked.

From the moment that a block is in the world, work on the one before is worth nothing. What we can see of
that begins when the first of our nodes has it:

    node      until the template came that work was made of: another node was faster, or the template slow
    gateway   from there until each machine was sent its new job
    miner     work on the old block that machines handed in later all the same, and that was refused

Delays are turned into work by the machines' own hashrates, work into satoshis by what a block pays for it.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from pool.farm.hashrate import RateWindow, RateWindowState
from pool.farm.observation import MachineKey, TipSeen

DAY_SECONDS = 86_400.0
CHANGES_KEPT = 144  # a day of them
CAUSES = ("node", "gateway", "miner")
STALE_REASONS = ("stale", "job_not_found")


class BlockChange(msgspec.Struct, frozen=True, kw_only=True):
    """One block change. Times in seconds after the first node had the block; `groups` is when the last
    machine of each was sent work on it. Hashes are what was lost by each cause, by miners until now."""

    height: int
    at: float
    nodes: dict[str, float]
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
        self._rates = {cause: RateWindow(DAY_SECONDS, now) for cause in CAUSES}
        if memory is not None:
            self.changes.extend(memory.changes)
            self.totals |= memory.totals
            self._rates |= {cause: RateWindow.restore(state) for cause, state in memory.rates.items()}

    def changed(
        self,
        seen: TipSeen,
        at: float,
        rate_of: Callable[[MachineKey], float],
        group_of: Callable[[MachineKey], str | None],
    ) -> None:
        """Every machine was sent work on a new block. `rate_of` and `group_of` know the machines; who is not
        the farm's has no group."""
        ours = {key: delay for key, delay in seen.delays.items() if group_of(key) is not None}
        if not ours:
            return
        first = min([*seen.nodes.values(), seen.template_at])
        waited = seen.template_at - first
        groups: dict[str, float] = {}
        total_rate = gateway_hashes = 0.0
        for key, delay in ours.items():
            rate = rate_of(key)
            total_rate += rate
            gateway_hashes += rate * delay
            group = group_of(key) or ""
            groups[group] = max(groups.get(group, 0.0), waited + delay)
        change = BlockChange(
            height=seen.height,
            at=seen.template_at,
            nodes={name: node_at - first for name, node_at in seen.nodes.items()},
            template_seconds=waited,
            first_seconds=waited + min(ours.values()),
            last_seconds=waited + max(ours.values()),
            groups=groups,
            node_hashes=total_rate * waited,
            gateway_hashes=gateway_hashes,
        )
        self.changes.append(change)
        self._lose("node", at, change.node_hashes)
        self._lose("gateway", at, change.gateway_hashes)

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
