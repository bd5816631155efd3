"""What the farm earns and costs now: hashrates, prices and the network's work put together. Pure.

The arithmetic is `pool.farm.economics`; this chooses what goes in. A hashrate that is measured by accepted
shares has lost its rejects already; the nameplate's has not. What a day and 30 days come to changes neither
at nightfall nor while machines stand still for the price: it is for the share of the coming week in which
they run, and the nameplate has those machines that only the price keeps from running.
"""

from collections.abc import Mapping

import msgspec

from config.power_schema import PowerSettings
from pool.farm.economics import (
    MONTH_DAYS,
    Economics,
    Hashing,
    Network,
    PauseSaving,
    Prices,
    SoloOdds,
    economics,
    pause_saving,
    solo_odds,
    watts_of,
)
from pool.farm.pause_savings import Idle, Savings
from pool.farm.pauses import By
from pool.farm.summary import FarmSums
from pool.farm.tariff import WEEK_SECONDS, Running, Tariff, dear_periods, price_at, running, tariff_of

DAY_SECONDS = 86_400.0
MICROSECONDS = 1_000_000
NOTHING_SAVED = Savings()
# What is left in a window days after its last share is no hashrate, and prices divided by it are no prices.
LEAST_HASHES_PER_SECOND = 1.0


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What the world says: of the network None before a node has told, of the coin None where no price is
    known, and then `remark` may say why."""

    network: Network | None
    coin_price: float | None
    remark: str | None = None


class Finance(msgspec.Struct, frozen=True, kw_only=True):
    """The farm's money at one moment. `saved_per_day` is what the pauses in force save in a day, None without
    any; `savings` is what they and earlier ones have saved.

    time_share          of the coming week, while power is cheap enough: days and months are for that
    is_standing_still   machines stand still for the price of power, or come back from that: `measured` is
                        what it is, and says nothing of whether mining pays
    dear_until_us       until when power is too dear (Unix microseconds); None where it is not now
    """

    currency: str | None
    price_per_kwh: float | None
    coin_price: float | None
    time_share: float
    is_standing_still: bool
    dear_until_us: int | None
    measured: Economics
    nameplate: Economics
    solo: SoloOdds | None
    saved_per_day: float | None
    savings: Savings
    remark: str | None


class Treasurer:
    """Knows the settings; is asked with the sums of the moment."""

    def __init__(self, power: PowerSettings) -> None:
        self._power = power
        self.tariff: Tariff | None = tariff_of(power)

    def price_per_kwh(self, now: float) -> float | None:
        """In the settings' currency, at a Unix time."""
        return self._power.price_per_kwh if self.tariff is None else price_at(self.tariff, now)

    def usual(self, now: float) -> Running:
        """For which share of the coming week machines run, and what a kWh costs then on average: what a day
        or a month comes to does not change at nightfall."""
        if self.tariff is None:
            return Running(1.0, self._power.price_per_kwh, None)
        bound = self._power.pause_above_price_per_kwh
        return running(self.tariff, bound, now, now + WEEK_SECONDS)

    def dear_until_us(self, now: float) -> int | None:
        """Until when power costs more than machines are to run at; None where it does not."""
        bound = self._power.pause_above_price_per_kwh
        if self.tariff is None or bound is None:
            return None
        dear = dear_periods(self.tariff, bound, now, WEEK_SECONDS)
        return round(dear[0].end * MICROSECONDS) if dear and dear[0].start <= now else None

    def finance(
        self,
        sums: FarmSums,
        market: Market,
        now: float,
        stopped: Mapping[By, Idle],
        savings: Savings = NOTHING_SAVED,
    ) -> Finance:
        """`stopped` are the machines that pauses keep from running now, by the kind of pause."""
        price_now, usual = self.price_per_kwh(now), self.usual(now)
        dear_until_us = self.dear_until_us(now)
        prices = Prices(
            price_per_kwh=usual.price_per_kwh,
            coin_price=market.coin_price,
            overhead_factor=self._power.overhead_factor,
            fixed_cost_per_day=self._power.fixed_cost_per_month / MONTH_DAYS,
        )
        running_rate = sums.running if sums.running >= LEAST_HASHES_PER_SECOND else 0.0
        measured = Hashing(
            hashes_per_second=running_rate,
            watts=self._watts(sums.running_watts, sums.unlisted_running),
            time_share=usual.time_share,
        )
        nameplate = Hashing(
            hashes_per_second=sums.nameplate + sums.for_price,
            watts=self._watts(
                sums.nameplate_watts + sums.for_price_watts, sums.unlisted_nameplate + sums.unlisted_for_price
            ),
            reject_share=sums.refused,
            time_share=usual.time_share,
        )
        mining_rate = (running_rate + sums.for_price) * usual.time_share
        network = market.network
        return Finance(
            currency=self._power.currency,
            price_per_kwh=price_now,
            coin_price=market.coin_price,
            time_share=usual.time_share,
            is_standing_still=sums.for_price > 0 or dear_until_us is not None,
            dear_until_us=dear_until_us,
            measured=economics(measured, network, prices),
            nameplate=economics(nameplate, network, prices),
            solo=None if network is None else solo_odds(mining_rate, network.work),
            saved_per_day=self._saved_per_day(stopped, market, price_now, usual, sums.refused),
            savings=savings,
            remark=market.remark,
        )

    def _saved_per_day(
        self,
        stopped: Mapping[By, Idle],
        market: Market,
        price_now: float | None,
        usual: Running,
        reject_share: float,
    ) -> float | None:
        """By hand for a whole day at the price of this moment: a pause is made for it. For the price for the
        part of a day in which power is dear, at what it costs then."""
        of_a_day: dict[By, tuple[float, float | None]] = {
            "hand": (DAY_SECONDS, price_now),
            "price": ((1.0 - usual.time_share) * DAY_SECONDS, usual.dear_price_per_kwh),
        }
        saved = [
            self._saving(idle, *of_a_day[by], market, reject_share).saved for by, idle in stopped.items()
        ]
        known = [one for one in saved if one is not None]
        return sum(known) if known and len(known) == len(saved) else None

    def worth(self, idle: Idle, market: Market, reject_share: float = 0.0) -> PauseSaving:
        """What machines save that stand still for some time, at the price of power then; so much of their
        work would have been refused."""
        price = self.price_per_kwh(idle.from_us / MICROSECONDS)
        return self._saving(idle, idle.seconds, price, market, reject_share)

    def _saving(
        self, idle: Idle, seconds: float, price: float | None, market: Market, reject_share: float
    ) -> PauseSaving:
        prices = Prices(
            price_per_kwh=price,
            coin_price=market.coin_price,
            overhead_factor=self._power.overhead_factor,
        )
        hashing = Hashing(
            hashes_per_second=idle.hashes_per_second,
            watts=self._watts(idle.watts, idle.unlisted_hashes_per_second),
            reject_share=reject_share,
        )
        return pause_saving(economics(hashing, market.network, prices), seconds, price)

    def _watts(self, listed: float, unlisted_hashes_per_second: float) -> float | None:
        """None where machines run of which nobody said what they draw."""
        if unlisted_hashes_per_second <= 0:
            return listed
        joules = self._power.joules_per_terahash
        return None if joules is None else listed + watts_of(unlisted_hashes_per_second, joules)
