"""What one hashrate earns and costs, the odds of mining alone, what a pause saves; nothing here is booked.

    coin a day = hashrate × seconds it runs / network work × (subsidy + mean fees) × (1 − fee − rejects)

Network work is the expected hashes of a block, 2^256 // (target + 1). Everything is an expectation in floats,
for people to read. What cannot be known without an input that is missing is None, never 0.
"""

import math

import msgspec

SATS_PER_COIN = 100_000_000
DAY_SECONDS = 86_400
MONTH_DAYS = 30
HASHES_PER_TERAHASH = 1e12
WATTS_PER_KILOWATT = 1_000


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What hashes bring: expected hashes of a block, what it pays, and which share of that a pool keeps.

    `mean_fees_sats` is a block's transaction fees over the last 144 blocks, None where they were not seen.
    """

    work: int
    subsidy_sats: int
    mean_fees_sats: float | None
    fee_share: float = 0.0

    def __post_init__(self) -> None:
        if self.work < 1 or self.subsidy_sats < 0 or (self.mean_fees_sats or 0) < 0:
            raise ValueError("a block takes work, and pays nothing that is negative")
        if not 0 <= self.fee_share <= 1:
            raise ValueError("a fee is a share between 0 and 1")


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What is paid and what is got, in one currency. `overhead_factor` is what the meter counts for each
    kilowatt-hour of the machines."""

    price_per_kwh: float | None
    coin_price: float | None
    overhead_factor: float = 1.0
    fixed_cost_per_day: float = 0.0

    def __post_init__(self) -> None:
        amounts = (self.price_per_kwh, self.coin_price, self.fixed_cost_per_day)
        if any(amount is not None and amount < 0 for amount in amounts) or self.overhead_factor < 1:
            raise ValueError("prices are not negative, and the meter counts no less than the machines use")


