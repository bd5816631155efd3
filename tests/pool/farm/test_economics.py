"""What a hashrate earns and costs, against arithmetic by hand; what is unknown stays unknown."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.farm.economics import (
    Economics,
    Hashing,
    Network,
    Prices,
    economics,
    pause_saving,
    solo_odds,
    watts_of,
)

# 1,000 hashes a second are 86,400,000 a day: one block.
NETWORK = Network(work=86_400_000, subsidy_sats=300_000_000, mean_fees_sats=20_000_000, fee_share=0.01)
HASHING = Hashing(hashes_per_second=1_000, watts=1_000, reject_share=0.015)
PRICES = Prices(price_per_kwh=0.2, coin_price=100, overhead_factor=1.5, fixed_cost_per_day=4.8)


def test_a_day_and_thirty() -> None:
    found = economics(HASHING, NETWORK, PRICES)
    # 3.2 coins × (1 − 0.01 − 0.015) = 3.12, at 100: 312
    assert found.day.coin_sats == pytest.approx(312_000_000)
    assert found.day.revenue == pytest.approx(312)
    # 1 kW × 1.5 × 24 h = 36 kWh, at 0.2: 7.2
    assert found.day.energy_kwh == pytest.approx(36)
    assert found.day.energy_cost == pytest.approx(7.2)
    assert found.day.profit == pytest.approx(300)  # 312 − 7.2 − 4.8
    assert (found.month.days, found.month.fixed_cost) == (30, pytest.approx(144))
    assert found.month.coin_sats == pytest.approx(9_360_000_000)
    assert (found.month.energy_kwh, found.month.energy_cost) == (pytest.approx(1_080), pytest.approx(216))
    assert (found.month.revenue, found.month.profit) == (pytest.approx(9_360), pytest.approx(9_000))


def test_prices_at_which_it_just_pays() -> None:
    found = economics(HASHING, NETWORK, PRICES)
    assert found.break_even_price_per_kwh == pytest.approx(307.2 / 36)  # 312 − 4.8 are left for 36 kWh
    assert found.break_even_coin_price == pytest.approx(12 / 3.12)  # 7.2 + 4.8 are to be had for 3.12 coins


def test_machines_that_run_for_a_quarter_of_the_time_bring_and_use_a_quarter() -> None:
    found = economics(msgspec.structs.replace(HASHING, time_share=0.25), NETWORK, PRICES)
    # of 312, 36 kWh and 7.2; the fixed 4.8 go on: 78 − 1.8 − 4.8
    assert (found.day.revenue, found.day.energy_kwh) == (pytest.approx(78), pytest.approx(9))
    assert (found.day.energy_cost, found.day.fixed_cost) == (pytest.approx(1.8), pytest.approx(4.8))
    assert (found.day.profit, found.month.profit) == (pytest.approx(71.4), pytest.approx(2_142))
    assert found.break_even_price_per_kwh == pytest.approx(73.2 / 9)


def test_where_fixed_costs_are_more_than_revenue_power_would_have_to_be_paid_for() -> None:
    found = economics(
        HASHING, NETWORK, Prices(price_per_kwh=0.2, coin_price=1, overhead_factor=1.5, fixed_cost_per_day=4.8)
    )
    assert found.break_even_price_per_kwh == pytest.approx((3.12 - 4.8) / 36)


UNKNOWN_PRICE = Prices(price_per_kwh=None, coin_price=100)
UNKNOWN_COIN = Prices(price_per_kwh=0.2, coin_price=None)


@pytest.mark.parametrize(
    ("hashing", "network", "prices", "unknown"),
    [
        (HASHING, NETWORK, PRICES, set()),
        (HASHING, None, PRICES, {"coin_sats", "revenue", "profit", "kwh", "coin"}),
        (
            HASHING,
            Network(work=86_400_000, subsidy_sats=300_000_000, mean_fees_sats=None),
            PRICES,
            {"coin_sats", "revenue", "profit", "kwh", "coin"},
        ),
        (HASHING, NETWORK, UNKNOWN_COIN, {"revenue", "profit", "kwh"}),
        (HASHING, NETWORK, UNKNOWN_PRICE, {"energy_cost", "profit", "coin"}),
        (
            Hashing(hashes_per_second=1_000, watts=None),
            NETWORK,
            PRICES,
            {"energy_kwh", "energy_cost", "profit", "kwh", "coin"},
        ),
    ],
)
def test_what_is_unknown_is_never_nothing(
    hashing: Hashing, network: Network | None, prices: Prices, unknown: set[str]
) -> None:
    found = economics(hashing, network, prices)
    names = ("coin_sats", "revenue", "energy_kwh", "energy_cost", "profit")
    missing = {name for name in names if getattr(found.day, name) is None}
    assert missing == {name for name in names if getattr(found.month, name) is None}
    missing |= {"kwh"} if found.break_even_price_per_kwh is None else set()
    missing |= {"coin"} if found.break_even_coin_price is None else set()
    assert missing == unknown


def test_machines_that_hash_nothing_earn_nothing_and_cost_what_they_draw() -> None:
    found = economics(Hashing(hashes_per_second=0, watts=1_000), NETWORK, PRICES)
    assert (found.day.coin_sats, found.day.revenue) == (0, 0)
    assert found.day.profit == pytest.approx(-12)
    assert found.break_even_coin_price is None  # no price would do


def test_a_farm_without_machines_has_no_price_of_power_to_break_even_at() -> None:
    found = economics(Hashing(hashes_per_second=0, watts=0), NETWORK, PRICES)
    assert found.day.energy_cost == 0
    assert found.break_even_price_per_kwh is None


def test_fees_and_rejects_take_all_there_is_and_no_more() -> None:
    greedy = Network(work=86_400_000, subsidy_sats=1, mean_fees_sats=0, fee_share=0.9)
    hashing = Hashing(hashes_per_second=1_000, watts=1, reject_share=0.9)
    assert economics(hashing, greedy, PRICES).day.coin_sats == 0


amounts = st.floats(0.01, 1e6)


@given(rate=st.floats(1, 1e21), watts=st.floats(1, 1e9), kwh=amounts, coin=amounts, fixed=st.floats(0, 1e6))
def test_at_a_price_that_breaks_even_the_profit_is_nothing(
    rate: float, watts: float, kwh: float, coin: float, fixed: float
) -> None:
    network = Network(work=2**78, subsidy_sats=312_500_000, mean_fees_sats=2_000_000)
    hashing = Hashing(hashes_per_second=rate, watts=watts)

    def at(price_per_kwh: float, coin_price: float) -> Economics:
        prices = Prices(price_per_kwh=price_per_kwh, coin_price=coin_price, fixed_cost_per_day=fixed)
        return economics(hashing, network, prices)

    found = at(kwh, coin)
    assert found.break_even_coin_price is not None
    assert found.break_even_price_per_kwh is not None
    balanced = [at(kwh, found.break_even_coin_price)]
    if found.break_even_price_per_kwh >= 0:
        balanced.append(at(found.break_even_price_per_kwh, coin))
    for one in balanced:
        assert one.day.revenue is not None
        assert one.day.profit == pytest.approx(0, abs=1e-9 * (one.day.revenue + fixed + 1e-9))


@pytest.mark.parametrize(
    "bad", [{"work": 0}, {"subsidy_sats": -1}, {"mean_fees_sats": -1}, {"fee_share": 1.1}]
)
def test_a_network_that_cannot_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"negative|share"):
        msgspec.structs.replace(NETWORK, **bad)


def test_watts_follow_from_what_a_terahash_takes() -> None:
    # 240 × 10^9 hashes a second at 1,000 J for each 10^12
    assert watts_of(240e9, 1_000) == pytest.approx(240)


# ---------------------------------------------------------------------- standing still


def test_a_pause_saves_what_power_costs_beyond_the_coin() -> None:
    # In 6 hours 9 kWh are not used, at 20: 180; and 0.78 coins are not found, at 100: 78.
    found = pause_saving(economics(HASHING, NETWORK, PRICES), 6 * 3_600, price_per_kwh=20)
    assert (found.energy_kwh, found.energy_cost) == (pytest.approx(9), pytest.approx(180))
    assert found.lost_coin_sats == pytest.approx(78_000_000)
    assert (found.lost_revenue, found.saved) == (pytest.approx(78), pytest.approx(102))


def test_a_pause_at_cheap_power_costs_money() -> None:
    found = pause_saving(economics(HASHING, NETWORK, PRICES), 6 * 3_600, price_per_kwh=1)
    assert found.saved == pytest.approx(9 - 78)


def test_what_a_pause_saves_is_unknown_without_the_coins_price() -> None:
    found = pause_saving(economics(HASHING, NETWORK, UNKNOWN_COIN), 3_600, price_per_kwh=1)
    assert found.energy_cost == pytest.approx(1)  # no overhead in these prices
    assert (found.lost_revenue, found.saved) == (None, None)


def test_the_power_that_a_pause_leaves_unspent_is_known_without_its_price() -> None:
    found = pause_saving(economics(HASHING, NETWORK, UNKNOWN_PRICE), 6 * 3_600, price_per_kwh=None)
    assert found.energy_kwh == pytest.approx(6)  # no overhead in these prices
    assert (found.energy_cost, found.saved) == (None, None)


# ---------------------------------------------------------------------- mining alone


def test_the_odds_of_one_block_in_its_expected_time_are_those_of_a_poisson_process() -> None:
    found = solo_odds(1, 30 * 86_400)
    assert found.expected_wait_seconds == 2_592_000
    assert found.chance_in_30_days == pytest.approx(0.6321205588)  # 1 − 1/e
    # 365/30 expected blocks: 1 − e^−12.1667, and e^−12 is 6.1442e-6, e^−0.1667 is 0.84648
    assert 1 - found.chance_in_365_days == pytest.approx(6.1442e-6 * 0.84648, rel=1e-4)


def test_small_odds_are_not_lost_to_rounding() -> None:
    # 2,592,000 of 10^30 hashes; 1 − exp(−2.6e-24) would be 0 in floats
    assert solo_odds(1, 10**30).chance_in_30_days == pytest.approx(2.592e-24)


def test_who_hashes_nothing_waits_for_nothing() -> None:
    found = solo_odds(0, 10**20)
    assert (found.expected_wait_seconds, found.chance_in_30_days) == (None, 0)
    assert not math.copysign(1, found.chance_in_365_days) < 0  # and is not shown as -0 %
