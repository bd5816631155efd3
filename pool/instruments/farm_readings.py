"""What charts show of the farm: machines, groups, incidents and money, as readings. Pure."""

from collections.abc import Callable, Iterator, Mapping

from pool.farm.economics import Economics
from pool.farm.finance import Finance
from pool.farm.floor import Floor
from pool.farm.hashrate import Rate
from pool.farm.machine_state import Glance
from pool.farm.member import Member, measured_of
from pool.farm.pause_savings import Saved
from pool.farm.summary import FarmSums, Glances, GroupLine
from pool.gateway.readings import Reading
from pool.instruments.farm_metrics import PAUSED_BY

MOST_INCIDENTS = 200  # single machines are one each; a farm in such a state has an operator who looks already
NOTHING_SAVED = Saved(energy_kwh=0.0, saved=0.0)


def farm_readings(sums: FarmSums, rates: Mapping[str, Rate]) -> Iterator[Reading]:
    """The whole farm; `rates` by window."""
    for window, rate in rates.items():
        yield ("farm_hashrate_hashes_per_second", (window,)), rate.hashes_per_second
    yield ("farm_expected_hashes_per_second", ()), sums.nameplate
    yield ("farm_paused_hashes_per_second", ()), sums.paused
    for state, count in sums.states.items():
        yield ("farm_machines", (state,)), float(count)


def incident_readings(floor: Floor) -> Iterator[Reading]:
    """The incidents that still have machines that are not well, the largest first. A single machine is called
    as it is elsewhere: its key has the whole address, and alerts are mailed."""
    open_ones = [one for one in floor.incidents if one.faults]
    yield ("incidents", ()), float(len(open_ones))
    for incident in open_ones[:MOST_INCIDENTS]:
        cause = incident.cause
        name = cause.name if cause.name and cause.kind != "machine" else incident.first
        labels = (incident.id, cause.level or cause.kind, name)
        yield ("incident_machines", labels), float(len(incident.faults))
        yield ("incident_missing_hashes_per_second", labels), incident.missing_hashes_per_second
        yield ("incident_start_timestamp_seconds", labels), incident.begun_us / 1e6


def group_readings(lines: list[GroupLine], limit: int) -> Iterator[Reading]:
    """Six series for each group, up to `limit` of them: `lines` have the worst first."""
    yield ("groups_cut", ()), float(max(0, len(lines) - limit))
    for line in lines[:limit]:
        label = (line.group,)
        yield ("group_hashrate_hashes_per_second", label), line.measured
        yield ("group_expected_hashes_per_second", label), line.expected
        yield ("group_machines", label), float(line.machines)
        yield ("group_faulty_machines", label), float(line.faulty)
        yield ("group_paused_machines", label), float(line.paused)
        yield ("group_rejected_ratio", label), line.refused


def worker_readings(
    floor: Floor, glances: Glances, difficulty_of: Callable[[float], float], limit: int
) -> Iterator[Reading]:
    """Six series for each machine, up to `limit` of them: those that are not well come first."""
    yield ("workers_shown", ()), float(min(limit, len(glances)))
    yield ("workers_cut", ()), float(max(0, len(glances) - limit) + floor.turned_away)
    for member, glance in sorted(glances, key=_worst_first)[:limit]:
        yield from _worker(floor, member, glance, difficulty_of)


def _worker(
    floor: Floor, member: Member, glance: Glance, difficulty_of: Callable[[float], float]
) -> Iterator[Reading]:
    labels = (member.account, member.worker, member.place.group)
    yield ("worker_hashrate_hashes_per_second", labels), measured_of(member, glance)
    if glance.expected is not None:
        yield ("worker_expected_hashes_per_second", labels), glance.expected
    yield ("worker_state", (*labels, member.watch.state.value)), 1.0
    yield ("worker_rejected_ratio", labels), glance.refused
    if glance.last_share_at is not None:
        yield ("worker_last_share_timestamp_seconds", labels), floor.unix_us(glance.last_share_at) / 1e6
    if member.best_work:
        yield ("worker_best_share_difficulty", labels), difficulty_of(member.best_work)


def _worst_first(one: tuple[Member, Glance]) -> tuple[bool, str, str]:
    member, _ = one
    return (not member.is_faulty, member.worker, member.account)


def loss_readings(totals: Mapping[str, float], per_day: Mapping[str, float] | None) -> Iterator[Reading]:
    """What block changes cost, by cause; satoshis only where it is known what work is worth."""
    for cause, hashes in totals.items():
        yield ("stale_loss_hashes", (cause,)), hashes
    for cause, sats in (per_day or {}).items():
        yield ("stale_loss_sats_per_day", (cause,)), sats


def money_readings(finance: Finance) -> Iterator[Reading]:
    """What is known; a figure that is not is absent, never 0. While machines stand still for the price, what
    is measured is no profit and no loss."""
    for basis, one in (("measured", finance.measured), ("nameplate", finance.nameplate)):
        yield from _economics(basis, one)
        if basis == "nameplate" or not finance.is_standing_still:
            yield from _known("profit_per_day", one.day.profit, basis)
    yield from _known("power_price_per_kwh", finance.price_per_kwh)
    yield from _known("coin_price", finance.coin_price)
    yield from _known("pause_saved_per_day", finance.saved_per_day)
    yield from _saved_in_30_days(finance)
    if finance.solo is not None:
        yield from _known("solo_block_wait_seconds", finance.solo.expected_wait_seconds)
        yield ("solo_block_chance_30_days_ratio", ()), finance.solo.chance_in_30_days
        yield ("solo_block_chance_year_ratio", ()), finance.solo.chance_in_365_days


def _saved_in_30_days(finance: Finance) -> Iterator[Reading]:
    """Where nothing was paused it is known that nothing was saved."""
    for by in PAUSED_BY:
        sums = finance.savings.last_30_days.get(by, NOTHING_SAVED)
        yield from _known("pause_unspent_kwh_30_days", sums.energy_kwh, by)
        if finance.currency is not None:
            yield from _known("pause_saved_30_days", sums.saved, by)


def _economics(basis: str, one: Economics) -> Iterator[Reading]:
    day = one.day
    cost = None if day.energy_cost is None else day.energy_cost + day.fixed_cost
    yield from _known("power_watts", one.hashing.watts, basis)
    yield from _known("power_cost_per_day", cost, basis)
    yield from _known("expected_coin_sats_per_day", day.coin_sats, basis)
    yield from _known("revenue_per_day", day.revenue, basis)
    yield from _known("break_even_power_price", one.break_even_price_per_kwh, basis)
    yield from _known("break_even_coin_price", one.break_even_coin_price, basis)


def _known(name: str, value: float | None, *labels: str) -> Iterator[Reading]:
    if value is not None:
        yield (name, labels), value
