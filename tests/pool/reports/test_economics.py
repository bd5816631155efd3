"""What people read of a farm's money: two hashrates side by side, and a loss that is called one."""

import io
import re
from typing import Any

import msgspec
import pytest
from rich.console import Console

from pool.farm.economics import Economics, Hashing, Network, Prices, SoloOdds, economics, solo_odds
from pool.farm.finance import Finance
from pool.farm.pause_savings import PauseEntry, Saved, Savings
from pool.farm.pauses import By
from pool.reports.economics import (
    MONEY,
    MoneyRow,
    money_lines,
    money_rows,
    money_text,
    pause_line,
    savings_lines,
    solo_line,
    verdict_line,
)
from pool.reports.rendering import Form, show

# 1,000 hashes a second find one block a day; see test_economics.py for the arithmetic.
NETWORK = Network(work=86_400_000, subsidy_sats=300_000_000, mean_fees_sats=20_000_000, fee_share=0.01)
HASHING = Hashing(hashes_per_second=1_000, watts=1_000, reject_share=0.015)
PRICES = Prices(price_per_kwh=0.2, coin_price=100, overhead_factor=1.5, fixed_cost_per_day=4.8)


def finance(measured: Economics, nameplate: Economics | None = None, **more: Any) -> Finance:
    """Of a farm that always runs; without a `nameplate` it does what it should."""
    found = Finance(
        currency="CNY",
        price_per_kwh=measured.prices.price_per_kwh,
        coin_price=measured.prices.coin_price,
        time_share=1.0,
        is_standing_still=False,
        dear_until_us=None,
        measured=measured,
        nameplate=measured if nameplate is None else nameplate,
        solo=None,
        saved_per_day=None,
        savings=Savings(),
        remark=None,
    )
    return msgspec.structs.replace(found, **more)


def table(found: Finance) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=80, highlight=False, color_system=None)
    show(money_rows(found), MONEY, MoneyRow, Form.TABLE, console, empty="")
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_measured_stands_beside_nameplate_in_eighty_columns() -> None:
    nameplate = Hashing(hashes_per_second=2_000, watts=1_000, reject_share=0.015)
    found = finance(economics(HASHING, NETWORK, PRICES), economics(nameplate, NETWORK, PRICES))
    lines = table(found)
    cells = [re.split(r" {2,}", line.strip()) for line in lines]
    assert cells == [
        ["measured", "nameplate"],
        ["hashrate", "1 kH/s", "2 kH/s"],
        ["power at the meter", "1.50 kW", "1.50 kW"],
        ["coin a day", "3.12000000", "6.24000000"],
        ["revenue a day", "312 CNY", "624 CNY"],
        ["electricity a day", "7.20 CNY", "7.20 CNY"],
        ["fixed cost a day", "4.80 CNY", "4.80 CNY"],
        ["profit a day", "300 CNY", "612 CNY"],
        ["electricity in 30 days", "216 CNY", "216 CNY"],
        ["profit in 30 days", "9,000 CNY", "18,360 CNY"],
        ["breaks even at, a kWh", "8.53 CNY", "17.20 CNY"],
        ["breaks even at, a coin", "3.85 CNY", "1.92 CNY"],
    ]
    assert max(len(line) for line in lines) <= 80


def test_whether_it_pays_is_told_of_both_and_then_of_mining_alone() -> None:
    nameplate = Hashing(hashes_per_second=2_000, watts=1_000, reject_share=0.015)
    solo = solo_odds(1_000, NETWORK.work)
    found = finance(economics(HASHING, NETWORK, PRICES), economics(nameplate, NETWORK, PRICES), solo=solo)
    measured, named, alone = money_lines(found)
    assert measured.startswith("as measured: earns 300 CNY a day at this difficulty, 9,000 in 30 days; ")
    assert named.startswith("by nameplate: earns 612 CNY a day ")
    assert alone.startswith("mining alone: ")


