"""[shell] The farm's desk: the floor with the files that it depends on (inventory, pauses, the coin's price).

It feeds the floor with what frames show and hands out readings and reports. Blocking; for the instruments'
thread alone.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from config.schema import Settings
from pool.farm.coin_price import NoCoinPrice, read_coin_price
from pool.farm.economics import Network
from pool.farm.finance import Finance, Market, Treasurer
from pool.farm.floor import Floor, FloorMemory
from pool.farm.floor_rules import FloorRules
from pool.farm.hashrate import RateWindowState
from pool.farm.inventory import TERA
from pool.farm.observation import Observation
from pool.farm.opening import InventoryUnusable, open_places, places_by_name
from pool.farm.pause_savings import LedgerMemory, PauseLedger, kept_from_running
from pool.farm.pauses import Pause
from pool.farm.places import Places
from pool.farm.planned_pauses import PlannedPauses
from pool.farm.rate_windows import RateWindows
from pool.farm.stale_losses import LossesMemory, StaleLosses
from pool.farm.summary import FarmSums, Glances, farm_sums, group_lines
from pool.gateway.readings import Reading
from pool.instruments import farm_readings
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.reports.farm import FarmReport, Losses, farm_report
from stratum.work.address import parse_address
from stratum.work.coin import network

PRICE_SECONDS = 60.0  # how often the coin's price is looked at
SHOWN_CHANGES = 10  # block changes in a report: the last hour or two
MICROSECONDS = 1_000_000

log = Log("engineroom.farm")


class DeskMemory(msgspec.Struct, frozen=True):
    """What a later process needs."""

    floor: FloorMemory
    windows: dict[str, RateWindowState]
    losses: LossesMemory
    pause_ledger: LedgerMemory


class FarmDesk:
    """Of one pool's settings."""

    def __init__(
        self,
        settings: Settings,
        now: float,
        memory: DeskMemory | None,
        *,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        """Reads the inventory; one that cannot be used is told, and names alone say where machines are.
        Tariffs and pauses go by `unix_time`."""
        farm = settings.farm
        self._settings = settings
        self._unix_time = unix_time
        self._difficulty_of_a_hash = (
            network(settings.coin, settings.network).proof_of_work.difficulty_1 / 2**256
        )
        self._places = self._opened_places()
        rules = FloorRules(
            expected_hashes_per_second=(
                None if farm.expected_terahashes is None else farm.expected_terahashes * TERA
            ),
            false_alarms_per_day=farm.false_alarms_per_day,
            rejecting_percent=farm.rejecting_percent,
            most_machines=max(10_000, 4 * settings.metrics.workers_limit),
            own_accounts=_own_accounts(settings),
        )
        self.floor = Floor(rules, self._places, now, None if memory is None else memory.floor)
        self._windows = RateWindows(now, None if memory is None else memory.windows)
        self.losses = StaleLosses(now, None if memory is None else memory.losses)
        self._planned = PlannedPauses(settings)
        self._pauses: tuple[Pause, ...] = ()
        self._treasurer = Treasurer(farm.power)
        self._ledger = PauseLedger(farm.power.currency, None if memory is None else memory.pause_ledger)
        self._coin_price = farm.power.coin_price
        self._remark: str | None = None
        self._priced_at = 0.0
        self._now = now

    def _opened_places(self) -> Places:
        try:
            return open_places(self._settings)
        except InventoryUnusable as error:
            for line in error.lines:
                log.error(LogEvent.INVENTORY_REFUSED, line=line)
            return places_by_name(self._settings)

    # ------------------------------------------------------------------ in

    def observe(self, source: str, seen: Observation) -> None:
        """What one frame of a gateway shows."""
        self.floor.observe(source, seen)
        self._note_losses(source, seen)
        work = work_squared = 0.0
        for (account, _), shares in seen.shares.items():
            if self._places.has(account):
                work += shares.work
                work_squared += shares.work_squared
        if work:
            self._windows.add(seen.at, work, work_squared)

    def _note_losses(self, source: str, seen: Observation) -> None:
        for (key, reason), refusals in seen.refused.items():
            if key in self.floor.members:
                self.losses.refused(reason, refusals.work, seen.at)
        for tip in seen.tips:
            self.losses.changed(source, tip, seen.at, self.floor.rate_of, self.floor.group_of)

    def advance(self, now: float, missing_seconds: float, *, is_working: bool) -> None:
        """Let time pass; `now` as the board has it, which is so far behind Unix time."""
        unix = self._unix_time()
        self._now = now
        if unix - self._priced_at >= PRICE_SECONDS:
            self._priced_at = unix
            path = self._settings.farm.power.coin_price_file
            if path is not None:
                self._read_coin_price(Path(path), unix)
        self._pauses = self._planned.at(unix)
        now_us = round(unix * MICROSECONDS)
        self.floor.advance(now, now_us, self._pauses, is_working=is_working, missing_seconds=missing_seconds)

    def count_pauses(self, market_network: Network | None) -> None:
        """Take down what pauses save; to be called after `advance`, and worth a look once a minute."""
        unix, market = self._unix_time(), self._market(market_network)
        self._ledger.count(
            self.floor.time,
            round(unix * MICROSECONDS),
            self._pauses,
            self.floor.glances,
            lambda idle: self._treasurer.worth(idle, market, farm_sums(self.floor.glances()).refused),
        )

    def _read_coin_price(self, path: Path, unix: float) -> None:
        power = self._settings.farm.power
        most = power.coin_price_max_age_hours * 3600.0
        found = read_coin_price(path, power.currency or "", most, unix)
        if isinstance(found, NoCoinPrice):
            if found.problem != self._remark:
                log.warning(LogEvent.COIN_PRICE_UNKNOWN, problem=found.problem)
            self._coin_price, self._remark = None, found.problem
        else:
            self._coin_price, self._remark = found.price, None

    # ------------------------------------------------------------------ out

    def difficulty_of(self, work: float) -> float:
        """Of a share for which so many hashes are expected."""
        return work * self._difficulty_of_a_hash

    def report(
        self, group: str | None, market_network: Network | None, most: int | None = None
    ) -> FarmReport:
        """The farm, or what is in a group, as it is now; `most` machines, the worst (None: all)."""
        glances, unix = self.floor.glances(), self._unix_time()
        return farm_report(
            self.floor,
            glances,
            self._windows.estimates(self._now),
            self._finance(glances, farm_sums(glances), market_network, unix),
            self.difficulty_of,
            group,
            round(unix * MICROSECONDS),
            Losses(tuple(self.losses.changes)[-SHOWN_CHANGES:], self._losses_per_day(market_network)),
            most,
        )

    def _finance(
        self, glances: Glances, sums: FarmSums, market_network: Network | None, unix: float
    ) -> Finance:
        market, savings = self._market(market_network), self._ledger.savings(round(unix * MICROSECONDS))
        return self._treasurer.finance(sums, market, unix, kept_from_running(glances), savings)

    def _market(self, market_network: Network | None) -> Market:
        return Market(network=market_network, coin_price=self._coin_price, remark=self._remark)

    def _losses_per_day(self, market_network: Network | None) -> dict[str, float] | None:
        """In satoshis by cause; None before a node has told what work is worth."""
        if market_network is None:
            return None
        reward = market_network.subsidy_sats + (market_network.mean_fees_sats or 0.0)
        kept = reward * (1.0 - market_network.fee_share)
        return self.losses.sats_per_day(self._now, kept / market_network.work)

    def readings(self, market_network: Network | None) -> Iterator[Reading]:
        """Everything that charts show of the farm."""
        glances = self.floor.glances()
        sums = farm_sums(glances)
        yield from farm_readings.farm_readings(sums, self._windows.estimates(self._now))
        yield from farm_readings.incident_readings(self.floor)
        limit = self._settings.metrics.groups_limit
        yield from farm_readings.group_readings(group_lines(glances), limit)
        limit = self._settings.metrics.workers_limit
        yield from farm_readings.worker_readings(self.floor, glances, self.difficulty_of, limit)
        yield from farm_readings.loss_readings(self.losses.totals, self._losses_per_day(market_network))
        yield from farm_readings.money_readings(
            self._finance(glances, sums, market_network, self._unix_time())
        )

    def groups(self) -> set[str]:
        """All that machines stand in, now."""
        return {path for member in self.floor.members.values() for _, path in member.place.groups()}

    def export(self) -> DeskMemory:
        return DeskMemory(
            self.floor.export(), self._windows.export(), self.losses.export(), self._ledger.export()
        )


def _own_accounts(settings: Settings) -> frozenset[str] | None:
    """Whose faults are incidents. Whoever says which machines are theirs means them; a pool that says nothing
    has strangers' machines, of which those that mine to its own address are its own."""
    farm, address = settings.farm, settings.payout.address
    is_farm = farm.accounts or farm.inventory is not None or farm.name_pattern is not None
    if is_farm or address is None:
        return None
    return frozenset({parse_address(address, network(settings.coin, settings.network)).text})