class Hashing(msgspec.Struct, frozen=True, kw_only=True):
    """A hashrate, and what its machines draw. `reject_share` is which share of it brings nothing: 0 for one
    that was measured by accepted shares, which has lost its rejects already. `time_share` is for which share
    of the time the machines run, and draw that."""

    hashes_per_second: float
    watts: float | None
    reject_share: float = 0.0
    time_share: float = 1.0

    def __post_init__(self) -> None:
        if self.hashes_per_second < 0 or (self.watts or 0) < 0:
            raise ValueError("hashes and watts are not negative")
        if not 0 <= self.reject_share <= 1 or not 0 <= self.time_share <= 1:
            raise ValueError("rejects and the time that machines run are shares between 0 and 1")


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Of some days. `coin_sats` is an expectation, `energy_kwh` what the meter counts."""

    days: int
    coin_sats: float | None
    revenue: float | None
    energy_kwh: float | None
    energy_cost: float | None
    fixed_cost: float
    profit: float | None


class Economics(msgspec.Struct, frozen=True, kw_only=True):
    """What a hashrate earns and costs, by which inputs, in a day and in 30.

    break_even_price_per_kwh   power at this price makes the profit 0; below 0 where not even free power would
    break_even_coin_price      a coin at this price makes it 0; None, too, where there is no coin to sell
    """

    hashing: Hashing
    network: Network | None
    prices: Prices
    day: Totals
    month: Totals
    break_even_price_per_kwh: float | None
    break_even_coin_price: float | None


def economics(hashing: Hashing, network: Network | None, prices: Prices) -> Economics:
    """`network` None: no node has told of a block to mine yet."""
    day = _totals(hashing, network, prices, days=1)
    return Economics(
        hashing=hashing,
        network=network,
        prices=prices,
        day=day,
        month=_totals(hashing, network, prices, days=MONTH_DAYS),
        break_even_price_per_kwh=_break_even_price_per_kwh(day),
        break_even_coin_price=_break_even_coin_price(day),
    )


def watts_of(hashes_per_second: float, joules_per_terahash: float) -> float:
    """What machines draw that use so much for each 10^12 hashes."""
    return hashes_per_second / HASHES_PER_TERAHASH * joules_per_terahash


def kilowatts_at_the_meter(hashing: Hashing, prices: Prices) -> float | None:
    """While the machines run; None where nobody said what they draw."""
    return _times(hashing.watts, prices.overhead_factor / WATTS_PER_KILOWATT)


def coin_sats_per_day(hashing: Hashing, network: Network) -> float | None:
    """Expected; None where the fees of blocks are unknown."""
    if network.mean_fees_sats is None:
        return None
    blocks = hashing.hashes_per_second * DAY_SECONDS * hashing.time_share / network.work
    kept_share = max(0.0, 1 - network.fee_share - hashing.reject_share)
    return blocks * (network.subsidy_sats + network.mean_fees_sats) * kept_share


def _totals(hashing: Hashing, network: Network | None, prices: Prices, days: int) -> Totals:
    coin_sats = None if network is None else _times(coin_sats_per_day(hashing, network), days)
    kilowatts = kilowatts_at_the_meter(hashing, prices)
    energy_kwh = _times(kilowatts, 24 * days * hashing.time_share)
    revenue = _times(_times(coin_sats, prices.coin_price), 1 / SATS_PER_COIN)
    energy_cost = _times(energy_kwh, prices.price_per_kwh)
    fixed_cost = prices.fixed_cost_per_day * days
    return Totals(
        days=days,
        coin_sats=coin_sats,
        revenue=revenue,
        energy_kwh=energy_kwh,
        energy_cost=energy_cost,
        fixed_cost=fixed_cost,
        profit=None if revenue is None or energy_cost is None else revenue - energy_cost - fixed_cost,
    )


def _times(amount: float | None, factor: float | None) -> float | None:
    """Something unknown stays so, however often it is taken."""
    return None if amount is None or factor is None else amount * factor


def _break_even_price_per_kwh(day: Totals) -> float | None:
    if day.revenue is None or not day.energy_kwh:
        return None
    return (day.revenue - day.fixed_cost) / day.energy_kwh


def _break_even_coin_price(day: Totals) -> float | None:
    if day.energy_cost is None or not day.coin_sats:
        return None
    return (day.energy_cost + day.fixed_cost) / (day.coin_sats / SATS_PER_COIN)


# ---------------------------------------------------------------------- standing still


class PauseSaving(msgspec.Struct, frozen=True, kw_only=True):
    """What a pause leaves unspent and unearned, and what that comes to: below 0 where it costs money."""

    seconds: float
    energy_kwh: float | None
    energy_cost: float | None
    lost_coin_sats: float | None
    lost_revenue: float | None
    saved: float | None


def pause_saving(running: Economics, seconds: float, price_per_kwh: float | None) -> PauseSaving:
    """`running` is what the machines would do, `price_per_kwh` the price while they do not.

    Fixed costs go on and make no difference. Machines that stand still are taken to draw nothing.
    """
    days = seconds / DAY_SECONDS
    energy_kwh = _times(running.day.energy_kwh, days)
    energy_cost = _times(energy_kwh, price_per_kwh)
    lost_revenue = _times(running.day.revenue, days)
    return PauseSaving(
        seconds=seconds,
        energy_kwh=energy_kwh,
        energy_cost=energy_cost,
        lost_coin_sats=_times(running.day.coin_sats, days),
        lost_revenue=lost_revenue,
        saved=None if energy_cost is None or lost_revenue is None else energy_cost - lost_revenue,
    )


# ---------------------------------------------------------------------- mining alone


class SoloOdds(msgspec.Struct, frozen=True, kw_only=True):
    """Of finding blocks without others. `expected_wait_seconds` is None where nothing hashes."""

    expected_wait_seconds: float | None
    chance_in_30_days: float
    chance_in_365_days: float


def solo_odds(hashes_per_second: float, network_work: int) -> SoloOdds:
    """Blocks come as a Poisson process: at least one in t has the chance 1 − exp(−t / expected wait).

    They count from now, however long the wait was already. Raises ValueError for a negative hashrate.
    """
    if hashes_per_second < 0 or network_work < 1:
        raise ValueError("a block takes work, and a hashrate is not negative")
    return SoloOdds(
        expected_wait_seconds=network_work / hashes_per_second if hashes_per_second else None,
        chance_in_30_days=_chance(hashes_per_second, network_work, days=30),
        chance_in_365_days=_chance(hashes_per_second, network_work, days=365),
    )


def _chance(hashes_per_second: float, network_work: int, days: int) -> float:
    return abs(math.expm1(-hashes_per_second * DAY_SECONDS * days / network_work))