def test_a_loss_is_called_one_with_the_prices_that_would_end_it() -> None:
    poor = Prices(price_per_kwh=20, coin_price=100, overhead_factor=1.5)
    # 312 of revenue, 36 kWh at 20 are 720: 408 are lost; 312/36 = 8.667; 720/3.12 = 230.77
    assert verdict_line("as measured", economics(HASHING, NETWORK, poor), "CNY") == (
        "as measured: loses 408 CNY a day at this difficulty, 12,240 in 30 days; "
        "breaks even at a power price of 8.67 CNY a kWh or a coin price of 231 CNY"
    )


def test_a_farm_that_free_power_would_not_save_is_told_so() -> None:
    rented = Prices(price_per_kwh=20, coin_price=1, overhead_factor=1.5, fixed_cost_per_day=10)
    # 3.12 − 720 − 10; 730/3.12 = 233.97
    assert verdict_line("as measured", economics(HASHING, NETWORK, rented), "CNY") == (
        "as measured: loses 727 CNY a day at this difficulty, 21,806 in 30 days; "
        "not even free power would make it pay, but a coin price of 234 CNY would"
    )


def test_machines_that_earn_nothing_lose_at_any_price() -> None:
    line = verdict_line(
        "as measured", economics(Hashing(hashes_per_second=0, watts=1e3), NETWORK, PRICES), "CNY"
    )
    assert line.startswith("as measured: loses 12.00 CNY a day ")
    assert line.endswith("; no coin comes in, and no price would change that")


def test_machines_that_draw_nothing_break_even_by_the_coin_alone() -> None:
    line = verdict_line(
        "by nameplate", economics(Hashing(hashes_per_second=1e3, watts=0), NETWORK, PRICES), "CNY"
    )
    # 4.8 fixed for 3.168 coins
    assert line.endswith("; breaks even at a coin price of 1.52 CNY")


@pytest.mark.parametrize(
    ("hashing", "network", "prices", "currency", "missing"),
    [
        (HASHING, None, PRICES, "CNY", "no node has told of a block yet"),
        (
            HASHING,
            Network(work=1, subsidy_sats=1, mean_fees_sats=None),
            PRICES,
            "CNY",
            "the fees of the last blocks are not known yet",
        ),
        (
            Hashing(hashes_per_second=1, watts=None),
            NETWORK,
            Prices(price_per_kwh=None, coin_price=None),
            None,
            (
                "nobody said what the machines draw (their watts, or farm.power.joules_per_terahash); "
                "power has no price (farm.power.price_per_kwh or tariffs); "
                "the coin has no price (farm.power.coin_price or coin_price_file)"
            ),
        ),
        (HASHING, NETWORK, PRICES, None, "prices have no currency (farm.power.currency)"),
    ],
)
def test_what_is_missing_is_named_with_the_setting_for_it(
    hashing: Hashing, network: Network | None, prices: Prices, currency: str | None, missing: str
) -> None:
    line = verdict_line("as measured", economics(hashing, network, prices), currency)
    assert line == f"as measured: whether it pays is not known: {missing}"


def test_unknown_figures_are_dashes() -> None:
    unknown = economics(
        Hashing(hashes_per_second=1, watts=None), None, Prices(price_per_kwh=None, coin_price=None)
    )
    lines = table(finance(unknown, currency=None))
    assert [line.split()[-1] for line in lines[2:]] == ["–", "–", "–", "–", "0", "–", "–", "–", "–", "–"]


def test_remarks_come_before_the_verdict() -> None:
    found = finance(economics(HASHING, NETWORK, PRICES), remark="price is 3 days old")
    first, second, _ = money_lines(found)
    assert first == "price is 3 days old"
    assert second.startswith("as measured: ")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (13_156.1, "13,156 CNY"),
        (-13_156.1, "-13,156 CNY"),
        (99.5, "99.50 CNY"),
        (0.771605, "0.7716 CNY"),
        (0, "0 CNY"),
        (None, "–"),
    ],
)
def test_money_has_the_digits_that_an_estimate_deserves(amount: float | None, text: str) -> None:
    assert money_text(amount, "CNY") == text


def test_the_odds_of_mining_alone_are_a_sentence() -> None:
    odds = SoloOdds(expected_wait_seconds=248_119.5, chance_in_30_days=0.99797, chance_in_365_days=0.9999999)
    assert solo_line(odds) == (
        "mining alone: a block takes 2.87 days on average; "
        "the chance of one is 99.8 % in 30 days and over 99.9 % in a year"
    )
    assert solo_line(solo_odds(0, 1)) == "mining alone: nothing hashes, and no block will be found"


NOON_US = 1_412_164_800_000_000  # 1 October 2014, 12:00 in UTC
SIX_HOURS = Saved(
    machine_seconds=43_200,
    known_machine_seconds=43_200,
    energy_kwh=200,
    energy_cost=180,
    coin_sats=78e6,
    revenue=78,
    saved=102,
)


def entry(saved: Saved, *, group: str = "hall-a", by: By = "hand", lasts: bool = True) -> PauseEntry:
    return PauseEntry(
        group=group,
        by=by,
        since_us=NOON_US,
        until_us=NOON_US + 21_600_000_000,
        lasts=lasts,
        seconds=21_600,
        saved=saved,
    )


def test_a_pause_says_what_it_has_saved_or_cost() -> None:
    assert pause_line(entry(SIX_HOURS), "CNY") == (
        "hall-a, paused by hand since 2014-10-01 12:00 UTC: "
        "saved 102 CNY: 180 CNY of power (200 kWh) unspent, 78.00 CNY of coin unearned in 6 hours"
    )
    costing = msgspec.structs.replace(SIX_HOURS, energy_cost=9.0, saved=-69.0)
    assert pause_line(entry(costing, group="all", by="price"), "CNY").startswith(
        "the whole farm, paused for the price of power since 2014-10-01 12:00 UTC: cost 69.00 CNY: 9.00 CNY "
    )


def test_without_a_price_of_the_coin_a_pause_has_left_power_unspent() -> None:
    unsold = Saved(machine_seconds=43_200, energy_kwh=200, energy_cost=180, coin_sats=78e6)
    assert pause_line(entry(unsold), "CNY").endswith(": 180 CNY of power (200 kWh) unspent in 6 hours")
    unpriced = Saved(machine_seconds=43_200, energy_kwh=200)
    assert pause_line(entry(unpriced), None).endswith(": 200 kWh of power unspent in 6 hours")


def test_where_prices_were_unknown_for_some_of_the_time_it_is_told() -> None:
    halfway = msgspec.structs.replace(SIX_HOURS, known_machine_seconds=21_600.0, saved=12.0)
    assert "saved 12.00 CNY in the 50 % of the time with all prices known: 180 CNY of power" in pause_line(
        entry(halfway), "CNY"
    )


def test_pauses_that_last_have_a_line_each_and_all_of_30_days_one_together() -> None:
    by_price = msgspec.structs.replace(SIX_HOURS, saved=-2.0, energy_kwh=100.0, energy_cost=76.0)
    savings = Savings(
        (entry(SIX_HOURS, group="old", lasts=False), entry(SIX_HOURS)), {"hand": SIX_HOURS, "price": by_price}
    )
    lasting, together = savings_lines(savings, "CNY")
    assert lasting.startswith("hall-a, paused by hand ")
    # 102 − 2, 180 + 76, 200 + 100 and 78 + 78
    assert together == (
        "pauses of the last 30 days: "
        "saved 100 CNY: 256 CNY of power (300 kWh) unspent, 156 CNY of coin unearned"
    )
    assert list(savings_lines(Savings(), "CNY")) == []
